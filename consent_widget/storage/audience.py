"""Who gets a campaign: one row for each confirmed subscription, made in chunks by single statements."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, not_, select

from ..core.campaign import Campaign
from ..core.delivery import State
from ..core.subscription import State as Subscribed
from .database import UtcDateTime, insert_or
from .delivery import deliveries
from .subscription import subscriptions


@dataclass(frozen=True, kw_only=True)
class Added:
    """What one chunk made: ``upto`` is the last subscription looked at, None where none was left."""

    upto: int | None
    rows: int
    excluded: int


def add_audience(connection: Connection, campaign: Campaign, *, limit: int, now: datetime) -> Added:
    """Rows for the next ``limit`` subscriptions behind the campaign's cursor that are confirmed.

    ``excluded`` were confirmed when it was announced and have left since.
    """
    upto = _last_of(
        connection,
        select(subscriptions.c.id).where(
            subscriptions.c.id > campaign.cursor, subscriptions.c.id <= campaign.audience_to
        ),
        limit,
    )
    if upto is None:
        return Added(upto=None, rows=0, excluded=0)
    here = (subscriptions.c.id > campaign.cursor, subscriptions.c.id <= upto)
    rows = _add(connection, campaign, select(*_audience(campaign, now)).where(*here, _CONFIRMED))
    left = select(func.count()).where(
        *here,
        not_(_CONFIRMED),
        subscriptions.c.confirmed_at <= campaign.created_at,
        subscriptions.c.ended_at >= campaign.created_at,
    )
    return Added(upto=upto, rows=rows, excluded=int(connection.execute(left).scalar_one()))


def add_corrected(connection: Connection, campaign: Campaign, *, limit: int, now: datetime) -> Added:
    """Rows of a correction for the next ``limit`` who may have got what it corrects.

    ``excluded`` have left since.
    """
    theirs = (deliveries.c.campaign_id == campaign.corrects, deliveries.c.state.in_(_MAY_HAVE_IT))
    upto = _last_of(
        connection,
        select(deliveries.c.subscription_id).where(*theirs, deliveries.c.subscription_id > campaign.cursor),
        limit,
    )
    if upto is None:
        return Added(upto=None, rows=0, excluded=0)
    joined = deliveries.join(subscriptions, subscriptions.c.id == deliveries.c.subscription_id)
    here = (
        *theirs,
        deliveries.c.subscription_id > campaign.cursor,
        deliveries.c.subscription_id <= upto,
    )
    rows = _add(
        connection,
        campaign,
        select(*_audience(campaign, now)).select_from(joined).where(*here, _CONFIRMED),
    )
    left = select(func.count()).select_from(joined).where(*here, not_(_CONFIRMED))
    return Added(upto=upto, rows=rows, excluded=int(connection.execute(left).scalar_one()))


def add_late(connection: Connection, campaign: Campaign, subscription_id: int, *, now: datetime) -> bool:
    """A row for one who joined after the announcement; whether there was none yet."""
    chosen = select(*_audience(campaign, now, late=True)).where(subscriptions.c.id == subscription_id)
    return _add(connection, campaign, chosen) > 0


_CONFIRMED = subscriptions.c.state == Subscribed.CONFIRMED

#: Who is told of a correction: those who certainly got the mail, and those who may have.
_MAY_HAVE_IT = (State.ACCEPTED, State.UNKNOWN)

_COPIED = (
    "campaign_id", "subscription_id", "kind", "language", "domain", "state", "late", "attempts", "at", "created_at",
    "code",
)  # fmt: skip


def _audience(campaign: Campaign, now: datetime, *, late: bool = False) -> tuple[ColumnElement[Any], ...]:
    """What a row consists of, in the order of ``_COPIED``."""
    return (
        literal(campaign.id),
        subscriptions.c.id,
        literal(str(campaign.kind)),
        subscriptions.c.language,
        subscriptions.c.domain,
        literal(str(State.PENDING)),
        literal(late),
        literal(0),
        literal(now, UtcDateTime),
        literal(now, UtcDateTime),
        literal(""),
    )


def _add(connection: Connection, campaign: Campaign, chosen: Select[Any]) -> int:
    put = insert_or(connection, deliveries).from_select(_COPIED, chosen)
    put = put.on_conflict_do_nothing(index_elements=["campaign_id", "subscription_id"])
    # Of an INSERT SQLAlchemy does not keep it unless it is told to.
    return connection.execute(put, execution_options={"preserve_rowcount": True}).rowcount


def _last_of(connection: Connection, ids: Select[Any], limit: int) -> int | None:
    chunk = ids.order_by(ids.selected_columns[0]).limit(limit).subquery()
    found = connection.execute(select(func.max(chunk.c[0]))).scalar()
    return None if found is None else int(found)
