"""What a browser shows us and what we give it: the session, the device, the token of each form."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import cast

from flask import Response, current_app, g, request
from limits.strategies import FixedWindowRateLimiter

from ..core.account import KNOWN, Step
from ..core.account_keys import AccountKeys
from ..services.account import Bearer, current_session, remember
from ..services.limits import network_of
from ..storage.account import Account, Session
from ..storage.database import Database
from ..web.problems import Problem
from ..web.visit import visit
from ..web.wish import check_origin

#: Where ``app.extensions`` keeps the door.
EXTENSION = "consent_widget_accounts"

#: A form of ours is a few hundred bytes.
MAX_BODY = 16 * 1024


@dataclass(frozen=True, kw_only=True)
class Door:
    """What the pages of one app need besides the deployment; ``mailer`` is ConsentWidget's option."""

    keys: AccountKeys
    limiter: FixedWindowRateLimiter
    mailer: Callable[[EmailMessage], object] | None

    @property
    def database(self) -> Database:
        return visit().host.deployment.database


def door() -> Door:
    return cast(Door, current_app.extensions[EXTENSION])


def new_token() -> str:
    """Two hundred and fifty-six random bits (ASVS 7.2.3)."""
    return secrets.token_urlsafe(32)


def bearer_marks(purpose: str, value: str) -> tuple[str, ...]:
    return door().keys.marks(purpose, value)


def cookie_name(part: str) -> str:
    """``__Host-`` over https: no other host of the domain can plant or read it (RFC 6265bis section 4.1.3.2)."""
    here = visit()
    return f"{'__Host-' if here.secure else ''}{here.host.deployment.settings.cookie_name}_{part}"


def session_token() -> str:
    """What the browser keeps as its session, signed in or not; empty where it has none."""
    return g.get("consent_widget_staff_token") or request.cookies.get(cookie_name("staff"), "")


def give_session(response: Response, token: str) -> None:
    """Without an end: it goes when the browser closes, and the record ends it earlier."""
    _set(response, "staff", token)


def take_session(response: Response) -> None:
    _set(response, "staff", "", max_age=0)


def welcome(response: Response, account: Account) -> None:
    """Know this device and this network from here on."""
    bearer, token = bearer_of(), request.cookies.get(cookie_name("device"), "")
    if not token:
        token = new_token()
        bearer = Bearer(device=bearer_marks("device", token), network=bearer.network)
    remember(door().database, account, bearer, now=visit().now)
    _set(response, "device", token, max_age=int(KNOWN.total_seconds()))


def _set(response: Response, part: str, value: str, *, max_age: int | None = None) -> None:
    response.set_cookie(
        cookie_name(part),
        value,
        max_age=max_age,
        path="/",
        httponly=True,
        secure=visit().secure,
        samesite="Lax",
    )


def network() -> str:
    """Where the request came from, as the host's proxy settings tell it."""
    return network_of(request.remote_addr)


def bearer_of() -> Bearer:
    """The marks of the device that the browser claims to be, and of its network."""
    device = request.cookies.get(cookie_name("device"), "")
    return Bearer(device=bearer_marks("device", device), network=bearer_marks("network", network()))


def session() -> Session | None:
    """The session of this request, whatever step it has come to.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    if "consent_widget_staff_session" not in g:
        token = session_token()
        g.consent_widget_staff_session = (
            current_session(door().database, bearer_marks("session", token), now=visit().now)
            if token
            else None
        )
    return cast("Session | None", g.consent_widget_staff_session)


def session_at(step: Step) -> Session | None:
    """The session if it has come to exactly ``step``."""
    found = session()
    return found if found is not None and found.step == step else None


def form_token(token: str) -> str:
    """Bound to the session it was given to, and worthless in any other (CVE-2021-42097)."""
    return door().keys.mark("form", token)


def limit_body() -> None:
    """Before anything is read of a form."""
    request.max_content_length = MAX_BODY


def is_genuine() -> bool:
    """Whether the form that was sent is one that we gave to this session, sent from our own page."""
    token = session_token()
    sent = request.form.getlist("token")
    if not token or len(sent) != 1 or not door().keys.is_mark(sent[0], "form", token):
        return False
    try:
        check_origin()
    except Problem:
        return False
    return True
