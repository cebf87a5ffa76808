"""A version told to all confirmed subscriptions: the states of a campaign and who may change them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .errors import Forbidden
from .staff import Staff
from .transition import follow

#: So many subscriptions are looked at in one commit while rows are made.
CHUNK = 5000

#: Mails a second to plan with before a campaign was measured; a relay takes more.
PLANNED_RATE = 5.0

#: The roles that may pause, resume, send again, and see addresses.
DECIDERS = frozenset({"approver", "officer"})


class Kind(StrEnum):
    CHANGE = "change"
    CORRECTION = "correction"


class State(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class Event(StrEnum):
    """``reopen``: rows were added or sent again. ``withdraw``: its version was withdrawn."""

    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    REOPEN = "reopen"
    WITHDRAW = "withdraw"


class Policy(StrEnum):
    """What happens to a mail of which nobody knows whether it was taken."""

    HOLD = "hold"
    RESEND_SAME_ID = "resend_same_id"


class PauseReason(StrEnum):
    STAFF = "staff"
    #: 5.7.x: the relay refuses us, not the address.
    POLICY = "policy"
    #: Whatever we send is refused for its content, or nothing can be sent at all.
    REFUSED = "refused"
    SETTINGS = "settings"
    #: The database is older than what was sent (services.journal).
    RESTORED = "restored"


_TABLE: Mapping[State, Mapping[Event, State]] = {
    State.RUNNING: {
        Event.PAUSE: State.PAUSED,
        Event.FINISH: State.DONE,
        Event.REOPEN: State.RUNNING,
        Event.WITHDRAW: State.WITHDRAWN,
    },
    State.PAUSED: {
        Event.PAUSE: State.PAUSED,
        Event.RESUME: State.RUNNING,
        Event.REOPEN: State.PAUSED,
        Event.WITHDRAW: State.WITHDRAWN,
    },
    State.DONE: {Event.REOPEN: State.RUNNING, Event.WITHDRAW: State.WITHDRAWN},
    State.WITHDRAWN: {Event.WITHDRAW: State.WITHDRAWN},
}


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """One row of ``cw_campaign``; times are aware, in UTC.

    candidates = rows + excluded: ``excluded`` left between announcement and the making of
    their row. ``late`` rows joined afterwards and are counted apart. ``prepared_at`` is None
    while rows are still being made. ``secret`` and ``mail_domain`` make its Message-IDs.
    ``claims`` counts how often rows were claimed. It takes late joiners until ``closes_at``.
    ``told_in_time`` is how many mails were accepted when the version took effect; None before.
    """

    id: int
    version_id: int
    number: int
    kind: Kind
    state: State
    policy: Policy
    secret: str
    mail_domain: str
    created_at: datetime
    closes_at: datetime
    audience_to: int
    cursor: int
    candidates: int
    excluded: int
    claims: int
    corrects: int | None = None
    prepared_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    told_in_time: int | None = None
    pause_reason: str = ""
    pause_detail: str = ""


def advance(state: State, event: Event) -> State:
    """Where ``event`` leads from ``state``.

    Raises:
        Conflict: ``wrong_state``: it leads nowhere from there.
    """
    return follow(_TABLE, state, event, of="a campaign")


def check_decider(staff: Staff) -> None:
    """Raises Forbidden (``role``) unless ``staff`` may change a campaign."""
    if not staff.roles & DECIDERS:
        raise Forbidden("role", "The role of this account does not allow to change a campaign.")


def sending_time(recipients: int, *, rate: float | None) -> timedelta:
    """How long mails to so many take; ``rate`` in mails a second as measured, None: not yet."""
    return timedelta(seconds=recipients / (rate or PLANNED_RATE))
