"""Deliveries: one row for each mail to one subscription; the truth of what was sent."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, text

from .database import UtcDateTime, metadata
from .subscription import Id

# No foreign keys on the campaign and the subscription: rows are made out of those tables in one statement, a
# million at a time, and neither is ever deleted while a row is left (services.erasure, services.retention).
deliveries = Table(
    "cw_delivery",
    metadata,
    Column("id", Id, primary_key=True),
    Column("campaign_id", Integer),
    Column("subscription_id", Id, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("language", String(8), nullable=False),
    Column("domain", String(255), nullable=False),
    Column("state", String(12), nullable=False),
    Column("late", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    # When it may be claimed; once it is settled, when it was. One index serves both questions.
    Column("at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("owner", String(32)),
    Column("lease_until", UtcDateTime),
    Column("code", String(32), nullable=False, default=""),
    Index("uq_cw_delivery_campaign_id", "campaign_id", "subscription_id", unique=True),
    Index("ix_cw_delivery_campaign_id", "campaign_id", "state", "at"),
    Index("ix_cw_delivery_subscription_id", "subscription_id"),
    Index(
        "ix_cw_delivery_lease_until",
        "lease_until",
        sqlite_where=text("lease_until IS NOT NULL"),
        postgresql_where=text("lease_until IS NOT NULL"),
    ),
)

#: Domains that asked to be written to more slowly, for all workers.
domains = Table(
    "cw_mail_domain",
    metadata,
    Column("domain", String(255), primary_key=True),
    Column("until", UtcDateTime, nullable=False),
    Column("refusals", Integer, nullable=False),
)

#: When each periodic job was last taken by one of the workers.
jobs = Table(
    "cw_job",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("taken_at", UtcDateTime, nullable=False),
)

#: Reports of mails that came back. ``raw`` is kept only of what could not be read, to be shown to staff.
bounces = Table(
    "cw_bounce",
    metadata,
    Column("id", Id, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("delivery_id", Id),
    Column("subscription_id", Id),
    Column("kind", String(12), nullable=False),
    Column("code", String(32), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("raw", Text),
    Index("ix_cw_bounce_subscription_id", "subscription_id"),
)
