"""Subscriptions, the links that confirm them, and addresses to which nothing goes any more."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from .database import UtcDateTime, metadata

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
