"""The page of one version: what is typed or stored, what changed, what the law asks, what may be done."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Response, request
from markupsafe import Markup

from ..core.draft import Draft
from ..core.errors import Conflict
from ..core.language import GOVERNING, LANGUAGES
from ..core.notice import MAX_TEXT
from ..core.staff import Staff
from ..core.workflow import Event, State, may
from ..render.catalogue import zone_label
from ..services.decision import Gate, ask_gate
from ..services.notice import notice_text
from .choices import show_categories, show_classes, show_questions
from .desk import Words, desk, known_staff, whole_address, words
from .forms import Typed, has_texts, typed_in
from .guard import current_staff, form_token, take_done
from .overview import name_of, standing_of, steps_of
from .page import answer_page, show_moment
from .preview import preview_link
from .problems import status_of
from .refusal import say_reason, show_conflicts, show_errors
from .sayings import (
    say_class,
    say_done,
    say_event,
    say_state,
    say_why_not,
)
from .warnings import say_overtaken, show_checklist, show_hidden, show_remarks

#: In which states a text may still be changed.
_DECISIONS = {one.value for one in (Event.APPROVE, Event.ANNOUNCE, Event.RETURN, Event.WITHDRAW)}
#: What is next in each state: whose role does not reach is told of this step alone.
_NEXT = (Event.SUBMIT, Event.APPROVE, Event.ANNOUNCE, Event.WITHDRAW)
_OPEN = (State.DRAFT, State.IN_REVIEW, State.APPROVED)


def start_from() -> Typed:
    """The form for a new version: the text in force, to be changed."""
    deployment = desk().deployment
    now = deployment.clock()
    empty = typed_in(None, deployment.settings.timezone)
    version = deployment.schedule.at(now).in_force(now)
    if version is None:
        return empty
    written = dict(empty.texts)
    for language in LANGUAGES:
        text = notice_text(deployment.database, number=version.number, language=language)
        if text is not None:
            written |= {f"title_{language}": text.title, f"text_{language}": text.markdown}
    return Typed(**{**vars(empty), "texts": written})


def answer_editor(
    draft: Draft | None, sent: Typed, *, editing: bool = False, refusal: Exception | None = None
) -> Response:
    """The page; ``refusal`` says why what was ``sent`` was not done."""
    t, staff, deployment = words(), current_staff(), desk().deployment
    now = deployment.clock()
    is_open = draft is None or draft.state in _OPEN
    may_write = may(staff, Event.SAVE)
    gate = ask_gate(deployment, draft, now=now) if draft else None
    context = {
        "draft": draft,
        "sent": sent,
        "editing": is_open and may_write and (editing or draft is None or draft.state is State.DRAFT),
        "csrf_token": form_token(staff),
        "action": f"{desk().base()}/admin/versions/{draft.id if draft else 'new'}",
        "script_words": _script_words(t),
        "sides": [_side(one, draft, sent, gate, t) for one in LANGUAGES],
        "classes": show_classes(sent, now, t),
        "new": show_questions(sent, t),
        "categories": show_categories(sent, t),
        "overtaken": "",
        "remarks": [],
        "zone": deployment.settings.timezone.key,
        "zone_label": zone_label(deployment.settings.timezone, around=now, language=t.language),
        "errors": show_errors(refusal, draft, t, gate),
        "missing": draft.missing if draft else (),
        "conflicts": show_conflicts(draft, sent, t)
        if draft and isinstance(refusal, Conflict) and has_texts(request.form)
        else (),
        "done": say_done(take_done(), t),
        "checklist": show_checklist(sent, gate.before if gate else _in_force_texts(), t),
    }
    if draft is not None and gate is not None:
        context |= _stored(draft, staff, gate, now, t)
    return answer_page("version.html", context, status_of(refusal) if refusal else 200)


def _stored(draft: Draft, staff: Staff, gate: Gate, now: datetime, t: Words) -> dict[str, Any]:
    schedule = desk().deployment.schedule.at(now)
    names = known_staff()
    found = steps_of(draft, schedule, staff)
    allowed = {step.event.value for step in found if step.why_not is None}
    state = standing_of(draft, schedule)
    return {
        "state": state,
        "state_label": say_state(state, t),
        "may": allowed,
        "decides": bool(allowed & _DECISIONS),
        "dates": bool(allowed & {Event.APPROVE.value, Event.ANNOUNCE.value}),
        "blocked": [
            {"label": say_event(step.event, t), "why": say_why_not(step.why_not, t)}
            for step in found
            if step.why_not and (step.why_not != "role" or step.event in _NEXT)
        ],
        "history": _history(draft, names, t),
        "reasons": [say_reason(code, gate.earliest, t) for code in gate.reasons],
        "earliest": show_moment(gate.earliest, t),
        "needs_date": gate.earliest > now,
        "remarks": show_remarks(draft, gate.before, now, t) if draft.state in _OPEN else [],
        "overtaken": say_overtaken(draft, schedule.in_force(now), t) if draft.state in _OPEN else "",
        "preview_links": {one: preview_link(draft, one) for one in LANGUAGES},
        "shared_link": whole_address(preview_link(draft, t.language)),
        "editor_name": name_of(draft.edited_by, names, t),
        "effective_at": draft.effective_at,
        "class_label": say_class(draft.change_class.value, t),
    }


def _history(draft: Draft, names: Mapping[str, Staff], t: Words) -> list[dict[str, Any]]:
    """Who did what when, as far as the version itself remembers."""
    said = [
        (t("Started"), None, draft.created_at),
        (t("Last edited"), draft.edited_by, draft.edited_at),
        (t("Submitted"), draft.submitted_by, draft.submitted_at),
        (t("Approved"), draft.approved_by, draft.approved_at),
        (t("Announced"), draft.announced_by, draft.announced_at),
        (t("Withdrawn"), draft.withdrawn_by, draft.withdrawn_at),
    ]
    return [{"what": what, "who": name_of(who, names, t), "at": at} for what, who, at in said if at]


def _side(language: str, draft: Draft | None, sent: Typed, gate: Gate | None, t: Words) -> dict[str, Any]:
    """One language: what is typed, its difference from the text in force, what it hides."""
    text = sent.texts[f"text_{language}"]
    stored = draft.texts[language] if draft else ""
    before = (gate.before if gate else _in_force_texts()).get(language)
    # What is longer is refused anyway, and comparing it would take its time.
    is_comparable = 0 < len(text) <= MAX_TEXT
    return {
        "lang": language,
        "name": t("Vietnamese") if language == GOVERNING else t("English"),
        "governs": language == GOVERNING,
        "title": sent.texts[f"title_{language}"],
        "summary": sent.texts[f"summary_{language}"],
        "text": text,
        "stored": stored,
        "before": before is not None,
        "diff": desk().show_diff(before, text, t.language)
        if before is not None and is_comparable
        else Markup(),
        "hidden": show_hidden(text),
        "stale": bool(draft and draft.stale and language != GOVERNING and text),
    }


def _in_force_texts() -> dict[str, str]:
    found = start_from().texts
    return {one: found[f"text_{one}"] for one in LANGUAGES if found[f"text_{one}"]}


def _script_words(t: Words) -> dict[str, str]:
    """What the editor's script says and its buttons are called; data attributes of the form."""
    return {
        "label-bold": t("Bold"),
        "label-italic": t("Italic"),
        "label-heading": t("Heading"),
        "label-list": t("List"),
        "label-numbers": t("Numbered list"),
        "label-link": t("Link"),
        "label-toolbar": t("Formatting"),
    }
