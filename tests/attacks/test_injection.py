"""SQ: whatever stands in a parameter, a name, a header or a cookie is a value; no address of staff is fetched."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent_widget.services.draft import load_draft
from tests.attacks import newsroom
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.newsroom import (
    ADMIN,
    NEW,
    created,
    draft,
    make_newsroom,
    page_of,
    send,
    signed_in,
    written,
)
from tests.attacks.target import PLAIN_NAME, SECURE_NAME, Target, ask
from tests.factories import Clock

FIELDS = (
    "title_vi", "title_en", "text_vi", "text_en", "summary_vi", "summary_en", "change_class", "ask_again", "new",
    "effective_at", "revision", "reason", "in_step", "action", "csrf_token",
)  # fmt: skip

QUERIES = ("lang", "next", "from", "as-of", "before", "format", "key", "done", "edit", "sort", "q", "id")

HEADERS = (
    "User-Agent",
    "Referer",
    "Accept-Language",
    "Accept",
    "X-Forwarded-For",
    "Sec-GPC",
    "If-None-Match",
)

PAGES = (
    "/privacy/", "/privacy/vi/", "/privacy/en/versions", "/privacy/en/versions/1", "/privacy/en/versions/1/changes",
    "/privacy/vi/feed.atom", "/privacy/versions.json", "/privacy/log.jsonl", "/privacy/preferences",
    "/privacy/state", f"{ADMIN}/", NEW, f"{ADMIN}/versions/2", f"{ADMIN}/versions/2/preview/vi", f"{ADMIN}/audit",
)  # fmt: skip


@pytest.fixture
def staffed(make_target: MakeTarget, database_url: str, clock: Clock) -> Target:
    """A site with staff who sign in at the host, on each kind of database."""
    return make_newsroom(make_target, database_url, clock=clock)


def quickly(answer: TestResponse, begun: float) -> TestResponse:
    """``answer``, which is no fault and slept no five seconds; less says nothing on a busy machine."""
    assert answer.status_code < 500
    assert time.perf_counter() - begun < 4
    return answer


@attack("SQ-001")
def test_sql_in_what_is_asked_for(case: Case, staffed: Target) -> None:
    """In each query value, path segment and header: the same as a harmless value, and nothing is changed."""
    draft(staffed)
    browser = signed_in(staffed, "everything")
    before = staffed.stored()
    for payload in case.payloads:
        for path, name in itertools.product(PAGES, QUERIES):
            begun = time.perf_counter()
            quickly(browser.get(path, query_string={name: payload}), begun)
        for path in (
            "/privacy/{}", "/privacy/vi/versions/{}", "/privacy/vi/versions/1{}", "/privacy/vi/versions/1.{}",
            "/privacy/vi/as-of/{}", "/privacy/vi/versions/1/changes?from=1{}", "/privacy/{}/versions/1",
            "/privacy/admin/versions/{}", "/privacy/admin/versions/2{}", "/privacy/admin/versions/2/preview/{}",
            "/privacy/assets/{}",
        ):  # fmt: skip
            begun = time.perf_counter()
            assert quickly(browser.get(path.format(payload)), begun).status_code in (303, 400, 404)
        for path, name in itertools.product(PAGES, HEADERS):
            begun = time.perf_counter()
            quickly(browser.get(path, headers={name: payload}), begun)
    assert staffed.stored() == before


@attack("SQ-001")
def test_sql_in_what_is_sent(case: Case, staffed: Target) -> None:
    """In each field of the editor: kept to the letter where it is a text, refused where it is none."""
    author = signed_in(staffed, "everything")
    for payload in case.payloads:
        for name in FIELDS:
            before = staffed.stored()
            begun = time.perf_counter()
            answer = quickly(send(author, "save", fields=written() | {name: payload}), begun)
            if answer.status_code != 303:
                assert answer.status_code in (400, 403)
                assert staffed.stored() == before
                continue
            stored = load_draft(staffed.deployment, created(answer))
            kept = {"title": stored.titles, "summary": stored.summaries, "text": stored.texts}
            field, _, language = name.partition("_")
            if field in kept:
                assert kept[field][language].strip() == payload.strip()
            after = staffed.stored()
            changed = {table for table in after if after[table] != before[table]}
            assert changed <= {"cw_notice_version", "cw_notice_text", "cw_ledger"} | _draft_tables(changed)
    refused = {"action": "accept_all", "category": case.payloads, "notice": case.payloads[0]}
    before = staffed.stored()
    assert staffed.browser().post("/privacy/preferences", data=refused).status_code == 400
    assert staffed.stored() == before


def _draft_tables(changed: set[str]) -> set[str]:
    """Those that hold versions, whatever they are called."""
    return {one for one in changed if "notice" in one or "version" in one or "draft" in one}


@attack("SQ-002")
def test_sql_in_names(case: Case, staffed: Target) -> None:
    """Of query parameters, fields, cookies, JSON keys; and in the choice cookie."""
    draft(staffed)
    browser = signed_in(staffed, "everything")
    before = staffed.stored()
    payloads = [*case.payloads, "' OR '1'='1", "1;DROP TABLE cw_ledger--", "\\", "%' ESCAPE '"]
    for payload in payloads:
        for path in PAGES:
            for value in ("1", payload):
                begun = time.perf_counter()
                quickly(
                    browser.get(path, query_string={payload: value, "sort": payload, "q": payload}), begun
                )
        for body in (
            {payload: "x"},
            {"action": "save", payload: ["x"]},
            {"action": "save", "categories": [payload]},
        ):
            begun = time.perf_counter()
            answer = quickly(browser.post("/privacy/preferences", json=body), begun)
            assert answer.status_code == 400 or body == {"action": "save", payload: ["x"]}
        for name in (
            SECURE_NAME,
            PLAIN_NAME,
            f"{SECURE_NAME}_seen",
            f"{SECURE_NAME}_staff",
            "session",
            payload,
        ):
            for path in ("/", "/privacy/state", "/privacy/vi/", f"{ADMIN}/"):
                begun = time.perf_counter()
                quickly(ask(staffed, f"{name}={payload}", path), begun)
                quickly(ask(staffed, f'{payload}="{payload}"', path), begun)
    after = staffed.stored()
    recorded = ("cw_consent_record", "cw_consent_decision", "cw_consent_wording")
    assert {table: n for table, n in after.items() if not table.startswith("cw_consent")} == {
        table: n for table, n in before.items() if not table.startswith("cw_consent")
    }, recorded


class _Listener:
    """An internal service that nobody may be led to; ``visits`` counts who came."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port: int = self._socket.getsockname()[1]
        self.visits = 0
        self._ended = False
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._ended:
            try:
                visitor, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.visits += 1
            visitor.close()

    def close(self) -> None:
        self._ended = True
        self._thread.join()
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[_Listener]:
    found = _Listener()
    yield found
    found.close()


@attack("SQ-005")
def test_addresses_that_staff_write_are_not_fetched(
    case: Case, make_target: MakeTarget, sqlite_url: str, clock: Clock, listener: _Listener
) -> None:
    """As links, images and bare, in every field, from the draft to the announced version."""
    target = make_newsroom(make_target, sqlite_url, clock=clock)
    urls = [payload.replace("{p}", str(listener.port)) for payload in case.payloads]
    text = "\n\n".join(f"[a]({url})\n\n![b]({url})\n\n<{url}>\n\n{url}" for url in urls)
    fields: dict[str, Any] = {
        f"{name}_{one}": urls[0] for name in ("title", "summary") for one in ("vi", "en")
    }
    version_id = newsroom.publish(target, text=text, **fields)
    browser = signed_in(target, "everything")
    _open_everything(browser, version_id)
    time.sleep(0.2)

    assert listener.visits == 0
    socket.create_connection(("127.0.0.1", listener.port)).close()
    time.sleep(0.2)
    assert listener.visits == 1, "the listener hears nobody"


def _open_everything(browser: FlaskClient, version_id: int) -> None:
    for path in (
        *newsroom.public_pages(2),
        page_of(version_id),
        f"{page_of(version_id)}/preview/vi",
        f"{ADMIN}/",
    ):
        assert browser.get(path).status_code == 200
