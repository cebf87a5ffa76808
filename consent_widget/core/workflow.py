"""The states of a version at work, what leads from one to the next, and which roles may do it.

What is in force is not stored and not decided here but computed (core.notice.Schedule).
"""

from collections.abc import Mapping
from enum import StrEnum

from .errors import Forbidden
from .staff import Staff
from .transition import follow


class State(StrEnum):
    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    ANNOUNCED = "announced"
    WITHDRAWN = "withdrawn"


class Event(StrEnum):
    SAVE = "save"
    SUBMIT = "submit"
    RETURN = "return"
    APPROVE = "approve"
    ANNOUNCE = "announce"
    WITHDRAW = "withdraw"
    DISCARD = "discard"


#: Where an event leads; None: nothing is left. An edit voids what others have said of the text.
_TABLE: Mapping[State, Mapping[Event, State | None]] = {
    State.DRAFT: {Event.SAVE: State.DRAFT, Event.SUBMIT: State.IN_REVIEW, Event.DISCARD: None},
    State.IN_REVIEW: {
        Event.SAVE: State.DRAFT,
        Event.RETURN: State.DRAFT,
        Event.APPROVE: State.APPROVED,
        Event.DISCARD: None,
    },
    State.APPROVED: {
        Event.SAVE: State.DRAFT,
        Event.RETURN: State.DRAFT,
        Event.ANNOUNCE: State.ANNOUNCED,
        Event.DISCARD: None,
    },
    State.ANNOUNCED: {Event.WITHDRAW: State.WITHDRAWN},
    State.WITHDRAWN: {},
}

_WRITERS = frozenset({"author", "approver", "officer"})
_DECIDERS = frozenset({"approver", "officer"})
_ROLES: Mapping[Event, frozenset[str]] = {
    Event.SAVE: _WRITERS,
    Event.SUBMIT: _WRITERS,
    Event.DISCARD: _WRITERS,
    Event.RETURN: _DECIDERS,
    Event.APPROVE: _DECIDERS,
    Event.ANNOUNCE: _DECIDERS,
    Event.WITHDRAW: _DECIDERS,
}


def advance(state: State, event: Event) -> State | None:
    """Where ``event`` leads from ``state``; None: the draft is gone.

    Raises:
        Conflict: ``wrong_state``: it leads nowhere from there.
    """
    return follow(_TABLE, state, event, of="a version")


def may(staff: Staff, event: Event) -> bool:
    """Whether the roles of ``staff`` allow ``event`` on some version."""
    return bool(staff.roles & _ROLES[event])


def check_role(staff: Staff, event: Event) -> None:
    """Raises Forbidden (``role``) unless one of the roles of ``staff`` allows ``event``."""
    if not may(staff, event):
        raise Forbidden("role", f"The role of this account does not allow {event}.")
