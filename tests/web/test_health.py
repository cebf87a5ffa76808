"""/health and /.well-known/gpc.json: what machines ask."""

from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient

from consent_widget.testing import prepare
from tests.conftest import MakeApp
from tests.factories import IN_FORCE_SINCE, Clock, set_cookies
from tests.web.conftest import BreakStore


def test_a_healthy_app_says_so(client: FlaskClient) -> None:
    response = client.get("/privacy/health")

    assert (response.status_code, response.get_json()) == (200, {"ok": True, "problems": []})
    assert response.headers["Cache-Control"] == "no-store"
    assert set_cookies(response) == {}


def test_a_store_that_is_down_is_503_without_its_address(
    app: Flask, client: FlaskClient, store_down: BreakStore
) -> None:
    with store_down(app):
        response = client.get("/privacy/health")

    assert response.status_code == 503
    assert response.get_json() == {"ok": False, "problems": ["The database does not answer."]}


def test_a_missing_schema_is_told_here_with_the_cure_and_not_by_a_traceback(
    make_app: MakeApp, sqlite_url: str
) -> None:
    response = make_app(database_url=sqlite_url).test_client().get("/privacy/health")

    assert response.status_code == 503
    assert "flask consent upgrade" in response.get_json()["problems"][0]


def test_a_notice_that_is_not_in_force_yet_is_told_with_its_time(make_app: MakeApp, clock: Clock) -> None:
    clock.now = IN_FORCE_SINCE - timedelta(days=1)

    response = make_app().test_client().get("/privacy/health")

    assert response.status_code == 503
    assert "version 1 takes effect on 2026-11-01 02:00 UTC" in response.get_json()["problems"][0]


def test_a_missing_notice_is_told_with_the_cure(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(database_url=sqlite_url)
    prepare(app)

    response = app.test_client().get("/privacy/health")

    assert response.status_code == 503
    assert "flask consent import-notice" in response.get_json()["problems"][0]


def test_health_holds_no_secret(make_app: MakeApp) -> None:
    app = make_app(database_url="postgresql://user:hidden@localhost:1/consent?connect_timeout=1")

    text = app.test_client().get("/privacy/health").text

    assert not any(one in text for one in ("hidden", "localhost", "user", app.config["SECRET_KEY"]))


def test_health_is_only_read(client: FlaskClient) -> None:
    for method in ("POST", "PUT", "DELETE", "TRACE"):
        assert client.open("/privacy/health", method=method).status_code == 405


def test_the_signal_is_declared_where_the_host_says_so(make_app: MakeApp) -> None:
    declared = make_app(config={"CONSENT_WIDGET_GPC_DECLARED": True}).test_client()
    silent = make_app().test_client()

    response = declared.get("/.well-known/gpc.json")

    assert response.status_code == 200
    assert response.mimetype == "application/json"
    found = response.get_json()
    assert found["gpc"] is True
    assert len(found["lastUpdate"]) == len("2026-11-22")
    assert silent.get("/.well-known/gpc.json").status_code == 404
