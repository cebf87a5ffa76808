"""Tables of states: which event leads from which state where. What is not in the table is refused."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from .errors import Conflict

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


def follow(table: Mapping[S, Mapping[E, T]], state: S, event: E, *, of: str) -> T:
    """Where ``event`` leads from ``state``; ``of`` names what has that state, such as "a campaign".

    Raises:
        Conflict: ``wrong_state``: it leads nowhere from there.
    """
    try:
        return table[state][event]
    except KeyError:
        raise Conflict(
            "wrong_state", f"{of.capitalize()} that is {state} cannot be changed by {event}."
        ) from None
