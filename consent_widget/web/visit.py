"""One request's view of the visitor: read lazily, remembered, and noted when read.

That the consent was read is what decides whether a response may be cached by
others, so every reader passes through :class:`Visit`.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from re import compile as compile_pattern
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

from flask import current_app, request
from markupsafe import Markup

from ..core.consent import Choice, Consent, holds, most_restrictive, nothing_decided
from ..core.notice import Schedule
from ..services.deployment import Deployment
from ..services.tally import Tally
from .assets import Asset
from .headers import Defaults, default_headers

logger = logging.getLogger("consent_widget")

#: Query marker of a save by a plain form: was the cookie kept? (web.gate)
SAVED = "consent_widget_saved"

Environ = dict[str, Any]
T = TypeVar("T")

#: Versions times languages times mount points; a stranger may invent mount points.
_MOST_KEPT = 200
_NOT_KEPT = object()


@dataclass(frozen=True, kw_only=True)
class Host:
    """What the web door of one app needs besides the deployment.

    ``csp_nonce`` and ``locale_selector`` are the host's callables or None;
    ``assets`` maps file names of static/dist to what is served;
    ``cache`` keeps what is the same for everybody, ``choices`` counts what networks save.
    """

    deployment: Deployment
    assets: Mapping[str, Asset]
    asset_urls: Mapping[str, str]
    critical_css: Markup
    csp_nonce: Callable[[], str | None] | None
    locale_selector: Callable[[], str | None] | None
    cache: dict[Any, Any] = field(default_factory=dict)
    choices: Tally = field(default_factory=Tally)

    def kept(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What ``make`` gave for ``key`` before, or gives now. Few keys are expected; many are forgotten."""
        found = self.cache.get(key, _NOT_KEPT)
        if found is _NOT_KEPT:
            found = make()
            if len(self.cache) >= _MOST_KEPT:
                self.cache.clear()
            self.cache[key] = found
        return cast(T, found)

    @cached_property
    def key(self) -> str:
        """This app's place in a WSGI environ: two apps may share one."""
        return f"consent_widget.visit.{id(self)}"

    @cached_property
    def default_headers(self) -> Defaults:
        """Of every answer under our prefix."""
        settings = self.deployment.settings
        return default_headers(own_layout=settings.base_template == "consent_widget/base.html")


class _once(Generic[T]):  # noqa: N801  # stands where a property would
    """functools.cached_property without its lock (gone in Python 3.12): a visit belongs to one thread."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__

    def __get__(self, visit: "Visit", _owner: type) -> T:
        made = self._make(visit)
        visit.__dict__[self._name] = made
        return made


def host() -> Host:
    """The current app's host value."""
    return cast(Host, current_app.extensions["consent_widget"].host)


class Visit:
    """What one request says of the visitor, and what the answer has used of it."""

    def __init__(self, host: Host, environ: Environ) -> None:
        self.host = host
        self.environ = environ
        self.now: datetime = host.deployment.clock()
        #: ``gpc`` where the browser sends a header ``Sec-GPC: 1``, exactly (GPC section 3.2), or None.
        self.signal = _signal(environ.get("HTTP_SEC_GPC"))
        #: The answer depends on the visitor: it is private.
        self.consent_read = False
        #: The answer's language was chosen by Accept-Language.
        self.language_from_header = False
        #: Everybody's HTML: the script decides what to show.
        self.shared = host.deployment.settings.shared_cache
        #: The page must not ask: it is itself the place to choose.
        self.quiet = False
        #: A plain form was saved and the browser sent no cookie back.
        self.no_cookie = False
        #: May be cached by everybody if nothing personal was touched (pages under /{lang}/).
        self.public_seconds: int | None = None
        self.headers_sent = False
        self.declared_private = False
        self.frame_printed = False
        #: The bar about the coming version stands in this page already, or need not.
        self.bar_printed = False
        #: The form to subscribe stands in this page already, or need not.
        self.form_printed = False
        #: What the answer leaves with unless it says otherwise itself; empty for the host's own pages.
        self.default_headers: Defaults = {}
        #: What it leaves with whatever the host says.
        self.fixed_headers: Defaults = {}
        #: Its address holds a link of a mail, which no script of another may read.
        self.has_secret_address = False
        #: The content security policy of a staff page: no hook of the host's takes it away.
        self.policy: str | None = None
        self._consent: Consent | None = None

    @_once
    def schedule(self) -> Schedule:
        return self.host.deployment.schedule.at(self.now)

    # Scheme and mount are read late: the host's ProxyFix may stand inside the gate.
    @property
    def secure(self) -> bool:
        return bool(self.environ.get("wsgi.url_scheme") == "https")

    @_once
    def mount(self) -> str:
        """Where the host app is mounted, ready for an address; empty at the root and where it is no path.

        A proxy's header may say it: what a browser would read as a scheme or a host is not printed.
        """
        mount = str(self.environ.get("SCRIPT_NAME", "")).rstrip("/")
        if not mount or not _MOUNT.fullmatch(mount):
            return ""
        # Bytes read as Latin-1 (PEP 3333); a proxy may have encoded them already.
        return quote(mount, safe="/:@!$&'()*+,;=~%", encoding="latin-1")

    @property
    def base(self) -> str:
        """The path of our pages as the browser sees it, mount point included."""
        return self.mount + self.host.deployment.settings.url_prefix

    @property
    def cookie_name(self) -> str:
        settings = self.host.deployment.settings
        return (settings.secure_prefix() if self.secure else "") + settings.cookie_name

    @property
    def mirror_name(self) -> str:
        return f"{self.cookie_name}_view"

    @property
    def seen_name(self) -> str:
        """The session cookie of who has hidden the bar about the coming version."""
        return f"{self.host.deployment.settings.cookie_name}_seen"

    @_once
    def cookies(self) -> list[tuple[str, str]]:
        """All cookies of the request as sent, doubles included, values unparsed."""
        found = []
        for part in self.environ.get("HTTP_COOKIE", "").split(";"):
            name, equals, value = part.strip().partition("=")
            if equals and name:
                found.append((name, value))
        return found

    @_once
    def presented(self) -> Choice | None:
        """The choice in the visitor's cookie by its signature alone; doubles are never widened."""
        name, opened = self.cookie_name, []
        for sent, value in self.cookies:
            if sent == name:
                choice = self.host.deployment.signer.open(value, now=self.now)
                if choice is not None:
                    opened.append(choice)
        return most_restrictive(opened)

    def _lowered(self) -> tuple[str, ...]:
        """Categories the readable mirror denies."""
        if ":0" not in self.environ.get("HTTP_COOKIE", ""):
            return ()
        name = self.mirror_name
        return tuple(
            entry[:-2]
            for sent, value in self.cookies
            if sent == name
            for entry in value.split(".")
            if entry.endswith(":0")
        )

    def consent(self) -> Consent:
        """What holds for this request. The answer becomes private.

        After the headers went out it is too late to say so: undecided, with a
        warning, unless the answer was private already.
        """
        if self._consent is not None:
            return self._consent
        if self.headers_sent and not (self.consent_read or self.declared_private):
            logger.warning(
                "The consent was read after the headers of %s were sent; it counts as undecided. "
                "Read it in the view before streaming, or send the answer as Cache-Control: private.",
                self.environ.get("PATH_INFO", ""),
            )
            return nothing_decided(self.host.deployment.register)
        self.consent_read = True
        self._consent = self._weigh(self.presented, lowered=self._lowered())
        return self._consent

    def correct(self, choice: Choice | None) -> Consent:
        """Let ``choice`` hold from here on: the record knows better than the cookie."""
        self.consent_read = True
        self.__dict__["presented"] = choice
        self._consent = self._weigh(choice, lowered=())
        return self._consent

    def _weigh(self, choice: Choice | None, *, lowered: tuple[str, ...]) -> Consent:
        return holds(
            choice,
            register=self.host.deployment.register,
            schedule=self.schedule,
            now=self.now,
            signal=self.signal,
            lowered=lowered,
        )


_MOUNT = compile_pattern(r"/(?!/)[^\\\x00-\x1f\x7f]*")


def _signal(sent: str | None) -> str | None:
    if sent is None:
        return None
    # A server joins several headers of the name by commas; one that says 1 is enough.
    return "gpc" if any(value.strip(" \t") == "1" for value in sent.split(",")) else None


def visit() -> Visit:
    """The visit of the current request; made here where no gate was passed (test request contexts)."""
    environ = request.environ
    here: Host = current_app.extensions["consent_widget"].host
    found: Visit | None = environ.get(here.key)
    if found is None:
        found = environ[here.key] = Visit(here, environ)
    return found
