"""Deliveries: one row for each mail to one subscription; the truth of what was sent."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
    select,
    text,
    update,
)

from ..core.delivery import OPEN, Counts, Delivery, Event, Kind, State, advance, sources
from .database import UtcDateTime, metadata
from .subscription import Id

#: The rows that an answer kept from being accepted; a query must say it in the same words to use the index.
_REFUSED = "state IN ('failed', 'pending') AND code <> ''"

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
    # For staff who watch: what is rare among a million is counted without reading them all.
    Index(
        "ix_cw_delivery_late",
        "campaign_id",
        "state",
        sqlite_where=text("late = 1"),
        postgresql_where=text("late"),
    ),
    Index(
        "ix_cw_delivery_code",
        "campaign_id",
        "state",
        "code",
        sqlite_where=text(_REFUSED),
        postgresql_where=text(_REFUSED),
    ),
    sqlite_autoincrement=True,
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


def of_campaign(campaign_id: int | None) -> ColumnElement[bool]:
    return (
        deliveries.c.campaign_id.is_(None) if campaign_id is None else deliveries.c.campaign_id == campaign_id
    )


def target_of(event: Event) -> State:
    """Where ``event`` leads: the same from every state that it is allowed in."""
    (target,) = {advance(state, event) for state in sources(event)}
    return target


def change_rows(
    connection: Connection,
    event: Event,
    *where: ColumnElement[bool],
    now: datetime,
    code: str | None = None,
    attempts: int | None = None,
) -> int:
    """Let ``event`` happen to every row out of ``where`` that it may happen to; how many."""
    done = connection.execute(
        update(deliveries)
        .where(deliveries.c.state.in_(sources(event)), *where)
        .values(
            state=target_of(event),
            at=now,
            owner=None,
            lease_until=None,
            **({} if code is None else {"code": code}),
            **({} if attempts is None else {"attempts": attempts}),
        )
    )
    return done.rowcount


def count_states(connection: Connection, campaign_id: int, *, late: bool = False) -> Counts:
    """How many rows of the campaign are in which state; all, or only those that joined ``late``."""
    chosen = select(deliveries.c.state, func.count()).where(deliveries.c.campaign_id == campaign_id)
    if late:
        chosen = chosen.where(deliveries.c.late)
    rows = connection.execute(chosen.group_by(deliveries.c.state))
    return Counts(by_state={State(state): int(count) for state, count in rows})


def count_refusals(connection: Connection, campaign_id: int) -> dict[State, dict[str, int]]:
    """By which answers rows failed, and by which they were put off; how many of each."""
    rows = connection.execute(
        select(deliveries.c.state, deliveries.c.code, func.count())
        .where(deliveries.c.campaign_id == campaign_id, text(_REFUSED))
        .group_by(deliveries.c.state, deliveries.c.code)
    )
    found: dict[State, dict[str, int]] = {State.FAILED: {}, State.PENDING: {}}
    for state, code, count in rows:
        found[State(state)][code] = int(count)
    return found


def count_since(connection: Connection, campaign_id: int, *, since: datetime) -> int:
    """How many mails of the campaign were accepted since then."""
    chosen = select(func.count()).where(
        deliveries.c.campaign_id == campaign_id,
        deliveries.c.state == State.ACCEPTED,
        deliveries.c.at >= since,
    )
    return int(connection.execute(chosen).scalar_one())


def count_until(connection: Connection, campaign_id: int, *, until: datetime) -> int:
    """How many mails of the campaign were accepted by then."""
    chosen = select(func.count()).where(
        deliveries.c.campaign_id == campaign_id,
        deliveries.c.state == State.ACCEPTED,
        deliveries.c.at <= until,
    )
    return int(connection.execute(chosen).scalar_one())


def has_state(connection: Connection, campaign_id: int, state: State) -> bool:
    """Whether a row of the campaign is in ``state``."""
    chosen = select(deliveries.c.id).where(
        deliveries.c.campaign_id == campaign_id, deliveries.c.state == state
    )
    return connection.execute(chosen.limit(1)).first() is not None


def last_accepted(connection: Connection, campaign_id: int) -> datetime | None:
    """When the last mail of the campaign was accepted; None where none was."""
    chosen = select(func.max(deliveries.c.at)).where(
        deliveries.c.campaign_id == campaign_id, deliveries.c.state == State.ACCEPTED
    )
    found: datetime | None = connection.execute(chosen).scalar()
    return found


def has_open(connection: Connection, campaign_id: int) -> bool:
    """Whether a row of the campaign is not settled."""
    chosen = select(deliveries.c.id).where(
        deliveries.c.campaign_id == campaign_id, deliveries.c.state.in_(OPEN)
    )
    return connection.execute(chosen.limit(1)).first() is not None


def oldest_due(
    connection: Connection, campaign_ids: Iterable[int | None], *, now: datetime
) -> datetime | None:
    """Since when the oldest pending row of these campaigns is due, None among them for letters; None where none is."""
    first = [
        connection.execute(
            select(deliveries.c.at)
            .where(of_campaign(one), deliveries.c.state == State.PENDING, deliveries.c.at <= now)
            .order_by(deliveries.c.at)
            .limit(1)
        ).scalar()
        for one in campaign_ids
    ]
    return min((at for at in first if at is not None), default=None)


def delivery_of(row: dict[str, Any]) -> Delivery:
    row.pop("lease_until")
    return Delivery(**row | {"kind": Kind(row["kind"]), "state": State(row["state"])})
