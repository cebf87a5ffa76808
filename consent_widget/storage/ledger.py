"""The ledger's rows: appended in order, guarded against every other change."""

from collections.abc import Iterator

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
    insert,
    select,
)

from ..core.ledger import Entry
from .database import UtcDateTime, metadata

ledger = Table(
    "cw_ledger",
    metadata,
    Column("index", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("body", Text, nullable=False),
    Column("body_sha256", String(64), nullable=False),
    Column("root", String(64), nullable=False),
    Column("peaks", Text, nullable=False),
    Column("key", String(64), nullable=False),
    Column("signature", String(128), nullable=False),
    Index("ix_cw_ledger_kind", "kind", "index"),
)

#: The advisory lock of whoever appends: "cw_ledge" as a number, which no other lock of ours is.
_LOCK = int.from_bytes(b"cw_ledge")

_REFUSE = "BEGIN SELECT RAISE(ABORT, 'cw_ledger is append-only'); END"

#: INSERT OR REPLACE deletes a row without asking the trigger on DELETE, unless the connection has
#: recursive_triggers on; hence the one before INSERT. It also keeps the indexes without gaps.
_SQLITE = {
    "cw_ledger_no_update": "UPDATE ON cw_ledger",
    "cw_ledger_no_delete": "DELETE ON cw_ledger",
    "cw_ledger_no_replace": (
        'INSERT ON cw_ledger WHEN NEW."index" IS NOT (SELECT COALESCE(MAX("index") + 1, 0) FROM cw_ledger)'
    ),
}

#: ALWAYS: session_replication_role = replica would pass an ordinary trigger by.
_POSTGRESQL = """
CREATE OR REPLACE FUNCTION cw_ledger_append_only() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'cw_ledger is append-only'; END $$;
CREATE OR REPLACE TRIGGER cw_ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cw_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION cw_ledger_append_only();
ALTER TABLE cw_ledger ENABLE ALWAYS TRIGGER cw_ledger_append_only
"""


def guard(connection: Connection) -> None:
    """Set the triggers that refuse to change, replace or delete an entry; again does no harm."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(_POSTGRESQL)
        return
    for name, when in _SQLITE.items():
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        connection.exec_driver_sql(f"CREATE TRIGGER {name} BEFORE {when} {_REFUSE}")


def lock(connection: Connection) -> None:
    """Let appends follow each other until the transaction ends.

    SQLite has one writer at a time anyway; PostgreSQL takes an advisory lock.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def last_entry(connection: Connection) -> Entry | None:
    row = connection.execute(select(ledger).order_by(ledger.c.index.desc()).limit(1)).mappings().one_or_none()
    return Entry(**row) if row else None


def read_entries(connection: Connection, *, start: int, stop: int) -> list[Entry]:
    """The entries from ``start`` up to, and without, ``stop``, in order."""
    rows = connection.execute(
        select(ledger).where(ledger.c.index >= start, ledger.c.index < stop).order_by(ledger.c.index)
    ).mappings()
    return [Entry(**row) for row in rows]


def bodies(connection: Connection, kind: str) -> list[str]:
    """The bodies of all entries of one kind, in order."""
    found = select(ledger.c.body).where(ledger.c.kind == kind).order_by(ledger.c.index)
    return list(connection.execute(found).scalars())


def entries_of(connection: Connection, kind: str) -> Iterator[Entry]:
    """All entries of one kind, in order; one at a time, since a version may be a megabyte."""
    indices = select(ledger.c.index).where(ledger.c.kind == kind).order_by(ledger.c.index)
    for index in connection.execute(indices).scalars().all():
        yield from read_entries(connection, start=index, stop=index + 1)


def insert_entry(connection: Connection, entry: Entry) -> None:
    connection.execute(insert(ledger).values(**vars(entry)))
