"""ConsentWidget: wiring only. The one module that knows every room."""

import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from inspect import signature
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from flask import Flask
from jinja2 import TemplateNotFound
from markupsafe import Markup
from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError

from .admin import blueprint as admin
from .admin.alarm import raise_alarm
from .admin.desk import EXTENSION as ADMIN
from .admin.desk import Desk
from .cli import commands
from .config import PREFIX, Settings, check_option_names, own_cookies, read_register, read_settings
from .core.category import Category
from .core.errors import (
    ConsentWidgetError,
    JournalUnavailable,
    LedgerError,
    SettingError,
    StoreUnavailable,
)
from .core.ledger_key import LogKey
from .core.links import Links
from .core.pseudonym import Pseudonyms
from .core.signing import ChoiceSigner, check_keys, fingerprint
from .core.staff import Staff
from .core.stamp import Stamps
from .data import data_dir
from .mail.connection import Timeouts
from .mail.mailer import host_mailer
from .mail.url import open_transport
from .services.deployment import Deployment
from .services.ledger import hand_over
from .services.replay import replay
from .services.schedule import ScheduleCache
from .services.setup import check_schema, note_keys, problems
from .storage.database import Database, open_engine
from .tasks.commands import COMMANDS as SENDING
from .tasks.queue import queue_of
from .tasks.wake import Waker
from .web.assets import load_assets
from .web.blueprint import make_blueprint, show_gpc
from .web.comparison import show_diff
from .web.context import common_context
from .web.gate import UNGATED, Gate
from .web.language import WORDS, answer_in, current_language
from .web.markup import FUNCTIONS
from .web.origin import safe_path, same_origin
from .web.preview import preview_page
from .web.problems import wants_json
from .web.visit import Host, visit
from .web.wish import check_origin

logger = logging.getLogger("consent_widget")

for _command in SENDING:
    commands.add_command(_command)

View = TypeVar("View", bound=Callable[..., Any])
Mailer = Callable[[EmailMessage], object]

#: Somebody waits before a page while a mail to staff is sent; a worker has more time.
_MAIL_TIMEOUTS = Timeouts(connect=5, command=10, dot=20)


class ConsentWidget:
    """Notices, the banner and the gate for one Flask app.

    ``ConsentWidget(app)``, or ``ConsentWidget(**options)`` and ``init_app(app)``
    in an app factory. Options beside the settings in lower case
    (docs/reference/settings.md):

    Args:
        categories: categories beside the default ones; one of the same name extends it.
        engine: the host's SQLAlchemy engine, instead of DATABASE_URL.
        csp_nonce: gives the nonce of the current response, or None.
        locale_selector: gives the visitor's language tag, or None.
        clock: gives the current time, aware.
        staff_loader, staff_directory, mailer: for the staff pages; without a ``mailer`` mails
            to staff go through MAIL_URL.

    Raises:
        StartupError: an option, a setting, the register or a key cannot be used; the
            message names it and the cure.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        categories: Iterable[Category] = (),
        staff_loader: Callable[[], Staff | None] | None = None,
        engine: Engine | None = None,
        staff_directory: Callable[[], Iterable[Staff]] | None = None,
        mailer: Mailer | None = None,
        locale_selector: Callable[[], str | None] | None = None,
        csp_nonce: Callable[[], str | None] | None = None,
        clock: Callable[[], datetime] | None = None,
        **settings: Any,
    ) -> None:
        check_option_names(settings, _OPTIONS)
        self._categories = _checked_categories(categories)
        for name, value in (
            ("clock", clock),
            ("csp_nonce", csp_nonce),
            ("locale_selector", locale_selector),
            ("mailer", mailer),
            ("staff_directory", staff_directory),
            ("staff_loader", staff_loader),
        ):
            if value is not None and not callable(value):
                raise SettingError(f"ConsentWidget({name}=...)", f"must be callable, not {value!r}.")
        self._engine = engine
        self._locale_selector = locale_selector
        self._csp_nonce = csp_nonce
        self._clock = clock or (lambda: datetime.now(UTC))
        self._options = settings
        self.staff_loader = staff_loader
        self.staff_directory = staff_directory
        self.mailer = mailer
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Put the notice, the banner and the gate on ``app``; configure ``app`` first.

        Raises:
            StartupError: see the class.
            ConsentWidgetError: there is a widget on ``app`` already.
        """
        if "consent_widget" in app.extensions:
            raise ConsentWidgetError(
                f"There is a ConsentWidget on the app {app.name!r} already; call init_app once for each app."
            )
        deployment = self._deployment(app)
        assets = load_assets(data_dir("static") / "dist")
        prefix = deployment.settings.url_prefix
        host = Host(
            deployment=deployment,
            assets=assets,
            asset_urls={name: f"{prefix}/assets/{asset.path}" for name, asset in assets.items()},
            critical_css=Markup(assets["widget.css"].bodies["identity"].decode()),  # noqa: S704  # ours
            csp_nonce=self._csp_nonce,
            locale_selector=self._locale_selector,
        )
        mailer = self.mailer or _own_mailer(deployment)
        installed = Installed(app, deployment, host, self.staff_directory, mailer)
        app.extensions["consent_widget"] = installed
        app.jinja_env.globals.update(FUNCTIONS)
        app.cli.add_command(commands)
        app.register_blueprint(make_blueprint(installed.problems, prefix))
        if self.staff_loader is not None:
            app.extensions[ADMIN] = self._desk(deployment, self.staff_loader, mailer)
            app.register_blueprint(admin.make_blueprint(prefix))
        if deployment.settings.gpc_declared:
            app.add_url_rule("/.well-known/gpc.json", "consent_widget_gpc", show_gpc)
        app.wsgi_app = Gate(app.wsgi_app, host, installed.start)  # type: ignore[method-assign]

    def ungated(self, view: View) -> View:
        """Leave ``view`` out of the gate: it answers for its cookies itself."""
        setattr(view, UNGATED, True)
        return view

    def _desk(
        self, deployment: Deployment, staff_loader: Callable[[], Staff | None], mailer: Mailer | None
    ) -> Desk:
        """What the staff's door needs of the host and of the public door."""
        return Desk(
            deployment=deployment,
            staff_loader=staff_loader,
            staff_directory=self.staff_directory,
            mailer=mailer,
            words=WORDS,
            language=current_language,
            answer_in=answer_in,
            context=lambda language: common_context(visit(), language),
            base=lambda: visit().base,
            check_origin=check_origin,
            same_origin=same_origin,
            safe_path=safe_path,
            wants_json=wants_json,
            keep_policy=lambda policy: setattr(visit(), "policy", policy),
            show_diff=lambda old, new, language: show_diff(old, new, WORDS[language], level=4),
            preview=preview_page,
        )

    def _deployment(self, app: Flask) -> Deployment:
        settings = read_settings(app.config, self._options, _OPTIONS)
        fallbacks: Iterable[str | bytes] | None = app.config.get("SECRET_KEY_FALLBACKS")
        keys: list[str | bytes] = [app.config.get("SECRET_KEY") or "", *(fallbacks or ())]
        if not (app.debug or app.testing):
            check_keys(keys)
        elif not keys[0]:
            logger.warning("SECRET_KEY is not set: choices are forgotten when this process ends.")
            keys[0] = secrets.token_hex(32)
        session = app.config["SESSION_COOKIE_NAME"]
        remember = app.config.get("REMEMBER_COOKIE_NAME", "remember_token")
        if {session, remember} & {
            f"{settings.cookie_name}{suffix}" for suffix in ("", "_view", "_seen", "_staff", "_device")
        }:
            raise SettingError(
                f"{PREFIX}COOKIE_NAME",
                f"{settings.cookie_name!r} is the name of a cookie of the host; take another.",
            )
        own = own_cookies(settings, session=session, remember=remember)
        database = Database(self._engine if self._engine is not None else _own_engine(app, settings))
        queue_url = queue_of(settings.queue_url, database.engine.url)
        return Deployment(
            settings=settings,
            register=read_register(settings.categories_file, self._categories, own),
            database=database,
            signer=ChoiceSigner(keys),
            log_keys=tuple(LogKey.derived(key) for key in keys),
            stamps=Stamps(keys),
            links=Links(keys),
            pseudonyms=Pseudonyms(keys),
            fingerprints=tuple(fingerprint(key) for key in keys),
            schedule=ScheduleCache(database, seconds=settings.schedule_seconds, failed=_report),
            clock=self._clock,
            new_id=lambda: secrets.token_urlsafe(12),
            new_token=lambda: secrets.token_urlsafe(32),
            wake=Waker(queue_url) if queue_url is not None else _nobody_to_wake,
            alarm=lambda code, details: _alarm(app, code, details),
        )


#: The constructor's options that are no settings.
_OPTIONS = tuple(
    one.name for one in signature(ConsentWidget).parameters.values() if one.kind is one.KEYWORD_ONLY
)


class Installed:
    """The widget on one app: what ``app.extensions["consent_widget"]`` holds."""

    def __init__(
        self,
        app: Flask,
        deployment: Deployment,
        host: Host,
        staff_directory: Callable[[], Iterable[Staff]] | None,
        mailer: Mailer | None,
    ) -> None:
        self.deployment = deployment
        self.staff_directory = staff_directory
        self.mailer = mailer
        self.host = host
        self._app = app
        self._health_path = f"{deployment.settings.url_prefix}/health"
        self._ready = False
        self._lock = Lock()

    def start(self, path: str) -> None:
        """Before the first request: refuse a database that is not ready. /health tells instead.

        Raises:
            SchemaError: run `flask consent upgrade`.
            SettingError: BASE_TEMPLATE is no template of the app, or ERASURE_FILE cannot be used.
        """
        if not self._ready and path != self._health_path:
            with self._lock:
                self._ready = self._get_ready()

    def _get_ready(self) -> bool:
        if self._ready:  # another thread was faster
            return True
        csrf = self._app.extensions.get("csrf")
        if csrf is not None:
            # Our public forms are guarded by Fetch Metadata and Origin, those of staff by a token of ours.
            for name in ("consent_widget", admin.NAME, "consent_widget_accounts"):
                if name in self._app.blueprints:
                    csrf.exempt(self._app.blueprints[name])
        self._check_layout()
        try:
            check_schema(self.deployment.database)
            replay(self.deployment, now=self.deployment.clock())
            note_keys(self.deployment.database, self.deployment.fingerprints, now=self.deployment.clock())
            hand_over(self.deployment, now=self.deployment.clock())
        except LedgerError as error:
            # Visitors need no ledger; staff are told when they enter something.
            logger.error("The ledger was not handed over to the present key: %s", error)
        except JournalUnavailable as error:
            # Whoever was erased since the last backup would be seen, and written to, again.
            raise SettingError(f"{PREFIX}ERASURE_FILE", str(error)) from error
        except StoreUnavailable as error:
            # A page view needs no database; the next request looks again.
            _report(error)
            return False
        return True

    def _check_layout(self) -> None:
        name = self.deployment.settings.base_template
        try:
            self._app.jinja_env.get_template(name)
        except TemplateNotFound as error:
            raise SettingError(
                f"{PREFIX}BASE_TEMPLATE", f"{name!r} was not found among the app's templates."
            ) from error

    def problems(self) -> list[str]:
        """What keeps the app from serving, in words without secrets."""
        try:
            self._check_layout()
        except SettingError as error:
            return [str(error)]
        return problems(self.deployment, now=self.deployment.clock())


def _checked_categories(given: Iterable[Category]) -> tuple[Category, ...]:
    categories = tuple(given)
    for one in categories:
        if not isinstance(one, Category):
            raise SettingError("ConsentWidget(categories=...)", f"must be Category objects, not {one!r}.")
    return categories


def _own_engine(app: Flask, settings: Settings) -> Engine:
    if settings.database_url is not None:
        try:
            return open_engine(settings.database_url)
        except (ArgumentError, ImportError) as error:
            # The address may hold a password: it is not repeated.
            raise SettingError(
                f"{PREFIX}DATABASE_URL",
                f"cannot be used ({type(error).__name__}); it looks like sqlite:////path/file.db or "
                "postgresql://user@host/name, which needs `pip install consent-widget[postgresql]`.",
            ) from error
    return open_engine(f"sqlite:///{Path(app.instance_path) / 'consent_widget.db'}")


def _nobody_to_wake() -> None:
    """No other process sees this database, so none can send out of it."""


def _alarm(app: Flask, code: str, details: Mapping[str, object]) -> None:
    installed: Installed = app.extensions["consent_widget"]
    with app.app_context():  # the host's directory may look for it
        raise_alarm(
            code,
            details,
            settings=installed.deployment.settings,
            directory=installed.staff_directory,
            mailer=installed.mailer,
        )


def _own_mailer(deployment: Deployment) -> Mailer | None:
    """For hosts that give none; None as well where no mail can be sent."""
    settings = deployment.settings
    if settings.mail_url is None or settings.mail_from is None:
        return None
    return host_mailer(
        open_transport(settings.mail_url, _MAIL_TIMEOUTS),
        settings.mail_from,
        clock=deployment.clock,
        new_id=deployment.new_id,
    )


def _report(error: StoreUnavailable) -> None:
    logger.warning("The database of consent_widget is out of reach: %s", error)
