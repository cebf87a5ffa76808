"""A host as the browser tests meet it, and the third parties that its pages name.

The third parties answer on the second origin: ``localhost`` instead of ``127.0.0.1``.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from secrets import token_urlsafe
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Flask, Response, current_app, g, make_response, render_template, request

from tests import factories

MakeApp = Callable[..., Flask]


class Policy(StrEnum):
    """The host's content security policy; all but ``NONE`` want Trusted Types, ``STRICT`` knows no nonce."""

    NONE = "none"
    NONCE = "nonce"
    STRICT = "strict"


#: How late a third party's slow script is, in seconds: long enough for a quick one to overtake it.
_LATE = 0.15

pages = Blueprint("host", __name__, template_folder="pages")


def make_host(make_app: MakeApp, policy: Policy = Policy.NONE, **options: Any) -> Flask:
    """A host with pages; ``options`` go to ``make_app``."""
    if policy is Policy.NONCE:
        options["csp_nonce"] = _nonce
    app = make_app(**options)
    app.config["HOST_POLICY"] = policy
    app.register_blueprint(pages)
    app.after_request(_send_policy)
    return app


def with_signal(app: Flask, value: str = "1") -> Flask:
    """``app`` whose visitors' browsers all send ``Sec-GPC``: Chromium lets nobody else set such a header."""
    gated = app.wsgi_app

    def sending(environ: dict[str, Any], start_response: Any) -> Any:
        return gated(environ | {"HTTP_SEC_GPC": value}, start_response)

    app.wsgi_app = sending  # type: ignore[method-assign]
    return app


@contextmanager
def broken_record(app: Flask) -> Iterator[None]:
    """Within the block no decision can be recorded; everything else works."""
    engine = factories.deployment(app).database.engine

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO cw_consent_record"):
            raise sa.exc.OperationalError(statement, {}, Exception("disk full"))

    sa.event.listen(engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", fail)


@pages.app_context_processor
def _words() -> dict[str, Any]:
    port = request.host.partition(":")[2]
    return {
        "lang": request.accept_languages.best_match(["vi", "en"]) or "vi",
        "third": f"http://localhost:{port}/third",
        "allows_inline": current_app.config["HOST_POLICY"] is not Policy.STRICT,
    }


@pages.get("/")
@pages.get("/<any(page, scripts, frames):name>")
def show(name: str = "page") -> str:
    return render_template(f"{name}.html")


@pages.get("/framing")
def framing() -> str:
    """A page that puts our pages into frames of its own."""
    return render_template("framing.html", paths=request.args.getlist("path"))


@pages.get("/cookies")
def set_cookies() -> Response:
    """Sets one HttpOnly cookie and one of each other kind, as far as the gate lets them pass."""
    response = make_response(render_template("page.html"))
    response.set_cookie("visitor", "1", max_age=600, httponly=True)
    response.set_cookie("campaign", "1", max_age=600, httponly=True, path="/shop")
    response.set_cookie("layout", "wide", max_age=600)
    return response


@pages.get("/third/script/<name>.js")
def third_party_script(name: str) -> Response:
    """Writes its name into ``window.ran``."""
    if "late" in request.args:
        time.sleep(_LATE)
    response = Response(f"(window.ran ??= []).push('{name}');", mimetype="text/javascript")
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@pages.get("/third/frame")
def third_party_frame() -> str:
    return '<!doctype html><html lang="en"><title>Film</title><h1>Third party</h1></html>'


@pages.get("/host.css")
def style() -> Response:
    return Response(render_template("host.css"), mimetype="text/css")


@pages.get("/favicon.ico")
def icon() -> Response:
    return Response(status=204)


def _nonce() -> str:
    if "nonce" not in g:
        g.nonce = token_urlsafe(16)
    return str(g.nonce)


def _send_policy(response: Response) -> Response:
    policy = current_app.config["HOST_POLICY"]
    if policy is Policy.NONE or "Content-Security-Policy" in response.headers:
        return response
    third = f"http://localhost:{request.host.partition(':')[2]}"
    nonce = f" 'nonce-{_nonce()}'" if policy is Policy.NONCE else ""
    rules = [
        "default-src 'self'",
        f"script-src 'self' {third}{nonce}",
        f"style-src 'self'{nonce}",
        f"frame-src {third}",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "require-trusted-types-for 'script'",
        "trusted-types consent-widget",
    ]
    response.headers["Content-Security-Policy"] = "; ".join(rules)
    return response
