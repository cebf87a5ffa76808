"""A version as a visitor will see it: to staff, and to whoever was sent the signed link."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

from flask import Response, request

from ..core.draft import Draft, DraftFields
from ..core.hidden import hidden_characters
from .desk import desk, find_version
from .forms import read_fields, typed, typed_in
from .guard import current_staff, guarded
from .problems import StaffProblem

#: How long a link to a preview holds.
LINK = timedelta(hours=72)

_PURPOSE = "preview"

#: No script, no form, an origin of its own: an author's words never run in an approver's session.
POLICY = "sandbox; object-src 'none'; base-uri 'none'; form-action 'none'; script-src 'none'; frame-ancestors 'self'"


def preview_link(draft: Draft, language: str) -> str:
    """The address at which ``draft`` can be read without an account for :data:`LINK`."""
    key = desk().deployment.stamps.seal(_PURPOSE, draft.id, now=desk().deployment.clock())
    return f"{desk().base()}/admin/versions/{draft.id}/preview/{language}?{urlencode({'key': key})}"


def show_preview(id: int, lang: str) -> Response:  # noqa: A002  # the name in the route
    """GET /versions/{id}/preview/{lang}: the stored text."""
    key = request.args.get("key")
    if key is not None and _opens(key, id):
        return _stored(id, lang)
    try:
        return _for_staff(id=id, lang=lang)
    except StaffProblem as error:
        if key is not None:
            raise StaffProblem(403, "bad_key") from error
        raise


def _opens(key: str, version_id: int) -> bool:
    opened = desk().deployment.stamps.open(key, _PURPOSE, now=desk().deployment.clock(), longest=LINK)
    return opened == (version_id,)


@guarded
def _for_staff(id: int, lang: str) -> Response:  # noqa: A002
    return _stored(id, lang)


def _stored(version_id: int, lang: str) -> Response:
    return _answer(find_version(version_id), lang)


@guarded
def preview_typed(lang: str, id: int | None = None) -> Response:  # noqa: A002
    """POST to the same address: what stands in the editor, saved or not. Nothing is stored."""
    deployment = desk().deployment
    zone = deployment.settings.timezone
    stored = find_version(id) if id is not None else None
    sent = typed(request.form, typed_in(stored, zone))
    # A half-typed date or class is no reason not to show the text.
    fields = read_fields(replace(sent, effective_at="", change_class="editorial"), zone)
    return _answer(_draft(fields, stored), lang)


def _draft(fields: DraftFields, stored: Draft | None) -> Draft:
    now = desk().deployment.clock()
    draft = stored or Draft(
        id=0, titles={}, summaries={}, texts={}, created_at=now, edited_by=current_staff().id, edited_at=now
    )
    return replace(draft, titles=fields.titles, summaries=fields.summaries, texts=fields.texts)


def _answer(draft: Draft, lang: str) -> Response:
    t = desk().words[lang]
    stamps = [t("Preview: this text is not in force.")] if draft.number is None else []
    found = sorted({f"{one.code} {one.name}".strip() for one in hidden_characters(draft.texts[lang])})
    if found:
        stamps.append(
            t("The text holds characters that nobody sees: %(characters)s.", characters=", ".join(found))
        )
    response = Response(desk().preview(draft, lang, stamps), mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
