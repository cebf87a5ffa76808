"""The database itself refuses to change, replace or delete an entry."""

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from consent_widget.core.errors import StoreUnavailable
from consent_widget.core.ledger import Entry
from consent_widget.services.setup import upgrade_database
from consent_widget.storage.database import Database, open_engine
from consent_widget.storage.ledger import insert_entry, last_entry, ledger, read_entries
from tests.factories import NOW


def entry(index: int, body: str = "{}") -> Entry:
    return Entry(
        index=index,
        kind="version",
        at=NOW,
        body=body,
        body_sha256="b" * 64,
        root="r" * 64,
        key="k" * 64,
        signature="s" * 128,
        peaks="p" * 64,
    )


def fill(database: Database, size: int = 3) -> list[Entry]:
    entries = [entry(index, f'{{"number":{index}}}') for index in range(size)]
    with database.writing() as connection:
        for one in entries:
            insert_entry(connection, one)
    return entries


def kept(database: Database) -> list[Entry]:
    with database.reading() as connection:
        return read_entries(connection, start=0, stop=100)


def refuses(database: Database, *statements: str) -> None:
    *before, last = statements
    untouched = kept(database)
    with database.engine.connect() as connection:
        for statement in before:
            connection.exec_driver_sql(statement)
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            connection.exec_driver_sql(last)
    assert kept(database) == untouched


CHANGES = [
    "UPDATE cw_ledger SET body = '{}'",
    """UPDATE cw_ledger SET "index" = 9 WHERE "index" = 2""",
    "DELETE FROM cw_ledger",
    'DELETE FROM cw_ledger WHERE "index" = 2',
]
#: A row like an existing one but for its body, as the columns follow each other in the table.
_COPY = (
    "SELECT {index}, kind, at, '{{}}', body_sha256, root, peaks, \"key\", signature "
    'FROM cw_ledger WHERE "index" = 1'
)
SQLITE_CHANGES = [
    "INSERT OR REPLACE INTO cw_ledger " + _COPY.format(index=1),
    "REPLACE INTO cw_ledger " + _COPY.format(index=1),
    "INSERT OR IGNORE INTO cw_ledger " + _COPY.format(index=1),
    "INSERT INTO cw_ledger " + _COPY.format(index=1),
    "INSERT INTO cw_ledger " + _COPY.format(index=7),
    "INSERT INTO cw_ledger " + _COPY.format(index=-1),
    "INSERT INTO cw_ledger " + _COPY.format(index=1) + " ON CONFLICT DO UPDATE SET body = 'x'",
    """UPDATE OR REPLACE cw_ledger SET "index" = 0 WHERE "index" = 2""",
]
POSTGRESQL_CHANGES = [
    "TRUNCATE cw_ledger",
    "INSERT INTO cw_ledger " + _COPY.format(index=1) + " ON CONFLICT (\"index\") DO UPDATE SET body = 'x'",
    """MERGE INTO cw_ledger USING (SELECT 1) AS one ON "index" = 1 WHEN MATCHED THEN DELETE""",
]


def test_entries_come_back_in_order_as_they_were_entered(database: Database) -> None:
    entries = fill(database)

    assert kept(database) == entries
    with database.reading() as connection:
        assert last_entry(connection) == entries[-1]
        assert read_entries(connection, start=1, stop=2) == entries[1:2]


def test_an_empty_ledger_has_no_last_entry(database: Database) -> None:
    with database.reading() as connection:
        assert last_entry(connection) is None


def test_two_entries_with_one_index_are_refused(database: Database) -> None:
    fill(database)

    with pytest.raises(StoreUnavailable), database.writing() as connection:
        insert_entry(connection, entry(2))

    assert len(kept(database)) == 3


@pytest.mark.parametrize("statement", CHANGES)
def test_an_entry_can_be_neither_changed_nor_deleted(database: Database, statement: str) -> None:
    fill(database)

    refuses(database, statement)


@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("statement", SQLITE_CHANGES)
def test_sqlite_does_not_replace_an_entry_either(
    sqlite_database: Database, statement: str, recursive: str
) -> None:
    """With recursive_triggers off REPLACE deletes without a DELETE trigger; a host's engine may have it off."""
    fill(sqlite_database)

    refuses(sqlite_database, f"PRAGMA recursive_triggers={recursive}", statement)


@pytest.mark.postgresql
@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize("statement", [*CHANGES, *POSTGRESQL_CHANGES])
def test_postgresql_refuses_in_each_role(postgresql_url: str, statement: str, role: str) -> None:
    """An ordinary trigger sleeps while rows are loaded as a replica."""
    database = Database(open_engine(postgresql_url))
    upgrade_database(database)
    fill(database)

    refuses(database, f"SET LOCAL session_replication_role = {role}", statement)
    database.engine.dispose()


def test_a_migration_that_rebuilds_the_table_does_not_lose_the_guards(sqlite_database: Database) -> None:
    """Alembic's batch mode copies the rows into a new table and drops the old one, triggers and all."""
    fill(sqlite_database)
    with sqlite_database.writing() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("cw_ledger") as batch:
            batch.alter_column("kind", type_=sa.String(32))
        assert triggers(connection) == set()
        connection.exec_driver_sql('DELETE FROM cw_ledger WHERE "index" = 2')

    upgrade_database(sqlite_database)

    with sqlite_database.reading() as connection:
        assert triggers(connection) == {"cw_ledger_no_delete", "cw_ledger_no_replace", "cw_ledger_no_update"}
    assert len(kept(sqlite_database)) == 2
    refuses(sqlite_database, "DELETE FROM cw_ledger")


def triggers(connection: sa.Connection) -> set[str]:
    found = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'cw_ledger'"
    return set(connection.exec_driver_sql(found).scalars())


def test_a_trigger_that_was_taken_away_comes_back_with_the_next_upgrade(database: Database) -> None:
    fill(database)
    with database.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TRIGGER cw_ledger_no_update")
        else:
            connection.exec_driver_sql("ALTER TABLE cw_ledger DISABLE TRIGGER cw_ledger_append_only")
        connection.execute(sa.update(ledger).values(root="0" * 64))

    upgrade_database(database)

    refuses(database, "UPDATE cw_ledger SET body = '{}'")
