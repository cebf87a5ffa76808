"""GET and POST /admin/sign-in, its further steps, and POST /admin/sign-out."""

from unicodedata import normalize

from flask import Response, request

from ..core.account import Step
from ..core.errors import InputError
from ..services import account as services
from ..storage.account import Account, Session
from ..web.visit import visit
from .browser import (
    bearer_marks,
    bearer_of,
    door,
    give_session,
    is_genuine,
    network,
    new_token,
    session,
    session_at,
    session_token,
    take_session,
    welcome,
)
from .guesses import Guess, own_guess, password_guess
from .pages import admin_path, go, next_path, show

#: The page of each step that is left.
_PAGES = {Step.CODE: "sign-in/code", Step.PASSWORD: "sign-in/password"}


def show_sign_in() -> Response:
    """GET /admin/sign-in: the form, or on to where one wanted to go."""
    if session_at(Step.SIGNED_IN) is not None:
        return go(next_path())
    return show("sign_in.html", email="", done=request.args.get("done"))


def sign_in() -> Response:
    """POST /admin/sign-in: ``email`` and ``password``."""
    email, password = request.form.get("email", ""), request.form.get("password", "")
    if not is_genuine():
        return _refuse(email, "stale", 403)
    here, database = visit(), door().database
    account = services.find_account(database, email)
    guess = _guess(account, email)
    if not guess.is_allowed():
        return _wait(_refuse(email, "too_many", 429), guess)
    if not services.verify_password(account, password, now=here.now) or account is None:
        return _refuse(email, "wrong", 400)
    guess.give_back()
    services.end_session(database, bearer_marks("session", session_token()))
    token = new_token()
    step = services.begin_session(database, account, mark=bearer_marks("session", token)[0], now=here.now)
    return _go_on(step, token, account)


def _guess(account: Account | None, email: str) -> Guess:
    bearer = bearer_of()
    knows_device, knows_network = services.is_known(door().database, account, bearer, now=visit().now)
    return password_guess(
        door().limiter,
        account.email if account else normalize("NFC", email).strip().lower(),
        network=network(),
        device=bearer.device[0] if knows_device else None,
        knows_network=knows_network,
    )


def _refuse(email: str, problem: str, status: int) -> Response:
    return show("sign_in.html", problem=problem, status=status, email=email[:254])


def _wait(response: Response, guess: Guess) -> Response:
    response.headers["Retry-After"] = str(guess.seconds_left(visit().now))
    return response


def _go_on(step: Step, token: str, account: Account) -> Response:
    """The next page, with the session that may see it."""
    if step is Step.SIGNED_IN:
        response = go(next_path())
        welcome(response, account)
    else:
        response = go(admin_path(_PAGES[step]), next=next_path())
    give_session(response, token)
    return response


def _advance(found: Session) -> Response:
    token = new_token()
    mark = bearer_marks("session", token)[0]
    step = services.advance_session(door().database, found, mark=mark, now=visit().now)
    return _go_on(step, token, found.account)


def show_code() -> Response:
    """GET /admin/sign-in/code: asks for the second factor."""
    return show("sign_in_code.html") if session_at(Step.CODE) else _begin_again()


def enter_code() -> Response:
    """POST /admin/sign-in/code: ``code``."""
    found = session_at(Step.CODE)
    if found is None:
        return _begin_again()
    if not is_genuine():
        return show("sign_in_code.html", problem="stale", status=403)
    guess = code_guess(found.account)
    if not guess.is_allowed():
        return _wait(show("sign_in_code.html", problem="too_many", status=429), guess)
    code = request.form.get("code", "")
    if not services.check_code(door().database, door().keys, found.account, code, now=visit().now):
        return show("sign_in_code.html", problem="wrong_code", status=400)
    guess.give_back()
    return _advance(found)


def code_guess(account: Account) -> Guess:
    """Counted by device where it is known to the account: a thief of the password locks nobody out."""
    bearer = bearer_of()
    knows_device, _ = services.is_known(door().database, account, bearer, now=visit().now)
    return own_guess(door().limiter, "code", account.id, bearer.device[0] if knows_device else "")


def show_new_password() -> Response:
    """GET /admin/sign-in/password: the one-time password is renewed."""
    return show("sign_in_password.html") if session_at(Step.PASSWORD) else _begin_again()


def renew_password() -> Response:
    """POST /admin/sign-in/password: ``password``, the new one."""
    found = session_at(Step.PASSWORD)
    if found is None:
        return _begin_again()
    if not is_genuine():
        return show("sign_in_password.html", problem="stale", status=403)
    try:
        services.change_password(door().database, found.account, request.form.get("password", ""))
    except InputError as error:
        return show("sign_in_password.html", problem=error.code, status=400)
    return _advance(found)


def _begin_again() -> Response:
    """The step is not this session's: on to where it is."""
    found = session()
    if found is None:
        return go(admin_path("sign-in"), next=next_path(), done="ended")
    page = _PAGES.get(Step(found.step))
    return go(admin_path(page), next=next_path()) if page else go(next_path())


def sign_out() -> Response:
    """POST /admin/sign-out: the session ends on the server (ASVS 7.4.1)."""
    if not is_genuine():
        # Nothing was done; who is still signed in finds the button there again.
        return show("sign_out.html", problem="stale", status=403)
    services.end_session(door().database, bearer_marks("session", session_token()))
    response = go(admin_path("sign-in"), done="out")
    take_session(response)
    return response
