"""GET /state: what is on record, in a form programs read."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import MakeApp
from tests.factories import (
    NOW,
    OPTIONAL,
    Clock,
    announce,
    bare_client,
    category,
    choice,
    count_records,
    decide,
    deployment,
    sent_cookie,
    set_cookies,
    varies_by,
)
from tests.web.conftest import BreakStore

UNDECIDED = dict.fromkeys(OPTIONAL, "undecided")
DENIED = dict.fromkeys(OPTIONAL, "denied")


def state(client: FlaskClient, **options: Any) -> dict[str, Any]:
    response = client.get("/privacy/state", **options)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = response.get_json()
    return found


def test_a_new_visitor_is_undecided(app: Flask, client: FlaskClient) -> None:
    response = client.get("/privacy/state")

    assert response.get_json() == {"decided": False, "categories": UNDECIDED, "notice": 1, "signal": None}
    assert response.mimetype == "application/json"
    assert set_cookies(response) == {}
    assert "Cookie" in varies_by(response)
    assert count_records(app) == 0


def test_the_signal_denies_all_without_banner_record_or_cookie(app: Flask, client: FlaskClient) -> None:
    response = client.get("/privacy/state", headers={"Sec-GPC": "1"})

    assert response.get_json() == {"decided": False, "categories": DENIED, "notice": 1, "signal": "gpc"}
    assert set_cookies(response) == {}
    assert count_records(app) == 0


def test_only_a_choice_about_every_optional_category_has_decided(client: FlaskClient) -> None:
    decide(client, "marketing", action="add")

    assert state(client)["decided"] is False
    assert state(client)["categories"] == UNDECIDED | {"marketing": "granted"}

    decide(client, "marketing")
    assert state(client)["decided"] is True


def test_only_optional_categories_are_told(client: FlaskClient) -> None:
    assert set(state(client)["categories"]) == set(OPTIONAL)


def test_no_identifier_is_told(app: Flask, client: FlaskClient) -> None:
    line = set_cookies(decide(client, "analytics"))["consent"]
    opened = deployment(app).signer.open(line.partition(";")[0].partition("=")[2], now=NOW)
    assert opened is not None
    assert opened.subject is not None

    assert opened.subject not in client.get("/privacy/state").text


@pytest.mark.parametrize("day, decided", [(0, True), (181, True), (182, False), (183, False)])
@pytest.mark.parametrize("granted", [("analytics",), ()], ids=["an acceptance", "a refusal"])
def test_a_choice_is_asked_again_after_182_days(
    client: FlaskClient, clock: Clock, day: int, decided: bool, granted: tuple[str, ...]
) -> None:
    decide(client, *granted)

    clock.tick(days=day)

    assert state(client)["decided"] is decided
    if not decided:
        assert state(client)["categories"] == UNDECIDED


def test_a_material_version_asks_again_for_its_categories_alone(
    app: Flask, client: FlaskClient, clock: Clock
) -> None:
    decide(client, *OPTIONAL)
    announce(deployment(app).database, 2, effective_at=NOW, ask_again=["marketing"])

    clock.tick(seconds=30)

    assert state(client) == {
        "decided": False,
        "categories": dict.fromkeys(OPTIONAL, "granted") | {"marketing": "undecided"},
        "notice": 2,
        "signal": None,
    }


def test_before_the_first_notice_the_number_is_null(make_app: MakeApp, clock: Clock) -> None:
    clock.tick(days=-365)

    assert state(make_app().test_client())["notice"] is None


def test_a_replayed_older_cookie_is_found_out_and_replaced(app: Flask, client: FlaskClient) -> None:
    replay = sent_cookie(decide(client, "analytics")).partition("=")[2]
    decide(client, action="reject_all")
    thief = app.test_client()
    thief.set_cookie("consent", replay)
    thief.set_cookie("visitor", "stored on the strength of it")

    response = thief.get("/privacy/state")

    assert response.get_json()["categories"] == DENIED
    assert response.get_json()["decided"] is True
    assert "analytics:0" in set_cookies(response)["consent_view"]
    assert thief.get_cookie("visitor") is None
    again = thief.get("/privacy/state")
    assert again.get_json()["categories"] == DENIED
    assert set_cookies(again) == {}


def test_a_grant_that_is_not_on_record_is_taken_back(app: Flask, client: FlaskClient) -> None:
    client.set_cookie("consent", deployment(app).signer.seal(choice(subject="never-recorded")))
    client.set_cookie("consent_view", "analytics:1")

    response = client.get("/privacy/state")

    assert response.get_json()["categories"] == UNDECIDED
    assert client.get_cookie("consent") is None
    assert client.get_cookie("consent_view") is None


def test_while_the_store_is_down_the_signature_is_all_there_is(
    app: Flask, client: FlaskClient, store_down: BreakStore
) -> None:
    decide(client, "analytics")

    with store_down(app):
        response = client.get("/privacy/state")

    assert response.status_code == 200
    assert response.get_json()["categories"]["analytics"] == "granted"
    assert set_cookies(response) == {}


def test_a_true_cookie_is_left_as_it_is(client: FlaskClient) -> None:
    decide(client, "analytics")

    assert set_cookies(client.get("/privacy/state")) == {}


@pytest.mark.parametrize(
    "view", ["analytics:1.marketing:1.preferences:1", "x", "", ":::", "analytics:1." * 200]
)
def test_a_hand_edited_mirror_grants_nothing(client: FlaskClient, view: str) -> None:
    client.set_cookie("consent_view", view)
    assert state(client)["categories"] == UNDECIDED

    decide(client, action="reject_all")
    client.set_cookie("consent_view", view)
    assert state(client)["categories"] == DENIED


def test_the_mirror_can_only_lower(client: FlaskClient) -> None:
    """A visitor, or a privacy tool, that edits the readable cookie to a refusal is obeyed."""
    decide(client, *OPTIONAL)

    client.set_cookie("consent_view", "analytics:0.marketing:1")

    assert state(client)["categories"]["analytics"] == "denied"
    assert state(client)["categories"]["marketing"] == "granted"


def test_a_new_category_of_the_register_is_asked_about(make_app: MakeApp) -> None:
    first = make_app()
    url = first.config["CONSENT_WIDGET_DATABASE_URL"]
    cookie = {"Cookie": sent_cookie(decide(first.test_client(), *OPTIONAL))}

    second = make_app(database_url=url, categories=[category("video")])
    found = bare_client(second).get("/privacy/state", headers=cookie).get_json()

    assert found["categories"] == dict.fromkeys(OPTIONAL, "granted") | {"video": "undecided"}
    assert found["decided"] is False


def test_after_a_key_rotation_the_choice_stands(make_app: MakeApp) -> None:
    first = make_app()
    url = first.config["CONSENT_WIDGET_DATABASE_URL"]
    old = first.config["SECRET_KEY"]
    cookie = {"Cookie": sent_cookie(decide(first.test_client(), "analytics"))}

    rotated = make_app(database_url=url, config={"SECRET_KEY": "n" * 40, "SECRET_KEY_FALLBACKS": [old]})
    dropped = make_app(database_url=url, config={"SECRET_KEY": "n" * 40})

    for app, decided in ((rotated, True), (dropped, False)):
        found = bare_client(app).get("/privacy/state", headers=cookie).get_json()
        assert found["decided"] is decided


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_the_state_is_only_read(app: Flask, client: FlaskClient, method: str) -> None:
    assert client.open("/privacy/state", method=method).status_code == 405
    assert count_records(app) == 0


def test_there_is_no_limit_to_asking(client: FlaskClient) -> None:
    assert {client.get("/privacy/state").status_code for _ in range(200)} == {200}
