"""Staff accounts, their sessions and the devices they are known on."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from .database import UtcDateTime, insert_or, metadata

accounts = Table(
    "cw_staff_account",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("password_hash", String(255), nullable=False),
    # Set on a one-time password: it ends then, and the first sign-in chooses a new one.
    Column("password_until", UtcDateTime),
    Column("second_factor", Text),
    Column("second_factor_step", BigInteger),
    Column("lost_mark", String(64), unique=True),
    Column("lost_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
)

sessions = Table(
    "cw_staff_session",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("account_id", Integer, ForeignKey("cw_staff_account.id"), nullable=False),
    Column("step", String(16), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Index("ix_cw_staff_session_account_id", "account_id"),
)

#: Devices and networks from which an account signed in: strangers cannot lock its owner out there.
known = Table(
    "cw_staff_known",
    metadata,
    Column("account_id", Integer, ForeignKey("cw_staff_account.id"), primary_key=True),
    Column("mark", String(64), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
)


@dataclass(frozen=True, kw_only=True)
class Account:
    """One row of ``cw_staff_account``; ``second_factor`` is sealed."""

    id: int
    email: str
    name: str
    roles: frozenset[str]
    password_hash: str
    password_until: datetime | None
    second_factor: str | None
    second_factor_step: int | None
    lost_until: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Session:
    """One row of ``cw_staff_session`` with its account."""

    mark: str
    account: Account
    step: str
    started_at: datetime
    seen_at: datetime


_ACCOUNT = [accounts.c[name] for name in Account.__dataclass_fields__]


def _account(row: Any) -> Account:
    values = {name: getattr(row, name) for name in Account.__dataclass_fields__}
    return Account(**values | {"roles": frozenset(values["roles"])})


def add_account(connection: Connection, *, roles: Collection[str], **values: Any) -> None:
    connection.execute(insert(accounts).values(roles=sorted(roles), **values))


def change_account(connection: Connection, account_id: int, **values: Any) -> None:
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(**values))


def use_step(connection: Connection, account_id: int, step: int) -> bool:
    """Note that a code of ``step`` was used; False where one of it or a later one was before."""
    last = accounts.c.second_factor_step
    fresh = update(accounts).where(accounts.c.id == account_id, last.is_(None) | (last < step))
    return bool(connection.execute(fresh.values(second_factor_step=step)).rowcount)


def account_by_email(connection: Connection, email: str) -> Account | None:
    row = connection.execute(select(*_ACCOUNT).where(accounts.c.email == email)).first()
    return None if row is None else _account(row)


def account_by_lost_mark(connection: Connection, marks: Sequence[str]) -> Account | None:
    row = connection.execute(select(*_ACCOUNT).where(accounts.c.lost_mark.in_(marks))).first()
    return None if row is None else _account(row)


def list_accounts(connection: Connection) -> list[Account]:
    return [_account(row) for row in connection.execute(select(*_ACCOUNT).order_by(accounts.c.id))]


def add_session(connection: Connection, *, mark: str, account_id: int, step: str, now: datetime) -> None:
    connection.execute(
        insert(sessions).values(mark=mark, account_id=account_id, step=step, started_at=now, seen_at=now)
    )


def find_session(connection: Connection, marks: Sequence[str]) -> Session | None:
    own = [sessions.c[name] for name in ("mark", "step", "started_at", "seen_at")]
    query = select(*own, *_ACCOUNT).join_from(sessions, accounts).where(sessions.c.mark.in_(marks))
    row = connection.execute(query).first()
    if row is None:
        return None
    return Session(
        mark=row.mark, account=_account(row), step=row.step, started_at=row.started_at, seen_at=row.seen_at
    )


def touch_session(connection: Connection, mark: str, *, now: datetime) -> None:
    connection.execute(update(sessions).where(sessions.c.mark == mark).values(seen_at=now))


def end_sessions(
    connection: Connection,
    *,
    marks: Sequence[str] = (),
    account_id: int | None = None,
    started_before: datetime | None = None,
) -> None:
    """End the sessions that any of the arguments names."""
    where: ColumnElement[bool] = sessions.c.mark.in_(marks)
    if account_id is not None:
        where |= sessions.c.account_id == account_id
    if started_before is not None:
        where |= sessions.c.started_at < started_before
    connection.execute(delete(sessions).where(where))


def is_known(connection: Connection, account_id: int, marks: Sequence[str], *, since: datetime) -> bool:
    query = select(known.c.mark).where(
        known.c.account_id == account_id, known.c.mark.in_(marks), known.c.seen_at > since
    )
    return connection.execute(query).first() is not None


def remember_known(
    connection: Connection, account_id: int, marks: Sequence[str], *, now: datetime, since: datetime
) -> None:
    """Note that the account signed in from ``marks``; those last seen before ``since`` are forgotten."""
    connection.execute(delete(known).where(known.c.account_id == account_id, known.c.seen_at <= since))
    for mark in marks:
        row = {"account_id": account_id, "mark": mark, "seen_at": now}
        put = insert_or(connection, known).values(row)
        connection.execute(put.on_conflict_do_update(index_elements=["account_id", "mark"], set_=row))


def forget_known(connection: Connection, account_id: int) -> None:
    connection.execute(delete(known).where(known.c.account_id == account_id))
