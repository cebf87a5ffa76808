"""DS: floods, counts that are away, and texts of a megabyte: each costs whoever sends it, and nobody else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, template_rendered
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from consent_widget.core.notice import MAX_TEXT
from consent_widget.render.markdown import render_notice
from consent_widget.services.decision import announce_draft
from consent_widget.services.draft import load_draft, submit_draft
from consent_widget.services.limits import CHOICES, CHOICES_SPAN, check_choice
from consent_widget.services.tally import Tally
from consent_widget.storage import database as engines
from consent_widget.storage.database import Database
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.newsroom import (
    NEW,
    STAFF,
    draft,
    make_newsroom,
    numbers,
    problems,
    signed_in,
    token_of,
    written,
)
from tests.attacks.staff import DEVICE, browser_at, hire, is_signed_in, sign_in, value_of
from tests.attacks.target import ALL, cookie_of, granted_in
from tests.factories import Clock, counted_statements, read_page
from tests.volume import volume

PREFERENCES, STATE = "/privacy/preferences", "/privacy/state"

PUBLIC = ("/", "/privacy/vi/", "/privacy/en/versions/1", STATE, PREFERENCES)

#: Public addresses: none of a proxy in the house.
FLOODER, NEIGHBOUR = "1.1.1.1", "2606:4700:1:2::3"


def choose(browser: FlaskClient, address: str, **options: Any) -> TestResponse:
    if not options.keys() & {"data", "json"}:
        options["data"] = {"action": "accept_all"}
    return browser.post(PREFERENCES, environ_overrides={"REMOTE_ADDR": address}, **options)


@attack("DS-004")
def test_flood_of_choices(case: Case, make_target: MakeTarget, database_url: str, clock: Clock) -> None:
    """One client sends valid choices without end, each as a new visitor; another visitor decides meanwhile."""
    target = make_target(database_url, clock=clock)
    assert choose(target.browser(), NEIGHBOUR).status_code == 303  # what is written once is written
    size = size_of(target.deployment.database)
    minutes = volume(2, 10)
    flood = volume(150, 12000)
    others = 0
    for minute in range(minutes):
        answers = []
        for number in range(flood):
            answers.append(choose(target.browser(), FLOODER))
            if number % (flood // 10) == 0:
                visitor = target.browser()
                assert choose(visitor, f"2606:4700:{minute:x}:{number:x}::1").status_code == 303
                assert granted_in(visitor.get(STATE)) == ALL
                others += 1
        refused = answers[CHOICES:]

        assert [one.status_code for one in answers[:CHOICES]] == [303] * CHOICES
        assert {one.status_code for one in refused} == {429}
        assert all(1 <= int(one.headers["Retry-After"]) <= 60 for one in refused)
        assert not any(one.headers.getlist("Set-Cookie") for one in refused)
        assert len(target.recorded()) == 1 + (minute + 1) * CHOICES + others
        clock.now += CHOICES_SPAN
    # docs/how-to/behind-a-proxy.md states it: a kilobyte a choice, in whole pages of the file.
    assert size_of(target.deployment.database) - size <= len(target.recorded()) * 1024 + 128 * 1024


def size_of(database: Database) -> int:
    sqlite = database.engine.dialect.name == "sqlite"
    asked = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    with database.reading() as connection:
        return int(
            connection.execute(
                text(asked if sqlite else "SELECT pg_database_size(current_database())")
            ).scalar_one()
        )


@attack("DS-004")
def test_refused_choice_costs_nothing_and_takes_nothing(
    case: Case, make_target: MakeTarget, database_url: str, clock: Clock
) -> None:
    """No statement reaches the database, so nobody waits for it; who is refused keeps what they had."""
    target = make_target(database_url, clock=clock)
    browser = target.browser()
    choose(browser, FLOODER, data={"action": "save", "category": "analytics"})
    had = cookie_of(browser)
    for _ in range(CHOICES - 1):
        choose(target.browser(), FLOODER)

    with counted_statements(target.deployment.database.engine) as statements:
        page = choose(browser, FLOODER, data={"action": "accept_all", "lang": "vi"})
        program = choose(browser, FLOODER, json={"action": "accept_all"})

    assert statements == []
    assert (page.status_code, program.status_code) == (429, 429)
    assert page.headers["Cache-Control"] == program.headers["Cache-Control"] == "no-store"
    assert "Có quá nhiều yêu cầu từ mạng của bạn" in read_page(page).text
    assert (program.json or {})["error"]["code"] == "too_many"
    assert cookie_of(browser) == had
    for _ in range(3 * CHOICES):
        assert browser.get(STATE, environ_overrides={"REMOTE_ADDR": FLOODER}).status_code == 200
    assert granted_in(browser.get(STATE, environ_overrides={"REMOTE_ADDR": FLOODER})) == {"analytics"}
    assert browser.get(PREFERENCES, environ_overrides={"REMOTE_ADDR": FLOODER}).status_code == 200


@attack("DS-004")
def test_networks_are_told_apart(
    case: Case, make_target: MakeTarget, sqlite_url: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A /64 is one customer, whatever it claims to pass on; the company's own proxy is nobody's network."""
    target = make_target(sqlite_url, clock=clock)
    for number in range(CHOICES):
        headers = {"X-Forwarded-For": f"8.8.4.{number}"}
        assert choose(target.browser(), f"2001:4860::{number:x}", headers=headers).status_code == 303

    assert choose(target.browser(), "2001:4860::ffff").status_code == 429
    assert choose(target.browser(), "2001:4860:0:1::1").status_code == 303
    for _ in range(CHOICES + 1):
        assert choose(target.browser(), "127.0.0.1").status_code == 303
    for proxy in ("10.1.2.3", "192.168.0.7", "fd00::1", "::ffff:10.1.2.3", "", "unix:", None):
        tally = Tally()
        for _ in range(CHOICES + 1):
            check_choice(tally, proxy, clock())
    told = [one.getMessage() for one in caplog.records if "behind-a-proxy" in one.getMessage()]
    assert len(told) == 1
    assert "2001" not in caplog.text
    assert "2001:4860" not in target.everything_stored()


@contextmanager
def away(database: Database) -> Iterator[None]:
    """The counts cannot be reached: their table is gone."""
    with database.writing() as connection:
        connection.execute(text("ALTER TABLE cw_count RENAME TO cw_count_away"))
    try:
        yield
    finally:
        with database.writing() as connection:
            connection.execute(text("ALTER TABLE cw_count_away RENAME TO cw_count"))


@contextmanager
def held(database: Database) -> Iterator[None]:
    """Somebody holds the counts and does not let go: who asks waits as long as anybody does."""
    with database.engine.connect() as connection, connection.begin():
        connection.execute(text("LOCK TABLE cw_count IN ACCESS EXCLUSIVE MODE"))
        yield


@attack("DS-006")
@pytest.mark.parametrize(
    # Whoever holds one table of SQLite holds them all (DB-002).
    "kind, store",
    [("down", "sqlite"), ("down", "migrated_postgresql"), ("slow", "migrated_postgresql")],
)
def test_counts_are_away(
    case: Case,
    kind: str,
    store: str,
    make_target: MakeTarget,
    request: pytest.FixtureRequest,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Choices are saved, staff sign in, and whoever guesses passwords is stopped earlier than else."""
    database_url = str(request.getfixturevalue(f"{store}_url"))
    monkeypatch.setattr(engines, "_BUSY_MS", 200)
    target = make_target(database_url, clock=clock, has_accounts=True)
    hire(target)
    owner = browser_at(target)
    assert sign_in(owner).status_code == 303
    device = value_of(owner, DEVICE)  # which is known from here on
    with (away if kind == "down" else held)(target.deployment.database):
        for path in PUBLIC:
            assert target.browser().get(path).status_code == 200, path
        visitor = target.browser()
        assert choose(visitor, FLOODER).status_code == 303
        assert granted_in(visitor.get(STATE)) == ALL
        assert len(target.recorded()) == 1

        began = time.monotonic()
        stranger = browser_at(target, "192.0.2.99")
        guesses = [sign_in(stranger, password=f"wrong {number}") for number in range(8)]
        # A count that is slow is asked once, and then left alone for a while.
        assert kind == "down" or time.monotonic() - began < 8 * 0.2 + 20

        assert [one.status_code for one in guesses] == [400] * 3 + [429] * 5
        assert all(int(one.headers["Retry-After"]) > 0 for one in guesses[3:])
        for _ in range(5):  # right ones are given back
            owner = browser_at(target)
            owner.set_cookie(DEVICE, device)
            assert sign_in(owner).status_code == 303
            assert is_signed_in(owner)
    clock.tick(minutes=1)

    assert sign_in(browser_at(target, "192.0.2.98"), password="wrong").status_code == 400
    assert target.stored()["cw_count"] > 0, "it is counted for all workers again"


#: The kinds of the case, each far from what anybody writes.
LARGE = {
    "a megabyte": "\n\n".join(f"## {one:03} {{#a-{one}}}\n\n{'Ậệểữ ộửẫẩ ' * 386}" for one in range(128)),
    "many headings": "\n\n".join(f"## Heading {one} {{#h-{one}}}" for one in range(5000)),
    "a long table": "| a | b |\n|---|---|\n" + "\n".join(f"| {one} | cell {one} |" for one in range(2000)),
}


@contextmanager
def templates_rendered(app: Flask) -> Iterator[list[str | None]]:
    """The names of the templates that the app fills in within the block."""
    seen: list[str | None] = []

    def note(_app: Flask, template: Any, **_rest: Any) -> None:
        seen.append(template.name)

    with template_rendered.connected_to(note, app):
        yield seen


@attack("DS-010")
@pytest.mark.parametrize("kind", LARGE)
def test_large_notice(case: Case, kind: str, make_target: MakeTarget, sqlite_url: str, clock: Clock) -> None:
    """Published through the staff pages; the first reader has it written, all others get what is kept."""
    words = LARGE[kind]
    assert kind != "a megabyte" or (len(words.encode()) >= 1024 * 1024 and len(words) <= MAX_TEXT)
    target = make_newsroom(make_target, sqlite_url, clock=clock)
    deployment, now = target.deployment, clock()
    version_id = draft(target, text_vi=words, text_en=words)
    submit_draft(
        deployment,
        version_id,
        revision=load_draft(deployment, version_id).revision,
        staff=STAFF["author"],
        now=now,
    )
    announce_draft(deployment, version_id, revision=None, staff=STAFF["approver"], now=now, outright=True)
    assert numbers(target) == [2, 1]

    for path in ("/privacy/vi/", "/privacy/en/", "/privacy/vi/versions/2", "/privacy/vi/versions/2/changes"):
        with templates_rendered(target.app) as first:
            whole = target.browser().get(path)
        assert whole.status_code == 200
        assert len(first) >= 1
        before = render_notice.cache_info()
        with (
            templates_rendered(target.app) as again,
            counted_statements(target.deployment.database.engine) as statements,
        ):
            for _ in range(volume(10, 1000)):
                assert target.browser().get(path).data == whole.data

        assert again == []
        assert statements == []
        assert render_notice.cache_info() == before
        assert target.browser().get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304


@attack("DS-010")
@pytest.mark.parametrize(
    "length, status", [(MAX_TEXT + 1, 400), (2 * 1024 * 1024, 400), (20_000_001, 413)], ids=str
)
def test_notice_over_the_limit(
    case: Case, length: int, status: int, make_target: MakeTarget, sqlite_url: str, clock: Clock
) -> None:
    """Nothing is kept of it, and staff are told why."""
    target = make_newsroom(make_target, sqlite_url, clock=clock)
    browser = signed_in(target, "author")
    token, before = token_of(browser), target.stored()
    fields = written() | {"text_vi": "x" * length, "action": "save", "csrf_token": token, "revision": "0"}

    answer = browser.post(NEW, data=fields)

    assert answer.status_code == status
    assert target.stored() == before
    assert problems(answer) if status == 400 else "<h1>" in answer.text
    assert "Traceback" not in answer.text
