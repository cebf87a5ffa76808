"""The queue's adapter: Huey's storages keep the wakes, in a SQLite file, in PostgreSQL or in Redis.

All that ever stands in a queue is one word, "look", and it is never read: Huey's own tasks are
pickled, and whoever can write to a queue could run code in the worker. So here they can at most
make it look once more.
"""

import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from huey.storage import BaseStorage, PostgresStorage, RedisStorage, SqliteStorage
from sqlalchemy import URL

from ..core.errors import SettingError

#: The name of the queue, and in PostgreSQL the beginning of its tables' names.
NAME = "consent_widget"
TABLES = "cw_queue"

_WAKE = b"look"

#: Nobody waits for a queue longer than that, in seconds.
_PATIENCE = 3

#: A file that was removed, or a connection that hangs, is noticed after so many seconds.
_OPEN_ANEW = 60.0

#: How often a SQLite file is looked at, in seconds; the others tell by themselves.
_LOOK = 0.5

#: The module that each kind needs, where it is not part of this package's own needs.
_MODULES = {"postgresql": "psycopg", "redis": "redis"}


class QueueAway(Exception):
    """The queue did not answer; the message names what it raised, without address or password."""


def queue_of(chosen: str | None, database: URL) -> str | None:
    """The address of the queue: the one that was ``chosen``, else beside the database.

    That is a file beside a SQLite file, or the same PostgreSQL database. None where no other process
    sees the database, or where there is no driver for it: workers then look for themselves.

    Raises:
        SettingError: what the chosen one needs is not installed.
    """
    if chosen is None:
        return _beside(database)
    kind = _kind(chosen)
    if not _is_installed(kind):
        raise SettingError("CONSENT_WIDGET_QUEUE_URL", f"needs `pip install consent-widget[{kind}]`.")
    return chosen


def _beside(database: URL) -> str | None:
    kind, name = database.get_backend_name(), database.database
    if kind == "sqlite" and name not in (None, "", ":memory:"):
        file = Path(str(name)).absolute()
        return f"sqlite:///{file.with_name(f'{file.stem}.queue{file.suffix}')}"
    if kind == "postgresql" and _is_installed(kind):
        return database.set(drivername=kind).render_as_string(hide_password=False)
    return None


def _is_installed(kind: str) -> bool:
    return kind not in _MODULES or find_spec(_MODULES[kind]) is not None


def put_wake(url: str) -> None:
    """Leave a wake, unless one is waiting already: whoever takes that one looks later than now.

    Opened for this once, so that nothing is left over when a server forks.

    Raises:
        QueueAway: it did not answer within a few seconds.
    """
    try:
        _put(_open(url, create_tables=False))
    except Exception:  # noqa: BLE001  # each kind of queue raises its own
        # The first one of all, or the file was removed: with its tables then.
        try:
            _put(_open(url, create_tables=True))
        except Exception as error:
            raise QueueAway(type(error).__name__) from error


def _put(storage: BaseStorage) -> None:
    try:
        if storage.queue_size() == 0:
            storage.enqueue(_WAKE)
    finally:
        storage.close()


class Wakes:
    """The worker's end of a queue; used by one thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._storage: BaseStorage | None = None
        self._opened_at = 0.0

    def take(self) -> bool:
        """Wait for up to a second for a wake; whether there was one.

        Raises:
            QueueAway: it did not answer; the next call opens it anew.
        """
        try:
            if self._storage is None or time.monotonic() - self._opened_at > _OPEN_ANEW:
                self.close()
                self._storage, self._opened_at = _open(self._url, create_tables=True), time.monotonic()
            found = self._storage.dequeue() is not None
        except Exception as error:  # each kind of queue raises its own
            self.close()
            raise QueueAway(type(error).__name__) from error
        if not found and not self._storage.blocking:
            time.sleep(_LOOK)
        return found

    def close(self) -> None:
        storage, self._storage = self._storage, None
        if storage is not None:
            with suppress(Exception):  # it was lost anyway
                storage.close()


def _open(url: str, *, create_tables: bool) -> BaseStorage:
    kind = _kind(url)
    if kind == "sqlite":
        file = sqlite_file(url)
        file.parent.mkdir(parents=True, exist_ok=True)
        return SqliteStorage(NAME, filename=str(file), timeout=_PATIENCE, create_tables=create_tables)
    if kind == "postgresql":
        return PostgresStorage(
            NAME,
            dsn=f"postgresql:{url.partition(':')[2]}",
            table_prefix=TABLES,
            create_tables=create_tables,
            connect_timeout=_PATIENCE,
            tcp_user_timeout=_PATIENCE * 1000,
        )
    return RedisStorage(NAME, url=_bounded(url))


def _kind(url: str) -> str:
    scheme = url.partition(":")[0].partition("+")[0]
    return "redis" if scheme == "rediss" else scheme


def sqlite_file(url: str) -> Path:
    """The file of ``sqlite:///name`` (relative), ``sqlite:////path`` or ``sqlite:/path``."""
    rest = url.partition(":")[2]
    return Path(rest.removeprefix("///") if rest.startswith("//") else rest)


def _bounded(url: str) -> str:
    """The address with time limits, unless it names its own."""
    parts = urlsplit(url)
    limits = {"socket_connect_timeout": str(_PATIENCE), "socket_timeout": str(_PATIENCE)}
    return parts._replace(query=urlencode(limits | dict(parse_qsl(parts.query)))).geturl()
