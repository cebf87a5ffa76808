"""StaffAccounts: hangs the sign-in on an app that has the widget."""

import logging
import secrets
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from flask import Blueprint, Flask, Response, current_app, has_request_context, render_template
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from ..core.account import Step
from ..core.account_keys import AccountKeys
from ..core.errors import ConsentWidgetError, StartupError, StoreUnavailable
from ..core.staff import Staff
from ..services.limits import DatabaseStorage
from ..services.staff import list_staff
from ..services.tally import SteadyLimiter
from ..storage.account import Account
from ..web.context import common_context
from ..web.gate import UNGATED
from ..web.language import current_language
from ..web.problems import Problem, answer_problem
from ..web.visit import visit
from . import account, lost, sign_in
from .browser import EXTENSION, Door, form_token, limit_body, session_at, session_token
from .commands import staff
from .pages import add_headers, admin_path

logger = logging.getLogger("consent_widget")

_ROUTES: tuple[tuple[str, Callable[..., Response], str], ...] = (
    ("/sign-in", sign_in.show_sign_in, "GET"),
    ("/sign-in", sign_in.sign_in, "POST"),
    ("/sign-in/code", sign_in.show_code, "GET"),
    ("/sign-in/code", sign_in.enter_code, "POST"),
    ("/sign-in/password", sign_in.show_new_password, "GET"),
    ("/sign-in/password", sign_in.renew_password, "POST"),
    ("/sign-in/lost", lost.show_lost, "GET"),
    ("/sign-in/lost", lost.ask_for_link, "POST"),
    ("/sign-in/lost/<token>", lost.show_link, "GET"),
    ("/sign-in/lost/<token>", lost.use_link, "POST"),
    ("/sign-out", sign_in.sign_out, "POST"),
    ("/account", account.show_account, "GET"),
    ("/account", account.change_password, "POST"),
    ("/account/second-factor", account.change_second_factor, "POST"),
)


class StaffAccounts:
    """Accounts of staff, for an app that has no sign-in of its own.

    ::

        accounts = StaffAccounts()
        ConsentWidget(app, staff_loader=accounts.staff_loader, staff_directory=accounts.staff_directory)
        accounts.init_app(app)
    """

    def init_app(self, app: Flask) -> None:
        """Add the pages below ``/privacy/admin`` and ``flask consent staff`` to ``app``, which has the widget.

        Raises:
            ConsentWidgetError: there is no ConsentWidget on ``app`` yet, or these accounts already.
        """
        if "consent_widget" not in app.extensions:
            raise ConsentWidgetError(
                "Make the ConsentWidget of the app first, then StaffAccounts().init_app(app)."
            )
        if EXTENSION in app.extensions:
            raise ConsentWidgetError(f"The app {app.name!r} has StaffAccounts already; call init_app once.")
        installed = app.extensions["consent_widget"]
        deployment = installed.deployment
        keys = AccountKeys(_keys(app))
        storage = DatabaseStorage(deployment.database, partial(keys.mark, "guess"), deployment.clock)
        app.extensions[EXTENSION] = Door(
            keys=keys, limiter=SteadyLimiter(storage, deployment.clock), mailer=installed.mailer
        )
        app.register_blueprint(_blueprint(f"{deployment.settings.url_prefix}/admin"))
        app.jinja_env.globals["consent_account_menu"] = show_account_menu
        app.cli.commands["consent"].add_command(staff)  # type: ignore[attr-defined]  # the group of the widget

    def staff_loader(self) -> Staff | None:
        """Who is signed in with this request; None: nobody.

        Raises:
            StartupError: ``init_app`` was not called.
            StoreUnavailable: the database did not answer.
        """
        if EXTENSION not in current_app.extensions:
            raise StartupError("Call StaffAccounts.init_app(app) after ConsentWidget(app, ...).")
        found = session_at(Step.SIGNED_IN) if has_request_context() else None
        return None if found is None else _staff(found.account)

    def staff_directory(self) -> Iterable[Staff]:
        """Every account, a closed one without a role.

        Raises:
            StoreUnavailable: the database did not answer.
        """
        return [
            _staff(one) for one in list_staff(current_app.extensions["consent_widget"].deployment.database)
        ]


def _staff(account: Account) -> Staff:
    roles = frozenset[str]() if account.closed_at else account.roles
    return Staff(id=str(account.id), name=account.name, roles=roles, email=account.email)


def _keys(app: Flask) -> list[str | bytes]:
    # Without a key an app only runs for development, and forgets its sessions as it forgets choices.
    fallbacks: Iterable[str | bytes] = app.config.get("SECRET_KEY_FALLBACKS") or ()
    return [app.config.get("SECRET_KEY") or secrets.token_hex(32), *fallbacks]


def _blueprint(url_prefix: str) -> Blueprint:
    blueprint = Blueprint(EXTENSION, __name__, url_prefix=url_prefix)
    for rule, view, method in _ROUTES:
        # Its cookies are for staff alone and stand in docs/reference/cookies.md, not in the visitors' register.
        setattr(view, UNGATED, True)
        blueprint.add_url_rule(
            rule, endpoint=view.__name__, view_func=view, methods=[method], provide_automatic_options=False
        )
    blueprint.register_error_handler(HTTPException, answer_problem)
    blueprint.register_error_handler(StoreUnavailable, _store_down)
    blueprint.before_request(limit_body)
    blueprint.after_request(add_headers)
    return blueprint


def _store_down(error: StoreUnavailable) -> Response:
    logger.error("A sign-in could not be answered: %s", error)
    return answer_problem(
        Problem(503, "store_down", "The database does not answer; try again.", retry_after=30)
    )


def show_account_menu() -> Markup:
    """The name of who is signed in, the way to the account, and the button that signs out; else empty."""
    found = session_at(Step.SIGNED_IN)
    if found is None:
        return Markup()
    context: dict[str, Any] = common_context(visit(), current_language()) | {
        "account": found.account,
        "admin": admin_path(),
        "token": form_token(session_token()),
    }
    return Markup(render_template("consent_widget/admin/_account_menu.html", **context))  # noqa: S704  # ours
