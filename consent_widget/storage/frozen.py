"""Announced texts are frozen, and nobody approves their own: enforced by the database itself.

Our code keeps these rules anyway; the triggers hold against everything else
that has the database open. They are made again after each upgrade, since an
Alembic batch on SQLite drops them silently.
"""

from collections.abc import Mapping

from sqlalchemy import Connection

#: What a withdrawal may change in a version that was announced, and nothing else may.
_WITHDRAWAL = ("state", "revision", "withdrawn_by", "withdrawn_at", "withdrawal_reason")
_FROZEN = (
    "id", "number", "change_class", "ask_again", "effective_at", "announced_at", "created_at", "new_kinds",
    "edited_by", "edited_at", "submitted_by", "submitted_at", "approved_by", "approved_at", "approved_hash",
    "announced_by", "comment", "reason", "overrides",
)  # fmt: skip

_MESSAGE = "cw: an announced version is frozen"
_OWN = "cw: nobody approves their own text"
_PUBLIC = "('announced', 'withdrawn')"


def _differs(distinct: str, *, cast: str = "") -> str:
    return " OR ".join(f"OLD.{name}{cast} {distinct} NEW.{name}{cast}" for name in _FROZEN)


def _unfrozen(distinct: str, *, cast: str = "") -> str:
    """The condition under which an UPDATE of a public version is refused."""
    withdraws = (
        "OLD.state = 'announced' AND NEW.state = 'withdrawn' AND NEW.withdrawn_by IS NOT NULL"
        " AND NEW.withdrawn_at IS NOT NULL AND NEW.withdrawn_at < OLD.effective_at"
    )
    return f"OLD.state IN {_PUBLIC} AND (NOT ({withdraws}) OR {_differs(distinct, cast=cast)})"


#: Version 1 is imported: there is nobody yet who could have been told, or could approve.
_OWN_APPROVAL = (
    "NEW.state IN ('approved', 'announced') AND COALESCE(NEW.number, 0) <> 1"
    " AND (NEW.approved_by IS NULL OR NEW.approved_hash IS NULL OR NEW.approved_by = COALESCE(NEW.edited_by, ''))"
)


def _text_is_public(row: str) -> str:
    table = "cw_notice_version"
    return f"EXISTS (SELECT 1 FROM {table} WHERE id = {row}.version_id AND state IN {_PUBLIC})"  # noqa: S608  # ours


def _sqlite(name: str, when: str, table: str, condition: str, message: str) -> str:
    return (
        f"CREATE TRIGGER {name} BEFORE {when} ON {table} WHEN {condition}"
        f" BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )


_REPLACES = (
    "EXISTS (SELECT 1 FROM cw_notice_version AS kept WHERE (kept.id = NEW.id OR kept.number = NEW.number)"
    " AND kept.state IN ('announced', 'withdrawn'))"
)

_SQLITE: Mapping[str, str] = {
    name: _sqlite(name, when, table, condition, message)
    for name, when, table, condition, message in (
        ("cw_frozen_version_update", "UPDATE", "cw_notice_version", _unfrozen("IS NOT"), _MESSAGE),
        ("cw_frozen_version_delete", "DELETE", "cw_notice_version", f"OLD.state IN {_PUBLIC}", _MESSAGE),
        # INSERT OR REPLACE deletes without a DELETE trigger unless recursive_triggers is on.
        ("cw_frozen_version_insert", "INSERT", "cw_notice_version", _REPLACES, _MESSAGE),
        (
            "cw_frozen_version_renumber",
            "UPDATE",
            "cw_notice_version",
            f"(OLD.number IS NOT NEW.number OR OLD.id IS NOT NEW.id) AND {_REPLACES}",
            _MESSAGE,
        ),
        ("cw_frozen_text_insert", "INSERT", "cw_notice_text", _text_is_public("NEW"), _MESSAGE),
        (
            "cw_frozen_text_update",
            "UPDATE",
            "cw_notice_text",
            f"{_text_is_public('OLD')} OR {_text_is_public('NEW')}",
            _MESSAGE,
        ),
        ("cw_frozen_text_delete", "DELETE", "cw_notice_text", _text_is_public("OLD"), _MESSAGE),
        ("cw_four_eyes_insert", "INSERT", "cw_notice_version", _OWN_APPROVAL, _OWN),
        ("cw_four_eyes_update", "UPDATE", "cw_notice_version", _OWN_APPROVAL, _OWN),
    )
}


def _refusing(name: str, checks: str) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {checks}"
        " IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
    )


def _if(operations: str, condition: str, message: str) -> str:
    return f"IF TG_OP IN ({operations}) THEN IF {condition} THEN RAISE EXCEPTION '{message}'; END IF; END IF;"


def _postgresql_triggers(table: str, function: str) -> tuple[str, ...]:
    rows = f"BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
    whole = f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION cw_keep_table()"
    return (
        f"CREATE OR REPLACE TRIGGER cw_frozen {rows}",
        f"CREATE OR REPLACE TRIGGER cw_frozen_truncate {whole}",
        # Also while rows are loaded with session_replication_role = replica.
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER cw_frozen",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER cw_frozen_truncate",
    )


_RAISES = f"$$ BEGIN RAISE EXCEPTION '{_MESSAGE}'; END $$"

_POSTGRESQL: tuple[str, ...] = (
    _refusing(
        "cw_keep_version",
        # A JSON column has no equality, its text has.
        _if("'UPDATE'", _unfrozen("IS DISTINCT FROM", cast="::text"), _MESSAGE)
        + _if("'DELETE'", f"OLD.state IN {_PUBLIC}", _MESSAGE)
        + _if("'INSERT', 'UPDATE'", _OWN_APPROVAL, _OWN),
    ),
    _refusing(
        "cw_keep_text",
        _if("'INSERT', 'UPDATE'", _text_is_public("NEW"), _MESSAGE)
        + _if("'UPDATE', 'DELETE'", _text_is_public("OLD"), _MESSAGE),
    ),
    f"CREATE OR REPLACE FUNCTION cw_keep_table() RETURNS trigger LANGUAGE plpgsql AS {_RAISES}",
    *_postgresql_triggers("cw_notice_version", "cw_keep_version"),
    *_postgresql_triggers("cw_notice_text", "cw_keep_text"),
)


def guard(connection: Connection) -> None:
    """Set the triggers; again does no harm."""
    if connection.dialect.name == "sqlite":
        for name, create in _SQLITE.items():
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
            connection.exec_driver_sql(create)
    else:
        for statement in _POSTGRESQL:
            connection.exec_driver_sql(statement)
