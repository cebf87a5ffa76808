"""The schedule at hand: a page view asks no database, and no version comes late."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

import pytest
import sqlalchemy as sa

from consent_widget.core.errors import StoreUnavailable
from consent_widget.services.schedule import ScheduleCache
from consent_widget.storage.database import Database
from tests.factories import NOW, announce, counted_statements

SECOND = timedelta(seconds=1)

Failures = list[StoreUnavailable]


@pytest.fixture
def failures() -> Failures:
    return []


@pytest.fixture
def cache(sqlite_database: Database, failures: Failures) -> ScheduleCache:
    return ScheduleCache(sqlite_database, seconds=30, failed=failures.append)


@contextmanager
def out_of_reach(database: Database) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("connection refused"))

    sa.event.listen(database.engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", refuse)


def numbers(cache: ScheduleCache, *, seconds: float = 0) -> list[int]:
    return [one.number for one in cache.at(NOW + seconds * SECOND).versions]


def test_it_is_read_once_within_thirty_seconds(sqlite_database: Database, cache: ScheduleCache) -> None:
    announce(sqlite_database, 1)

    with counted_statements(sqlite_database.engine) as statements:
        for second in (0, 1, 15, 29.9):
            assert numbers(cache, seconds=second) == [1]

    assert len([one for one in statements if "SELECT" in one]) == 1


def test_a_new_version_is_seen_after_thirty_seconds(sqlite_database: Database, cache: ScheduleCache) -> None:
    announce(sqlite_database, 1)
    numbers(cache)
    announce(sqlite_database, 2)

    assert numbers(cache, seconds=29.9) == [1]
    assert numbers(cache, seconds=30) == [1, 2]


def test_it_is_read_again_at_each_known_effective_instant(
    sqlite_database: Database, cache: ScheduleCache
) -> None:
    announce(sqlite_database, 1)
    announce(sqlite_database, 2, effective_at=NOW + 10 * SECOND)
    numbers(cache)
    announce(sqlite_database, 3, effective_at=NOW + 12 * SECOND)

    with counted_statements(sqlite_database.engine) as statements:
        assert numbers(cache, seconds=9.9) == [1, 2]
        assert statements == []
        assert numbers(cache, seconds=10) == [1, 2, 3]
        assert numbers(cache, seconds=11.9) == [1, 2, 3]
        assert len([one for one in statements if "SELECT" in one]) == 1
        assert numbers(cache, seconds=12) == [1, 2, 3]
        assert len([one for one in statements if "SELECT" in one]) == 2


def test_a_version_takes_over_at_its_instant_without_any_query(
    sqlite_database: Database, cache: ScheduleCache
) -> None:
    announce(sqlite_database, 1, effective_at=NOW - SECOND)
    announce(sqlite_database, 2, effective_at=NOW + 5 * SECOND)
    known = cache.at(NOW)

    found = known.in_force(NOW + 5 * SECOND)

    assert found is not None
    assert found.number == 2


def test_whoever_changed_it_reads_it_again_at_once(sqlite_database: Database, cache: ScheduleCache) -> None:
    numbers(cache)
    announce(sqlite_database, 1)

    cache.forget()

    assert numbers(cache) == [1]


def test_a_clock_that_was_set_back_does_not_freeze_it(
    sqlite_database: Database, cache: ScheduleCache
) -> None:
    numbers(cache)
    announce(sqlite_database, 1)

    assert numbers(cache, seconds=-3600) == [1]


def test_the_last_known_schedule_stands_while_the_database_is_down(
    sqlite_database: Database, cache: ScheduleCache, failures: Failures
) -> None:
    announce(sqlite_database, 1)
    numbers(cache)

    with out_of_reach(sqlite_database):
        assert numbers(cache, seconds=30) == [1]
        assert numbers(cache, seconds=31) == [1]

    assert len(failures) == 1
    announce(sqlite_database, 2)
    assert numbers(cache, seconds=60) == [1, 2]


def test_a_database_that_is_down_from_the_start_is_tried_again(
    sqlite_database: Database, cache: ScheduleCache, failures: Failures
) -> None:
    announce(sqlite_database, 1)

    with out_of_reach(sqlite_database):
        assert numbers(cache) == []

    assert len(failures) == 1
    assert numbers(cache, seconds=30) == [1]


def test_while_one_thread_reads_the_others_go_on_with_what_they_have(
    sqlite_database: Database, cache: ScheduleCache
) -> None:
    announce(sqlite_database, 1)
    numbers(cache)
    announce(sqlite_database, 2)
    reading, go_on = Event(), Event()

    def wait(*_: object) -> None:
        reading.set()
        go_on.wait(5)

    sa.event.listen(sqlite_database.engine, "before_cursor_execute", wait)
    slow: list[list[int]] = []
    thread = Thread(target=lambda: slow.append(numbers(cache, seconds=30)))
    thread.start()
    assert reading.wait(5)

    assert numbers(cache, seconds=30) == [1]

    go_on.set()
    thread.join()
    assert slow == [[1, 2]]


def test_the_first_readers_wait_for_the_first_reading(
    sqlite_database: Database, cache: ScheduleCache
) -> None:
    """Nobody is told that there is no notice only because another thread reads it just now."""
    announce(sqlite_database, 1)
    seen: list[list[int]] = []
    read: Callable[[], None] = lambda: seen.append(numbers(cache))  # noqa: E731

    threads = [Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [[1]] * 8
