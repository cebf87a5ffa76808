"""The cookies that hold a choice, and the removal of those it does not allow."""

from itertools import product
from typing import Any

from flask import Response, current_app
from werkzeug.http import dump_cookie

from ..core.consent import LIFETIME, Choice, Consent
from .visit import Visit, logger
from .words import state_text


def put_right(here: Visit, response: Response, consent: Consent) -> None:
    """Let the browser keep what is on record, and nothing that it does not grant."""
    _send_choice(here, response, here.presented)
    _expire_cookies(here, response, consent)


def _send_choice(here: Visit, response: Response, choice: Choice | None) -> None:
    """The signed cookie and its readable mirror; both removed where there is no choice."""
    if choice is None:
        for name in (here.cookie_name, here.mirror_name):
            _set_cookie(here, response, name, "", max_age=0)
        return
    if not here.secure:
        _warn_of_http(here)
    # A choice that just ran out is not renewed by being shown.
    left = max(0, min(int((choice.expires_at() - here.now).total_seconds()), int(LIFETIME.total_seconds())))
    mirror = state_text(choice.decisions.items())
    _set_cookie(here, response, here.cookie_name, here.host.deployment.signer.seal(choice), max_age=left)
    _set_cookie(here, response, here.mirror_name, mirror, max_age=left, httponly=False)


def _warn_of_http(here: Visit) -> None:
    """Loudly, but once."""
    if current_app.debug or current_app.testing:
        return
    words = (
        "A choice is sent over plain http: its cookie has neither Secure nor the prefix %s. Serve the "
        "site over https; behind a proxy, see docs/how-to/behind-a-proxy.md."
    )
    prefix = here.host.deployment.settings.secure_prefix()
    here.host.kept(("told of http",), lambda: logger.warning(words, prefix))


def _set_cookie(
    here: Visit, response: Response, name: str, value: str, *, max_age: int, httponly: bool = True
) -> None:
    domain = here.host.deployment.settings.cookie_domain
    _add_cookie(response, name, value, max_age=max_age, domain=domain, secure=here.secure, httponly=httponly)


def _expire_cookies(here: Visit, response: Response, consent: Consent) -> None:
    """Remove what refused categories stored, HttpOnly too, wherever it was declared to be set.

    Exact names are removed without having been seen: a cookie of another path
    is not sent here. Patterns are matched against what was sent.
    """
    sent = dict.fromkeys(name for name, _ in here.cookies)
    register = here.host.deployment.register
    for category in register:
        if category.necessary or consent.granted(category.name):
            continue
        for cookie in category.cookies:
            # A pattern must not take along what resembles it and belongs to another category.
            found = [one for one in sent if cookie.covers(one) and register.category_of(one) == category.name]
            for name in [cookie.name] if cookie.name else found:
                for path, domain in product(cookie.paths, cookie.domains):
                    _add_cookie(
                        response,
                        name,
                        "",
                        max_age=0,
                        path=path,
                        domain=domain,
                        # A prefixed cookie can only be overwritten by one with Secure.
                        secure=here.secure or name.startswith("__"),
                    )


def _add_cookie(response: Response, name: str, value: str, **attributes: Any) -> None:
    defaults: dict[str, Any] = {"path": "/", "httponly": True, "samesite": "Lax"}
    attributes = defaults | attributes
    if attributes["max_age"] == 0:
        attributes["expires"] = 0
    response.headers.add("Set-Cookie", dump_cookie(name, value, **attributes))
