"""/admin/account: one's own password and second factor. Signed-in staff only."""

import secrets

import segno
from flask import Response, request
from markupsafe import Markup

from ..admin.page import AUDIT
from ..core.account import UNFINISHED, Step
from ..core.errors import InputError
from ..core.second_factor import SECRET_BYTES, app_address, readable
from ..services import account as services
from ..storage.account import Account, Session
from ..web.visit import visit
from .browser import bearer_marks, door, give_session, is_genuine, new_token, session_at
from .guesses import own_guess
from .pages import admin_path, go, show


def show_account() -> Response:
    """GET /admin/account."""
    found = session_at(Step.SIGNED_IN)
    return _signed_out() if found is None else _page(found.account, done=request.args.get("done"))


def change_password() -> Response:
    """POST /admin/account: ``current`` and ``password``; every other session ends."""
    found = session_at(Step.SIGNED_IN)
    if found is None:
        return _signed_out()
    refusal = _refusal(found.account)
    if refusal is None:
        try:
            services.change_password(door().database, found.account, request.form.get("password", ""))
        except InputError as error:
            refusal = _page(found.account, problem=error.code, status=400)
    return refusal or _renewed(found)


def _renewed(found: Session) -> Response:
    """On under a new session: the old one ended with the others."""
    token = new_token()
    services.advance_session(door().database, found, mark=bearer_marks("session", token)[0], now=visit().now)
    response = go(admin_path("account"), done="password")
    give_session(response, token)
    return response


def change_second_factor() -> Response:
    """POST /admin/account/second-factor: ``current``; ``action`` on with ``sealed`` and ``code``, or off."""
    found = session_at(Step.SIGNED_IN)
    if found is None:
        return _signed_out()
    account, database, keys, now = found.account, door().database, door().keys, visit().now
    refusal = _refusal(account)
    if refusal is not None:
        return refusal
    if request.form.get("action") == "off":
        services.turn_off_second_factor(database, account)
        return go(admin_path("account"), done="off")
    secret = _opened(request.form.get("sealed", ""), account)
    code = request.form.get("code", "")
    if secret is None:
        return _page(account, problem="stale", status=403)
    if account.second_factor is not None or not services.turn_on_second_factor(
        database, keys, account, secret=secret, code=code, now=now
    ):
        return _page(account, secret=secret, problem="wrong_code", status=400)
    return go(admin_path("account"), done="on")


def _refusal(account: Account) -> Response | None:
    """Why nothing may be changed: another page's form, or a wrong current password."""
    if not is_genuine():
        return _page(account, problem="stale", status=403)
    guess = own_guess(door().limiter, "current", account.id, "")
    if not guess.is_allowed():
        response = _page(account, problem="too_many", status=429)
        response.headers["Retry-After"] = str(guess.seconds_left(visit().now))
        return response
    if not services.verify_password(account, request.form.get("current", ""), now=visit().now):
        return _page(account, problem="wrong_current", status=400)
    guess.give_back()
    return None


def _page(
    account: Account,
    *,
    secret: bytes | None = None,
    done: str | None = None,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    values: dict[str, object] = {"account": account, "done": done, "form": request.form.get("form", "")}
    # It stands in the layout of the staff's pages, with what admin.page gives to them.
    values |= {"staff": account, "may_audit": bool(account.roles & AUDIT), "admin": admin_path().rstrip("/")}
    if account.second_factor is None:
        secret = secret or secrets.token_bytes(SECRET_BYTES)
        issuer = visit().host.deployment.settings.controller.name
        code = segno.make(app_address(secret, email=account.email, issuer=issuer), micro=False, error="l")
        # Black on white in every colour scheme: cameras need it so.
        values |= {
            "picture": Markup(code.svg_inline(scale=4, border=3, light="#fff")),  # noqa: S704  # segno's own
            "secret": readable(secret),
            "sealed": door().keys.seal(f"{account.id}:".encode() + secret, now=visit().now),
        }
    return show("account.html", problem=problem, status=status, **values)


def _opened(sealed: str, account: Account) -> bytes | None:
    """The secret that was shown to this account a moment ago: nobody brings one along."""
    opened = door().keys.open(sealed, now=visit().now, longest=UNFINISHED)
    owner, _, secret = (opened or b"").partition(b":")
    return secret if opened and owner == str(account.id).encode() else None


def _signed_out() -> Response:
    return go(admin_path("sign-in"), next=admin_path("account"))
