"""What a visitor decided, what of it holds now, and how a decision changes it.

Three values pass through here. A :class:`Choice` is what a cookie or a record
keeps. A :class:`Consent` is what holds for one request: the choice seen
through today's register, the notice versions, the clock and the browser's
signal. A :class:`Wish` is what the visitor asks for in one request.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from .category import Register
from .errors import InputError, UnknownCategory
from .notice import Schedule

#: How long a choice lasts before it is asked again (CNIL: six months; both ways).
LIFETIME = timedelta(days=182)


class Decision(StrEnum):
    GRANTED = "granted"
    DENIED = "denied"
    UNDECIDED = "undecided"


class Action(StrEnum):
    """What the visitor's button says; ``add`` grants some and leaves the rest as it is."""

    ACCEPT_ALL = "accept_all"
    REJECT_ALL = "reject_all"
    SAVE = "save"
    ADD = "add"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The decisions a visitor made: True granted, False denied, absent undecided.

    ``notice`` is the number of the notice version they were made under, 0
    where none was in force. ``subject`` is the random identifier that ties a
    later withdrawal to the record; a refusal has none. ``doubles`` are the
    choices of several cookies that this one was narrowed down from.
    """

    decisions: Mapping[str, bool]
    notice: int
    decided_at: datetime
    subject: str | None = None
    doubles: tuple["Choice", ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.decided_at.tzinfo is None:
            raise ValueError("decided_at needs a time zone")

    @property
    def grants(self) -> frozenset[str]:
        return frozenset(name for name, granted in self.decisions.items() if granted)

    def expires_at(self) -> datetime:
        return self.decided_at + LIFETIME


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What holds for one request; optional categories only, each with its decision.

    ``notice`` is the number in force or None, ``signal`` is ``"gpc"`` where
    the browser sent it, ``choice`` is what was decided or None.
    """

    decisions: Mapping[str, Decision]
    known: tuple[str, ...]
    notice: int | None = None
    signal: str | None = None
    choice: Choice | None = field(default=None, compare=False)

    def decision(self, category: str) -> Decision:
        """The decision about ``category``; a necessary one is always granted.

        Raises:
            UnknownCategory: the register has no such category.
        """
        found = self.decisions.get(category)
        if found is not None:
            return found
        if category in self.known:
            return Decision.GRANTED
        raise UnknownCategory(category, self.known)

    def granted(self, category: str) -> bool:
        """Whether the visitor agreed to ``category``; undecided is not granted.

        Raises:
            UnknownCategory: the register has no such category.
        """
        return self.decision(category) is Decision.GRANTED

    @property
    def undecided(self) -> tuple[str, ...]:
        return tuple(name for name, one in self.decisions.items() if one is Decision.UNDECIDED)

    @property
    def decided(self) -> bool:
        """Whether a choice of the visitor's own covers every optional category."""
        choice = self.choice
        return choice is not None and all(name in choice.decisions for name in self.decisions)

    @property
    def asks(self) -> bool:
        """Whether the banner is to be shown."""
        return Decision.UNDECIDED in self.decisions.values()


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What one request asks for; ``notice`` is the version the form showed, if it said so."""

    action: Action
    categories: frozenset[str] = frozenset()
    notice: int | None = None


def nothing_decided(register: Register) -> Consent:
    """The consent of a visitor of whom nothing is known."""
    return Consent(
        decisions=MappingProxyType(dict.fromkeys(register.optional, Decision.UNDECIDED)), known=register.names
    )


def most_restrictive(choices: Iterable[Choice]) -> Choice | None:
    """One choice out of several cookies of the same name: whatever any of them denies is denied.

    A sibling domain can add a second cookie ("cookie tossing"); it must never
    widen what the visitor gave. The identifier and the times come from the
    oldest, so that nothing lasts longer either.
    """
    found = sorted(choices, key=lambda one: one.decided_at)
    if len(found) < 2:
        return found[0] if found else None
    decisions: dict[str, bool] = {}
    for name in found[0].decisions:
        values = [one.decisions.get(name) for one in found]
        if None not in values or False in values:
            decisions[name] = all(value is True for value in values)
    for other in found[1:]:
        decisions.update({name: False for name, granted in other.decisions.items() if not granted})
    return replace(
        found[0], decisions=decisions, notice=min(one.notice for one in found), doubles=tuple(found)
    )


def holds(
    choice: Choice | None,
    *,
    register: Register,
    schedule: Schedule,
    now: datetime,
    signal: str | None = None,
    lowered: Iterable[str] = (),
) -> Consent:
    """What ``choice`` means at ``now``.

    A choice older than 182 days is none. A category that a later version asks
    about again, or that the register learned since, is undecided. ``signal``
    denies what is undecided; ``lowered`` are categories that the readable
    mirror denies: it can only lower.
    """
    if choice is not None and now >= choice.expires_at():
        choice = None
    in_force = schedule.in_force(now)
    if choice is not None:
        asked_again = schedule.asked_again(since=choice.notice, now=now)
        kept = {
            name: choice.decisions[name]
            for name in register.optional
            if name in choice.decisions and name not in asked_again
        }
        if kept != choice.decisions:
            choice = replace(choice, decisions=kept)
    given = choice.decisions if choice is not None else {}
    unasked = Decision.DENIED if signal else Decision.UNDECIDED
    decisions = {
        name: (Decision.GRANTED if given[name] else Decision.DENIED) if name in given else unasked
        for name in register.optional
    }
    for name in lowered:
        if decisions.get(name) is Decision.GRANTED:
            decisions[name] = Decision.DENIED
    return Consent(
        decisions=decisions,
        known=register.names,
        notice=in_force.number if in_force else None,
        signal=signal,
        choice=choice,
    )


def decide(
    wish: Wish,
    *,
    before: Consent,
    register: Register,
    schedule: Schedule,
    now: datetime,
    new_id: str,
) -> Choice:
    """The choice that follows from ``wish``; ``before`` is what held until now.

    A refusal of everything carries no identifier. A choice that keeps earlier
    decisions keeps their time too: adding one category must not prolong the
    others.

    Raises:
        InputError: ``unknown_category``, ``missing_category`` or ``unknown_notice``.
    """
    if wish.action is Action.ADD and not wish.categories:
        raise InputError("missing_category", "Name at least one category to add.", "category")
    for name in sorted(wish.categories):
        if name not in register.names:
            raise InputError("unknown_category", f"There is no category {name[:40]!r}.", "category")
    notice = _shown(wish.notice, schedule, now)
    kept: dict[str, bool] = {}
    if wish.action is Action.ADD and before.choice is not None:
        kept = {
            name: before.choice.decisions[name]
            for name in before.choice.decisions
            if name not in wish.categories
        }
    granted = _granted(wish, register)
    if wish.action is Action.ADD:
        decisions = kept | dict.fromkeys(granted, True)
    else:
        decisions = {name: name in granted for name in register.optional}
    decided_at = before.choice.decided_at if kept and before.choice else now
    subject = (before.choice.subject if before.choice else None) or new_id
    return Choice(
        decisions=decisions,
        notice=notice,
        decided_at=min(decided_at, now),
        subject=subject if any(decisions.values()) else None,
    )


def decided_under(choice: Choice, schedule: Schedule) -> int:
    """The number of the version that goes with the time of ``choice``, 0 for none.

    Whoever adds a category keeps the time of the earlier decisions, while the
    version they saw may be one that took effect since.
    """
    then = schedule.in_force(choice.decided_at)
    return min(choice.notice, then.number if then else 0)


def _granted(wish: Wish, register: Register) -> frozenset[str]:
    if wish.action is Action.ACCEPT_ALL:
        return frozenset(register.optional)
    if wish.action is Action.REJECT_ALL:
        return frozenset()
    return wish.categories & frozenset(register.optional)


def _shown(number: int | None, schedule: Schedule, now: datetime) -> int:
    """The version the visitor saw: the one they name if it has been in force, else the one in force."""
    in_force = schedule.in_force(now)
    newest = in_force.number if in_force else 0
    if number is None or number == newest:
        return newest
    if any(version.number == number and version.effective_at <= now for version in schedule.versions):
        return number
    raise InputError("unknown_notice", "That notice version has never been in force.", "notice")


def withdrawn(before: Choice | None, after: Choice) -> frozenset[str]:
    """The categories that were granted and are no longer."""
    return (before.grants if before else frozenset()) - after.grants
