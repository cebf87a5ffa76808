"""The notice schedule is kept at hand, so that a page view asks no database."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from ..core.errors import StoreUnavailable
from ..core.notice import Schedule
from ..storage.database import Database
from ..storage.notice import load_schedule


class ScheduleCache:
    """The announced versions as this process last read them.

    Read again after ``seconds`` and at each known effective instant, by one
    thread while the others go on with what they have: a page view asks no
    database in between. While the database is down the last known schedule
    stands; what is in force is computed from the clock anyway.
    """

    def __init__(
        self, database: Database, *, seconds: int, failed: Callable[[StoreUnavailable], None]
    ) -> None:
        self._database = database
        self._every = timedelta(seconds=seconds)
        self._failed = failed
        self._lock = Lock()
        self._schedule = Schedule()
        self._read_again_at: datetime | None = None
        #: Whether it was ever read: an empty schedule says nothing before.
        self.is_known = False

    def at(self, now: datetime) -> Schedule:
        """The schedule, at most ``seconds`` old unless the database is down."""
        due = self._read_again_at
        # A clock that was set back must not freeze the schedule: hence the second half.
        if due is not None and now < due and due - now <= self._every:
            return self._schedule
        first = due is None
        if self._lock.acquire(blocking=first):
            try:
                if self._read_again_at is due:
                    self._read(now)
            finally:
                self._lock.release()
        return self._schedule

    def forget(self) -> None:
        """Read again at the next call; for whoever just changed it in this process."""
        self._read_again_at = None

    def _read(self, now: datetime) -> None:
        try:
            with self._database.reading() as connection:
                self._schedule = load_schedule(connection)
            self.is_known = True
        except StoreUnavailable as error:
            self._failed(error)
        again = now + self._every
        coming = self._schedule.coming(now)
        if coming is not None and coming.effective_at < again:
            again = coming.effective_at
        self._read_again_at = again
