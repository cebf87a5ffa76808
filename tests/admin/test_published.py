"""The versions that the public reads are those of the ledger, whoever has the database open."""

import json
import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from consent_widget.core.ledger_check import Problem
from consent_widget.core.notice import content_hash
from consent_widget.services.decision import announce_draft, withdraw_version
from consent_widget.services.deployment import Deployment
from consent_widget.services.ledger import verify
from tests.admin.newsroom import STAFF, Newsroom
from tests.factories import NOW

FORGED = "# Forged\n"


@pytest.fixture
def office(stored_newsroom: Newsroom) -> Newsroom:
    """Version 1 was announced before there was a log, 2 is in it, 3 was withdrawn; 4 is a draft."""
    stored_newsroom.announced(effective_at=NOW + timedelta(days=40))
    stored_newsroom.clock.tick(days=50)
    third = stored_newsroom.announced(effective_at=NOW + timedelta(days=99))
    withdraw_version(
        stored_newsroom.deployment,
        third.id,
        revision=third.revision,
        reason="Too early",
        staff=STAFF["oanh"],
        now=stored_newsroom.clock(),
    )
    stored_newsroom.write()
    return stored_newsroom


def found(here: Deployment) -> Problem | None:
    return verify(here, [key.public for key in here.log_keys]).problem


def alter(newsroom: Newsroom, *statements: str, **values: object) -> None:
    """What somebody can do who owns the database."""
    with newsroom.deployment.database.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for name in connection.exec_driver_sql(names).scalars().all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            for table in ("cw_notice_version", "cw_notice_text"):
                connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for statement in statements:
            connection.execute(sa.text(statement), values)


def text(change: str, language: str = "vi", number: int = 2) -> str:
    of = f"SELECT id FROM cw_notice_version WHERE number = {number}"
    return f"UPDATE cw_notice_text SET {change} WHERE language = '{language}' AND version_id = ({of})"


def version(change: str, number: int = 2) -> str:
    return f"UPDATE cw_notice_version SET {change} WHERE number = {number}"


def test_what_nobody_altered_is_good_and_what_the_log_does_not_hold_is_noted(office: Newsroom) -> None:
    here = office.deployment
    report = verify(here, [key.public for key in here.log_keys])

    assert report.problem is None
    assert report.notes == ("version 1 is not in the log and was not compared",)


def test_a_text_with_its_hash_is_named(office: Newsroom) -> None:
    alter(office, text("markdown = :text, content_hash = :hash"), text=FORGED, hash=content_hash(FORGED))

    problem = found(office.deployment)

    assert problem is not None
    assert (problem.code, problem.version) == ("version", 2)
    assert problem.message == "not what was entered: text (vi), content hash (vi)"
    assert office.app.test_client().get("/privacy/vi/versions/2.md").text == FORGED
    assert problem.entry is not None


@pytest.mark.parametrize(
    "statement, named",
    [
        (text("markdown = 'x'", "en"), "text (en)"),
        (text("title = 'x'"), "title (vi)"),
        (text("summary = 'x'"), "summary (vi)"),
        (text("content_hash = 'x'"), "content hash (vi)"),
        (text("source_hash = 'x'", "en"), "source of the translation"),
        (text("source_hash = 'x'", "vi"), "source of the translation"),
        (text("language = 'fr'", "en"), "title (en), title (fr)"),
        (version("effective_at = '2026-12-24 00:00:00.000000'"), "effective date"),
        (version("announced_at = '2026-11-01 00:00:00.000000'"), "time of the announcement"),
        (version("change_class = 'material'"), "class"),
        (version("ask_again = '[\"analytics\"]'"), "what is asked again"),
        (version("new_kinds = '[\"data\"]'"), "what is new"),
        (version("reason = 'because'"), "reason"),
        (version("overrides = '[\"too_early\"]'"), "what the reason overrides"),
        (version("state = 'withdrawn'"), "state"),
        (version("state = 'draft'"), "state"),
        (version("withdrawn_at = '2026-12-24 00:00:00.000000'"), "time of the withdrawal"),
        (version("state = 'announced'", 3), "state"),
        (version("withdrawn_at = NULL", 3), "time of the withdrawal"),
        (version("withdrawal_reason = 'x'", 3), "reason of the withdrawal"),
    ],
)
def test_whatever_the_public_reads_is_compared(office: Newsroom, statement: str, named: str) -> None:
    alter(office, statement)

    problem = found(office.deployment)

    assert problem is not None
    assert (problem.code, problem.version) == ("version", 3 if statement.endswith("3") else 2)
    assert named in problem.message


@pytest.mark.parametrize(
    "statement, number, told",
    [
        (version("number = 9"), 2, "it is gone from the database"),
        (version("number = NULL, state = 'draft'", 3), 3, "it is gone from the database"),
        (version("number = 0", 1), 0, "it stands in the database and was never announced"),
    ],
)
def test_a_version_that_moved_is_named(office: Newsroom, statement: str, number: int, told: str) -> None:
    alter(office, statement)

    problem = found(office.deployment)

    assert problem is not None
    assert (problem.version, problem.message) == (number, told)


def test_a_version_that_nobody_announced_is_named(office: Newsroom) -> None:
    draft = office.write()
    columns = "number = 4, state = 'announced', effective_at = created_at, announced_at = created_at"
    alter(office, f"UPDATE cw_notice_version SET {columns} WHERE id = {draft.id}")

    problem = found(office.deployment)

    assert problem is not None
    assert (problem.version, problem.entry) == (4, None)
    assert problem.message == "it stands in the database and was never announced"


@pytest.mark.parametrize("change", ["ask_again = '['", "effective_at = 'soon'", "effective_at = 7"])
def test_what_cannot_be_read_is_a_finding_and_no_traceback(newsroom: Newsroom, change: str) -> None:
    newsroom.announced()
    alter(newsroom, version(change))

    problem = found(newsroom.deployment)

    assert problem is not None
    assert (problem.version, problem.message) == (2, "it cannot be read")


def test_the_commands_say_which_version_it_is(office: Newsroom) -> None:
    alter(office, text("markdown = :text, content_hash = :hash"), text=FORGED, hash=content_hash(FORGED))
    runner = office.app.test_cli_runner()

    told = runner.invoke(args=["consent", "verify"])
    shown = runner.invoke(args=["consent", "verify", "--json"])
    checked = runner.invoke(args=["consent", "check"])

    assert told.exit_code == shown.exit_code == checked.exit_code == 1
    expected = r"version 2 and entry \d+ of the log: not what was entered: text \(vi\), content hash \(vi\)\."
    for output in (told.output, checked.output):
        assert re.search(expected, output), output
    assert json.loads(shown.output)["problem"]["version"] == 2


def test_the_commands_note_what_was_not_compared(newsroom: Newsroom) -> None:
    runner = newsroom.app.test_cli_runner()

    told = runner.invoke(args=["consent", "verify"])
    shown = json.loads(runner.invoke(args=["consent", "verify", "--json"]).output)

    assert told.exit_code == 0
    assert told.output == "ok: 0 entries.\nnote: version 1 is not in the log and was not compared.\n"
    assert shown["notes"] == ["version 1 is not in the log and was not compared"]
    assert runner.invoke(args=["consent", "check"]).exit_code == 0


def test_an_announcement_with_an_offset_and_parts_of_a_second_is_good(stored_newsroom: Newsroom) -> None:

    when = (NOW + timedelta(days=40, microseconds=123456)).astimezone(ZoneInfo("Asia/Ho_Chi_Minh"))
    draft = stored_newsroom.approved()
    stored_newsroom.clock.tick(microseconds=987654)
    announce_draft(
        stored_newsroom.deployment,
        draft.id,
        revision=None,
        staff=STAFF["oanh"],
        now=stored_newsroom.clock(),
        effective_at=when,
    )

    assert found(stored_newsroom.deployment) is None
