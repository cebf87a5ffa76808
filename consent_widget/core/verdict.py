"""What follows from the answer to one attempt: for the mail, its address, its domain and the campaign."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from .campaign import PauseReason, Policy
from .delivery import MAX_ATTEMPTS, Delivery, Event, wait
from .reply import Outcome, Reply, Stage

#: A mail that is refused for what it is, not for whom it is to, is tried so often before it has failed.
MAX_REFUSALS = 3

#: So many such refusals in a row are no accident: the campaign pauses.
REFUSALS_IN_A_ROW = 3

#: A letter whose answer was lost is sent again: one more link to confirm with does no harm, none does.
MAX_LETTERS = 3

#: How long nothing is sent after the relay could not be reached, doubled with each time.
_RELAY_FIRST = timedelta(seconds=5)
_RELAY_LONGEST = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """``event`` happens to the row, ``at`` is when it may be claimed again, ``attempts`` how often it was tried.

    ``suppress``: nothing goes to this address any more. ``slow``: its domain is left alone for
    a while. ``relay_down``: nothing can be sent at all for a while. ``pause`` stops the campaign.
    ``refused``: the content was refused; :data:`REFUSALS_IN_A_ROW` of these pause it as well.
    """

    event: Event
    at: datetime
    attempts: int
    suppress: bool = False
    slow: bool = False
    relay_down: bool = False
    pause: PauseReason | None = None
    refused: bool = False


def judge(one: Delivery, reply: Reply, *, policy: Policy | None, now: datetime) -> Verdict:
    """What follows from ``reply`` to the mail of the row ``one``; ``policy`` is its campaign's, None for a letter."""
    tried = one.attempts + 1
    if reply.outcome is Outcome.ACCEPTED:
        return Verdict(event=Event.ACCEPT, at=now, attempts=tried)
    if reply.outcome is Outcome.UNKNOWN:
        return lost(one, policy=policy, now=now)
    if reply.pauses:
        return _we_are_refused(one, reply, now)
    if reply.stage in (Stage.CONNECT, Stage.MAIL) and reply.outcome is not Outcome.PERMANENT:
        # Before a recipient was named nobody's mailbox is at fault: the next mail would fare alike.
        return Verdict(event=Event.GIVE_BACK, at=now, attempts=one.attempts, relay_down=True)
    if reply.suppresses:
        return Verdict(event=Event.REFUSE, at=now, attempts=tried, suppress=True)
    if reply.refuses_content:
        again = tried < MAX_REFUSALS
        event, at = (Event.GIVE_BACK, _later(one, tried, now)) if again else (Event.REFUSE, now)
        return Verdict(event=event, at=at, attempts=tried, refused=True)
    if reply.outcome is Outcome.PERMANENT or tried >= MAX_ATTEMPTS:
        return Verdict(event=Event.REFUSE, at=now, attempts=tried)
    return Verdict(event=Event.GIVE_BACK, at=_later(one, tried, now), attempts=tried, slow=reply.slows_domain)


def _we_are_refused(one: Delivery, reply: Reply, now: datetime) -> Verdict:
    """No fault of the address: the row waits for staff, unless it is the one that is always refused."""
    nobody_else = reply.stage in (Stage.CONNECT, Stage.MAIL) or reply.number == 0
    attempts = one.attempts if nobody_else else one.attempts + 1
    failed = attempts >= MAX_REFUSALS
    return Verdict(
        event=Event.REFUSE if failed else Event.GIVE_BACK,
        at=now,
        attempts=attempts,
        # A letter has no campaign to pause: it waits with everything else until the relay wants us again.
        relay_down=one.campaign_id is None,
        pause=PauseReason.POLICY if reply.code.startswith("5.7.") else PauseReason.SETTINGS,
    )


def lost(one: Delivery, *, policy: Policy | None, now: datetime) -> Verdict:
    """The mail may have been taken, nobody knows: its answer was lost, or its worker was."""
    tried = one.attempts + 1
    again = Verdict(event=Event.GIVE_BACK, at=_later(one, tried, now), attempts=tried)
    if policy is None:
        return again if tried < MAX_LETTERS else Verdict(event=Event.LOSE, at=now, attempts=tried)
    if policy is Policy.RESEND_SAME_ID and tried < MAX_ATTEMPTS:
        return again
    return Verdict(event=Event.LOSE, at=now, attempts=tried)


def _later(one: Delivery, tried: int, now: datetime) -> datetime:
    """Spread over time by the row itself, so that what was refused together does not come back together."""
    return now + wait(tried, sha256(f"{one.id} {tried}".encode()).digest()[0] / 255)


def relay_pause(refusals: int) -> timedelta:
    """How long nothing is tried after the relay could not be reached for the ``refusals``-th time in a row."""
    return min(_RELAY_LONGEST, _RELAY_FIRST * int(2 ** min(refusals - 1, 10)))


def domain_pause(refusals: int) -> timedelta:
    """How long a domain is left alone that asked for it for the ``refusals``-th time in a row."""
    return wait(refusals, 0.5)
