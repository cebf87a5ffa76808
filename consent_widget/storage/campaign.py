"""Campaigns: a version that is told to all confirmed subscriptions."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)

from ..core.campaign import Campaign, Kind, Policy, State
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

#: Of fewer mails the first connection is most of the time.
_TELLING = 100

#: See :func:`lock_audience`.
_AUDIENCE = 0x6377_0002


def insert_campaign(connection: Connection, **values: object) -> int:
    """A new row; its id."""
    return int(connection.execute(insert(campaigns).values(**values)).inserted_primary_key[0])  # type: ignore[index]


def load_campaigns(
    connection: Connection, *, states: Collection[State] | None = None, version_id: int | None = None
) -> list[Campaign]:
    """The campaigns, newest first; of all states and versions unless some are named."""
    chosen = select(campaigns).order_by(campaigns.c.id.desc())
    if states is not None:
        chosen = chosen.where(campaigns.c.state.in_(states))
    if version_id is not None:
        chosen = chosen.where(campaigns.c.version_id == version_id)
    return [_campaign(dict(row)) for row in connection.execute(chosen).mappings()]


def load_campaign(connection: Connection, campaign_id: int, *, lock: bool = False) -> Campaign | None:
    """The campaign with this id; ``lock`` lets others who want to change it wait until the transaction ends."""
    chosen = select(campaigns).where(campaigns.c.id == campaign_id)
    row = connection.execute(chosen.with_for_update() if lock else chosen).mappings().one_or_none()
    return _campaign(dict(row)) if row is not None else None


def try_lock(connection: Connection, campaign_id: int) -> Campaign | None:
    """The campaign, locked; None where another worker holds it at this moment."""
    chosen = select(campaigns).where(campaigns.c.id == campaign_id).with_for_update(skip_locked=True)
    row = connection.execute(chosen).mappings().one_or_none()
    return _campaign(dict(row)) if row is not None else None


def change_campaign(connection: Connection, campaign_id: int, **values: object) -> None:
    connection.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(**values))


def count_claim(connection: Connection, campaign_id: int, **values: object) -> int:
    """How often rows of the campaign were claimed, this time included; ``values`` are written beside."""
    return int(
        connection.execute(
            update(campaigns)
            .where(campaigns.c.id == campaign_id)
            .values(claims=campaigns.c.claims + 1, **values)
            .returning(campaigns.c.claims)
        ).scalar_one()
    )


def measured_rate(connection: Connection) -> float | None:
    """Mails a second of the last campaign that was large enough to tell; None where none was.

    From its first mail to its last, pauses and slow domains included: the time that it took.
    """
    rows = connection.execute(
        select(campaigns.c.candidates, campaigns.c.started_at, campaigns.c.finished_at)
        .where(
            campaigns.c.state == State.DONE,
            campaigns.c.started_at.is_not(None),
            campaigns.c.finished_at.is_not(None),
            campaigns.c.candidates - campaigns.c.excluded >= _TELLING,
        )
        .order_by(campaigns.c.id.desc())
        .limit(1)
    ).one_or_none()
    if rows is None:
        return None
    seconds = (rows.finished_at - rows.started_at).total_seconds()
    return float(rows.candidates / max(seconds, 1.0))


def lock_audience(connection: Connection, *, shared: bool) -> None:
    """Let whoever confirms either be seen by an announcement or see it: nobody falls between.

    Announcing takes it alone, confirming shared; SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        connection.execute(select(take(_AUDIENCE)))


def _campaign(row: dict[str, Any]) -> Campaign:
    return Campaign(
        **row | {"kind": Kind(row["kind"]), "state": State(row["state"]), "policy": Policy(row["policy"])}
    )
