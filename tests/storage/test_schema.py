"""Migrations give exactly the tables the queries know, on every database, and touch nothing else."""

import ast
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations

from consent_widget.core.errors import SchemaError, StoreUnavailable
from consent_widget.services.setup import check_schema, upgrade_database
from consent_widget.storage import consent, keys, notice, schema
from consent_widget.storage.database import Database, metadata, open_engine
from tests.factories import NOW

TABLES = {
    "cw_alembic_version",
    "cw_bounce",
    "cw_campaign",
    "cw_consent_decision",
    "cw_consent_record",
    "cw_consent_wording",
    "cw_count",
    "cw_delivery",
    "cw_job",
    "cw_key",
    "cw_ledger",
    "cw_staff_account",
    "cw_staff_known",
    "cw_staff_session",
    "cw_notice_text",
    "cw_mail_domain",
    "cw_notice_version",
    "cw_subscription",
    "cw_subscription_link",
    "cw_suppression",
}


def tables(database: Database) -> set[str]:
    return set(sa.inspect(database.engine).get_table_names())


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_a_new_sqlite_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Addresses stand in it, and other users of the machine are no readers of it."""
    file = tmp_path / "instance" / "data" / "site.db"
    made = Database(open_engine(f"sqlite:///{file}"))

    upgrade_database(made)

    with made.writing() as connection:
        connection.execute(sa.text("DELETE FROM cw_job"))
        files = sorted(file.parent.iterdir())
        assert [one.suffix for one in files] == [".db", ".db-shm", ".db-wal"]
        assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}
    for folder in (file.parent, file.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.usefixtures("usual_umask")
def test_a_sqlite_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "site.db"
    file.touch(mode=0o640)
    folder = tmp_path.stat().st_mode

    upgrade_database(Database(open_engine(f"sqlite:///{file}")))

    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert tmp_path.stat().st_mode == folder


def test_migrations_give_exactly_what_the_queries_know(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: kind != "table" or name != schema.VERSION_TABLE,
            },
        )

        differences = compare_metadata(context, metadata)

    assert differences == []


def test_all_our_tables_carry_our_prefix(database: Database) -> None:
    assert tables(database) == TABLES


def test_constraints_and_indexes_have_the_names_of_the_convention(database: Database) -> None:
    inspector = sa.inspect(database.engine)
    for table in metadata.sorted_tables:
        # SQLite counts on only where the key stands beside its column, which leaves it without a name.
        counts_on = (
            database.engine.dialect.name == "sqlite" and table.dialect_options["sqlite"]["autoincrement"]
        )
        assert inspector.get_pk_constraint(table.name)["name"] == (None if counts_on else f"pk_{table.name}")
        named = {key["name"] for key in inspector.get_foreign_keys(table.name)}
        assert named == {key.name for key in table.foreign_key_constraints}
        indexes = {
            one["name"] for one in inspector.get_indexes(table.name) if not one.get("duplicates_constraint")
        }
        assert indexes == {one.name for one in table.indexes}
    assert {one["name"] for one in inspector.get_check_constraints("cw_notice_version")} == {
        "ck_cw_notice_version_announced_is_complete"
    }


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    with database.writing() as connection:
        keys.remember_keys(connection, ["f" * 16], now=NOW)

    assert upgrade_database(database) == schema.newest()

    assert tables(database) == TABLES
    with database.reading() as connection:
        assert keys.known_keys(connection) == {"f" * 16}
        assert schema.current(connection) == schema.newest()


def test_a_hosts_own_migrations_in_the_same_database_are_left_alone(database_url: str) -> None:
    database = Database(open_engine(database_url))
    with database.engine.begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        operations.create_table("alembic_version", sa.Column("version_num", sa.String(32), primary_key=True))
        operations.create_table("shop_order", sa.Column("id", sa.Integer, primary_key=True))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('abc123')"))

    upgrade_database(database)

    assert tables(database) == TABLES | {"alembic_version", "shop_order"}
    with database.reading() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == [
            "abc123"
        ]
        assert schema.current(connection) == schema.newest()
    database.engine.dispose()


def test_an_empty_database_is_refused_with_the_cure(database_url: str) -> None:
    database = Database(open_engine(database_url))

    with pytest.raises(SchemaError, match=r"has no tables yet\. Run `flask consent upgrade`\."):
        check_schema(database)

    assert tables(database) == set()
    database.engine.dispose()


def test_a_schema_of_another_release_is_refused_with_both_numbers(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE cw_alembic_version SET version_num = '9999'"))

    with pytest.raises(SchemaError, match=rf"is at schema 9999, this release needs {schema.newest()}"):
        check_schema(database)


def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    database = Database(open_engine(f"sqlite:///{tmp_path / 'instance' / 'deep' / 'consent.sqlite'}"))

    upgrade_database(database)

    check_schema(database)
    database.engine.dispose()


def test_sqlite_in_memory_is_upgraded_and_stays() -> None:
    database = Database(open_engine("sqlite://"))

    upgrade_database(database)

    check_schema(database)
    database.engine.dispose()


def test_a_database_that_cannot_be_opened_is_one_error(tmp_path: Path) -> None:
    folder = tmp_path / "consent.sqlite"
    folder.mkdir()
    database = Database(open_engine(f"sqlite:///{folder}"))

    with pytest.raises(StoreUnavailable):
        check_schema(database)
    with pytest.raises(StoreUnavailable):
        upgrade_database(database)


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    database = Database(open_engine(f"sqlite:///{tmp_path / 'file' / 'consent.sqlite'}"))

    with pytest.raises(StoreUnavailable, match="folder"):
        upgrade_database(database)

    assert (tmp_path / "file").read_text() == "not a folder"


def test_asking_for_the_schema_makes_no_file(sqlite_url: str, tmp_path: Path) -> None:
    database = Database(open_engine(sqlite_url))

    with pytest.raises(SchemaError):
        check_schema(database)

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_one_error_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "consent.sqlite"
    path.write_bytes(b"This is a letter, not a database. " * 100)
    database = Database(open_engine(f"sqlite:///{path}"))

    with pytest.raises(StoreUnavailable):
        upgrade_database(database)

    assert path.read_bytes() == b"This is a letter, not a database. " * 100
    database.engine.dispose()


def test_our_own_names_are_used_for_every_table() -> None:
    """A module of tables that is not named in migrations/env.py would not be migrated."""
    source = Path(schema.__file__).with_name("migrations") / "env.py"
    imported = {
        alias.name
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "consent_widget.storage"
        for alias in node.names
    }
    defining = {
        path.stem
        for path in Path(schema.__file__).parent.glob("*.py")
        if "metadata,\n" in path.read_text() and path.stem != "database"
    }

    assert imported == defining == {
        "account", "campaign", "consent", "count", "delivery", "keys", "ledger", "notice", "subscription",
    }  # fmt: skip
    assert {consent.records.metadata, keys.keys.metadata, notice.versions.metadata} == {metadata}
