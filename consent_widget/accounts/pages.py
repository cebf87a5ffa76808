"""How the pages of the sign-in are answered: one layout, one set of headers, words for every refusal."""

from typing import Any
from urllib.parse import urlencode

from flask import Response, g, redirect, render_template, request

from ..web.context import common_context
from ..web.language import WORDS, Words, current_language
from ..web.origin import safe_path
from ..web.visit import visit
from .browser import door, form_token, give_session, new_token, session_token

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    # The link to a lost password stands in an address; without an origin our own forms would be refused.
    "Referrer-Policy": "strict-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}


def add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers[name] = value
    visit().policy = _HEADERS["Content-Security-Policy"]
    return response


def admin_path(rest: str = "") -> str:
    """A page of the staff's, as the browser addresses it."""
    return f"{visit().base}/admin/{rest}"


def next_path() -> str:
    """Where to go after signing in: a path of this host that was asked for, else the staff's first page."""
    asked = request.form.get("next") or request.args.get("next") or ""
    return safe_path(asked) or admin_path()


def go(path: str, **query: str) -> Response:
    """303; whatever stands in ``query`` is percent-encoded."""
    return redirect(f"{path}?{urlencode(query)}" if query else path, 303)  # type: ignore[return-value]


def show(template: str, *, problem: str | None = None, status: int = 200, **values: Any) -> Response:
    """A page of the sign-in; a browser without a session gets one, so that its form has a token."""
    here, language = visit(), current_language()
    here.quiet = True
    here.shared = True  # nobody's consent is read for it
    token = session_token()
    fresh = not token
    if fresh:
        token = g.consent_widget_staff_token = new_token()
    response = Response(
        render_template(
            f"consent_widget/admin/{template}",
            **common_context(here, language)
            | {
                "token": form_token(token),
                "next": next_path(),
                "admin": admin_path(),
                "path": here.mount + request.path,
                "languages": _languages(here.mount + request.path, language),
                "problem": _problem(WORDS[language], problem) if problem else None,
                "problem_field": _FIELDS.get(problem or ""),
                "mails": can_mail(),
            }
            | values,
        ),
        status=status,
    )
    if fresh:
        give_session(response, token)
    return response


_NAMES = {"vi": "Tiếng Việt", "en": "English"}


def _languages(path: str, current: str) -> list[dict[str, Any]]:
    """This page in each language, on its way to the same place."""
    return [
        {
            "lang": lang,
            "name": name,
            "current": lang == current,
            "href": f"{path}?{urlencode({'lang': lang, 'next': next_path()})}",
        }
        for lang, name in _NAMES.items()
    ]


def can_mail() -> bool:
    """A link in a mail needs our own address: the Host that was sent may be anybody's."""
    return door().mailer is not None and visit().host.deployment.settings.public_url is not None


#: The field a refusal is about.
_FIELDS = {
    "short_password": "password",
    "long_password": "password",
    "bad_password": "password",
    "guessable_password": "password",
    "same_password": "password",
    "wrong_current": "current",
    "wrong_code": "code",
}


def _problem(t: Words, code: str) -> str:
    """Why it was refused, and what to do: one sentence each, the same for known and unknown accounts."""
    return {
        "wrong": t("The email address or the password is not right. Please check both and try again."),
        "wrong_current": t("The current password is not right."),
        "wrong_code": t(
            "This code is not right or was used already. Please enter the one your app shows now."
        ),
        "stale": t(
            "This page had been open for too long, or the form was sent from elsewhere. Please try again."
        ),
        "too_many": t("There were too many attempts. Please wait a while and try again."),
        "ended": t("Your session has ended. Please sign in again."),
        "link": t("This link has been used already or is too old. Please ask for a new one."),
        "short_password": t("The password is too short. Please use at least 12 characters."),
        "long_password": t("The password is too long. Please use at most 256 characters."),
        "bad_password": t("The password holds a character that cannot be used."),
        "guessable_password": t(
            "This password is easily guessed. Three or four words that do not belong together make a good one."
        ),
        "same_password": t("This is the password you had before. Please choose another one."),
    }[code]
