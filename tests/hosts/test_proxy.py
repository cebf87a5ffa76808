"""Behind a proxy: with ProxyFix we believe what it says, without it nobody can make us."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask, Response
from werkzeug.middleware.proxy_fix import ProxyFix

from consent_widget import ConsentWidget
from tests.factories import (
    CONTROLLER,
    HOST_CATEGORIES,
    Clock,
    add_pages,
    bare_client,
    decide,
    deployment,
    plain_app,
    read_page,
    sent_cookie,
    set_cookies,
)

FORWARDED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "www.example.com",
    "X-Forwarded-Prefix": "/shop",
}


def fix(app: Flask) -> None:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]


def fix_last(app: Flask, widget: ConsentWidget) -> None:
    widget.init_app(app)
    fix(app)


def fix_first(app: Flask, widget: ConsentWidget) -> None:
    fix(app)
    widget.init_app(app)


def no_fix(app: Flask, widget: ConsentWidget) -> None:
    widget.init_app(app)


@pytest.fixture
def make(clock: Clock, prepared_url: str, tmp_path: Path) -> Callable[..., Flask]:
    def build(set_up: Callable[[Flask, ConsentWidget], None]) -> Flask:
        app = plain_app(folder=tmp_path, CONSENT_WIDGET_UNDECLARED_COOKIES="block")
        widget = ConsentWidget(
            categories=HOST_CATEGORIES, clock=clock, controller=CONTROLLER, database_url=prepared_url
        )
        set_up(app, widget)

        @app.get("/cookie")
        def cookie() -> Response:
            return Response("", headers=[("Set-Cookie", "visitor=1")])

        return add_pages(app)

    return build


@pytest.mark.parametrize("set_up", [fix_last, fix_first])
def test_with_proxyfix_the_choice_is_an_https_one(
    make: Callable[..., Flask], set_up: Callable[[Flask, ConsentWidget], None]
) -> None:
    app = make(set_up)

    saved = decide(app.test_client(), "analytics", headers=FORWARDED)

    cookies = set_cookies(saved)
    assert {"__Host-consent", "__Host-consent_view"} <= set(cookies)
    assert "; Secure" in cookies["__Host-consent"]
    headers = FORWARDED | {"Cookie": sent_cookie(saved, "__Host-consent")}
    assert set(set_cookies(bare_client(app).get("/cookie", headers=headers))) == {"visitor"}
    assert set_cookies(bare_client(app).get("/cookie", headers=FORWARDED)) == {}
    deployment(app).database.engine.dispose()


@pytest.mark.parametrize("set_up", [fix_last, fix_first])
def test_with_proxyfix_addresses_hold_the_prefix(
    make: Callable[..., Flask], set_up: Callable[[Flask, ConsentWidget], None]
) -> None:
    app = make(set_up)

    page = read_page(app.test_client().get("/", headers=FORWARDED))

    assert page.one(data_consent_widget="banner")["action"] == "/shop/privacy/preferences"
    assert page.one("script")["data-cookie"] == "__Host-consent_view"
    deployment(app).database.engine.dispose()


def test_with_proxyfix_the_origin_is_the_one_the_visitor_sees(make: Callable[..., Flask]) -> None:
    client = make(fix_last).test_client()

    def save(origin: str) -> int:
        headers = FORWARDED | {"Origin": origin}
        return client.post("/privacy/preferences", data={"action": "reject_all"}, headers=headers).status_code

    assert save("https://www.example.com") == 303
    assert save("http://localhost") == 403
    deployment(client.application).database.engine.dispose()


def test_without_proxyfix_forwarded_headers_are_not_believed(make: Callable[..., Flask]) -> None:
    client = make(no_fix).test_client()

    cookies = set_cookies(decide(client, "analytics", headers=FORWARDED))
    page = read_page(client.get("/", headers=FORWARDED))

    assert {"consent", "consent_view"} <= set(cookies)
    assert "Secure" not in cookies["consent"]
    assert page.one("script")["src"].startswith("/privacy/assets/")
    deployment(client.application).database.engine.dispose()
