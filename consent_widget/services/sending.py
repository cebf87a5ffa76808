"""Mails are sent: rows claimed, each fenced by a commit of its own before it leaves, then settled.

The scheme and why: docs/delivery.md. At any instant at most one mail for each
connection is on its way, and its row says so; whatever is killed, nothing is lost and
nothing is sent twice by itself.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from ..core.campaign import Campaign, PauseReason
from ..core.campaign import State as Running
from ..core.delivery import CLAIM, LEASE, Delivery, Event, Kind
from ..core.errors import JournalUnavailable, StoreUnavailable
from ..core.reply import Outcome, Reply
from ..core.verdict import REFUSALS_IN_A_ROW, Verdict, domain_pause, judge, relay_pause
from ..mail.lines import Lines
from ..mail.transport import Transport
from ..storage import campaign as campaigns
from ..storage import claim
from ..storage.database import Kept
from ..storage.fence import Accepted, Recipient, accept, fence, pass_on
from ..storage.subscription import change_subscription, load_subscription
from . import journal
from .audience import journal_name, prepare
from .campaign import pause_for
from .deployment import Deployment
from .letters import Letters
from .subscription import make_link
from .suppression import BOUNCE, suppress
from .upkeep import finish_campaigns, release

T = TypeVar("T")

logger = logging.getLogger("consent_widget")

#: Letters that carry a link that confirms, and what the link is for.
_CONFIRMING = {Kind.CONFIRM: "confirm", Kind.ADDRESS: "address"}

#: So many connections a worker keeps open unless it is told otherwise, so many mails are unknown if it is killed.
CONNECTIONS = 3

#: How long, in seconds, one slow mail keeps idle connections from looking for others.
_LOOK = 1.0

#: How long a worker tries to write what became of a mail while the database is away.
_PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Message:
    """A fenced row, written out: on its way, or about to be."""

    row: Delivery
    content: bytes
    sender: str
    recipient: str


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """What one commit claimed; ``put_off`` rows belong to domains that are left alone."""

    rows: list[Delivery] = field(default_factory=list)
    campaign: Campaign | None = None
    claims: int = 0
    put_off: int = 0


def deliver(
    deployment: Deployment,
    open_transport: Callable[[], Transport],
    *,
    owner: str,
    stop: Callable[[], bool] = bool,
    limit: int | None = None,
    connections: int = CONNECTIONS,
    lease: timedelta = LEASE,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send what is due, until nothing is, ``stop()`` says so or ``limit`` mails were tried; how many were.

    ``owner`` names this worker and nobody else. What it holds and has not sent when it ends
    goes back. Any number of workers may run this against one database.

    Raises:
        SettingError: MAIL_FROM or PUBLIC_URL is missing.
        StoreUnavailable: the database was away for longer than a worker waits.
    """
    lines: Lines[Message] = Lines(open_transport() for _ in range(connections))
    kept = Kept(deployment.database)
    try:
        work = _Worker(deployment, lines, kept, owner=owner, stop=stop, limit=limit, lease=lease, sleep=sleep)
        try:
            work.run()
        except Exception:
            work.end()
            raise
    finally:
        kept.close()
        lines.close()
    finish_campaigns(deployment, now=deployment.clock())
    return work.tried


@dataclass
class _Worker:
    """One run of :func:`deliver`."""

    deployment: Deployment
    lines: Lines[Message]
    kept: Kept
    owner: str
    stop: Callable[[], bool]
    limit: int | None
    lease: timedelta
    sleep: Callable[[float], None]
    tried: int = 0
    _waiting: list[Delivery] = field(default_factory=list)
    _refused: dict[int, int] = field(default_factory=dict)
    _slowed: set[str] = field(default_factory=set)
    _put_off: dict[str, datetime] = field(default_factory=dict)
    _campaigns: dict[int, Campaign] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._letters = Letters(self.deployment)

    def run(self) -> None:
        """Send on as many connections as there are.

        What came back is settled in the commit that fences what leaves next; the next rows are
        claimed while mails are on their way.
        """
        answers: list[tuple[Message, Reply]] = []
        while True:
            if self.stop() and self._waiting:
                self._give_back(self._waiting)
                self._waiting.clear()
            for message in self._turn(answers):
                self.lines.hand_over(
                    message, message.content, sender=message.sender, recipient=message.recipient
                )
            if len(self._waiting) < self.lines.count:
                self._waiting += self._next()
            if not self.lines.are_quiet:
                # While a line is idle, a letter may come that need not wait for a slow one.
                answers = self.lines.answers(_LOOK if self.lines.idle else None)
            elif self._waiting:
                answers = []
            else:
                return

    def end(self) -> None:
        """Give back what was claimed, where an error ends the run; what was sent stays as it is."""
        try:
            release(self.deployment, self.owner)
        except StoreUnavailable:
            logger.warning("What was claimed and not sent goes back when its lease ends.")

    def _next(self) -> list[Delivery]:
        """The rows to send after those that wait; none while the limit or a stop leaves no room for any."""
        room = CLAIM if self.limit is None else min(CLAIM, self.limit - self.tried - len(self._waiting))
        if room <= 0 or self.stop():
            return []
        try:
            # An answer that has come is written down before more is prepared.
            prepare(
                self.deployment,
                now=self.deployment.clock,
                stop=lambda: self.stop() or self.lines.have_answers,
            )
            return self._claim(room)
        except StoreUnavailable:
            if self.lines.are_quiet:
                raise
            return []  # What is on its way is to be written down first, and that waits for the database.

    def _claim(self, room: int) -> list[Delivery]:
        """Up to ``room`` rows of ours: letters before campaigns, as somebody waits for them."""
        while True:
            batch = self._claim_once(room)
            # A slow domain's rows are put off a few at a time, so that no other write waits for all of them.
            if batch.rows or not batch.put_off or self.stop() or self.lines.have_answers:
                break
        campaign = batch.campaign
        if campaign is None:
            return batch.rows
        self._campaigns[campaign.id] = campaign
        try:
            journal.note_sent(self.deployment, journal_name(campaign.number, campaign.kind), batch.claims)
        except JournalUnavailable as error:
            logger.error("Nothing is sent: %s", error)
            self._give_back(batch.rows)
            return []
        self._letters.compose(campaign, {one.language for one in batch.rows})
        return batch.rows

    def _claim_once(self, room: int) -> "_Batch":
        now = self.deployment.clock()
        put_off = 0
        with self.deployment.database.writing() as connection:
            self._put_off = claim.slowed_domains(connection, {claim.RELAY, *self._put_off}, now=now)
            if claim.RELAY in self._put_off:
                return _Batch()
            letters = self._claim_of(connection, None, room)
            if letters.kept:
                return _Batch(rows=letters.kept)
            put_off += letters.put_off
            for campaign in reversed(campaigns.load_campaigns(connection, states=(Running.RUNNING,))):
                # The campaign before its rows, as whoever withdraws or pauses it takes them.
                locked = campaigns.load_campaign(connection, campaign.id, lock=True)
                if locked is None or locked.state is not Running.RUNNING:
                    continue
                found = self._claim_of(connection, campaign.id, room)
                put_off += found.put_off
                if found.kept:
                    started = {} if campaign.started_at else {"started_at": now}
                    claims = campaigns.count_claim(connection, campaign.id, **started)
                    return _Batch(rows=found.kept, campaign=locked, claims=claims)
        return _Batch(put_off=put_off)

    def _claim_of(self, connection: Connection, campaign_id: int | None, room: int) -> claim.Claimed:
        now = self.deployment.clock()
        found = claim.claim(
            connection,
            campaign_id=campaign_id,
            owner=self.owner,
            limit=room,
            now=now,
            lease_until=now + self.lease,
        )
        self._slowed |= found.slowed
        return found

    def _turn(self, answers: list[tuple[Message, Reply]]) -> list[Message]:
        """Settle ``answers`` and fence as many as there are idle lines, in one commit; what may leave now."""
        turn = self._waiting[: self.lines.idle]
        if not answers and not turn:
            return []
        refused = self._count_refusals(answers)
        leaving, alarms = self._insist(lambda again: self._commit(answers, turn, refused, again=again))
        del self._waiting[: len(turn)]
        self._refused = refused
        self.tried += len(leaving)
        for details in alarms:
            self.deployment.alarm("campaign_paused", details)
        return leaving

    def _commit(
        self,
        answers: list[tuple[Message, Reply]],
        turn: list[Delivery],
        refused: Mapping[int, int],
        *,
        again: bool,
    ) -> tuple[list[Message], list[dict[str, object]]]:
        passed = None if again else self._pass_on(answers, turn)
        if passed is not None:
            return passed, []
        with self.kept.writing() as connection:
            alarms = self._settle(connection, answers, refused)
            if again:
                claim.take_back(connection, [one.id for one in turn], owner=self.owner)
            return self._fence(connection, turn), alarms

    def _pass_on(self, answers: list[tuple[Message, Reply]], turn: list[Delivery]) -> list[Message] | None:
        """What nearly every turn is: mails were accepted, and as many of the same campaign may leave.

        None where this one is something else, or the database cannot do it in one statement.
        """
        if (
            self.deployment.database.has_one_writer
            or not answers
            or not turn
            or self._put_off
            or self._slowed
        ):
            return None
        kinds = {(reply.outcome, reply.code, message.row.attempts) for message, reply in answers}
        campaign_ids = {(one.campaign_id, one.kind) for one in turn}
        outcome, code, attempts = next(iter(kinds))
        if (
            len(kinds) > 1
            or outcome is not Outcome.ACCEPTED
            or len(campaign_ids) > 1
            or turn[0].campaign_id is None
        ):
            return None
        now = self.deployment.clock()
        ids = frozenset(message.row.id for message, _ in answers)
        with self.kept.at_once() as connection:
            written, found = pass_on(
                connection,
                Accepted(ids=ids, code=code, attempts=attempts + 1),
                turn,
                owner=self.owner,
                now=now,
                lease_until=now + self.lease,
            )
            for missed in ids - written:
                self._tell_missed(missed, code)
            return self._write_all(connection, turn, found, now)

    def _insist(self, act: Callable[[bool], T]) -> T:
        """``act``, again and again while the database is away: what was sent must be written down.

        It is told whether it is done again: the commit may have been, although nobody heard so.
        """
        slept, pause, again = 0.0, 0.05, False
        while True:
            try:
                return act(again)
            except StoreUnavailable:
                if slept > _PATIENCE.total_seconds():
                    raise
                self.sleep(pause)
                slept, pause, again = slept + pause, min(2.0, pause * 2), True

    def _fence(self, connection: Connection, turn: list[Delivery]) -> list[Message]:
        now = self.deployment.clock()
        turn = [one for one in turn if not self._is_put_off(connection, one, now)]
        if not turn:
            return []
        found = fence(connection, turn, owner=self.owner, now=now, lease_until=now + self.lease)
        return self._write_all(connection, turn, found, now)

    def _write_all(
        self, connection: Connection, turn: list[Delivery], found: Mapping[int, Recipient], now: datetime
    ) -> list[Message]:
        leaving = []
        for one in turn:
            if one.id not in found:
                self._drop(connection, one)
                continue
            try:
                leaving.append(self._write(connection, one, found[one.id], now))
            except (ValueError, LookupError) as error:
                # Nobody else's mail is to wait for one that cannot be written. The message may hold the address.
                logger.error("Delivery %s cannot be written: %s.", one.id, type(error).__name__)
                claim.settle(connection, one, Event.REFUSE, owner=self.owner, now=now, code="form")
        return leaving

    def _is_put_off(self, connection: Connection, one: Delivery, now: datetime) -> bool:
        """What an answer asked for since the row was claimed holds for it, too: it goes back."""
        relay, domain = (self._put_off.get(name, now) for name in (claim.RELAY, one.domain))
        if max(relay, domain) <= now:
            return False
        claim.give_back(connection, one.id, owner=self.owner, at=one.at if relay > now else domain)
        return True

    def _write(self, connection: Connection, one: Delivery, to: Recipient, now: datetime) -> Message:
        if one.campaign_id is not None:
            content = self._letters.of_campaign(one, self._campaigns[one.campaign_id], to)
        else:
            content = self._letters.of_letter(one, to, token=self._token(connection, one), now=now)
        return Message(
            row=one, content=content, sender=self._letters.envelope_sender(one), recipient=to.address
        )

    def _token(self, connection: Connection, one: Delivery) -> str:
        """A link that confirms, made at the last instant: the mail is the only place where it stands."""
        purpose = _CONFIRMING.get(one.kind)
        if purpose is None:
            return ""
        token = self.deployment.new_token()
        make_link(
            connection,
            subscription_id=one.subscription_id,
            purpose=purpose,
            token=token,
            now=self.deployment.clock(),
        )
        return token

    def _drop(self, connection: Connection, one: Delivery) -> None:
        """Somebody paused, left or was suppressed since it was claimed, or the lease is over."""
        event = claim.why_not(connection, one, owner=self.owner)
        if event is not None:
            code = "" if event is Event.GIVE_BACK else "left"
            claim.settle(connection, one, event, owner=self.owner, now=self.deployment.clock(), code=code)
            found = load_subscription(connection, one.subscription_id)
            if found is not None and found.erased_at is not None:
                # It was erased while its row was being made.
                claim.forget_domain(connection, one.id)

    def _settle(
        self, connection: Connection, answers: list[tuple[Message, Reply]], refused: Mapping[int, int]
    ) -> list[dict[str, object]]:
        """Write what became of mails; the alarms that follow from it."""
        now = self.deployment.clock()
        alarms: list[dict[str, object]] = []
        taken: dict[tuple[str, int], set[int]] = {}
        for message, reply in answers:
            one = message.row
            campaign = self._campaigns.get(one.campaign_id or 0)
            verdict = judge(one, reply, policy=campaign.policy if campaign else None, now=now)
            if verdict.event is Event.ACCEPT:
                taken.setdefault((reply.code, verdict.attempts), set()).add(one.id)
            else:
                self._settle_other(connection, message, reply, verdict, now)
            self._mind_the_pace(connection, one, reply, verdict)
            reason = verdict.pause
            if verdict.refused and refused.get(one.campaign_id or 0, 0) >= REFUSALS_IN_A_ROW:
                reason = PauseReason.REFUSED
            if campaign is not None and reason is not None:
                alarms += self._pause(connection, campaign, reason, reply, now)
        for (code, attempts), ids in taken.items():
            written = accept(connection, ids, owner=self.owner, now=now, code=code, attempts=attempts)
            for missed in ids - written:
                self._tell_missed(missed, code)
        return alarms

    def _settle_other(
        self, connection: Connection, message: Message, reply: Reply, verdict: Verdict, now: datetime
    ) -> None:
        """Write that a mail was not taken, or that nobody knows."""
        one = message.row
        written = claim.settle(
            connection,
            one,
            verdict.event,
            owner=self.owner,
            now=now,
            code=reply.code,
            at=verdict.at,
            attempts=verdict.attempts,
        )
        if not written:
            self._tell_missed(one.id, reply.code)
        if verdict.suppress:
            self._suppress(connection, one, message.recipient)

    def _suppress(self, connection: Connection, one: Delivery, recipient: str) -> None:
        """There is no such mailbox. A new address that nobody confirmed is forgotten; the old one works.

        Whoever has another address by now is none of those whom the answer was about.
        """
        found = load_subscription(connection, one.subscription_id, lock=True)
        if found is None:
            return
        if one.kind is Kind.ADDRESS:
            if found.new_address == recipient:
                change_subscription(connection, found.id, new_address=None)
        elif found.address in (None, recipient):
            now = self.deployment.clock()
            suppress(self.deployment, connection, found.id, reason=BOUNCE, now=now)

    def _tell_missed(self, delivery_id: int, code: str) -> None:
        logger.warning("Delivery %s is not ours any more; its answer was %s.", delivery_id, code)

    def _pause(
        self, connection: Connection, campaign: Campaign, reason: PauseReason, reply: Reply, now: datetime
    ) -> list[dict[str, object]]:
        detail = f"{reply.code} {reply.text}".strip()
        if not pause_for(self.deployment, connection, campaign.id, reason=reason, detail=detail, now=now):
            return []
        return [
            {"campaign": campaign.id, "number": campaign.number, "reason": reason.value, "detail": detail}
        ]

    def _count_refusals(self, answers: list[tuple[Message, Reply]]) -> dict[int, int]:
        """How many mails of each campaign were refused in a row for what they are, ``answers`` included."""
        counts = dict(self._refused)
        for message, reply in answers:
            campaign_id = message.row.campaign_id or 0
            if reply.outcome is Outcome.ACCEPTED:
                counts[campaign_id] = 0
            elif reply.refuses_content:
                counts[campaign_id] = counts.get(campaign_id, 0) + 1
        return counts

    def _mind_the_pace(self, connection: Connection, one: Delivery, reply: Reply, verdict: Verdict) -> None:
        """Slow down, for all workers, what asked for it; speed up again what takes mail."""
        now = self.deployment.clock()
        if verdict.relay_down:
            self._put_off[claim.RELAY] = claim.slow_down(
                connection, claim.RELAY, until=lambda refusals: now + relay_pause(refusals), now=now
            )
        elif verdict.slow:
            self._put_off[one.domain] = claim.slow_down(
                connection, one.domain, until=lambda refusals: now + domain_pause(refusals), now=now
            )
        elif reply.outcome is Outcome.ACCEPTED:
            for name in self._slowed & {claim.RELAY, one.domain}:
                claim.speed_up(connection, name)
                self._slowed.discard(name)
                self._put_off.pop(name, None)

    def _give_back(self, batch: Iterable[Delivery]) -> None:
        try:
            with self.deployment.database.writing() as connection:
                for one in batch:
                    claim.give_back(connection, one.id, owner=self.owner, at=one.at)
        except StoreUnavailable:
            logger.warning("What was claimed and not sent goes back when its lease ends.")
