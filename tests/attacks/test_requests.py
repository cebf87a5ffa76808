"""CS: only a complete, unambiguous decision by POST is saved, after it was recorded, and withdrawal wins."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from werkzeug.test import TestResponse

from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.target import (
    ALL,
    NOTHING,
    PLAIN_NAME,
    SECURE_NAME,
    Target,
    ask,
    granted_in,
)
from tests.attacks.wire import Wire, served

SAVE = "/privacy/preferences"
JSON = {"content_type": "application/json"}
FORM = {"content_type": "application/x-www-form-urlencoded"}


def post(target: Target, body: Any, *, path: str = SAVE, cookies: str = "", **options: Any) -> TestResponse:
    """POST a body: a text as it stands, anything else as JSON."""
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    return ask(target, cookies, path, method="POST", data=data, **JSON | options)


def assert_refused(target: Target, answer: TestResponse, *, before: dict[str, int]) -> None:
    """4xx with a message a program understands; no cookie, no record."""
    assert 400 <= answer.status_code < 500
    assert not answer.headers.getlist("Set-Cookie")
    assert "no-store" in answer.headers["Cache-Control"]
    if answer.is_json:
        error = (answer.json or {})["error"]
        assert set(error) == {"code", "message", "field"}
        assert error["code"]
        assert error["message"]
    assert target.stored() == before


@attack("CS-001")
def test_truthy_values(case: Case, target: Target) -> None:
    """Nothing but a category's name in the list grants it; whatever else is saved is a refusal."""
    for value in case.payloads:
        bodies = (
            {"action": "save", "categories": value},
            {"action": "save", "categories": [value]},
            {"action": "save", "categories": {"marketing": value}},
            {"action": "save", "categories": [{"marketing": value}]},
            {"action": "save", "marketing": value},
            {"marketing": value},
            {"action": value},
            {"action": {"accept_all": value}},
            {"action": "reject_all", "accept_all": value},
        )
        forms = (
            {"action": "save", "category": str(value)},
            {"action": "save", "marketing": str(value)},
            {"action": str(value)},
            {"accept_all": str(value)},
        )
        for body in bodies:
            _assert_no_consent(target, post(target, body))
        for form in forms:
            _assert_no_consent(target, ask(target, "", SAVE, method="POST", data=form))

    assert {granted for granted, _ in target.recorded()} <= {NOTHING}


def _assert_no_consent(target: Target, answer: TestResponse) -> None:
    assert answer.status_code < 500
    assert granted_in(answer) == NOTHING
    for one in answer.headers.getlist("Set-Cookie"):
        if one.startswith(f"{SECURE_NAME}="):
            assert granted_in(ask(target, one.partition(";")[0])) == NOTHING


@attack("CS-002")
def test_duplicate_keys_in_json(case: Case, target: Target) -> None:
    before = target.stored()

    for body in (
        *case.payloads,
        '{"action":"reject_all","action":"accept_all"}',
        '{"action":"accept_all","action":"reject_all"}',
        '{"action":"save","categories":[],"categories":["marketing"]}',
        '{"action":"save","categories":["marketing"],"categories":[]}',
        '{"action":"accept_all","x":{"a":1,"a":2}}',
    ):
        answer = post(target, body)
        assert answer.status_code == 400
        assert_refused(target, answer, before=before)


@attack("CS-003")
@pytest.mark.parametrize(
    "body", ["action=reject_all&action=accept_all", "action=accept_all&action=reject_all"]
)
def test_parameter_sent_twice(case: Case, body: str, target: Target) -> None:
    before = target.stored()

    answer = post(target, body, **FORM)

    assert answer.status_code == 400
    assert_refused(target, answer, before=before)


@attack("CS-003")
def test_parameters_in_the_query(case: Case, target: Target) -> None:
    """The body alone counts, for forms and for JSON."""
    polluted = f"{SAVE}?action=accept_all&category=marketing&categories=marketing&marketing=1"

    for body, kind in (
        ("action=reject_all", FORM),
        ("action=save&marketing=0&marketing=1", FORM),
        ({"action": "reject_all"}, JSON),
        ({"action": "save", "categories": []}, JSON),
    ):
        _assert_no_consent(target, post(target, body, path=polluted, **kind))
    assert [granted for granted, _ in target.recorded()] == [NOTHING] * 4

    before = target.stored()
    assert_refused(target, post(target, "marketing=0", path=polluted, **FORM), before=before)
    assert_refused(target, post(target, "", path=polluted, **FORM), before=before)


@attack("CS-005")
def test_notice_version_that_was_never_published(case: Case, target: Target) -> None:
    """Neither a draft nor an announced version counts before it is in force."""
    target.draft()
    target.announce(2, effective_at=target.deployment.clock() + timedelta(days=30))
    target.deployment.schedule.forget()
    before = target.stored()

    for number in [*case.payloads, 2, 3, True, [1], {"n": 1}, "1 ", 1e400, 2**31]:
        answer = post(target, {"action": "accept_all", "notice": number})
        assert answer.status_code == 400, number
        assert_refused(target, answer, before=before)
        form = ask(target, "", SAVE, method="POST", data={"action": "accept_all", "notice": str(number)})
        assert_refused(target, form, before=before)

    assert post(target, {"action": "accept_all", "notice": 1}).status_code == 200
    assert target.recorded() == [(ALL, 1)]


@attack("CS-007")
@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/plain",
        "application/xml",
        "",
    ],
)
def test_no_field_is_no_consent(case: Case, kind: str, target: Target) -> None:
    before = target.stored()

    for body in [*case.payloads, "action", "action=", "categories=marketing", "\0", "é", '"accept_all"', "1"]:
        answer = post(target, body, content_type=kind)
        assert_refused(target, answer, before=before)

    assert 'data-consent-widget="banner"' in ask(target, "").text


@attack("CS-008")
@pytest.mark.parametrize(
    "kind", ["application/json", "application/vnd.api+json", "application/x-www-form-urlencoded"]
)
def test_deep_nesting_and_large_bodies(case: Case, kind: str, target: Target) -> None:
    before = target.stored()

    for text, times in (("[", 100_000), ('{"a":', 8_000), ("[", 16_000), ('{"a":', 3_000), ("a=1&", 4_000)):
        started = time.process_time()
        answer = post(target, text * times, content_type=kind)
        assert time.process_time() - started < 1
        assert answer.status_code == (413 if len(text) * times > 16_384 else 400)
        assert_refused(target, answer, before=before)


@attack("CS-008")
def test_large_body_of_unknown_length(case: Case, site: Target, wire: Wire) -> None:
    """In chunks, so that no Content-Length warns of its size."""
    before = site.stored()
    chunk = b"400\r\n" + b"[" * 0x400 + b"\r\n"

    answer = wire.send(
        b"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n" % (SAVE.encode(), wire.host)
        + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        + chunk * 17
        + b"0\r\n\r\n"
    )

    assert answer.status == 413
    assert site.stored() == before


@attack("CS-013")
@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "accept_all"]
)
def test_another_method_cannot_choose(case: Case, method: str, target: Target) -> None:
    """GET and HEAD show the page as it was; no header turns them into a POST."""
    refused = target.genuine("reject_all")
    before = target.stored()

    for cookies in ("", f"{SECURE_NAME}={refused}"):
        for headers in ({}, {"X-HTTP-Method-Override": "POST", "X-Method-Override": "POST"}):
            answer = ask(
                target,
                cookies,
                f"{SAVE}?action=accept_all&category=marketing&_method=POST",
                method=method,
                headers=headers,
                data={} if method in ("GET", "HEAD") else {"action": "accept_all"},
            )
            assert answer.status_code == (200 if method in ("GET", "HEAD") else 405)
            assert granted_in(answer) == NOTHING
            assert not answer.headers.getlist("Set-Cookie")
    assert target.stored() == before


# The store -------------------------------------------------------------------


class Arrivals:
    """A clock that each thread sets to the moment at which its request arrived, in seconds."""

    def __init__(self) -> None:
        self._start = datetime.now(UTC)
        self._of_thread = threading.local()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=getattr(self._of_thread, "second", 0))

    def at(self, second: int) -> None:
        self._of_thread.second = second

    def post(self, second: int, target: Target, action: str, cookie: str) -> TestResponse:
        self.at(second)
        return post(target, {"action": action}, cookies=f"{SECURE_NAME}={cookie}")


def _choice_cookie(answer: TestResponse) -> str:
    """The choice cookie that an answer sets, as the browser sends it back."""
    set_cookies = answer.headers.getlist("Set-Cookie")
    return next(one.partition(";")[0] for one in set_cookies if one.startswith(f"{SECURE_NAME}="))


@attack("CS-011")
@pytest.mark.parametrize("withdrawal", ["reject_all", "save"])
def test_withdrawal_while_the_store_is_slow(
    case: Case, withdrawal: str, make_target: MakeTarget, database_url: str
) -> None:
    """Acceptances and a later withdrawal wait together; in whatever order they end, nothing is on."""
    arrivals = Arrivals()
    target = make_target(database_url, clock=arrivals)
    accepted = target.genuine("accept_all")
    locked, release = threading.Event(), threading.Event()
    holder = threading.Thread(target=_hold_the_store, args=(database_url, locked, release))
    holder.start()
    assert locked.wait(10)

    actions = ("accept_all", "accept_all", "accept_all", "accept_all", withdrawal)
    with ThreadPoolExecutor(5) as visitors:
        waiting = [
            visitors.submit(arrivals.post, second, target, action, accepted)
            for second, action in enumerate(actions, start=1)
        ]
        time.sleep(0.3)
        assert not any(one.done() for one in waiting)
        release.set()
        answers = [one.result() for one in waiting]
    holder.join()

    assert [one.status_code for one in answers] == [200] * 5
    assert granted_in(answers[-1]) == NOTHING
    assert granted_in(ask(target, _choice_cookie(answers[-1]))) == NOTHING
    for cookie in (f"{SECURE_NAME}={accepted}", *map(_choice_cookie, answers)):
        for path in ("/privacy/state", SAVE):
            assert granted_in(ask(target, cookie, path)) == NOTHING
    assert len(target.recorded()) == 6


@attack("CS-011")
@pytest.mark.parametrize("late", ["accept_all", "save", "add"])
def test_acceptance_recorded_after_the_withdrawal_that_followed_it(
    case: Case, late: str, make_target: MakeTarget, database_url: str
) -> None:
    """It is filed behind the withdrawal and gives the visitor what the withdrawal left: nothing."""
    arrivals = Arrivals()
    target = make_target(database_url, clock=arrivals)
    accepted = target.genuine("accept_all")

    withdrawn = arrivals.post(2, target, "reject_all", accepted)
    body = {"action": late, "categories": ["marketing"]}
    arrivals.at(1)
    answer = post(target, body, cookies=f"{SECURE_NAME}={accepted}")
    arrivals.at(3)

    assert answer.status_code == 200
    for one in (withdrawn, answer):
        assert granted_in(one) == NOTHING
        for path in ("/", "/privacy/state"):
            assert granted_in(ask(target, _choice_cookie(one), path)) == NOTHING
    assert len(target.recorded()) == 3


def _hold_the_store(url: str, locked: threading.Event, release: threading.Event) -> None:
    """Another connection of another program writes, slowly."""
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("LOCK TABLE cw_consent_record IN ACCESS EXCLUSIVE MODE")
        locked.set()
        release.wait(10)
        connection.exec_driver_sql("COMMIT")
    engine.dispose()


@attack("CS-011")
def test_decision_while_the_store_is_down(case: Case, target: Target, database_url: str) -> None:
    """It is not saved and says so: 503, no cookie, and what was chosen before still holds."""
    accepted = target.genuine("accept_all")
    before = target.recorded()
    _rename_records(database_url, "cw_consent_record", "gone")

    answers = [
        post(target, {"action": "reject_all"}, cookies=cookies)
        for cookies in ("", f"{SECURE_NAME}={accepted}")
    ]
    page = ask(target, "", SAVE, method="POST", data={"action": "accept_all"})
    _rename_records(database_url, "gone", "cw_consent_record")

    for answer in [*answers, page]:
        assert answer.status_code == 503
        assert not answer.headers.getlist("Set-Cookie")
    assert (answers[0].json or {})["error"]["code"] == "store_unavailable"
    assert granted_in(page) == NOTHING
    assert target.recorded() == before


def _rename_records(url: str, old: str, new: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")
    engine.dispose()


@attack("CS-012")
@pytest.mark.parametrize("moment", ["answered", "in the middle"])
def test_server_killed_around_an_acceptance(
    case: Case, moment: str, target: Target, database_url: str, tmp_path: Path
) -> None:
    """What reaches the visitor is on record, whenever the server dies: a page with tags has its proof."""
    chance = random.Random(12)
    server = _start_server(database_url, tmp_path)
    port = int(server.stdout.readline()) if server.stdout else 0
    wire = Wire(port=port)
    body = b"action=accept_all"
    raw = b"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n" % (SAVE.encode(), wire.host, len(body))
    raw += b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + body

    kept: list[str] = []
    if moment == "answered":
        kept += _cookies(wire.send(raw).headers.get_all("Set-Cookie", []))
    else:
        with ThreadPoolExecutor(12) as visitors:
            asked = [visitors.submit(wire.send, raw) for _ in range(12)]
            time.sleep(chance.uniform(0.01, 0.04))
            server.send_signal(signal.SIGKILL)
            for one in asked:
                if one.exception() is None:
                    kept += _cookies(one.result().headers.get_all("Set-Cookie", []))
    server.kill()
    server.communicate()

    assert kept or moment == "in the middle"
    proven = [granted for granted, _ in target.recorded()]
    assert proven.count(ALL) >= len(kept)
    with served(target.app) as restarted:
        for cookie in kept:
            line = f"Cookie: {PLAIN_NAME}={cookie}".encode()
            assert restarted.get(b"/", line).granted == ALL
            assert restarted.get(b"/privacy/state", line).granted == ALL


def _cookies(set_cookies: list[str]) -> list[str]:
    return [
        one.partition(";")[0].partition("=")[2] for one in set_cookies if one.startswith(f"{PLAIN_NAME}=")
    ]


_SERVER = """
import sys
from pathlib import Path
from werkzeug.serving import make_server
from tests.attacks.target import Target

server = make_server("127.0.0.1", 0, Target(sys.argv[1], Path(sys.argv[2])).app, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


def _start_server(url: str, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _SERVER, url, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
