"""SHARED_CACHE: one HTML for everybody, and the script decides what to show."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import MakeApp
from tests.factories import (
    OPTIONAL,
    add_page,
    add_pages,
    bare_client,
    decide,
    read_page,
    sent_cookie,
    set_cookies,
    varies_by,
)

EVERYTHING = (
    "<!doctype html><html><head>{{ consent_head() }}</head><body>{{ consent_skip_link() }}"
    "{{ consent_script('analytics', '/a.js') }}{{ consent_iframe('marketing', 'https://v.example/', 'Video') }}"
    "{{ consent_settings_link() }}{{ consent_banner() }}</body></html>"
)


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    app = make_app(config={"CONSENT_WIDGET_SHARED_CACHE": True}, csp_nonce=lambda: "n0nce")
    add_page(app, EVERYTHING)
    return add_pages(app)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_everybody_gets_the_same_bytes(app: Flask) -> None:
    granted = sent_cookie(decide(app.test_client(), *OPTIONAL))
    refused = sent_cookie(decide(app.test_client(), action="reject_all"))

    pages = {
        bare_client(app).get("/page?lang=en", headers=headers).data
        for headers in (
            {},
            {"Cookie": granted},
            {"Cookie": refused},
            {"Cookie": "consent=garbage"},
            {"Sec-GPC": "1"},
            {"Cookie": granted, "Sec-GPC": "1"},
        )
    }

    assert len(pages) == 1


def test_a_shared_cache_may_keep_it(app: Flask) -> None:
    granted = sent_cookie(decide(app.test_client(), *OPTIONAL))

    response = bare_client(app).get("/page?lang=en", headers={"Cookie": granted})

    assert "private" not in response.headers.get("Cache-Control", "")
    assert not varies_by(response) & {"Cookie", "Sec-GPC"}
    assert set_cookies(response) == {}


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_banner_is_hidden_with_a_way_for_those_without_scripts(client: FlaskClient, lang: str) -> None:
    page = read_page(client.get(f"/page?lang={lang}"))

    (section,) = [one for one in page.all("section") if one.all(data_consent_widget="banner")]
    assert "hidden" in section
    assert section.all("input", name="next") == []
    assert page.one("noscript").one("a")["href"] == f"/privacy/preferences?lang={lang}"
    assert page.all(data_consent_widget="skip") == []


def test_the_script_is_told_that_the_page_is_shared(client: FlaskClient) -> None:
    script = read_page(client.get("/page")).one("head").one("script")

    assert "data-shared" in script
    assert script["src"].startswith("/privacy/assets/loader.")
    assert set(re.findall(r":(-?\d)", script["data-state"])) == {"-1"}
    assert "data-signal" not in script


def test_nothing_carries_a_nonce(client: FlaskClient) -> None:
    """A nonce in a page for everybody would be the same for all, and so be none."""
    page = read_page(client.get("/page"))

    assert not [one for one in page.all() if "nonce" in one]
    assert page.all("style") == []


def test_scripts_and_frames_are_blocked_for_everybody_and_revived_by_the_script(client: FlaskClient) -> None:
    decide(client, *OPTIONAL)

    page = read_page(client.get("/page"))

    blocked = page.one("script", type="text/plain")
    assert (blocked["data-category"], blocked["data-src"]) == ("analytics", "/a.js")
    assert "src" not in page.one("iframe")


def test_the_gate_still_holds_back_by_visitor(app: Flask) -> None:
    @app.get("/cookie")
    def cookie() -> tuple[str, dict[str, str]]:
        return "", {"Set-Cookie": "visitor=1"}

    granted = sent_cookie(decide(app.test_client(), "analytics"))

    assert set_cookies(bare_client(app).get("/cookie")) == {}
    kept = bare_client(app).get("/cookie", headers={"Cookie": granted})
    assert set(set_cookies(kept)) == {"visitor"}
    assert kept.headers["Cache-Control"] == "private"


def test_the_preferences_are_still_ones_own(client: FlaskClient) -> None:
    decide(client, "analytics")

    response = client.get("/privacy/preferences")

    assert response.headers["Cache-Control"] == "no-store"
    ticked = [one["value"] for one in read_page(response).all("input", type="checkbox") if "checked" in one]
    assert ticked == ["analytics"]


def test_granted_in_a_template_is_the_visitors_and_makes_the_page_private(app: Flask) -> None:
    add_page(app, "{{ consent_granted('analytics') }}", "/granted")
    client = app.test_client()
    decide(client, "analytics")

    response = client.get("/granted")

    assert response.text == "True"
    assert response.headers["Cache-Control"] == "private"
