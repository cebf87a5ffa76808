"""What has been kept for its time, and how each of it is taken away."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    not_,
    or_,
    select,
    update,
)

from ..core.delivery import SETTLED, Kind
from ..core.retention import Rule
from ..core.subscription import Purpose, State
from .count import counts
from .delivery import bounces, deliveries, domains
from .erasure import delete_rows, empty_rows
from .subscription import links, subscriptions, suppressions
from .subscription import suppress as let_no_mail_go

_HAS_ADDRESS = subscriptions.c.address.is_not(None)


def _waits_to_move(before: datetime) -> ColumnElement[bool]:
    """Whether the letter to the new address is on its way, or the link in it is still kept."""
    has_link = exists().where(
        links.c.subscription_id == subscriptions.c.id,
        links.c.purpose == Purpose.ADDRESS,
        links.c.expires_at > before,
    )
    has_letter = exists().where(
        deliveries.c.subscription_id == subscriptions.c.id,
        deliveries.c.kind == Kind.ADDRESS,
        deliveries.c.state.not_in(SETTLED),
    )
    return or_(has_link, has_letter)


def _where(rule: Rule, before: datetime) -> ColumnElement[bool]:
    """The rows of the rule's table whose time was over at ``before``."""
    rows: Mapping[Rule, Callable[[], ColumnElement[bool]]] = {
        Rule.UNCONFIRMED: lambda: or_(
            and_(subscriptions.c.state == State.PENDING, subscriptions.c.requested_at <= before),
            # Erased, or taken back, by somebody who never confirmed: it proves nothing.
            and_(
                subscriptions.c.state == State.UNSUBSCRIBED,
                subscriptions.c.confirmed_at.is_(None),
                subscriptions.c.ended_at <= before,
            ),
        ),
        Rule.LEFT: lambda: and_(
            subscriptions.c.state == State.UNSUBSCRIBED, _HAS_ADDRESS, subscriptions.c.ended_at <= before
        ),
        Rule.SUPPRESSED: lambda: and_(
            subscriptions.c.state == State.SUPPRESSED, _HAS_ADDRESS, subscriptions.c.ended_at <= before
        ),
        # One that was used goes on to say so, and proves the confirmation, without the address.
        Rule.LINKS: lambda: and_(
            links.c.expires_at <= before, or_(links.c.used_at.is_(None), links.c.address.is_not(None))
        ),
        Rule.MOVES: lambda: and_(subscriptions.c.new_address.is_not(None), not_(_waits_to_move(before))),
        Rule.LETTERS: lambda: and_(
            deliveries.c.campaign_id.is_(None), deliveries.c.state.in_(SETTLED), deliveries.c.at <= before
        ),
        Rule.REPORTS: lambda: bounces.c.received_at <= before,
        Rule.COUNTS: lambda: counts.c.ends_at <= before,
        Rule.DOMAINS: lambda: domains.c.until <= before,
    }
    return rows[rule]()


_TABLES: Mapping[Rule, Table] = {
    Rule.UNCONFIRMED: subscriptions,
    Rule.LEFT: subscriptions,
    Rule.SUPPRESSED: subscriptions,
    Rule.LINKS: links,
    Rule.MOVES: subscriptions,
    Rule.LETTERS: deliveries,
    Rule.REPORTS: bounces,
    Rule.COUNTS: counts,
    Rule.DOMAINS: domains,
}


def count_due(connection: Connection, rule: Rule, *, before: datetime) -> int:
    """How many rows :func:`purge_some` would take, all in all."""
    chosen = select(func.count()).select_from(_TABLES[rule]).where(_where(rule, before))
    return int(connection.execute(chosen).scalar_one())


def purge_some(connection: Connection, rule: Rule, *, before: datetime, now: datetime, limit: int) -> int:
    """Take away up to ``limit`` rows whose time was over at ``before``; how many."""
    table = _TABLES[rule]
    (key,) = table.primary_key.columns
    due: Select[Any] = select(key).where(_where(rule, before)).order_by(key).limit(limit)
    keys = list(connection.execute(due.with_for_update(skip_locked=True, of=table)).scalars())
    if keys:
        _take_away(connection, rule, keys, now)
    return len(keys)


def _take_away(connection: Connection, rule: Rule, keys: Sequence[Any], now: datetime) -> None:
    table = _TABLES[rule]
    if rule is Rule.UNCONFIRMED:
        chosen = select(subscriptions.c.id).where(
            subscriptions.c.id.in_(keys), subscriptions.c.confirmed_at.is_not(None)
        )
        proofs = list(connection.execute(chosen).scalars())
        delete_rows(connection, [one for one in keys if one not in set(proofs)])
        empty_rows(connection, proofs, erased_at=now)
        connection.execute(
            update(subscriptions)
            .where(subscriptions.c.id.in_(proofs))
            .values(
                state=State.UNSUBSCRIBED,
                reason="unconfirmed",
                ended_at=func.coalesce(subscriptions.c.ended_at, now),
            )
        )
    elif rule in (Rule.LEFT, Rule.SUPPRESSED):
        empty_rows(connection, keys, erased_at=now)
    elif rule is Rule.LINKS:
        connection.execute(delete(links).where(links.c.hash.in_(keys), links.c.used_at.is_(None)))
        connection.execute(update(links).where(links.c.hash.in_(keys)).values(address=None))
    elif rule is Rule.MOVES:
        connection.execute(update(subscriptions).where(subscriptions.c.id.in_(keys)).values(new_address=None))
    else:
        (key,) = table.primary_key.columns
        connection.execute(delete(table).where(key.in_(keys)))


def addresses_after(connection: Connection, after: int, *, limit: int) -> list[tuple[int, str, str]]:
    """Id, address and keyed hash of the next subscriptions that hold an address, by id."""
    chosen = (
        select(subscriptions.c.id, subscriptions.c.address, subscriptions.c.address_hash)
        .where(subscriptions.c.id > after, _HAS_ADDRESS)
        .order_by(subscriptions.c.id)
        .limit(limit)
    )
    return [(int(row.id), str(row.address), str(row.address_hash)) for row in connection.execute(chosen)]


def rehash(connection: Connection, subscription_id: int, *, old: str, new: str) -> bool:
    """Put the keyed hash of the present key, also among the suppressed; False where it changed meanwhile."""
    changed = connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id == subscription_id, subscriptions.c.address_hash == old)
        .values(address_hash=new)
    ).rowcount
    known = connection.execute(select(suppressions).where(suppressions.c.address_hash == old)).one_or_none()
    if changed and known is not None:
        let_no_mail_go(connection, new, reason=known.reason, now=known.suppressed_at)
    return changed > 0
