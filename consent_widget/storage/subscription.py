"""Subscriptions, the links that confirm them, and addresses to which nothing goes any more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from ..core.subscription import Link, Purpose, State, Subscription
from .database import UtcDateTime, insert_or, metadata

Id = BigInteger().with_variant(Integer, "sqlite")


def _ascii(length: int) -> TypeEngine[str]:
    """ASCII in the order of its bytes on every database: staff look for how it begins, by an index."""
    return String(length).with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")


#: ``identity`` is the address in lower case: one row for a mailbox. Erased, a row keeps neither.
subscriptions = Table(
    "cw_subscription",
    metadata,
    Column("id", Id, primary_key=True),
    Column("address", String(254)),
    Column("identity", _ascii(254), unique=True),
    Column("address_hash", String(64), nullable=False),
    Column("domain", _ascii(255), nullable=False),
    Column("language", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("salt", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("confirmed_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("reason", String(16), nullable=False, default=""),
    Column("new_address", String(254)),
    Column("bounce_score", Float, nullable=False, default=0.0),
    Column("bounced_at", UtcDateTime),
    Column("erased_at", UtcDateTime),
    Index("ix_cw_subscription_address_hash", "address_hash"),
    Index("ix_cw_subscription_domain", "domain", "id"),
    Index("ix_cw_subscription_state", "state", "id"),
    sqlite_autoincrement=True,
)

#: ``hash`` is the SHA-256 of the link's random bytes; ``purpose`` is ``confirm`` or ``address``,
#: ``address`` the new one that the latter confirms. ``used_at`` is set once it did.
links = Table(
    "cw_subscription_link",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("subscription_id", Id, ForeignKey("cw_subscription.id"), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("address", String(254)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    Index("ix_cw_subscription_link_subscription_id", "subscription_id"),
)

#: By keyed hash alone (core.pseudonym), so that it outlives an erasure: ``reason`` is ``bounce`` or ``staff``.
suppressions = Table(
    "cw_suppression",
    metadata,
    Column("address_hash", String(64), primary_key=True),
    Column("reason", String(16), nullable=False),
    Column("suppressed_at", UtcDateTime, nullable=False),
)


_SUBSCRIPTION = [subscriptions.c[name] for name in Subscription.__dataclass_fields__]
_LINK = [links.c[name] for name in Link.__dataclass_fields__]


def load_subscription(
    connection: Connection, subscription_id: int, *, lock: bool = False
) -> Subscription | None:
    """The subscription with this id; ``lock`` lets others who want to change it wait until the transaction ends."""
    return _one(connection, subscriptions.c.id == subscription_id, lock=lock)


def find_by_identity(connection: Connection, identity: str, *, lock: bool = False) -> Subscription | None:
    """The subscription of a mailbox (core.address.identity_of)."""
    return _one(connection, subscriptions.c.identity == identity, lock=lock)


def add_subscription(connection: Connection, *, identity: str, **values: object) -> bool:
    """Put a new row; False where the mailbox has one, also one that another request just made."""
    put = insert_or(connection, subscriptions).values(identity=identity, **values)
    put = put.on_conflict_do_nothing(index_elements=["identity"])
    return connection.execute(put.returning(subscriptions.c.id)).first() is not None


def change_subscription(connection: Connection, subscription_id: int, **values: object) -> None:
    connection.execute(update(subscriptions).where(subscriptions.c.id == subscription_id).values(**values))


def count_subscriptions(connection: Connection) -> dict[State, int]:
    """How many subscriptions are in which state, those erased left out."""
    query = select(subscriptions.c.state, func.count()).where(subscriptions.c.address.is_not(None))
    return {State(state): int(count) for state, count in connection.execute(query.group_by("state"))}


def add_link(connection: Connection, token_hash: str, link: Link) -> None:
    values = {name: getattr(link, name) for name in Link.__dataclass_fields__}
    connection.execute(insert(links).values(hash=token_hash, **values))


def find_link(connection: Connection, token_hash: str) -> Link | None:
    row = connection.execute(select(*_LINK).where(links.c.hash == token_hash)).one_or_none()
    return None if row is None else _link(row)


def links_of(connection: Connection, subscription_id: int) -> list[Link]:
    """Every link that is on record for a subscription, oldest first."""
    query = select(*_LINK).where(links.c.subscription_id == subscription_id).order_by(links.c.created_at)
    return [_link(row) for row in connection.execute(query)]


def use_link(connection: Connection, token_hash: str, *, now: datetime) -> None:
    connection.execute(update(links).where(links.c.hash == token_hash).values(used_at=now))


def void_links(connection: Connection, subscription_id: int, *purposes: Purpose, now: datetime) -> None:
    """Let the links that were not used expire now, those for ``purposes`` or all."""
    where = [links.c.subscription_id == subscription_id, links.c.used_at.is_(None), links.c.expires_at > now]
    if purposes:
        where.append(links.c.purpose.in_(purposes))
    connection.execute(update(links).where(*where).values(expires_at=now))


def delete_links(connection: Connection, subscription_id: int) -> None:
    connection.execute(delete(links).where(links.c.subscription_id == subscription_id))


def suppressed_for(connection: Connection, hashes: Sequence[str]) -> str | None:
    """Why no mail may go to this mailbox, ``bounce`` or ``staff``; None where it may."""
    query = select(suppressions.c.reason).where(suppressions.c.address_hash.in_(hashes)).limit(1)
    found: str | None = connection.execute(query).scalar()
    return found


def suppress(connection: Connection, address_hash: str, *, reason: str, now: datetime) -> None:
    """Let no mail go to this mailbox; the first reason stands."""
    put = insert_or(connection, suppressions).values(
        address_hash=address_hash, reason=reason, suppressed_at=now
    )
    connection.execute(put.on_conflict_do_nothing(index_elements=["address_hash"]))


def release(connection: Connection, hashes: Sequence[str]) -> None:
    """Let mails go to this mailbox again."""
    connection.execute(delete(suppressions).where(suppressions.c.address_hash.in_(hashes)))


def _one(connection: Connection, where: ColumnElement[bool], *, lock: bool) -> Subscription | None:
    query = select(*_SUBSCRIPTION).where(where)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _subscription(row)


def _subscription(row: Any) -> Subscription:
    values = {name: getattr(row, name) for name in Subscription.__dataclass_fields__}
    return Subscription(**values | {"state": State(values["state"])})


def _link(row: Any) -> Link:
    values = {name: getattr(row, name) for name in Link.__dataclass_fields__}
    return Link(**values | {"purpose": Purpose(values["purpose"])})
