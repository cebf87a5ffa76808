"""GET /admin/: every version with its state, who did what when, and what this person may do next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Response

from ..core.draft import Draft
from ..core.notice import Schedule, Standing
from ..core.staff import COMMAND_LINE, SYSTEM, Staff
from ..core.steps import Step, steps
from ..core.workflow import Event, State, may
from ..services.draft import list_drafts
from ..services.erasure import SUBSCRIBER
from ..storage.draft import IMPORTED
from .desk import Words, desk, known_staff, words
from .guard import current_staff, guarded, take_done
from .page import answer_page
from .sayings import say_class, say_done, say_state


@dataclass(frozen=True, kw_only=True)
class Row:
    """One version as the list shows it; ``who`` plain, ``mine`` whether this person is to act."""

    draft: Draft
    title: str
    state: str
    state_label: str
    change_class: str
    who: str
    at: datetime
    next: str
    mine: bool


@guarded
def show_overview() -> Response:
    """The list, newest first, what needs work above the rest."""
    t, staff = words(), current_staff()
    deployment = desk().deployment
    now = deployment.clock()
    schedule = deployment.schedule.at(now)
    names = known_staff()
    rows = [_row(one, schedule, staff, names, t) for one in list_drafts(deployment)]
    return answer_page(
        "overview.html",
        {
            "open": [one for one in rows if one.draft.number is None],
            "told": sorted(
                (one for one in rows if one.draft.number is not None),
                key=lambda one: -(one.draft.number or 0),
            ),
            "may_write": may(staff, Event.SAVE),
            "done": say_done(take_done(), t),
        },
    )


def standing_of(draft: Draft, schedule: Schedule) -> str:
    """The state of ``draft`` as people speak of it: stored until it is announced, computed from then on."""
    version = schedule.find(draft.number) if draft.number is not None else None
    return schedule.standing(version, desk().deployment.clock()).value if version else draft.state.value


def steps_of(draft: Draft, schedule: Schedule, staff: Staff) -> tuple[Step, ...]:
    """What ``staff`` may do with ``draft`` now."""
    now = desk().deployment.clock()
    coming = schedule.coming(now)
    return steps(
        draft,
        staff,
        pending=coming.number if coming else None,
        is_effective=draft.effective_at is not None and draft.effective_at <= now,
    )


def _row(draft: Draft, schedule: Schedule, staff: Staff, names: Mapping[str, Staff], t: Words) -> Row:
    state = standing_of(draft, schedule)
    who, at = say_who(draft, names, t)
    mine, said = say_next(draft, state, steps_of(draft, schedule, staff), t)
    return Row(
        draft=draft,
        title=draft.titles.get(t.language) or next((one for one in draft.titles.values() if one), ""),
        state=state,
        state_label=say_state(state, t),
        change_class=say_class(draft.change_class.value, t),
        who=who,
        at=at,
        next=said,
        mine=mine,
    )


def name_of(staff_id: str | None, names: Mapping[str, Staff], t: Words) -> str:
    """What staff call the person with this id."""
    if staff_id == IMPORTED:
        return t("imported from files")
    if staff_id == COMMAND_LINE:
        return t("at the command line")
    if staff_id == SYSTEM:
        return t("by itself")
    if staff_id == SUBSCRIBER:
        return t("the subscriber")
    if staff_id is None:
        return ""
    return names[staff_id].name if staff_id in names else staff_id


def say_who(draft: Draft, names: Mapping[str, Staff], t: Words) -> tuple[str, datetime]:
    """Who brought the version to its state, and when."""
    stages: tuple[tuple[str | None, datetime | None, Callable[[str], str]], ...] = (
        (draft.withdrawn_by, draft.withdrawn_at, lambda name: t("withdrawn by %(name)s", name=name)),
        (draft.announced_by, draft.announced_at, lambda name: t("announced by %(name)s", name=name)),
        (draft.approved_by, draft.approved_at, lambda name: t("approved by %(name)s", name=name)),
        (draft.submitted_by, draft.submitted_at, lambda name: t("submitted by %(name)s", name=name)),
        (draft.edited_by, draft.edited_at, lambda name: t("last edited by %(name)s", name=name)),
    )
    who, at, say = next((who, at, say) for who, at, say in stages if at is not None)
    if who is None or who == IMPORTED:
        return t("imported from files"), at
    return say(name_of(who, names, t)), at


def say_next(draft: Draft, state: str, found: tuple[Step, ...], t: Words) -> tuple[bool, str]:
    """Whether it is this person's turn, and what comes next."""
    why = {step.event: step.why_not for step in found}
    key = {State.DRAFT: Event.SUBMIT, State.IN_REVIEW: Event.APPROVE, State.APPROVED: Event.ANNOUNCE}.get(
        draft.state
    )
    if key is None:
        if state == Standing.ANNOUNCED:
            return False, t("Takes effect by itself on its date")
        return False, ""
    return why.get(key) is None, _NEXT[key](why.get(key), bool(draft.comment), t)


def _next_of_draft(why: str | None, returned: bool, t: Words) -> str:
    if why is not None:
        return t("Its author is writing")
    return (
        t("Returned with a comment: revise and submit again")
        if returned
        else t("Finish both languages and submit")
    )


def _next_in_review(why: str | None, _returned: bool, t: Words) -> str:
    if why == "role":
        return t("Waits for an approver")
    if why == "four_eyes":
        return t("Waits for a colleague: you edited it last")
    return t("Return it: it is not complete") if why else t("Review it: approve or return")


def _next_approved(why: str | None, _returned: bool, t: Words) -> str:
    if why == "role":
        return t("Waits to be announced by an approver")
    if why == "four_eyes":
        return t("Waits for a colleague: you edited it last")
    if why == "one_pending":
        return t("Waits until the announced version is in force")
    return t("Return it: it is not complete") if why else t("Announce it")


_NEXT = {Event.SUBMIT: _next_of_draft, Event.APPROVE: _next_in_review, Event.ANNOUNCE: _next_approved}
