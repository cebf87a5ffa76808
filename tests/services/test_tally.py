"""Counts in memory: windows that end, clocks that jump, and room that is bounded."""

from datetime import timedelta
from threading import Thread

from limits import RateLimitItemPerHour

from consent_widget.core.errors import StoreUnavailable
from consent_widget.services.limits import DatabaseStorage
from consent_widget.services.tally import _MOST, SteadyLimiter, Tally
from consent_widget.storage.database import Database
from tests.factories import Clock

MINUTE = timedelta(minutes=1)


def test_window_ends_by_itself(clock: Clock) -> None:
    tally = Tally()

    assert [tally.add("one", span=MINUTE, now=clock()) for _ in range(3)] == [1, 2, 3]
    assert tally.add("other", span=MINUTE, now=clock()) == 1
    clock.tick(seconds=59)
    assert tally.add("one", span=MINUTE, now=clock()) == 4
    clock.tick(seconds=1)
    assert tally.add("one", span=MINUTE, now=clock()) == 1


def test_clock_set_back_locks_nobody_for_long(clock: Clock) -> None:
    tally = Tally()
    tally.add("one", 99, span=MINUTE, now=clock())
    clock.tick(days=-1)

    assert tally.window("one", span=MINUTE, now=clock()) == (0, clock() + MINUTE)


def test_nothing_goes_below_zero(clock: Clock) -> None:
    tally = Tally()

    assert tally.add("one", -1, span=MINUTE, now=clock()) == 0


def test_memory_is_bounded(clock: Clock) -> None:
    tally = Tally()
    for number in range(2 * _MOST + 1):
        tally.add(str(number), span=MINUTE, now=clock())

    assert len(tally._windows) <= _MOST


def test_threads_lose_no_count(clock: Clock) -> None:
    tally = Tally()

    def add() -> None:
        for _ in range(500):
            tally.add("one", span=MINUTE, now=clock())

    threads = [Thread(target=add) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert tally.window("one", span=MINUTE, now=clock())[0] == 2000


class _Faulty(DatabaseStorage):
    """Counts in the database while ``works``."""

    works = True
    asked = 0

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        self._look()
        return super().incr(key, expiry, amount)

    def get(self, key: str) -> int:
        self._look()
        return super().get(key)

    def _look(self) -> None:
        self.asked += 1
        if not self.works:
            raise StoreUnavailable("away")


def test_limiter_goes_on_without_its_store(database: Database, clock: Clock) -> None:
    """A third of the limit while it is away, asked again after half a minute; what was counted before holds then."""
    storage = _Faulty(database, str, clock)
    limiter, limit = SteadyLimiter(storage, clock), RateLimitItemPerHour(9)
    assert all(limiter.hit(limit, "one") for _ in range(8))

    storage.works, storage.asked = False, 0
    assert [limiter.hit(limit, "one") for _ in range(5)] == [True] * 3 + [False] * 2
    assert not limiter.test(limit, "one")
    assert limiter.get_window_stats(limit, "one").remaining == 0
    assert limiter.get_window_stats(limit, "one").reset_time > clock().timestamp()
    assert storage.asked == 1, "a store that may be slow is left alone"
    limiter.hit(limit, "one", cost=-3)
    assert limiter.test(limit, "one")

    storage.works = True
    clock.tick(seconds=31)
    assert limiter.hit(limit, "one")
    assert not limiter.hit(limit, "one")
