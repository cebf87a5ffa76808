"""Letters: deliveries of no campaign, and what one subscription was told."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from ..core.delivery import Delivery, Kind, State
from .campaign import campaigns
from .delivery import deliveries


@dataclass(frozen=True, kw_only=True)
class Told:
    """That a mail about version ``number`` was accepted by the mail server ``at`` this time."""

    number: int
    kind: Kind
    at: datetime


def renew_letter(
    connection: Connection,
    subscription_id: int,
    kind: Kind,
    *,
    language: str,
    domain: str,
    is_sent: bool,
    now: datetime,
) -> None:
    """Queue a letter in place of those of its kind that still wait.

    Without ``is_sent`` it is put down as cancelled, and those that wait stay: to write
    nothing would take less time, which tells strangers who is subscribed.
    """
    outdated = (State.PENDING, State.LEASED, State.CANCELLED) if is_sent else (State.CANCELLED,)
    letters = (deliveries.c.subscription_id == subscription_id, deliveries.c.campaign_id.is_(None))
    connection.execute(
        delete(deliveries).where(*letters, deliveries.c.kind == kind, deliveries.c.state.in_(outdated))
    )
    connection.execute(
        insert(deliveries).values(
            subscription_id=subscription_id,
            kind=kind,
            language=language,
            domain=domain,
            state=State.PENDING if is_sent else State.CANCELLED,
            late=False,
            attempts=0,
            at=now,
            created_at=now,
        )
    )


def wrote_since(connection: Connection, subscription_id: int, kind: Kind, *, since: datetime) -> bool:
    """Whether a letter of this kind was written after ``since``, sent or still to be."""
    query = select(deliveries.c.id).where(
        deliveries.c.subscription_id == subscription_id,
        deliveries.c.campaign_id.is_(None),
        deliveries.c.kind == kind,
        deliveries.c.state != State.CANCELLED,
        deliveries.c.created_at > since,
    )
    return connection.execute(query.limit(1)).first() is not None


def told(connection: Connection, subscription_id: int) -> list[Told]:
    """The versions that one was told of, newest first."""
    query = (
        select(campaigns.c.number, deliveries.c.kind, deliveries.c.at)
        .join_from(deliveries, campaigns, campaigns.c.id == deliveries.c.campaign_id)
        .where(deliveries.c.subscription_id == subscription_id, deliveries.c.state == State.ACCEPTED)
        .order_by(deliveries.c.at.desc(), deliveries.c.id.desc())
    )
    return [Told(number=row.number, kind=Kind(row.kind), at=row.at) for row in connection.execute(query)]


def mails_of(connection: Connection, subscription_id: int) -> list[Delivery]:
    """Every mail to a subscription, letters too, oldest first."""
    columns = [deliveries.c[name] for name in Delivery.__dataclass_fields__]
    query = select(*columns).where(deliveries.c.subscription_id == subscription_id).order_by(deliveries.c.id)
    return [
        Delivery(**dict(row) | {"kind": Kind(row["kind"]), "state": State(row["state"])})
        for row in connection.execute(query).mappings()
    ]
