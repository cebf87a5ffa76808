"""Fixtures of the browser tests: a Chromium, a fresh context, and a server for the app under test."""

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from wsgiref.types import WSGIApplication

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.browser import chromium
from tests.browser.host import make_host
from tests.browser.visitor import LOCALES, Visitor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Site:
    """Where a served app answers: two origins, for third parties are played by the second."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_url(self) -> str:
        return f"http://localhost:{self.port}"


class Serve(Protocol):
    """Serves an app until the test ends, on a free port unless there is a ``listener`` already."""

    def __call__(self, app: WSGIApplication, *, listener: socket.socket | None = None) -> Site: ...


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the tests' output is not an access log."""


@contextlib.contextmanager
def _serving(app: WSGIApplication, listener: socket.socket | None) -> Iterator[Site]:
    server = make_server(
        "127.0.0.1",
        0,
        app,
        threaded=True,
        request_handler=_Quiet,
        fd=None if listener is None else listener.fileno(),
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Site(port=server.port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(app)` runs a WSGI app on this machine and answers with its `Site`."""
    with contextlib.ExitStack() as stack:
        yield lambda app, *, listener=None: stack.enter_context(_serving(app, listener))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a process; a test takes `page` or `new_context`."""
    with chromium.launched() as browser:
        yield browser


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """`new_context(locale="en", java_script_enabled=False, ...)` is a visitor without cookies."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> BrowserContext:
            context = browser.new_context(**options)
            stack.callback(context.close)
            context.set_default_timeout(10_000)
            return context

        yield make


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    """A fresh visitor who reads Vietnamese."""
    return new_context(locale="vi-VN")


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A fresh visitor's first tab."""
    return context.new_page()


class Arrive(Protocol):
    """Brings a fresh visitor to a host: the common one unless ``app`` is given, served unless ``site`` is."""

    def __call__(
        self,
        path: str | None = "/",
        *,
        lang: str = "en",
        scripts: bool = True,
        app: Flask | None = None,
        site: Site | None = None,
        **options: Any,
    ) -> Visitor: ...


@pytest.fixture
def arrive(
    make_app: Callable[..., Flask], serve: Serve, new_context: Callable[..., BrowserContext]
) -> Arrive:
    """`arrive("/scripts", lang="vi", scripts=False)` is a visitor there; options go to their context."""

    def arrive(
        path: str | None = "/",
        *,
        lang: str = "en",
        scripts: bool = True,
        app: Flask | None = None,
        site: Site | None = None,
        **options: Any,
    ) -> Visitor:
        app = app or make_host(make_app)
        site = site or serve(app)
        page = new_context(locale=LOCALES[lang], java_script_enabled=scripts, **options).new_page()
        visitor = Visitor(page=page, app=app, site=site, lang=lang, scripts=scripts)
        if path is not None:
            visitor.open(path)
        return visitor

    return arrive
