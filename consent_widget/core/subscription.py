"""Subscriptions: who hears of changes, and what a mailbox's owner may do about it.

Separate from cookie consent, and for one purpose alone: to be told of changes of the
notice beforehand (Law 91/2025/QH15 Art. 3(2) and 9).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .errors import Conflict

#: How long a link that confirms holds.
CONFIRM_WITHIN = timedelta(hours=72)

#: A subscription that nobody confirmed is erased after this.
KEEP_PENDING = timedelta(days=7)

#: An address that left is kept so long, so that leaving can be undone; then only its keyed hash.
KEEP_LEFT = timedelta(days=30)


class State(StrEnum):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"


class Event(StrEnum):
    """``undo`` takes leaving back; ``release`` is staff who allow a suppressed address again."""

    REQUEST = "request"
    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"
    UNDO = "undo"
    SUPPRESS = "suppress"
    RELEASE = "release"


_TABLE: Mapping[State, Mapping[Event, State]] = {
    State.PENDING: {
        Event.REQUEST: State.PENDING,
        Event.CONFIRM: State.CONFIRMED,
        Event.UNSUBSCRIBE: State.UNSUBSCRIBED,
        Event.SUPPRESS: State.SUPPRESSED,
    },
    State.CONFIRMED: {
        Event.REQUEST: State.CONFIRMED,
        Event.CONFIRM: State.CONFIRMED,
        Event.UNSUBSCRIBE: State.UNSUBSCRIBED,
        Event.SUPPRESS: State.SUPPRESSED,
        Event.UNDO: State.CONFIRMED,
    },
    State.UNSUBSCRIBED: {
        Event.REQUEST: State.PENDING,
        Event.UNSUBSCRIBE: State.UNSUBSCRIBED,
        Event.UNDO: State.CONFIRMED,
        Event.SUPPRESS: State.SUPPRESSED,
    },
    # No mail goes to a suppressed address, a confirmation neither, until staff release it.
    State.SUPPRESSED: {
        Event.REQUEST: State.SUPPRESSED,
        Event.UNSUBSCRIBE: State.UNSUBSCRIBED,
        Event.SUPPRESS: State.SUPPRESSED,
        Event.RELEASE: State.UNSUBSCRIBED,
    },
}


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """One mailbox and what was agreed; times are aware, in UTC.

    ``address`` is as it was typed, cleaned; None once erased. ``address_hash`` is keyed
    (core.pseudonym) and stays. ``salt`` makes this row's links (core.links).
    ``new_address`` waits for its own confirmation. ``reason`` says why it ended:
    ``one_click``, ``page``, ``bounce``, ``staff``, ``erased``; empty while it lasts.
    """

    id: int
    address: str | None
    address_hash: str
    language: str
    state: State
    salt: str
    created_at: datetime
    requested_at: datetime
    confirmed_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""
    new_address: str | None = None
    bounce_score: float = 0.0
    bounced_at: datetime | None = None
    erased_at: datetime | None = None


def advance(state: State, event: Event) -> State:
    """Where ``event`` leads from ``state``.

    Raises:
        Conflict: ``wrong_state``: it leads nowhere from there.
    """
    try:
        return _TABLE[state][event]
    except KeyError:
        raise Conflict(
            "wrong_state", f"A subscription that is {state} cannot be changed by {event}."
        ) from None
