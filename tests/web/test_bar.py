"""The bar about the coming version: for everybody during the lead time, until one has seen it."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import MakeApp
from tests.factories import (
    NOW,
    Clock,
    Element,
    add_page,
    announce,
    bare_client,
    count_records,
    decide,
    deployment,
    read_page,
    set_cookies,
    varies_by,
)

PAGE = "<!doctype html><html><body>{{ consent_notice_bar() }}<p>The host's words</p></body></html>"


@pytest.fixture
def app(app: Flask) -> Flask:
    return add_page(app, PAGE)


@pytest.fixture
def coming(app: Flask) -> Flask:
    announce(deployment(app).database, 2, effective_at=NOW + timedelta(days=30))
    deployment(app).schedule.forget()
    return app


def bars(response: TestResponse) -> list[Element]:
    assert response.status_code == 200
    return read_page(response).all("aside", data_consent_widget="notice-bar")


def hide(client: FlaskClient, response: TestResponse, **changes: str) -> TestResponse:
    """Press the bar's button, as a browser without scripts does."""
    (bar,) = bars(response)
    form = bar.one("form")
    button = form.one("button")
    fields = {one["name"]: one["value"] for one in form.all("input")} | {button["name"]: button["value"]}
    return client.post(form["action"], data=fields | changes)


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_it_tells_what_comes_when_and_where_to_read(coming: Flask, lang: str) -> None:
    (bar,) = bars(coming.test_client().get(f"/page?lang={lang}"))

    assert bar["lang"] == lang
    assert {"vi": "31 tháng 12 năm 2026", "en": "31 December 2026"}[lang] in bar.text
    assert f"What changed ({lang})" in bar.text
    assert [one["href"] for one in bar.all("a")] == [
        f"/privacy/{lang}/versions/2/changes",
        f"/privacy/{lang}/versions/2",
        f"/privacy/{lang}/versions/2.ics",
    ]
    assert bar["aria-label"]


def test_outside_the_lead_time_there_is_nothing_and_the_page_stays_cacheable(
    app: Flask, client: FlaskClient, clock: Clock
) -> None:
    def plain(response: TestResponse) -> bool:
        return (
            not bars(response)
            and "link" not in response.text
            and "Cache-Control" not in response.headers
            and "Cookie" not in varies_by(response)
        )

    assert plain(client.get("/page?lang=en"))
    announce(deployment(app).database, 2, effective_at=NOW + timedelta(days=30))
    clock.tick(minutes=1)
    assert bars(client.get("/page?lang=en"))
    clock.tick(days=30)
    assert plain(client.get("/page?lang=en"))


@pytest.mark.parametrize("choice", [None, "reject_all", "accept_all"])
def test_everybody_sees_it_whatever_they_chose(coming: Flask, choice: str | None) -> None:
    client = coming.test_client()
    if choice:
        decide(client, action=choice)

    assert bars(client.get("/page"))
    assert bars(client.get("/page", headers={"Sec-GPC": "1"}))


def test_it_is_hidden_without_scripts_and_stays_hidden_for_this_version(coming: Flask) -> None:
    client = coming.test_client()
    first = client.get("/page?lang=vi")

    answer = hide(client, first)

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/page?lang=vi"
    assert answer.headers["Cache-Control"] == "no-store"
    assert set_cookies(answer) == {"consent_seen": "consent_seen=2; HttpOnly; Path=/; SameSite=Lax"}
    assert not bars(client.get("/page?lang=vi"))
    assert count_records(coming) == 0


def test_the_next_version_is_told_again(coming: Flask, clock: Clock) -> None:
    client = coming.test_client()
    hide(client, client.get("/page"))
    clock.tick(days=31)
    announce(deployment(coming).database, 3, effective_at=clock.now + timedelta(days=20), now=clock.now)
    deployment(coming).schedule.forget()

    (bar,) = bars(client.get("/page"))

    assert bar["data-version"] == "3"


def test_over_https_the_cookie_is_secure(coming: Flask) -> None:
    client = coming.test_client()
    (bar,) = bars(client.get("/page", base_url="https://localhost"))

    answer = client.post(
        "/privacy/preferences", data={"action": "seen", "notice": "2"}, base_url="https://localhost"
    )

    assert len(bar.all("form")) == 1
    assert "Secure" in set_cookies(answer)["consent_seen"]


def test_the_page_is_private_while_it_depends_on_the_cookie(coming: Flask) -> None:
    client = coming.test_client()

    shown = client.get("/page")
    hide(client, shown)
    hidden = client.get("/page")

    for response in (shown, hidden):
        assert response.headers["Cache-Control"] == "private"
        assert "Cookie" in varies_by(response)


@pytest.mark.parametrize("sent", ["3", "1", "02x", "", "2; Domain=evil.example", "٢"])
def test_only_the_coming_version_can_be_hidden(coming: Flask, sent: str) -> None:
    client = coming.test_client()

    answer = client.post("/privacy/preferences", data={"action": "seen", "notice": sent})

    assert answer.status_code in (303, 400)
    assert set_cookies(answer) == {}
    assert bars(client.get("/page"))


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
    ],
)
def test_another_site_cannot_hide_it(coming: Flask, headers: dict[str, str], status: int) -> None:
    answer = coming.test_client().post(
        "/privacy/preferences", data={"action": "seen", "notice": "2"}, headers=headers
    )

    assert answer.status_code == status
    assert bool(set_cookies(answer)) is (status == 303)


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x"]
)
def test_it_leads_to_no_other_site(coming: Flask, target: str) -> None:
    client = coming.test_client()

    answer = hide(client, client.get("/page"), next=target)

    assert answer.headers["Location"] == "/"


def test_a_link_cannot_hide_it(coming: Flask) -> None:
    client = coming.test_client()

    client.get("/privacy/preferences?action=seen&notice=2")
    answer = client.post("/privacy/preferences?action=seen&notice=2")

    assert answer.status_code == 400
    assert bars(client.get("/page"))


@pytest.mark.parametrize("path", ["vi/", "en/", "en/versions", "vi/versions/1"])
def test_pages_for_everybody_show_it_to_everybody_alike(coming: Flask, path: str) -> None:
    client = coming.test_client()
    hide(client, client.get("/page"))

    seen = client.get(f"/privacy/{path}")
    unseen = bare_client(coming).get(f"/privacy/{path}")

    assert seen.data == unseen.data
    assert seen.headers["Cache-Control"] == "public, max-age=60"
    (bar,) = bars(seen)
    assert bar.all("form") == []


def test_the_coming_versions_own_pages_need_no_bar(coming: Flask) -> None:
    client = coming.test_client()

    assert not bars(client.get("/privacy/en/versions/2"))
    assert not bars(client.get("/privacy/en/versions/2/changes"))


def test_it_stands_once_in_a_page(coming: Flask) -> None:
    add_page(coming, "{{ consent_notice_bar() }}<hr>{{ consent_notice_bar() }}", "/twice")

    assert len(bars(coming.test_client().get("/twice"))) == 1


def test_with_shared_cache_everybody_gets_the_same(make_app: MakeApp) -> None:
    app = add_page(make_app(config={"CONSENT_WIDGET_SHARED_CACHE": True}), PAGE)
    announce(deployment(app).database, 2, effective_at=NOW + timedelta(days=30))

    with_cookie = bare_client(app).get("/page?lang=en", headers={"Cookie": "consent_seen=2"})
    without = bare_client(app).get("/page?lang=en")

    assert with_cookie.data == without.data
    assert bars(without)
    assert "private" not in without.headers.get("Cache-Control", "")


@pytest.mark.parametrize("nonce, tag", [(None, "link"), ("n0nce", "style")])
def test_its_style_is_inline_with_the_hosts_nonce_and_a_link_without(
    make_app: MakeApp, nonce: str | None, tag: str
) -> None:
    app = add_page(make_app(csp_nonce=lambda: nonce), PAGE)
    announce(deployment(app).database, 2, effective_at=NOW + timedelta(days=30))

    style = read_page(app.test_client().get("/page")).one(data_consent_widget="bar-style")

    assert (style.tag, style.attributes.get("nonce")) == (tag, nonce)


def test_a_first_version_that_is_still_coming_has_nothing_to_compare(make_app: MakeApp, clock: Clock) -> None:
    clock.tick(days=-31)
    app = add_page(make_app(), PAGE)

    (bar,) = bars(app.test_client().get("/page?lang=en"))

    assert [one["href"] for one in bar.all("a")] == ["/privacy/en/versions/1", "/privacy/en/versions/1.ics"]


def test_the_cookie_is_declared_necessary_by_the_package(app: Flask) -> None:
    register = deployment(app).register

    category = register.category_of("consent_seen")

    assert category is not None
    assert register[category].necessary
    assert "consent_seen" in app.test_client().get("/privacy/en/").text
