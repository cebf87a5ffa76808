"""Counts in the memory of one process: for what must cost no write, and for when the database cannot count."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from limits import RateLimitItem
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from limits.util import WindowStats

from ..core.errors import StoreUnavailable

logger = logging.getLogger("consent_widget")

#: Windows kept at once, about 2 MB; whoever has more networks than this is not stopped by counting them.
_MOST = 10_000

#: So long is a database that could not count left alone: each try may take seconds.
_REST = timedelta(seconds=30)

#: The part of a limit that each process allows by itself; there are several.
_SPARE = 3


class Tally:
    """How often each name came up within its window of time. Names are kept as Python's keyed hashes alone."""

    def __init__(self) -> None:
        self._windows: dict[int, tuple[int, datetime]] = {}
        self._lock = Lock()

    def add(self, name: str, amount: int = 1, *, span: timedelta, now: datetime) -> int:
        """Add to the window of ``name``, a new one where the last has ended; the count then, never below 0."""
        with self._lock:
            count, ends = self._window(name, span, now)
            if len(self._windows) >= _MOST:
                self._windows.clear()
            count = max(count + amount, 0)
            self._windows[hash(name)] = count, ends
            return count

    def window(self, name: str, *, span: timedelta, now: datetime) -> tuple[int, datetime]:
        """What the window of ``name`` holds, and when it ends."""
        with self._lock:
            return self._window(name, span, now)

    def _window(self, name: str, span: timedelta, now: datetime) -> tuple[int, datetime]:
        count, ends = self._windows.get(hash(name), (0, now))
        # One that ends later than a new one is from before the clock was set back.
        return (count, ends) if now < ends <= now + span else (0, now + span)


class SteadyLimiter(FixedWindowRateLimiter):
    """Where ``storage`` cannot count, this process counts for itself, and allows a third (ASVS 16.5.2, 16.5.3)."""

    def __init__(self, storage: Storage, clock: Callable[[], datetime]) -> None:
        super().__init__(storage)
        self._clock = clock
        self._tally = Tally()
        self._rests_until: datetime | None = None

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        if not self._rests():
            try:
                return super().hit(item, *identifiers, cost=cost)
            except StoreUnavailable as error:
                self._rest(error)
        span = timedelta(seconds=item.get_expiry())
        count = self._tally.add(item.key_for(*identifiers), cost, span=span, now=self._clock())
        return count <= _spare(item)

    def test(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        if not self._rests():
            try:
                return super().test(item, *identifiers, cost=cost)
            except StoreUnavailable as error:
                self._rest(error)
        return self._window(item, *identifiers)[0] + cost <= _spare(item)

    def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        if not self._rests():
            try:
                return super().get_window_stats(item, *identifiers)
            except StoreUnavailable as error:
                self._rest(error)
        count, ends = self._window(item, *identifiers)
        return WindowStats(ends.timestamp(), max(0, _spare(item) - count))

    def _window(self, item: RateLimitItem, *identifiers: str) -> tuple[int, datetime]:
        span = timedelta(seconds=item.get_expiry())
        return self._tally.window(item.key_for(*identifiers), span=span, now=self._clock())

    def _rests(self) -> bool:
        now = self._clock()
        return self._rests_until is not None and now < self._rests_until <= now + _REST

    def _rest(self, error: StoreUnavailable) -> None:
        logger.error("Tries are counted by this process alone for %d s: %s", _REST.total_seconds(), error)
        self._rests_until = self._clock() + _REST


def _spare(item: RateLimitItem) -> int:
    return max(1, item.amount // _SPARE)
