"""/admin/sign-in/lost: a new password by mail, where the host has given a mailer."""

import logging
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from unicodedata import normalize

from flask import Response, request
from werkzeug.exceptions import NotFound

from ..core.errors import ConsentWidgetError, InputError
from ..services import account as services
from ..storage.account import Account
from ..storage.database import Database
from ..web.language import WORDS, current_language
from ..web.visit import visit
from .browser import Door, bearer_marks, door, is_genuine, network, new_token
from .guesses import lost_guess, mail_guess
from .pages import admin_path, can_mail, go, show

logger = logging.getLogger("consent_widget")


def show_lost() -> Response:
    """GET /admin/sign-in/lost."""
    return show("sign_in_lost.html", sent=False)


def ask_for_link() -> Response:
    """POST /admin/sign-in/lost: ``email``. The same answer for every address, at the same speed."""
    if not is_genuine():
        return show("sign_in_lost.html", sent=False, problem="stale", status=403)
    if not can_mail():
        return show("sign_in_lost.html", sent=False)
    guess = lost_guess(door().limiter, network=network())
    if not guess.is_allowed():
        response = show("sign_in_lost.html", sent=False, problem="too_many", status=429)
        response.headers["Retry-After"] = str(guess.seconds_left(visit().now))
        return response
    response = show("sign_in_lost.html", sent=True, status=202)
    # Once the answer has left: whether there is an account must not show in its time.
    response.call_on_close(_link(request.form.get("email", "")).send)
    return response


@dataclass(frozen=True, kw_only=True)
class _Link:
    """A link to be sent to ``email``, if that has an account; ``mail`` lacks its recipient only."""

    door: Door
    database: Database
    email: str
    mark: str
    mail: EmailMessage
    now: datetime

    def send(self) -> None:
        try:
            # Counted whether or not there is an account.
            if not mail_guess(self.door.limiter, normalize("NFC", self.email).strip().lower()).is_allowed():
                return
            account = services.lose_password(self.database, self.email, mark=self.mark, now=self.now)
            if account is not None and self.door.mailer is not None:
                self.mail["To"] = account.email
                self.door.mailer(self.mail)
        except (OSError, ConsentWidgetError) as error:
            # The answer has left; whoever waits for the mail asks again.
            logger.error("A mail about a lost password was not sent (%s).", type(error).__name__)


def _link(email: str) -> _Link:
    here, token, t = visit(), new_token(), WORDS[current_language()]
    settings = here.host.deployment.settings
    mail = EmailMessage()
    mail["Subject"] = t("A new password for %(site)s", site=settings.controller.name)
    if settings.mail_from is not None:
        mail["From"] = settings.mail_from
    mail.set_content(
        t(
            "Somebody asked for a new password for your staff account on %(site)s.\n\n"
            "Choose it here within an hour:\n%(link)s\n\n"
            "If it was not you, there is nothing to do: your password still holds.",
            site=settings.controller.name,
            link=f"{settings.public_url}{settings.url_prefix}/admin/sign-in/lost/{token}?lang={t.language}",
        )
    )
    return _Link(
        door=door(),
        database=here.host.deployment.database,
        email=email,
        mark=bearer_marks("lost", token)[0],
        mail=mail,
        now=here.now,
    )


def show_link(token: str) -> Response:
    """GET /admin/sign-in/lost/{token}: asks for the new password; nothing is used up by looking."""
    return _form() if _account(token) else _too_late()


def use_link(token: str) -> Response:
    """POST /admin/sign-in/lost/{token}: ``password``. Works once; every session of the account ends."""
    account = _account(token)
    if account is None:
        return _too_late()
    if not is_genuine():
        return _form("stale", 403)
    try:
        services.change_password(door().database, account, request.form.get("password", ""))
    except InputError as error:
        return _form(error.code, 400)
    return go(admin_path("sign-in"), done="password")


def _account(token: str) -> Account | None:
    if not can_mail():
        raise NotFound
    return services.account_of_link(door().database, bearer_marks("lost", token), now=visit().now)


def _form(problem: str | None = None, status: int = 200) -> Response:
    return show("sign_in_password.html", problem=problem, status=status)


def _too_late() -> Response:
    return show("sign_in_lost.html", sent=False, problem="link", status=410)
