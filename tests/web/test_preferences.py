"""GET /preferences: the page on which one chooses, with or without scripts."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import MakeApp
from tests.factories import (
    LAYOUT,
    OPTIONAL,
    Clock,
    Element,
    announce,
    count_records,
    decide,
    deployment,
    preferences_form,
    read_page,
    sent_cookie,
    set_cookies,
    write_template,
)
from tests.web.conftest import BreakStore

URL = "/privacy/preferences"


def ticked(page: Element) -> set[str]:
    return {one["value"] for one in page.all("input", type="checkbox") if "checked" in one}


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_page_asks_for_each_optional_category_and_ticks_none(client: FlaskClient, lang: str) -> None:
    response = client.get(f"{URL}?lang={lang}")
    page = read_page(response)

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert page.one("html")["lang"] == lang
    boxes = preferences_form(page).all("input", type="checkbox")
    assert [(one["name"], one["value"]) for one in boxes] == [("category", name) for name in OPTIONAL]
    assert ticked(page) == set()
    assert not [one for one in page.all("input") if one.attributes.get("type") == "radio"]


def test_the_form_works_without_scripts(client: FlaskClient) -> None:
    form = preferences_form(read_page(client.get(URL)))

    assert form["action"] == URL
    assert {one["value"] for one in form.all("button", name="action")} == {"save", "reject_all", "accept_all"}
    classes = {one["class"] for one in form.all("button", name="action")}
    assert len(classes) == 1
    assert form.one("input", name="notice")["value"] == "1"
    assert form.one("input", name="verify")["value"] == "1"
    assert form.one("button", value="save").text
    fieldsets = form.all("fieldset")
    assert len(fieldsets) == 4
    assert all(one.all("legend") for one in fieldsets)


def test_each_category_is_explained_with_its_services_and_cookies(app: Flask, client: FlaskClient) -> None:
    page = read_page(client.get(f"{URL}?lang=en"))

    for category in deployment(app).register:
        assert category.title["en"] in page.text
        assert category.purpose["en"] in page.text
        for service in category.services:
            assert service.purpose["en"] in page.text
    assert "_ga_*" in page.text
    sensitive = [one for one in page.all("fieldset") if "Sensitive personal data" in one.text]
    assert len(sensitive) == 2


def test_the_script_is_told_which_cookies_to_remove(client: FlaskClient) -> None:
    page = read_page(client.get(URL))

    named = {
        one.one("input", type="checkbox")["value"]: one["data-cookies"]
        for one in page.all("fieldset")
        if one.all("input", type="checkbox")
    }
    assert named == {"preferences": "layout", "analytics": "visitor _ga_*", "marketing": "campaign"}


def test_what_was_added_later_does_not_name_a_version_that_was_not_there_yet(
    app: Flask, client: FlaskClient, clock: Clock
) -> None:
    """The date stays that of the first decision, so the version does too."""
    decide(client, "analytics", action="add")
    announce(deployment(app).database, 2, effective_at=clock.now + timedelta(days=10))
    clock.tick(days=14)
    decide(client, "marketing", action="add")

    page = read_page(client.get(f"{URL}?lang=en"))

    assert "You chose on 1 December 2026, 09:00" in page.text
    assert "under version 1 of" in page.text


def test_it_shows_what_was_chosen_when_and_under_which_version(client: FlaskClient) -> None:
    decide(client, "analytics")

    page = read_page(client.get(f"{URL}?lang=en"))

    assert ticked(page) == {"analytics"}
    assert "1 December 2026, 09:00" in page.text
    assert "version 1" in page.text


def test_it_shows_no_date_before_a_choice(client: FlaskClient) -> None:
    assert "You chose on" not in read_page(client.get(f"{URL}?lang=en")).text


def test_it_says_what_changed_where_one_is_asked_again(app: Flask, client: FlaskClient, clock: Clock) -> None:
    decide(client, *OPTIONAL)
    announce(deployment(app).database, 2, ask_again=["marketing"])
    clock.tick(seconds=30)

    page = read_page(client.get(f"{URL}?lang=en"))

    assert ticked(page) == {"preferences", "analytics"}
    assert "We ask you again about: Marketing." in page.text
    assert "What changed (en)" in page.text
    assert any(one["href"] == "/privacy/en/versions/2" for one in page.all("a"))
    assert "under version 1" in page.text
    assert preferences_form(page).one("input", name="notice")["value"] == "2"


def test_it_says_that_the_signal_is_honoured(client: FlaskClient) -> None:
    with_signal = read_page(client.get(f"{URL}?lang=en", headers={"Sec-GPC": "1"}))
    without = read_page(client.get(f"{URL}?lang=en"))

    assert "Global Privacy Control" in with_signal.text
    assert "Global Privacy Control" not in without.text
    assert ticked(with_signal) == set()


@pytest.mark.parametrize(
    "target, kept",
    [
        ("/services", "/services"),
        ("/a?b=c", "/a?b=c"),
        ("//evil.example", None),
        ("https://evil.example/", None),
        ('/"><script>', '/"><script>'),
    ],
)
def test_the_way_back_is_carried_along(client: FlaskClient, target: str, kept: str | None) -> None:
    form = preferences_form(read_page(client.get(URL, query_string={"next": target})))

    found = [one["value"] for one in form.all("input", name="next")]
    assert found == ([kept] if kept else [])


def test_the_way_back_defaults_to_the_page_one_came_from(client: FlaskClient) -> None:
    page = read_page(client.get(URL, headers={"Referer": "http://localhost/services"}))
    foreign = read_page(client.get(URL, headers={"Referer": "http://evil.example/services"}))

    assert preferences_form(page).one("input", name="next")["value"] == "/services"
    assert preferences_form(foreign).all("input", name="next") == []


def test_nothing_else_in_the_query_is_heard(client: FlaskClient) -> None:
    page = read_page(client.get(f"{URL}?category=analytics&action=accept_all&checked=marketing&error=x"))

    assert ticked(page) == set()
    assert all(not one.text for one in page.all(role="alert"))


def test_the_page_itself_shows_no_banner(client: FlaskClient) -> None:
    assert read_page(client.get(URL)).all(data_consent_widget="banner") == []


def test_head_answers_without_a_body(client: FlaskClient) -> None:
    response = client.head(URL)

    assert (response.status_code, response.data) == (200, b"")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_other_methods_are_405(app: Flask, client: FlaskClient, method: str, accept: str) -> None:
    response = client.open(URL, method=method, data="action=accept_all", headers={"Accept": accept})

    assert response.status_code == 405
    assert sorted(response.headers["Allow"].split(", ")) == ["GET", "HEAD", "POST"]
    assert count_records(app) == 0
    assert set_cookies(response) == {}
    if accept == "application/json":
        assert response.get_json()["error"]["code"] == "method_not_allowed"


def test_a_replayed_older_cookie_is_shown_as_it_is_on_record(app: Flask, client: FlaskClient) -> None:
    replay = sent_cookie(decide(client, "analytics")).partition("=")[2]
    decide(client, action="reject_all")
    thief = app.test_client()
    thief.set_cookie("consent", replay)

    response = thief.get(URL)

    assert ticked(read_page(response)) == set()
    assert "consent" in set_cookies(response)


def test_while_the_store_is_down_the_page_still_shows(
    app: Flask, client: FlaskClient, store_down: BreakStore
) -> None:
    decide(client, "analytics")

    with store_down(app):
        response = client.get(URL)

    assert response.status_code == 200
    assert ticked(read_page(response)) == {"analytics"}


def test_it_stands_in_our_own_layout_whatever_the_host_sets(make_app: MakeApp) -> None:
    """BASE_TEMPLATE is for notice and preferences alike: the blocks are title, head and content."""
    app = make_app(config={"CONSENT_WIDGET_BASE_TEMPLATE": "host.html"})
    write_template(app, "host.html", LAYOUT)

    page = read_page(app.test_client().get(f"{URL}?lang=en"))

    assert page.one("header").text == "The host"
    assert page.one("main").all(data_consent_widget="preferences")
    assert "HTEK" in page.one("title").text


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_every_control_has_a_name_and_every_reference_leads_somewhere(client: FlaskClient, lang: str) -> None:
    page = read_page(client.get(f"{URL}?lang={lang}"))

    ids = [one["id"] for one in page.all() if "id" in one]
    assert len(ids) == len(set(ids))
    for one in page.all():
        for attribute in ("aria-labelledby", "aria-describedby"):
            if attribute in one:
                assert set(one[attribute].split()) <= set(ids)
    assert all(one.text or "aria-label" in one for one in page.all("button"))


def test_no_element_carries_a_handler_or_a_style(client: FlaskClient) -> None:
    page = read_page(client.get(URL))

    assert not [
        name for one in page.all() for name in one.attributes if name.startswith("on") or name == "style"
    ]
