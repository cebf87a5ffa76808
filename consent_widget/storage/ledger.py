"""The ledger's rows: appended in order, guarded against every other change."""

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, String, Table, Text

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

_REFUSE = "BEGIN SELECT RAISE(ABORT, 'cw_ledger is append-only'); END"

#: INSERT OR REPLACE deletes a row without asking the trigger on DELETE, unless the connection has
#: recursive_triggers on; hence the guard before INSERT. It also keeps the indexes without gaps.
_SQLITE = (
    "DROP TRIGGER IF EXISTS cw_ledger_no_update",
    f"CREATE TRIGGER cw_ledger_no_update BEFORE UPDATE ON cw_ledger {_REFUSE}",
    "DROP TRIGGER IF EXISTS cw_ledger_no_delete",
    f"CREATE TRIGGER cw_ledger_no_delete BEFORE DELETE ON cw_ledger {_REFUSE}",
    "DROP TRIGGER IF EXISTS cw_ledger_no_replace",
    "CREATE TRIGGER cw_ledger_no_replace BEFORE INSERT ON cw_ledger "
    'WHEN NEW."index" IS NOT (SELECT COALESCE(MAX("index") + 1, 0) FROM cw_ledger) '
    f"{_REFUSE}",
)

#: ALWAYS: session_replication_role = replica would pass an ordinary trigger by.
_POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION cw_ledger_append_only() RETURNS trigger LANGUAGE plpgsql "
    "AS $$ BEGIN RAISE EXCEPTION 'cw_ledger is append-only'; END $$",
    "CREATE OR REPLACE TRIGGER cw_ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cw_ledger "
    "FOR EACH STATEMENT EXECUTE FUNCTION cw_ledger_append_only()",
    "ALTER TABLE cw_ledger ENABLE ALWAYS TRIGGER cw_ledger_append_only",
)


def guard(connection: Connection) -> None:
    """Set the triggers that refuse to change, replace or delete an entry; again does no harm."""
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.exec_driver_sql(statement)
