"""What was announced stays as it was, whoever has the database open; nobody approves their own text."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from sqlite3 import IntegrityError, OperationalError
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from consent_widget.core.draft import draft_of
from consent_widget.core.errors import StoreUnavailable
from consent_widget.core.workflow import State
from consent_widget.services.setup import upgrade_database
from consent_widget.storage import notice
from consent_widget.storage.database import Database, open_engine
from consent_widget.storage.draft import insert_draft
from tests.factories import NOW, announce, edition, store_edition

#: Version 2 is announced; version 3 is a draft.
PUBLIC, DRAFT = 1, 2


@pytest.fixture
def stocked(database: Database) -> Database:
    announce(database, 2, effective_at=NOW + timedelta(days=40))
    with database.writing() as connection:
        store_edition(connection, edition("A draft"))
    return database


def content(database: Database) -> list[tuple[Any, ...]]:
    with database.reading() as connection:
        return [
            tuple(row)
            for table in (notice.versions, notice.texts)
            for row in connection.execute(sa.select(table).order_by(*table.primary_key))
        ]


def refused(database: Database, *statements: str) -> None:
    """Each statement is refused, and afterwards everything is as it was."""
    before = content(database)
    for statement in statements:
        with pytest.raises(StoreUnavailable), database.writing() as connection:
            connection.execute(sa.text(statement))
        assert content(database) == before


@pytest.mark.parametrize(
    "column, value",
    [
        ("number", "9"),
        ("id", "99"),
        ("change_class", "'editorial'"),
        ("ask_again", "'[\"analytics\"]'"),
        ("effective_at", "'2020-01-01 00:00:00'"),
        ("announced_at", "NULL"),
        ("created_at", "'2020-01-01 00:00:00'"),
        ("state", "'draft'"),
        ("revision", "9"),
        ("edited_by", "'somebody'"),
        ("approved_by", "'somebody'"),
        ("approved_hash", "'x'"),
        ("reason", "'because'"),
        ("overrides", "'[\"too_early\"]'"),
        ("comment", "'because'"),
        ("new_kinds", "'[\"data\"]'"),
    ],
)
def test_no_column_of_an_announced_version_changes(stocked: Database, column: str, value: str) -> None:
    refused(stocked, f"UPDATE cw_notice_version SET {column} = {value} WHERE id = {PUBLIC}")


@pytest.mark.parametrize(
    "column", ["title", "summary", "markdown", "content_hash", "source_hash", "language"]
)
def test_no_word_of_an_announced_text_changes(stocked: Database, column: str) -> None:
    refused(
        stocked, f"UPDATE cw_notice_text SET {column} = 'x' WHERE version_id = {PUBLIC} AND language = 'vi'"
    )


def test_nothing_announced_is_deleted_or_added_to(stocked: Database) -> None:
    refused(
        stocked,
        f"DELETE FROM cw_notice_text WHERE version_id = {PUBLIC}",
        f"DELETE FROM cw_notice_version WHERE id = {PUBLIC}",
        "INSERT INTO cw_notice_text (version_id, language, title, summary, markdown, content_hash)"
        f" VALUES ({PUBLIC}, 'fr', 't', 's', 'm', 'h')",
        f"UPDATE cw_notice_text SET version_id = {PUBLIC}, language = 'de'"
        f" WHERE version_id = {DRAFT} AND language = 'vi'",
    )


def test_a_draft_takes_no_number_that_was_given(stocked: Database) -> None:
    refused(stocked, f"UPDATE cw_notice_version SET number = 2 WHERE id = {DRAFT}")


def test_drafts_are_free(stocked: Database) -> None:
    with stocked.writing() as connection:
        connection.execute(sa.text(f"UPDATE cw_notice_text SET title = 'x' WHERE version_id = {DRAFT}"))
        connection.execute(sa.text(f"UPDATE cw_notice_version SET comment = 'x' WHERE id = {DRAFT}"))
        connection.execute(sa.text(f"DELETE FROM cw_notice_text WHERE version_id = {DRAFT}"))
        connection.execute(sa.text(f"DELETE FROM cw_notice_version WHERE id = {DRAFT}"))


def test_a_withdrawal_changes_what_it_tells_and_nothing_else(stocked: Database) -> None:
    tells = "state = 'withdrawn', withdrawn_by = 'b', withdrawn_at = announced_at, withdrawal_reason = 'r'"
    refused(
        stocked,
        f"UPDATE cw_notice_version SET {tells}, effective_at = created_at WHERE id = {PUBLIC}",
        f"UPDATE cw_notice_version SET state = 'withdrawn' WHERE id = {PUBLIC}",
        f"UPDATE cw_notice_version SET {tells.replace('announced_at', 'effective_at')} WHERE id = {PUBLIC}",
    )

    with stocked.writing() as connection:
        connection.execute(sa.text(f"UPDATE cw_notice_version SET {tells} WHERE id = {PUBLIC}"))

    refused(
        stocked,
        f"UPDATE cw_notice_version SET state = 'announced' WHERE id = {PUBLIC}",
        f"UPDATE cw_notice_version SET withdrawal_reason = 'other' WHERE id = {PUBLIC}",
        f"UPDATE cw_notice_text SET title = 'x' WHERE version_id = {PUBLIC}",
        f"DELETE FROM cw_notice_version WHERE id = {PUBLIC}",
    )


@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_sqlite_replace_gets_past_no_trigger(sqlite_database: Database, recursive: str) -> None:
    """Without recursive_triggers a REPLACE deletes silently; other programs do not set it."""
    announce(sqlite_database, 2)
    before = content(sqlite_database)
    version = "cw_notice_version (id, number, state, change_class, ask_again, created_at)"
    text = "cw_notice_text (version_id, language, title, summary, markdown, content_hash)"
    statements = [
        f"INSERT OR REPLACE INTO {version} VALUES ({PUBLIC}, NULL, 'draft', 'material', '[]', '2026-01-01')",
        f"REPLACE INTO {version} VALUES (50, 2, 'draft', 'material', '[]', '2026-01-01')",
        f"REPLACE INTO {text} VALUES ({PUBLIC}, 'vi', 't', 's', 'm', 'h')",
        f"UPDATE OR REPLACE cw_notice_version SET number = 3 WHERE id = {PUBLIC}",
    ]

    with closing(sqlite_database.engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA recursive_triggers={recursive}")
        for statement in statements:
            with pytest.raises(IntegrityError, match="frozen"):
                cursor.execute(statement)

    assert content(sqlite_database) == before


@pytest.mark.postgresql
def test_postgresql_truncates_nothing_and_loads_nothing_past_the_triggers(postgresql_url: str) -> None:
    database = Database(open_engine(postgresql_url))
    upgrade_database(database)
    announce(database, 2)

    refused(
        database,
        "TRUNCATE cw_notice_text",
        "TRUNCATE cw_notice_version CASCADE",
        "INSERT INTO cw_notice_text (version_id, language, title, summary, markdown, content_hash)"
        f" VALUES ({PUBLIC}, 'vi', 't', 's', 'm', 'h')"
        " ON CONFLICT (version_id, language) DO UPDATE SET title = 'x'",
    )
    before = content(database)
    with database.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        with pytest.raises(sa.exc.DBAPIError, match="frozen"):
            connection.execute(sa.text("DELETE FROM cw_notice_text"))
        connection.rollback()
    assert content(database) == before
    database.engine.dispose()


def test_sqlite_has_no_second_key_to_replace_a_text_by(sqlite_database: Database) -> None:
    announce(sqlite_database, 2)
    with sqlite_database.writing() as connection:
        store_edition(connection, edition("A draft"))
    before = content(sqlite_database)

    with closing(sqlite_database.engine.raw_connection()) as connection:
        cursor = connection.cursor()
        for statement in (
            f"UPDATE OR REPLACE cw_notice_text SET rowid = 1 WHERE version_id = {DRAFT}",
            f"INSERT OR REPLACE INTO cw_notice_text (rowid, version_id) VALUES (1, {DRAFT})",
        ):
            with pytest.raises(OperationalError, match="rowid"):
                cursor.execute(statement)

    assert content(sqlite_database) == before


def test_the_id_of_a_draft_that_is_gone_is_given_to_no_other(database: Database) -> None:
    """Links and forms of the old one must not lead to the new one."""
    with database.writing() as connection:
        first = store_edition(connection, edition("One"))
    with database.writing() as connection:
        notice.delete_draft(connection, first)

    with database.writing() as connection:
        assert store_edition(connection, edition("Two")) > first


# Four eyes


@pytest.mark.parametrize("state", [State.APPROVED, State.ANNOUNCED])
@pytest.mark.parametrize(
    "approval",
    [
        pytest.param({"approved_by": "author", "approved_hash": "h"}, id="by the editor"),
        pytest.param({"approved_by": None, "approved_hash": "h"}, id="by nobody"),
        pytest.param({"approved_by": "approver", "approved_hash": None}, id="of no text"),
    ],
)
def test_the_database_itself_wants_a_second_person(
    database: Database, state: State, approval: dict[str, Any]
) -> None:
    draft = replace(
        draft_of(edition(), editor="author", now=NOW),
        state=state,
        number=2 if state is State.ANNOUNCED else None,
        effective_at=NOW,
        announced_at=NOW,
        **approval,
    )

    with pytest.raises(StoreUnavailable), database.writing() as connection:
        insert_draft(connection, draft)

    assert content(database) == []


def test_an_approved_text_cannot_be_passed_to_its_approver(database: Database) -> None:
    """Changing the editor afterwards would make one person of two."""
    draft = replace(
        draft_of(edition(), editor="author", now=NOW),
        state=State.APPROVED,
        approved_by="approver",
        approved_hash="h",
    )
    with database.writing() as connection:
        insert_draft(connection, draft)

    refused(database, "UPDATE cw_notice_version SET edited_by = 'approver'")


# Migrations


def test_a_migration_that_copies_the_table_leaves_the_triggers_in_place(sqlite_database: Database) -> None:
    """Alembic's batch mode drops them without a word; the upgrade sets them anew."""
    announce(sqlite_database, 2)
    with sqlite_database.engine.connect() as connection:
        connection.exec_driver_sql("DROP TRIGGER cw_frozen_text_update")
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("cw_notice_text", recreate="always") as batch:
            batch.add_column(sa.Column("more", sa.Text))
        connection.commit()
        triggers = sa.text(
            "SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'cw_notice_text'"
        )
        assert connection.execute(triggers).scalar_one() == 0

    upgrade_database(sqlite_database)

    refused(sqlite_database, "UPDATE cw_notice_text SET title = 'x'")


def test_a_migration_that_would_change_an_announced_text_fails(database: Database) -> None:
    announce(database, 2)
    before = content(database)

    with database.engine.begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with pytest.raises(sa.exc.DBAPIError, match="frozen"):
            operations.execute("UPDATE cw_notice_text SET markdown = UPPER(markdown)")
        connection.rollback()

    assert content(database) == before
