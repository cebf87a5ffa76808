"""One mail to one subscription: its states, when it is tried again, when a campaign is done.

The row is the truth, a queue only wakes: what a killed worker leaves behind is found in
the rows, and what may have left our hands is never sent again by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .transition import follow

#: So long is a claimed row one worker's own: longer than all time limits of one mail together (mail.connection).
LEASE = timedelta(minutes=10)

#: So many rows a worker claims at once.
CLAIM = 50

#: After so many tries a row has failed: nearly five days (RFC 5321 section 4.5.4.1).
MAX_ATTEMPTS = 28

_FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)


class Kind(StrEnum):
    """All that is ever sent to a subscription (law.md M18); there is no other mail.

    ``change`` tells of a version, ``correction`` that it was withdrawn; the others are
    letters without a campaign: ``confirm`` and ``address`` carry a link that confirms,
    ``known`` answers a sign-up of somebody who is subscribed.
    """

    CHANGE = "change"
    CORRECTION = "correction"
    CONFIRM = "confirm"
    ADDRESS = "address"
    KNOWN = "known"


class State(StrEnum):
    PENDING = "pending"
    LEASED = "leased"
    SENDING = "sending"
    ACCEPTED = "accepted"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """``lose``: it may have been taken, nobody knows. ``give_back``: it was certainly not sent."""

    CLAIM = "claim"
    FENCE = "fence"
    ACCEPT = "accept"
    GIVE_BACK = "give_back"
    REFUSE = "refuse"
    LOSE = "lose"
    SUPPRESS = "suppress"
    CANCEL = "cancel"
    BOUNCE = "bounce"
    RESEND = "resend"
    REJOIN = "rejoin"


_TABLE: Mapping[State, Mapping[Event, State]] = {
    State.PENDING: {
        Event.CLAIM: State.LEASED,
        Event.SUPPRESS: State.SUPPRESSED,
        Event.CANCEL: State.CANCELLED,
    },
    State.LEASED: {
        Event.FENCE: State.SENDING,
        Event.GIVE_BACK: State.PENDING,
        Event.SUPPRESS: State.SUPPRESSED,
        Event.CANCEL: State.CANCELLED,
    },
    # Nothing but the worker's own word, or the end of its lease, leads out of here.
    State.SENDING: {
        Event.ACCEPT: State.ACCEPTED,
        Event.GIVE_BACK: State.PENDING,
        Event.REFUSE: State.FAILED,
        Event.LOSE: State.UNKNOWN,
    },
    State.ACCEPTED: {Event.BOUNCE: State.FAILED},
    State.FAILED: {Event.RESEND: State.PENDING},
    # Staff released the address, and its owner came back before the effective date.
    State.SUPPRESSED: {Event.REJOIN: State.PENDING},
    State.UNKNOWN: {
        # A slow worker, whose lease was over, may still learn the answer.
        Event.ACCEPT: State.ACCEPTED,
        Event.REFUSE: State.FAILED,
        Event.GIVE_BACK: State.PENDING,
        Event.RESEND: State.PENDING,
        Event.BOUNCE: State.FAILED,
        Event.CANCEL: State.CANCELLED,
    },
    State.CANCELLED: {Event.REJOIN: State.PENDING},
}

#: What a campaign consists of that is not done yet.
OPEN = frozenset({State.PENDING, State.LEASED, State.SENDING})

#: What a campaign that is done consists of.
SETTLED = frozenset({State.ACCEPTED, State.FAILED, State.SUPPRESSED, State.UNKNOWN, State.CANCELLED})


def advance(state: State, event: Event) -> State:
    """Where ``event`` leads from ``state``.

    Raises:
        Conflict: ``wrong_state``: it leads nowhere from there.
    """
    return follow(_TABLE, state, event, of="a delivery")


def sources(event: Event) -> tuple[State, ...]:
    """The states that ``event`` leads out of: the condition of an UPDATE that changes many rows."""
    return tuple(state for state, events in _TABLE.items() if event in events)


def wait(attempts: int, jitter: float) -> timedelta:
    """How long after the ``attempts``-th try the next one; ``jitter`` in 0..1 spreads it over half of that."""
    full = min(LONGEST_WAIT, _FIRST_WAIT * 2 ** min(20, max(0, attempts - 1)))
    return timedelta(seconds=full.total_seconds() * (0.75 + 0.5 * jitter))


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One row. ``at`` is when it may be claimed, once it is settled when it was.

    ``code`` is what the last answer said: an enhanced status code (RFC 3463), a reply
    code, or a word of ours (``timeout``, ``connection``); empty before.
    """

    id: int
    campaign_id: int | None
    subscription_id: int
    kind: Kind
    language: str
    domain: str
    state: State
    late: bool
    attempts: int
    at: datetime
    created_at: datetime
    owner: str | None = None
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many rows of a campaign are in which state."""

    by_state: Mapping[State, int]

    def __getitem__(self, state: State) -> int:
        return self.by_state.get(state, 0)

    @property
    def rows(self) -> int:
        return sum(self.by_state.values())

    @property
    def settled(self) -> int:
        return sum(self[state] for state in SETTLED)

    @property
    def open(self) -> int:
        return self.rows - self.settled

    @property
    def is_balanced(self) -> bool:
        """rows = accepted + failed + suppressed + unknown + cancelled."""
        return self.open == 0
