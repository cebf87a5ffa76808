"""The publication gate: how long before its effect a version is told, and who may say otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .draft import Draft
from .errors import InputError
from .notice import ChangeClass
from .section import changed_tags


@dataclass(frozen=True, kw_only=True)
class Lead:
    """How long beforehand a version is told; ``sending`` is what the mails are estimated to take."""

    days: Mapping[ChangeClass, int]
    sending: timedelta = field(default_factory=timedelta)

    def earliest(self, change_class: ChangeClass, now: datetime) -> datetime:
        """The first instant at which a version announced ``now`` may take effect."""
        return now + timedelta(days=self.days[change_class]) + self.sending


def reasons_needed(draft: Draft, *, before: Mapping[str, str], lead: Lead, now: datetime) -> tuple[str, ...]:
    """Why announcing ``draft`` needs a second person's written reason; empty where it needs none.

    ``too_early``: it would take effect before the lead time is over.
    ``tagged_change``: a section on purposes, recipients, retention, transfers
    or rights changed, yet it is filed as editorial. ``before`` holds the texts
    in force by language, empty before the first version.
    """
    found = []
    if draft.effective_at is not None and draft.effective_at < lead.earliest(draft.change_class, now):
        found.append("too_early")
    if draft.change_class is ChangeClass.EDITORIAL and any(
        changed_tags(before[language], draft.texts[language])
        for language in before
        if language in draft.texts
    ):
        found.append("tagged_change")
    return tuple(found)


def check_gate(draft: Draft, *, before: Mapping[str, str], lead: Lead, now: datetime, reason: str) -> None:
    """The publication gate: nobody is told of a change after the fact.

    A class without lead time needs no date: it takes effect when it is announced.

    Raises:
        InputError: ``no_date``, ``past_date``, or one of :func:`reasons_needed` without ``reason``.
    """
    earliest = lead.earliest(draft.change_class, now)
    if draft.effective_at is None and earliest > now:
        raise InputError("no_date", "Say when the version takes effect.", "effective_at")
    if draft.effective_at is not None and draft.effective_at < now:
        raise InputError("past_date", "The effective date has passed.", "effective_at")
    for code in () if reason else reasons_needed(draft, before=before, lead=lead, now=now):
        if code == "too_early":
            words = f"The lead time is not over before {earliest.isoformat(timespec='minutes')}."
            raise InputError(code, words, "effective_at")
        words = "A section on purposes, recipients, retention, transfers or rights changed."
        raise InputError(code, words, "change_class")
