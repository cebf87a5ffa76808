"""`flask consent check` about mails: what it asks the server, and where http is an error."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.conftest import MakeApp
from tests.factories import KEY, Clock
from tests.mail.scripted import Say, always, scripted
from tests.mail.sink import running_sink
from tests.mailroom import Mailroom

MAIL = {"mail_from": "privacy@demo.example", "public_url": "https://www.demo.example"}


def check(app: Flask) -> tuple[int, list[str], list[str]]:
    """Exit status, problems and warnings, but the one about erasures, of which other tests tell."""
    done = app.test_cli_runner().invoke(args=["consent", "check", "--json"])
    found = json.loads(done.output)
    assert found["ok"] is (done.exit_code == 0)
    warnings = [one for one in found["warnings"] if "ERASURE_FILE" not in one]
    return done.exit_code, found["problems"], warnings


def serving(make_app: MakeApp, **options: Any) -> Flask:
    """As on a server: neither debugging nor testing."""
    return make_app(config={"TESTING": False, "SECRET_KEY": KEY}, **options)


def test_a_server_that_takes_our_mail_is_fine_and_gets_none(make_app: MakeApp, tmp_path: Path) -> None:
    with running_sink(tmp_path) as sink:
        app = serving(make_app, mail_url=sink.url, **MAIL)
        assert check(app) == (0, [], [])
        told = app.test_cli_runner().invoke(args=["consent", "check"]).output
        assert told.endswith("ok: settings, keys, schema, notice, log and mail.\n")
        assert sink.mails == []


@pytest.mark.parametrize(
    "stage, action, told",
    [
        ("greeting", Say("554 5.7.1 192.0.2.10 is blocked"), "5.7.1: 5.7.1 192.0.2.10 is blocked"),
        ("auth", Say("535 5.7.8 Wrong password"), "auth: 5.7.8 Wrong password"),
    ],
    ids=["blocked", "password"],
)
def test_a_server_that_does_not_want_us_is_a_problem(
    make_app: MakeApp, tmp_path: Path, stage: str, action: Say, told: str
) -> None:
    with scripted(tmp_path / "server", always(stage, action), offers=("AUTH PLAIN",)) as server:
        url = server.url.replace("//", "//user:s3cret-word@")
        status, problems, _ = check(serving(make_app, mail_url=url, **MAIL))

    assert status == 1
    assert problems == [f"CONSENT_WIDGET_MAIL_URL: no mail can be sent ({told})"]


def test_a_server_without_tls_is_a_problem_where_it_is_required(make_app: MakeApp, tmp_path: Path) -> None:
    with scripted(tmp_path / "server") as server:
        status, problems, _ = check(serving(make_app, mail_url=f"{server.url}?tls=starttls", **MAIL))

    assert status == 1
    assert "tls: The server does not offer STARTTLS" in problems[0]


def test_a_folder_that_cannot_be_is_a_problem(make_app: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    status, problems, _ = check(serving(make_app, mail_url=f"maildir:{tmp_path / 'file' / 'mails'}", **MAIL))

    assert status == 1
    assert "maildir" in problems[0]


@pytest.mark.parametrize("missing", ["mail_from", "public_url"])
def test_mails_need_a_sender_and_an_address(make_app: MakeApp, tmp_path: Path, missing: str) -> None:
    given = {name: value for name, value in MAIL.items() if name != missing}
    app = serving(make_app, mail_url=f"maildir:{tmp_path / 'mails'}", **given)

    status, problems, (warning,) = check(app)

    assert (status, problems) == (0, [])
    assert warning.startswith(f"CONSENT_WIDGET_{missing.upper()} is not set: no mail can be sent")


def test_without_an_address_of_a_server_no_mail_can_be_sent(make_app: MakeApp) -> None:
    assert check(serving(make_app)) == (0, [], ["CONSENT_WIDGET_MAIL_URL is not set: no mail can be sent."])


@pytest.mark.parametrize(
    "public_url, is_testing, is_debugging, is_wrong",
    [
        ("http://www.demo.example", False, False, True),
        ("http://127.0.0.1.evil.example", False, False, True),
        ("http://10.0.0.5:8000", False, False, True),
        ("http://www.demo.example", False, True, False),
        ("http://www.demo.example", True, False, False),
        ("http://127.0.0.1:5000", False, False, False),
        ("http://localhost:5000", False, False, False),
        ("http://[::1]:5000", False, False, False),
    ],
)
def test_http_is_an_error_where_others_get_to_the_site(
    make_app: MakeApp,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    public_url: str,
    is_testing: bool,
    is_debugging: bool,
    is_wrong: bool,
) -> None:
    """RFC 8058 section 3.1 allows nothing but https in List-Unsubscribe."""
    monkeypatch.setenv("FLASK_DEBUG", str(int(is_debugging)))
    options = MAIL | {"public_url": public_url, "mail_url": f"maildir:{tmp_path / 'mails'}"}
    app = make_app(config={"TESTING": is_testing, "SECRET_KEY": KEY}, **options)

    status, problems, warnings = check(app)

    assert status == int(is_wrong)
    (told,) = problems if is_wrong else warnings
    assert told.startswith("CONSENT_WIDGET_PUBLIC_URL is http")
    assert (problems == []) is not is_wrong


def test_mails_that_wait_without_a_worker_are_a_warning(
    make_app: MakeApp, tmp_path: Path, clock: Clock
) -> None:
    app = serving(make_app, mail_url=f"maildir:{tmp_path / 'mails'}", **MAIL)
    mailroom = Mailroom(app, clock)
    mailroom.subscribe(1)
    mailroom.announce()
    clock.tick(minutes=11)

    status, problems, (warning,) = check(app)

    assert (status, problems) == (0, [])
    assert warning.startswith("Mails have been waiting since 2026-12-01 02:00 UTC and no worker runs")
    assert "flask consent worker" in warning


def test_https_is_no_news(make_app: MakeApp, tmp_path: Path) -> None:
    assert check(serving(make_app, mail_url=f"maildir:{tmp_path / 'mails'}", **MAIL)) == (0, [], [])
