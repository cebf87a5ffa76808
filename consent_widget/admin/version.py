"""One version: written, compared, submitted, returned, approved, announced, withdrawn, discarded."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import Response, jsonify, redirect, request

from ..core.draft import Draft
from ..core.errors import Conflict, Forbidden, InputError
from ..core.language import GOVERNING
from ..core.workflow import Event, check_role
from ..services.decision import announce_draft, approve_draft, withdraw_version
from ..services.draft import create_draft, discard_draft, return_draft, save_draft, submit_draft
from .desk import desk, find_version
from .editor import answer_editor, start_from
from .forms import Typed, has_texts, in_utc, read_fields, read_revision, read_time, typed, typed_in
from .guard import current_staff, guarded, note_done
from .notify import tell_approvers
from .problems import json_error


def answer_form(refusal: Exception, id: int | None = None) -> Response:  # noqa: A002
    """The form as it was filled in, with a fresh token and why it was refused."""
    draft = find_version(id) if id is not None else None
    sent = typed(request.form, typed_in(draft, _zone()) if draft else start_from())
    return answer_editor(draft, sent, refusal=refusal, editing=has_texts(request.form))


#: For forms: one that cannot be used comes back as it was filled in.
_guarded_form = partial(guarded, back=answer_form)


@guarded
def show_new() -> Response:
    """GET /versions/new: the editor, with the text in force to start from."""
    check_role(current_staff(), Event.SAVE)
    return answer_editor(None, start_from())


@_guarded_form
def add_version() -> Response:
    """POST /versions/new: a new draft, submitted at once where that was asked for."""
    check_role(current_staff(), Event.SAVE)
    sent = typed(request.form, start_from())
    draft = None
    try:
        action = _action({"save", "submit"})
        draft = _create(sent)
        if action == "submit":
            draft = _submit(draft, sent)
    except (InputError, Conflict, Forbidden) as error:
        return _refuse(draft, sent, error)
    return _done(draft, action, created=True)


@guarded
def show_version(id: int) -> Response:  # noqa: A002  # the name in the route
    """GET /versions/{id}: the editor of a draft; what is in review or beyond, to read."""
    draft = find_version(id)
    return answer_editor(draft, typed_in(draft, _zone()), editing="edit" in request.args)


@_guarded_form
def change_version(id: int) -> Response:  # noqa: A002
    """POST /versions/{id}: press one of the buttons."""
    draft = find_version(id)
    sent = typed(request.form, typed_in(draft, _zone()))
    try:
        action = _action(set(_ACTIONS))
        after = _ACTIONS[action](draft, sent)
    except (InputError, Conflict, Forbidden) as error:
        return _refuse(find_version(id), sent, error)
    return _done(after, action)


def _zone() -> ZoneInfo:
    return desk().deployment.settings.timezone


def _action(known: set[str]) -> str:
    action = request.form.get("action", "")
    if action not in known:
        raise InputError("unknown_action", f"action must be out of {', '.join(sorted(known))}.", "action")
    return action


def _who() -> dict[str, Any]:
    return {"staff": current_staff(), "now": desk().deployment.clock()}


def _create(sent: Typed) -> Draft:
    """A new draft. Where it starts from the text in force, a translation that was left as it was is not in step."""
    deployment = desk().deployment
    fields = read_fields(sent, _zone())
    base = read_fields(replace(start_from(), effective_at=""), _zone())
    first = replace(fields, texts=base.texts) if base.texts[GOVERNING] else fields
    draft = create_draft(deployment, first, **_who())
    if first == fields:
        return draft
    return save_draft(deployment, draft.id, fields, revision=draft.revision, **_who())


def _save(draft: Draft, sent: Typed) -> Draft:
    fields = read_fields(sent, _zone(), stored=draft.effective_at)
    return save_draft(desk().deployment, draft.id, fields, revision=read_revision(request.form), **_who())


def _submit(draft: Draft, sent: Typed) -> Draft:
    """What was typed is saved first, so that it is not lost where it cannot be submitted yet."""
    revision = draft.revision
    if request.view_args:
        revision = _save(draft, sent).revision if has_texts(request.form) else read_revision(request.form)
    done = submit_draft(desk().deployment, draft.id, revision=revision, **_who())
    tell_approvers(done)
    return done


def _return(draft: Draft, sent: Typed) -> Draft:
    revision = read_revision(request.form)
    return return_draft(desk().deployment, draft.id, revision=revision, comment=sent.reason, **_who())


def _approve(draft: Draft, sent: Typed) -> Draft:
    return approve_draft(
        desk().deployment,
        draft.id,
        revision=read_revision(request.form),
        effective_at=read_time(sent.effective_at, _zone(), stored=draft.effective_at),
        **_who(),
    )


def _announce(draft: Draft, sent: Typed) -> Draft:
    return announce_draft(
        desk().deployment,
        draft.id,
        revision=read_revision(request.form),
        effective_at=read_time(sent.effective_at, _zone(), stored=draft.effective_at),
        reason=sent.reason,
        **_who(),
    )


def _withdraw(draft: Draft, sent: Typed) -> Draft:
    revision = read_revision(request.form)
    return withdraw_version(desk().deployment, draft.id, revision=revision, reason=sent.reason, **_who())


def _discard(draft: Draft, _sent: Typed) -> None:
    discard_draft(desk().deployment, draft.id, revision=read_revision(request.form), **_who())


_ACTIONS: Mapping[str, Callable[[Draft, Typed], Draft | None]] = {
    Event.SAVE: _save,
    Event.SUBMIT: _submit,
    Event.RETURN: _return,
    Event.APPROVE: _approve,
    Event.ANNOUNCE: _announce,
    Event.WITHDRAW: _withdraw,
    Event.DISCARD: _discard,
}


def _done(draft: Draft | None, action: str, *, created: bool = False) -> Response:
    admin = f"{desk().base()}/admin/"
    url = f"{admin}versions/{draft.id}" if draft else admin
    if not desk().wants_json():
        note_done(action)
        return cast(Response, redirect(url, 303))
    if draft is None:
        return jsonify(state=None, url=url)
    response = jsonify(
        revision=draft.revision,
        state=draft.state.value,
        saved_at=in_utc(draft.edited_at),
        stale=draft.stale,
        missing=list(draft.missing),
        url=url,
    )
    response.status_code = 201 if created else 200
    response.headers["Location"] = url
    return response


def _refuse(draft: Draft | None, sent: Typed, error: InputError | Conflict | Forbidden) -> Response:
    """Why not, on the form as it was filled in; for a conflict beside what the database holds."""
    if desk().wants_json():
        return json_error(error)
    return answer_editor(draft, sent, refusal=error, editing=has_texts(request.form))
