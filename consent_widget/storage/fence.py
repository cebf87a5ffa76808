"""What every mail costs: its row fenced before, accepted after. Several rows in one statement.

The statements are made once: to put one together costs a multiple of what it costs to run it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Integer,
    String,
    bindparam,
    exists,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from ..core.campaign import State as Running
from ..core.delivery import Delivery, Event, Kind, State, sources
from ..core.subscription import State as Subscribed
from .campaign import campaigns
from .database import UtcDateTime
from .delivery import deliveries, target_of
from .subscription import Id, subscriptions


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """Where a fenced mail goes: the subscription as it is at that instant."""

    address: str
    salt: str
    language: str


def fence(
    connection: Connection, rows: Collection[Delivery], *, owner: str, now: datetime, lease_until: datetime
) -> dict[int, Recipient]:
    """Take the last step before sending, for each of ``rows`` by its id that may be sent (still).

    Only if ``owner`` still holds it, its lease is alive, its campaign runs and the
    subscription is in the state that this kind of mail is for.
    """
    alike: dict[tuple[int | None, Kind], list[int]] = {}
    for one in rows:
        alike.setdefault((one.campaign_id, one.kind), []).append(one.id)
    found: dict[int, Recipient] = {}
    for (campaign_id, kind), ids in alike.items():
        values = _ids("row", ids) | {"holder": owner, "moment": now, "until": lease_until}
        if campaign_id is not None:
            values["campaign"] = campaign_id
        fenced = connection.execute(_fencing(kind, campaign_id is not None, len(ids)), values)
        found |= {row[0]: Recipient(address=row[1], salt=row[2], language=row[3]) for row in fenced}
    return found


def accept(
    connection: Connection, ids: Collection[int], *, owner: str, now: datetime, code: str, attempts: int
) -> set[int]:
    """Note that the relay took these mails, which ``owner`` sent; those that were still to be written."""
    values = _ids("taken", ids) | {"holder": owner, "moment": now, "said": code, "tries": attempts}
    return set(connection.execute(_accepting(len(ids)), values).scalars())


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """Mails that the relay took with the same words at the same try."""

    ids: frozenset[int]
    code: str
    attempts: int


def pass_on(
    connection: Connection,
    taken: Accepted,
    rows: Collection[Delivery],
    *,
    owner: str,
    now: datetime,
    lease_until: datetime,
) -> tuple[set[int], dict[int, Recipient]]:
    """:func:`accept` and :func:`fence` in one statement, for rows of one campaign and kind; PostgreSQL alone.

    Outside a transaction (storage.database.Kept.at_once) it is one, and costs one round trip
    to the server instead of four.
    """
    first = next(iter(rows))
    values = _ids("taken", taken.ids) | _ids("row", [one.id for one in rows])
    values |= {"holder": owner, "moment": now, "until": lease_until, "campaign": first.campaign_id}
    values |= {"said": taken.code, "tries": taken.attempts}
    written: set[int] = set()
    found: dict[int, Recipient] = {}
    for row in connection.execute(_passing(first.kind, len(taken.ids), len(rows)), values):
        if row[1] is None:
            written.add(row[0])
        else:
            found[row[0]] = Recipient(address=row[1], salt=row[2], language=row[3])
    return written, found


@cache
def _passing(kind: Kind, taken: int, count: int) -> Executable:
    accepted = _accepting(taken).cte("accepted")
    fenced = _fencing(kind, True, count).cte("fenced")
    nothing = (null().label("address"), null().label("salt"), null().label("language"))
    return select(accepted.c.id, *nothing).union_all(
        select(fenced.c.id, fenced.c.address, fenced.c.salt, fenced.c.language)
    )


def _ids(name: str, ids: Collection[int]) -> dict[str, object]:
    return {f"{name}{place}": number for place, number in enumerate(ids)}


def _are_among(name: str, count: int) -> ColumnElement[bool]:
    return deliveries.c.id.in_([bindparam(f"{name}{place}", type_=Id) for place in range(count)])


_HOLDER = deliveries.c.owner == bindparam("holder", type_=String)
_MOMENT = bindparam("moment", type_=UtcDateTime)


@cache
def _fencing(kind: Kind, in_campaign: bool, count: int) -> ReturningUpdate[Any]:
    theirs = subscriptions.c.id == deliveries.c.subscription_id
    address = subscriptions.c.new_address if kind is Kind.ADDRESS else subscriptions.c.address
    wanted = Subscribed.PENDING if kind is Kind.CONFIRM else Subscribed.CONFIRMED
    allowed = [
        _are_among("row", count),
        deliveries.c.state == State.LEASED,
        _HOLDER,
        deliveries.c.lease_until > _MOMENT,
        exists().where(theirs, subscriptions.c.state == wanted, address.is_not(None)),
    ]
    if in_campaign:
        this = campaigns.c.id == bindparam("campaign", type_=Integer)
        allowed.append(exists().where(this, campaigns.c.state == Running.RUNNING))
    return (
        update(deliveries)
        .where(*allowed)
        .values(state=State.SENDING, lease_until=bindparam("until", type_=UtcDateTime))
        .returning(
            deliveries.c.id,
            # SQLite returns nothing of a joined table, but what a question of its own finds.
            *(
                select(column).where(theirs).correlate(deliveries).scalar_subquery().label(name)
                for name, column in (
                    ("address", address),
                    ("salt", subscriptions.c.salt),
                    ("language", subscriptions.c.language),
                )
            ),
        )
    )


@cache
def _accepting(count: int) -> ReturningUpdate[Any]:
    return (
        update(deliveries)
        .where(
            _are_among("taken", count),
            _HOLDER,
            or_(*(deliveries.c.state == state for state in sources(Event.ACCEPT))),
        )
        .values(
            state=target_of(Event.ACCEPT),
            at=_MOMENT,
            attempts=bindparam("tries", type_=Integer),
            code=bindparam("said", type_=String),
            owner=None,
            lease_until=None,
        )
        .returning(deliveries.c.id)
    )
