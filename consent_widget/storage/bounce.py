"""Reports of mails that came back: each counts once."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from ..core.delivery import Delivery
from .database import insert_or
from .delivery import bounces, deliveries, delivery_of


def add_report(
    connection: Connection,
    *,
    delivery_id: int | None,
    subscription_id: int | None,
    kind: str,
    code: str,
    digest: str,
    raw: str | None,
    received_at: datetime,
) -> bool:
    """Keep a report; False where it was read before."""
    put = insert_or(connection, bounces).values(
        delivery_id=delivery_id,
        subscription_id=subscription_id,
        kind=kind,
        code=code,
        digest=digest,
        raw=raw,
        received_at=received_at,
    )
    put = put.on_conflict_do_nothing(index_elements=["digest"])
    return connection.execute(put.returning(bounces.c.id)).first() is not None


def load_delivery(connection: Connection, delivery_id: int, *, lock: bool = False) -> Delivery | None:
    """``lock`` lets other reports about it wait until the transaction ends."""
    chosen = select(deliveries).where(deliveries.c.id == delivery_id)
    row = connection.execute(chosen.with_for_update() if lock else chosen).mappings().one_or_none()
    return delivery_of(dict(row)) if row is not None else None


def count_kept(connection: Connection, delivery_id: int | None) -> int:
    """How many reports are kept with their text for a mail; for None, of those that are about none of ours."""
    whose = bounces.c.delivery_id.is_(None) if delivery_id is None else bounces.c.delivery_id == delivery_id
    chosen = select(func.count()).where(bounces.c.raw.is_not(None), whose)
    return int(connection.execute(chosen).scalar_one())


def has_report(connection: Connection, delivery_id: int | None, kind: str) -> bool:
    """Whether there is a report of this kind about this mail."""
    chosen = select(bounces.c.id).where(bounces.c.delivery_id == delivery_id, bounces.c.kind == kind)
    return connection.execute(chosen.limit(1)).first() is not None
