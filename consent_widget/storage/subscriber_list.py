"""Subscriptions as staff look at them: page by page by key, by state, by how an address begins."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from ..core.delivery import Kind
from ..core.delivery import State as Delivered
from ..core.subscription import State
from .campaign import campaigns
from .delivery import bounces, deliveries
from .subscription import subscriptions

#: Greater than any character of an address, which is ASCII.
_END = "\x7f"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One subscription in a list; ``address`` whole, None once erased."""

    id: int
    address: str | None
    address_hash: str
    language: str
    state: State
    requested_at: datetime
    confirmed_at: datetime | None
    ended_at: datetime | None
    erased_at: datetime | None
    reason: str


_COLUMNS = tuple(subscriptions.c[name] for name in Listed.__dataclass_fields__)


def count_states(connection: Connection) -> Mapping[State, int]:
    """How many subscriptions are in each state."""
    rows = connection.execute(select(subscriptions.c.state, func.count()).group_by(subscriptions.c.state))
    found = {State(state): int(count) for state, count in rows}
    return {state: found.get(state, 0) for state in State}


def list_rows(
    connection: Connection, *, limit: int, state: State | None = None, before: int | None = None
) -> list[Listed]:
    """The newest, or the newest of those before the id ``before``. By key, so that the last page costs no more."""
    chosen = _in(select(*_COLUMNS), state)
    if before is not None:
        chosen = chosen.where(subscriptions.c.id < before)
    return _read(connection, chosen.order_by(subscriptions.c.id.desc()).limit(limit))


def read_rows(
    connection: Connection, *, after: int, upto: int, limit: int, state: State | None = None
) -> list[Listed]:
    """The oldest of those with an id over ``after``, up to and with ``upto``."""
    chosen = _in(select(*_COLUMNS), state).where(subscriptions.c.id > after, subscriptions.c.id <= upto)
    return _read(connection, chosen.order_by(subscriptions.c.id).limit(limit))


def newest_id(connection: Connection) -> int:
    """The id of the newest subscription; 0 where there is none."""
    return int(connection.execute(select(func.max(subscriptions.c.id))).scalar() or 0)


def rows_of(connection: Connection, hashes: Collection[str]) -> list[Listed]:
    """The subscriptions of one address, by its keyed hashes: those that were erased are found as well."""
    chosen = select(*_COLUMNS).where(subscriptions.c.address_hash.in_(hashes))
    return _read(connection, chosen.order_by(subscriptions.c.id.desc()))


def rows_like(connection: Connection, beginning: str, *, limit: int) -> list[Listed]:
    """The subscriptions whose address, or whose domain, begins so; in lower case. ``@`` begins a domain."""
    domain = beginning.removeprefix("@")
    found = _read(
        connection,
        select(*_COLUMNS)
        .where(_begins(subscriptions.c.domain, domain))
        .order_by(subscriptions.c.domain, subscriptions.c.id)
        .limit(limit),
    )
    if domain == beginning:
        first = _read(
            connection,
            select(*_COLUMNS)
            .where(_begins(subscriptions.c.identity, beginning))
            .order_by(subscriptions.c.identity)
            .limit(limit),
        )
        known = {one.id for one in first}
        found = [*first, *(one for one in found if one.id not in known)]
    return found[:limit]


def _begins(column: ColumnElement[str], beginning: str) -> ColumnElement[bool]:
    # A range, which an index answers on both databases; LIKE would take % and _ for signs of its own.
    return and_(column >= beginning, column < beginning + _END)


def _in(chosen: Select[*tuple[object, ...]], state: State | None) -> Select[*tuple[object, ...]]:
    return chosen if state is None else chosen.where(subscriptions.c.state == state.value)


def _read(connection: Connection, chosen: Select[*tuple[object, ...]]) -> list[Listed]:
    return [Listed(**{**row, "state": State(row["state"])}) for row in connection.execute(chosen).mappings()]


@dataclass(frozen=True, kw_only=True)
class Told:
    """One mail about a version to one subscription, with what makes its Message-ID."""

    id: int
    campaign_id: int
    version_id: int
    number: int
    kind: Kind
    state: Delivered
    language: str
    late: bool
    attempts: int
    at: datetime
    code: str
    secret: str
    mail_domain: str


def told(connection: Connection, subscription_id: int) -> list[Told]:
    """Every mail about a version to this subscription, newest first; letters are none."""
    rows = connection.execute(
        select(
            *(
                deliveries.c[name]
                for name in (
                    "id",
                    "campaign_id",
                    "kind",
                    "state",
                    "language",
                    "late",
                    "attempts",
                    "at",
                    "code",
                )
            ),
            *(campaigns.c[name] for name in ("version_id", "number", "secret", "mail_domain")),
        )
        .join(campaigns, campaigns.c.id == deliveries.c.campaign_id)
        .where(deliveries.c.subscription_id == subscription_id)
        .order_by(deliveries.c.id.desc())
    ).mappings()
    return [Told(**{**row, "kind": Kind(row["kind"]), "state": Delivered(row["state"])}) for row in rows]


@dataclass(frozen=True, kw_only=True)
class Bounce:
    """One report of a mail that came back; ``raw`` only of what could not be read."""

    id: int
    received_at: datetime
    delivery_id: int | None
    subscription_id: int | None
    kind: str
    code: str
    raw: str | None


_BOUNCE = tuple(bounces.c[name] for name in Bounce.__dataclass_fields__)


def bounces_of(connection: Connection, subscription_id: int, *, limit: int) -> list[Bounce]:
    """The newest reports about mails to this subscription."""
    rows = connection.execute(
        select(*_BOUNCE)
        .where(bounces.c.subscription_id == subscription_id)
        .order_by(bounces.c.id.desc())
        .limit(limit)
    ).mappings()
    return [Bounce(**row) for row in rows]


def unread_bounces(connection: Connection, *, limit: int, before: int | None = None) -> list[Bounce]:
    """Reports that could not be read, newest first: those about mails of ours, behind them all others.

    ``before`` is the id of the last one on the page before.
    """
    is_ours = bounces.c.subscription_id.is_not(None)
    chosen = select(*_BOUNCE).where(bounces.c.raw.is_not(None))
    if before is not None:
        last = select(bounces.c.subscription_id).where(bounces.c.id == before)
        is_older = bounces.c.id < before
        has_owner = last.scalar_subquery().is_not(None)
        chosen = chosen.where(
            or_(and_(has_owner, or_(~is_ours, is_older)), and_(~has_owner, ~is_ours, is_older))
        )
    rows = connection.execute(chosen.order_by(is_ours.desc(), bounces.c.id.desc()).limit(limit)).mappings()
    return [Bounce(**row) for row in rows]


def load_bounce(connection: Connection, bounce_id: int) -> Bounce | None:
    row = connection.execute(select(*_BOUNCE).where(bounces.c.id == bounce_id)).mappings().one_or_none()
    return Bounce(**row) if row else None


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """One mail of which nobody knows whether it was taken; ``address`` None once erased."""

    id: int
    subscription_id: int
    address: str | None
    at: datetime
    code: str


def unknown_mails(connection: Connection, campaign_id: int, *, limit: int) -> list[Unknown]:
    """The oldest of a campaign's mails of which nobody knows."""
    rows = connection.execute(
        select(
            deliveries.c.id,
            deliveries.c.subscription_id,
            subscriptions.c.address,
            deliveries.c.at,
            deliveries.c.code,
        )
        .join(subscriptions, subscriptions.c.id == deliveries.c.subscription_id)
        .where(deliveries.c.campaign_id == campaign_id, deliveries.c.state == Delivered.UNKNOWN.value)
        .order_by(deliveries.c.at, deliveries.c.id)
        .limit(limit)
    ).mappings()
    return [Unknown(**row) for row in rows]
