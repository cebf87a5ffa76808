"""Campaigns: a version that is told to all confirmed subscriptions."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from .database import UtcDateTime, metadata
from .subscription import Id

campaigns = Table(
    "cw_campaign",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version_id", Integer, ForeignKey("cw_notice_version.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("corrects", Integer, ForeignKey("cw_campaign.id")),
    Column("state", String(12), nullable=False),
    Column("pause_reason", String(16), nullable=False, default=""),
    Column("pause_detail", Text, nullable=False, default=""),
    Column("policy", String(16), nullable=False),
    Column("secret", String(32), nullable=False),
    Column("mail_domain", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("closes_at", UtcDateTime, nullable=False),
    Column("audience_to", Id, nullable=False),
    Column("cursor", Id, nullable=False),
    Column("candidates", Integer, nullable=False),
    Column("excluded", Integer, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("prepared_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("told_in_time", Integer),
    Index("uq_cw_campaign_version_id", "version_id", "kind", unique=True),
    Index("ix_cw_campaign_state", "state"),
)
