"""One answer when the store is down, whole transactions, times that keep their zone."""

from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from consent_widget.core.errors import StoreUnavailable
from consent_widget.storage.database import Database, UtcDateTime, open_engine
from consent_widget.storage.keys import known_keys, remember_keys
from tests.factories import NOW

HANOI = timezone(timedelta(hours=7))


def test_a_block_that_raises_leaves_nothing_behind(database: Database) -> None:
    def fail_midway() -> None:
        with database.writing() as connection:
            remember_keys(connection, ["a" * 16], now=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_midway()

    with database.reading() as connection:
        assert known_keys(connection) == frozenset()


def test_a_statement_that_fails_is_one_error_without_its_values(database: Database) -> None:
    def fail_midway() -> None:
        with database.writing() as connection:
            remember_keys(connection, ["a" * 16], now=NOW)
            connection.execute(sa.text("INSERT INTO cw_nowhere VALUES ('secret value')"))

    with pytest.raises(StoreUnavailable) as failed:
        fail_midway()

    assert "secret value" not in str(failed.value)
    with database.reading() as connection:
        assert known_keys(connection) == frozenset()


def test_a_commit_is_seen_by_the_next_reader(database: Database) -> None:
    with database.writing() as connection:
        remember_keys(connection, ["a" * 16, "b" * 16, "a" * 16], now=NOW)

    with database.reading() as connection:
        assert known_keys(connection) == {"a" * 16, "b" * 16}


def test_keys_seen_before_keep_their_time(database: Database) -> None:
    for days in (0, 1):
        with database.writing() as connection:
            remember_keys(connection, ["a" * 16], now=NOW + timedelta(days=days))

    with database.reading() as connection:
        times = connection.execute(
            sa.text("SELECT count(*), count(DISTINCT first_seen_at) FROM cw_key")
        ).one()
    assert tuple(times) == (1, 1)


@pytest.mark.parametrize(
    "when",
    [NOW, NOW.astimezone(HANOI), NOW + timedelta(microseconds=123456)],
    ids=["utc", "hanoi", "precise"],
)
def test_a_time_comes_back_as_the_same_instant_in_utc(database: Database, when: datetime) -> None:
    table = sa.Table("moment", sa.MetaData(), sa.Column("at", UtcDateTime))
    with database.engine.begin() as connection:
        table.create(connection)
        connection.execute(sa.insert(table).values(at=when))

        found = connection.execute(sa.select(table.c.at)).scalar_one()

    assert found == when
    assert found.utcoffset() == timedelta(0)


def test_a_time_without_zone_is_refused(database: Database) -> None:
    with pytest.raises(StoreUnavailable), database.writing() as connection:
        remember_keys(connection, ["a" * 16], now=NOW.replace(tzinfo=None))

    with database.reading() as connection:
        assert known_keys(connection) == frozenset()


def test_sqlite_survives_a_power_cut_and_lets_readers_in(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers", "busy_timeout")
        }
    engine.dispose()

    full = 2
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "busy_timeout": 5000,
    }


def test_a_reader_goes_on_while_a_writer_holds_the_lock(database: Database) -> None:
    with database.writing() as writer, database.reading() as reader:
        remember_keys(writer, ["a" * 16], now=NOW)

        assert known_keys(reader) == frozenset()


@pytest.mark.postgresql
def test_a_plain_postgresql_url_finds_the_installed_driver() -> None:
    engine = open_engine("postgresql://user@localhost/consent")

    assert engine.url.drivername == "postgresql+psycopg"
