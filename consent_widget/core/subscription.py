"""Subscriptions: who hears of changes, and what a mailbox's owner may do about it.

Separate from cookie consent, and for one purpose alone: to be told of changes of the
notice beforehand (Law 91/2025/QH15 Art. 3(2) and 9).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .delivery import Kind
from .transition import follow

#: How long a link that confirms holds.
CONFIRM_WITHIN = timedelta(hours=72)

#: A subscription that nobody confirmed is erased after this.
KEEP_PENDING = timedelta(days=7)

#: Somebody who is subscribed hears so by mail at most once within this, however often it is asked.
TELL_KNOWN_EVERY = timedelta(days=1)

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
        Event.UNDO: State.CONFIRMED,  # see can_undo
        Event.SUPPRESS: State.SUPPRESSED,
        Event.RELEASE: State.PENDING,  # signed up again while its address is suppressed
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
        Event.RELEASE: State.UNSUBSCRIBED,  # its address was suppressed before it left
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


class Purpose(StrEnum):
    """What a random link confirms: the sign-up, or the new address of a subscription."""

    CONFIRM = "confirm"
    ADDRESS = "address"


class Standing(StrEnum):
    """What a random link is good for at this moment.

    ``left``: it was used, and its subscription was left since; it brings nobody back.
    """

    OPEN = "open"
    USED = "used"
    LEFT = "left"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class Link:
    """One row of ``cw_subscription_link``; ``address`` is the new one that an ``address`` link confirms.

    A link that another one replaced has expired: there is no other mark of it.
    """

    subscription_id: int
    purpose: Purpose
    address: str | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None

    def standing(self, subscription: Subscription, *, now: datetime) -> Standing:
        """``subscription`` is the one it belongs to. That a clock ran ahead when it was made does not matter."""
        if self.used_at is not None:
            # One that ended at this very instant gave way to that of its new address (services.subscription).
            gave_way = self.purpose is Purpose.ADDRESS and subscription.ended_at == self.used_at
            return Standing.USED if subscription.state is State.CONFIRMED or gave_way else Standing.LEFT
        waits = (
            subscription.state is State.PENDING
            if self.purpose is Purpose.CONFIRM
            else subscription.state is State.CONFIRMED and subscription.new_address == self.address
        )
        return Standing.OPEN if waits and now < self.expires_at else Standing.EXPIRED


def answer_request(
    subscription: Subscription, *, may_write: bool, told_lately: bool
) -> tuple[State, Kind | None]:
    """The state after a sign-up, and the letter that answers it; None: none is written.

    ``may_write``: the mailbox is not suppressed, and had not too many letters.
    ``told_lately``: who is subscribed heard so a short while ago.
    A stranger's request that is not answered by a letter must not change anything either.
    """
    if subscription.state is State.CONFIRMED:
        return State.CONFIRMED, Kind.KNOWN if may_write and not told_lately else None
    if not may_write or subscription.state is State.SUPPRESSED:
        return subscription.state, None
    return advance(subscription.state, Event.REQUEST), Kind.CONFIRM


def can_undo(subscription: Subscription) -> bool:
    """Whether leaving can be taken back: the mailbox was confirmed once, and its address is still here.

    Also where somebody signed it up again meanwhile and nobody has confirmed that.
    """
    return (
        subscription.state in (State.UNSUBSCRIBED, State.PENDING)
        and subscription.confirmed_at is not None
        and subscription.address is not None
    )


def advance(state: State, event: Event) -> State:
    """Where ``event`` leads from ``state``.

    Raises:
        Conflict: ``wrong_state``: it leads nowhere from there.
    """
    return follow(_TABLE, state, event, of="a subscription")
