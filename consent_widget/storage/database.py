"""The database: one engine, short transactions, one answer when it is down."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, DateTime, Dialect, Engine, MetaData, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import StaticPool
from sqlalchemy.types import TypeDecorator

from ..core.errors import StoreBusy, StoreUnavailable

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: How long a writer waits for another one before it gives up, in milliseconds.
_BUSY_MS = 5000

#: How long a PostgreSQL server that says nothing is waited for.
_CONNECT_SECONDS = 5


#: Serialization failure and deadlock: nothing was saved, and the same again may well be (PostgreSQL, appendix A).
_BUSY_STATES = frozenset({"40001", "40P01"})

#: How long to wait before each further try, in seconds.
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)

P = ParamSpec("P")
T = TypeVar("T")


def retrying(act: Callable[P, T]) -> Callable[P, T]:
    """``act`` again, a few times, where the database gave way to somebody else.

    For use cases that open their own transaction, so that each try begins with what is true by then.
    """

    @wraps(act)
    def insist(*args: P.args, **kwargs: P.kwargs) -> T:
        for pause in _PAUSES:
            try:
                return act(*args, **kwargs)
            except StoreBusy:
                time.sleep(pause)
        return act(*args, **kwargs)

    return insist


class UtcDateTime(TypeDecorator[datetime]):
    """Aware times in UTC; SQLite itself would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        found: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return found.astimezone(UTC)


def open_engine(url: str) -> Engine:
    """A lazily connecting engine for ``url``.

    SQLite: WAL with synchronous=FULL, so that a committed record survives a
    power cut; writers take the lock when they begin, so that none fails midway.
    What is written stands in no error and no log: it may be an address.
    """
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        given = {} if "connect_timeout" in parsed.query else {"connect_timeout": _CONNECT_SECONDS}
        engine = create_engine(parsed, pool_pre_ping=True, hide_parameters=True, connect_args=given)
        event.listen(engine, "connect", _limit_waits)
        return engine
    in_memory = parsed.database in (None, "", ":memory:")
    if in_memory:
        engine = create_engine(
            parsed, poolclass=StaticPool, connect_args={"check_same_thread": False}, hide_parameters=True
        )
    else:
        engine = create_engine(parsed, connect_args={"timeout": _BUSY_MS / 1000}, hide_parameters=True)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _limit_waits(connection: Any, _record: Any) -> None:
    """A write that somebody blocks gives up as on SQLite, instead of holding its visitor for ever."""
    connection.autocommit = True  # else a rollback takes it back
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {_BUSY_MS}")
    connection.autocommit = False


def _set_pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin on its own; _begin does
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={_BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",
        "secure_delete=ON",  # what is erased is overwritten with zeros (storage.scrub does the rest)
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("consent_widget_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def insert_or(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that may go on with ON CONFLICT: two requests at once must not fail."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


class Database:
    """Hands out transactions and turns every failure of the store into one error."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def has_one_writer(self) -> bool:
        """Whoever writes keeps all others from writing."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries.

        Raises:
            StoreUnavailable: the database did not answer.
        """
        with self.failing_as_one(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed when the block ends, rolled back when it raises.

        Raises:
            StoreUnavailable: the database did not take it; nothing was saved.
        """
        with self.failing_as_one(), self.engine.connect() as plain:
            connection = plain.execution_options(consent_widget_writes=True)
            with connection.begin():
                yield connection

    @contextmanager
    def failing_as_one(self) -> Iterator[None]:
        """Turn what the driver raises into StoreUnavailable, without the statement and its values."""
        try:
            yield
        except SQLAlchemyError as error:
            if getattr(getattr(error, "orig", None), "sqlstate", None) in _BUSY_STATES:
                raise StoreBusy("the database gave way to another write at this instant") from error
            # These tell the value that did not fit: it must not stand in a traceback either.
            cause = None if isinstance(error, IntegrityError | DataError) else error
            raise StoreUnavailable(f"the database did not answer ({type(error).__name__})") from cause


class Kept:
    """Transactions of one thread that writes all the time: on one connection, not on one of the pool's each time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._at_once: Connection | None = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """As :meth:`Database.writing`; behind a failure the next one looks for a connection anew.

        Raises:
            StoreUnavailable: the database did not take it; nothing was saved.
        """
        with self._database.failing_as_one():
            try:
                if self._connection is None:
                    plain = self._database.engine.connect()
                    self._connection = plain.execution_options(consent_widget_writes=True)
                with self._connection.begin():
                    yield self._connection
            except BaseException:
                self.close()
                raise

    @contextmanager
    def at_once(self) -> Iterator[Connection]:
        """For statements each of which is a transaction of its own, committed when it returns.

        Raises:
            StoreUnavailable: the database did not take it, or it is not known whether it did.
        """
        with self._database.failing_as_one():
            try:
                if self._at_once is None:
                    plain = self._database.engine.connect()
                    self._at_once = plain.execution_options(isolation_level="AUTOCOMMIT")
                yield self._at_once
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        for one in (self._connection, self._at_once):
            if one is not None:
                one.close()
        self._connection = self._at_once = None
