"""Who may come in, and with which form: before any view runs."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode

from flask import Response, g, redirect, request, session
from werkzeug.exceptions import HTTPException

from ..core.errors import Forbidden, InputError
from ..core.staff import Staff
from .desk import desk
from .forms import ill_formed
from .problems import SignedOut, StaffProblem

#: Under this name the host's session keeps what our form tokens are bound to, and the staff's language.
SESSION = "consent_widget_staff"
_LANGUAGE = "consent_widget_language"
_DONE = "consent_widget_done"

#: A form that stood open longer has to be sent again.
_TOKEN = timedelta(hours=24)

#: Two texts at their longest, percent-encoded; longer ones are refused before they are read.
_MAX_FORM_BYTES = 20_000_000

View = Callable[..., Response]


def guarded(view: View, *, back: View | None = None) -> View:
    """``view`` for staff alone; a POST must carry this person's token and come from our own pages.

    ``back`` answers one of our own forms whose token has grown old, or which is no
    UTF-8, instead of an error: it is given the ``refusal``.

    Raises:
        SignedOut: nobody is signed in.
        Forbidden: the account has no role.
        StaffProblem: 403: a foreign origin, or ``csrf_token`` is not this session's.
        InputError: ``not_text``: the form is not UTF-8.
    """

    @wraps(view)
    def guard(**arguments: Any) -> Response:
        _choose_language()
        if request.method == "POST":
            check_own_page()
        staff = desk().staff_loader()
        if staff is None:
            raise SignedOut
        if not staff.roles:
            raise Forbidden("role", "The account has no role.")
        g.consent_widget_staff = staff
        # Staff see what is so now, also where another process announced it.
        desk().deployment.schedule.forget()
        _secret_of(staff)
        if request.method == "POST":
            request.max_content_length = request.max_form_memory_size = _MAX_FORM_BYTES
            refusal = _refusal(staff)
            if refusal is not None:
                is_ours = _has_token(staff) or sent_by_own_page()
                if back is None or desk().wants_json() or not is_ours or not request.form:
                    raise refusal
                return back(refusal=refusal, **arguments)
        return view(**arguments)

    return guard


def _refusal(staff: Staff) -> Exception | None:
    """Why the form cannot be used, whatever it asks for."""
    # Before it is parsed: parsers put something readable in place of what is no UTF-8.
    wrong = ill_formed(request.get_data(), request.mimetype)
    # A body with such bytes unescaped parses to nothing, so there is no token either.
    if wrong is not None and (_has_token(staff) or not request.form):
        return InputError("not_text", "The form must be UTF-8.", wrong or None)
    return None if _has_token(staff) else StaffProblem(403, "stale_form")


def current_staff() -> Staff:
    """Who passed the guard of this request."""
    return cast(Staff, g.consent_widget_staff)


def form_token(staff: Staff) -> str:
    """What a form of ours carries: signed, bound to the person and to this session of the host."""
    return desk().deployment.stamps.seal("form", staff.id, _secret_of(staff), now=desk().deployment.clock())


def _secret_of(staff: Staff) -> str:
    """What this session of the host keeps for ``staff``: made with the first page, so that two tabs share it."""
    kept = session.get(SESSION)
    if not isinstance(kept, list) or len(kept) != 2 or kept[0] != staff.id:
        kept = session[SESSION] = [staff.id, secrets.token_urlsafe(16)]
    return str(kept[1])


def _has_token(staff: Staff) -> bool:
    """Whether the form carries the token of this person and session."""
    sent = request.form.get("csrf_token", "")
    opened = desk().deployment.stamps.open(sent, "form", now=desk().deployment.clock(), longest=_TOKEN)
    kept = session.get(SESSION)
    return isinstance(kept, list) and opened == tuple(kept) and opened[0] == staff.id


def check_own_page() -> None:
    """Raises StaffProblem (403) for a form sent by a page that is not ours."""
    try:
        desk().check_origin()
    except HTTPException as error:
        raise StaffProblem(403, "foreign_origin") from error


def sent_by_own_page() -> bool:
    """Whether the browser itself says so; older ones say nothing."""
    origin = request.headers.get("Origin")
    return request.headers.get("Sec-Fetch-Site") == "same-origin" or (
        origin is not None and desk().same_origin(origin)
    )


def note_done(action: str) -> None:
    """Let the next page say that ``action`` was done."""
    session[_DONE] = action


def take_done() -> str:
    """What the page before noted, once; empty for nothing."""
    return str(session.pop(_DONE, ""))


def to_sign_in() -> Response:
    """303 to where one signs in, with the way back."""
    path = request.script_root + request.path if request.method in ("GET", "HEAD") else ""
    query = request.query_string.decode("ascii", "replace")
    target = desk().safe_path(f"{path}?{query}" if query else path) or f"{desk().base()}/admin/"
    return cast(
        Response, redirect(f"{desk().base()}/admin/sign-in?{urlencode({'next': target}, safe='/')}", 303)
    )


def _choose_language() -> None:
    """The language last asked for by ``?lang=`` holds for all pages of this session."""
    asked = request.args.get("lang")
    if asked in desk().words and session.get(_LANGUAGE) != asked:
        session[_LANGUAGE] = asked
    kept = session.get(_LANGUAGE)
    if isinstance(kept, str):
        desk().answer_in(kept)
