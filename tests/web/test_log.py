"""/log.jsonl and /log-key.pem: the same for everybody, and true."""

import json
from dataclasses import replace

import pytest
from flask import Flask, session
from flask.testing import FlaskClient
from sqlalchemy import event

from consent_widget.core.ledger_check import check_lines
from consent_widget.core.ledger_key import LogKey, read_pem
from consent_widget.services.ledger import append
from tests.conftest import MakeApp
from tests.factories import KEY, NOW, Clock, decide, deployment
from tests.web.conftest import BreakStore

LOG, PEM = "/privacy/log.jsonl", "/privacy/log-key.pem"


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """A host with a version and an act of staff in its ledger."""
    app = make_app()
    enter(app, "version", number=7, texts={"vi": "Chính sách\n", "en": "Policy\n"})
    enter(app, "audit", action="save", staff="author@demo.example")
    return app


def enter(app: Flask, kind: str, **body: object) -> None:
    here = deployment(app)
    with here.database.writing() as connection:
        append(here, connection, kind=kind, body=body, now=NOW)


def test_the_log_holds_versions_whole_and_acts_of_staff_as_a_hash(client: FlaskClient) -> None:
    response = client.get(LOG)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    *entries, last = [json.loads(line) for line in response.data.splitlines()]
    assert {"number": 7, "texts": {"vi": "Chính sách\n", "en": "Policy\n"}} in [
        one["body"] for one in entries if one["kind"] == "version"
    ]
    assert all(one["kind"] in ("key", "version") for one in entries if "body" in one)
    assert entries[-1]["kind"] == "audit"
    assert b"author" not in response.data
    assert last["head"]["size"] == len(entries)


def test_the_log_verifies_with_the_published_key(client: FlaskClient) -> None:
    lines = client.get(LOG).data.splitlines(keepends=True)

    assert check_lines(lines, read_pem(client.get(PEM).data)).problem is None


def test_an_empty_log_verifies_too(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(database_url=sqlite_url)
    app.test_cli_runner().invoke(args=["consent", "upgrade"])
    client = app.test_client()

    lines = client.get(LOG).data.splitlines(keepends=True)

    assert len(lines) == 1
    assert check_lines(lines, read_pem(client.get(PEM).data)).problem is None


def test_retained_keys_are_published_after_the_current_one(make_app: MakeApp) -> None:
    app = make_app(config={"SECRET_KEY": f"{KEY}, the new one", "SECRET_KEY_FALLBACKS": [KEY]})

    found = read_pem(app.test_client().get(PEM).data)

    assert [key.id for key in found] == [key.public.id for key in deployment(app).log_keys]
    assert len(found) == 2


def test_a_key_that_stands_in_the_database_alone_is_not_published(make_app: MakeApp) -> None:
    """Who may write there could replace the ledger by one under a key of their own."""
    app = make_app()
    forged = replace(deployment(app), log_keys=(LogKey.derived("somebody else"),))
    with forged.database.writing() as connection:
        append(forged, connection, kind="version", body={"number": 7}, now=NOW)
    client = app.test_client()

    keys = read_pem(client.get(PEM).data)
    report = check_lines(client.get(LOG).data.splitlines(keepends=True), keys)

    assert [key.id for key in keys] == [deployment(app).log_keys[0].public.id]
    assert report.problem is not None
    assert report.problem.code == "key"


def test_a_worker_that_starts_with_a_new_key_lets_it_sign_the_log(make_app: MakeApp) -> None:
    first = make_app()
    enter(first, "version", number=7)
    url = first.config["CONSENT_WIDGET_DATABASE_URL"]
    second = make_app(
        database_url=url, config={"SECRET_KEY": f"{KEY}, the new one", "SECRET_KEY_FALLBACKS": [KEY]}
    )

    log = second.test_client().get(LOG).data.splitlines(keepends=True)

    assert json.loads(log[-1])["head"]["key"] == deployment(second).log_keys[0].public.id
    for app in (first, second):
        assert check_lines(log, [deployment(app).log_keys[0].public]).problem is None


@pytest.mark.parametrize("path", [LOG, PEM])
def test_everybody_may_keep_it_for_a_minute_whatever_they_chose(app: Flask, path: str) -> None:
    stranger, visitor = app.test_client(), app.test_client()
    decide(visitor, "analytics")

    ours, theirs = stranger.get(path), visitor.get(path)

    assert ours.data == theirs.data
    for response in (ours, theirs):
        assert response.headers["Cache-Control"] == "public, max-age=60"
        assert "Vary" not in response.headers
        assert "Set-Cookie" not in response.headers
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", [LOG, PEM])
def test_a_host_that_touches_its_session_takes_it_out_of_the_caches(app: Flask, path: str) -> None:
    @app.before_request
    def count() -> None:
        session["count"] = 1

    assert app.test_client().get(path).headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", [LOG, PEM])
def test_what_has_not_changed_is_not_sent_again(client: FlaskClient, path: str) -> None:
    tag = client.get(path).headers["ETag"]

    response = client.get(path, headers={"If-None-Match": tag})

    assert response.status_code == 304
    assert response.data == b""
    assert response.headers["ETag"] == tag
    assert response.headers["Cache-Control"] == "public, max-age=60"


def test_a_new_entry_changes_the_tag(app: Flask, client: FlaskClient) -> None:
    tag = client.get(LOG).headers["ETag"]
    enter(app, "audit", action="submit")

    assert client.get(LOG, headers={"If-None-Match": tag}).status_code == 200


def test_each_head_of_an_empty_log_has_its_own_tag(make_app: MakeApp, sqlite_url: str, clock: Clock) -> None:
    app = make_app(database_url=sqlite_url)
    app.test_cli_runner().invoke(args=["consent", "upgrade"])
    tag = app.test_client().get(LOG).headers["ETag"]
    clock.tick(hours=1)

    assert app.test_client().get(LOG).headers["ETag"] != tag


@pytest.mark.parametrize("path", [LOG, PEM])
def test_head_answers_without_a_body(client: FlaskClient, path: str) -> None:
    response = client.head(path)

    assert response.status_code == 200
    assert response.data == b""
    assert response.headers.get("Content-Length") != "0"


@pytest.mark.parametrize("path", [LOG, PEM])
def test_other_methods_are_refused(client: FlaskClient, path: str) -> None:
    response = client.post(path)

    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"


def test_a_database_that_is_down_is_a_503_that_nobody_keeps(
    app: Flask, client: FlaskClient, store_down: BreakStore
) -> None:
    client.get(LOG)
    with store_down(app):
        response = client.get(LOG, headers={"Accept": "application/json"})

    assert response.status_code == 503
    assert response.headers["Cache-Control"] == "no-store"
    assert response.get_json()["error"]["code"] == "store_unavailable"
    assert "10.0.0.7" not in response.text


def test_a_long_log_is_streamed(app: Flask, client: FlaskClient) -> None:
    """What was read is sent before the next entries are asked for, and no connection waits for the reader."""
    for number in range(120):
        enter(app, "audit", action=f"save {number}")
    engine = deployment(app).database.engine
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))

    response = client.get(LOG, buffered=False)
    chunks = iter(response.iter_encoded())
    next(chunks)
    at_first = len(asked)
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    rest = list(chunks)

    assert len(asked) > at_first
    assert len(rest) >= 120
    response.close()
