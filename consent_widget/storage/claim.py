"""What workers write: rows claimed and settled, each only by who holds it (storage.fence: what lies between)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Integer,
    String,
    bindparam,
    or_,
    select,
    update,
)

from ..core.campaign import State as Running
from ..core.delivery import LEASE, LONGEST_WAIT, Delivery, Event, Kind, State, sources
from ..core.subscription import State as Subscribed
from .campaign import campaigns
from .database import UtcDateTime
from .delivery import deliveries, delivery_of, of_campaign, target_of
from .pace import RELAY, is_on, pauses
from .subscription import subscriptions


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """The rows that are ours now, the longest due first, and how many were put off for their domain.

    ``slowed`` are the domains among them, or the relay, that were slowed and have not taken mail since.
    """

    kept: list[Delivery]
    put_off: int
    slowed: frozenset[str]


def claim(
    connection: Connection,
    *,
    campaign_id: int | None,
    owner: str,
    limit: int,
    now: datetime,
    lease_until: datetime,
) -> Claimed:
    """Up to ``limit`` rows that are due, leased to ``owner``; letters where ``campaign_id`` is None.

    Rows whose domain wants to be left alone are put off until it does not, and are not among them.
    """
    values = {"holder": owner, "room": limit, "moment": now, "until": lease_until}
    if campaign_id is not None:
        values["campaign"] = campaign_id
    taken = connection.execute(_claiming(campaign_id is None), values).mappings()
    found = [delivery_of(dict(row)) for row in taken]
    until = pauses(connection, {RELAY, *(one.domain for one in found)}) if found else {}
    slow = {domain: ends_at for domain, ends_at in until.items() if is_on(ends_at, now)}
    for domain in slow.keys() & {one.domain for one in found}:
        _put_off(connection, found, domain, campaign_id, until=slow[domain], now=now)
    kept = [one for one in found if one.domain not in slow]
    return Claimed(
        kept=sorted(kept, key=lambda one: (one.at, one.id)),
        put_off=len(found) - len(kept),
        slowed=frozenset(until),
    )


def _put_off(
    connection: Connection,
    found: Collection[Delivery],
    domain: str,
    campaign_id: int | None,
    *,
    until: datetime,
    now: datetime,
) -> None:
    """Give back what was found for ``domain`` and put off, at once, much of what else is due for it."""
    ids = [one.id for one in found if one.domain == domain]
    values = {"state": State.PENDING, "owner": None, "lease_until": None, "at": until}
    connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(**values))
    more = (
        select(deliveries.c.id)
        .where(
            of_campaign(campaign_id),
            deliveries.c.state == State.PENDING,
            deliveries.c.at <= now,
            deliveries.c.domain == domain,
        )
        .order_by(deliveries.c.at)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).cte("more")
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(select(more.c.id)), deliveries.c.state == State.PENDING)
        .values(at=until)
    )


#: So many rows of a slow domain are put off by one commit, so that other writes wait a moment at most.
_AT_ONCE = 2000


@cache
def _claiming(are_letters: bool) -> Executable:
    this = bindparam("campaign", type_=Integer)
    whose = deliveries.c.campaign_id.is_(None) if are_letters else deliveries.c.campaign_id == this
    due = (
        select(deliveries.c.id)
        .where(
            whose,
            deliveries.c.state == State.PENDING,
            deliveries.c.at <= bindparam("moment", type_=UtcDateTime),
        )
        .order_by(deliveries.c.at)
        .limit(bindparam("room", type_=Integer))
        .with_for_update(skip_locked=True)
    ).cte("due")  # asked once: within the condition PostgreSQL may ask again, and take more than the limit
    return (
        update(deliveries)
        .where(deliveries.c.id.in_(select(due.c.id)), deliveries.c.state == State.PENDING)
        .values(
            state=State.LEASED,
            owner=bindparam("holder", type_=String),
            lease_until=bindparam("until", type_=UtcDateTime),
        )
        .returning(deliveries)
    )


def why_not(connection: Connection, one: Delivery, *, owner: str) -> Event | None:
    """What becomes of a row that could not be fenced; None where it is not ``owner``'s any more."""
    row = connection.execute(
        select(subscriptions.c.state, subscriptions.c.address, subscriptions.c.new_address)
        .join_from(deliveries, subscriptions, subscriptions.c.id == deliveries.c.subscription_id)
        .where(deliveries.c.id == one.id, deliveries.c.state == State.LEASED, deliveries.c.owner == owner)
    ).one_or_none()
    if row is None:
        return None
    if row.state == Subscribed.SUPPRESSED:
        return Event.SUPPRESS
    wanted = Subscribed.PENDING if one.kind is Kind.CONFIRM else Subscribed.CONFIRMED
    address = row.new_address if one.kind is Kind.ADDRESS else row.address
    return Event.GIVE_BACK if row.state == wanted and address else Event.CANCEL


def settle(
    connection: Connection,
    one: Delivery,
    event: Event,
    *,
    owner: str,
    now: datetime,
    code: str = "",
    at: datetime | None = None,
    attempts: int | None = None,
) -> bool:
    """Write what became of a row that ``owner`` held; whether it was still to be written.

    ``at`` is when it may be claimed again, for one that goes back.
    """
    target = target_of(event)
    keeps_owner = target is State.UNKNOWN
    done = connection.execute(
        update(deliveries)
        .where(deliveries.c.id == one.id, deliveries.c.owner == owner, deliveries.c.state.in_(sources(event)))
        .values(
            state=target,
            at=at or now,
            attempts=one.attempts if attempts is None else attempts,
            owner=owner if keeps_owner else None,
            lease_until=None,
            **({"code": code} if code else {}),
        )
    )
    return done.rowcount > 0


def give_back(connection: Connection, delivery_id: int, *, owner: str, at: datetime) -> None:
    """A claimed row that was not sent."""
    connection.execute(
        update(deliveries)
        .where(
            deliveries.c.id == delivery_id,
            deliveries.c.owner == owner,
            deliveries.c.state == State.LEASED,
        )
        .values(state=State.PENDING, owner=None, lease_until=None, at=at)
    )


def give_back_all(connection: Connection, *, owner: str) -> int:
    """All rows that ``owner`` claimed and did not begin to send; how many."""
    return connection.execute(
        update(deliveries)
        .where(
            deliveries.c.lease_until.is_not(None),  # the index
            deliveries.c.owner == owner,
            deliveries.c.state == State.LEASED,
        )
        .values(state=State.PENDING, owner=None, lease_until=None)
    ).rowcount


def hurry(connection: Connection, *, now: datetime) -> None:
    """Let what was put off for longer than anything is, by a clock that was ahead, be due now."""
    connection.execute(
        update(deliveries)
        .where(
            _of_any(connection), deliveries.c.state == State.PENDING, deliveries.c.at > now + 2 * LONGEST_WAIT
        )
        .values(at=now)
    )


def _of_any(connection: Connection) -> ColumnElement[bool]:
    """Of a campaign that runs or of none: by the index, which begins with the campaign."""
    running = select(campaigns.c.id).where(campaigns.c.state.in_((Running.RUNNING, Running.PAUSED)))
    ids = connection.execute(running).scalars().all()
    return or_(deliveries.c.campaign_id.is_(None), deliveries.c.campaign_id.in_(ids))


def forget_domain(connection: Connection, delivery_id: int) -> None:
    """The address was erased: the row does not keep where it was."""
    connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(domain=""))


def take_back(connection: Connection, ids: Collection[int], *, owner: str) -> None:
    """Rows that ``owner`` fenced by a commit whose answer it did not hear, and has not sent: fenced anew."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), deliveries.c.owner == owner, deliveries.c.state == State.SENDING)
        .values(state=State.LEASED)
    )


def expired(connection: Connection, *, now: datetime, limit: int) -> list[Delivery]:
    """Rows whose worker is silent, locked: their lease is over, or of a clock that was far ahead."""
    over = or_(deliveries.c.lease_until <= now, deliveries.c.lease_until > now + 2 * LEASE)
    chosen = (
        select(deliveries)
        .where(deliveries.c.lease_until.is_not(None), over)
        .order_by(deliveries.c.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [delivery_of(dict(row)) for row in connection.execute(chosen).mappings()]
