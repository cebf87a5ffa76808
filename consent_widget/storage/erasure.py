"""What is known of one mailbox, wherever it stands, and how it is taken out of every table."""

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, update

from ..core.delivery import SETTLED
from ..core.subscription import State, Subscription
from .delivery import bounces, deliveries
from .subscription import links, subscriptions

#: A driver takes a bounded number of values.
_MANY = 500


def secure(connection: Connection) -> None:
    """From here on SQLite overwrites with zeros what it deletes; other databases see :func:`sweep_out`."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def lock_row(connection: Connection, subscription_id: int) -> Subscription | None:
    """The subscription, which nobody else changes until the transaction ends; None where there is none."""
    chosen = select(subscriptions).where(subscriptions.c.id == subscription_id).with_for_update()
    row = connection.execute(chosen).mappings().one_or_none()
    if row is None:
        return None
    values = {name: value for name, value in row.items() if name not in ("identity", "domain")}
    return Subscription(**values | {"state": State(row["state"])})


def rows_of(connection: Connection, identity: str, hashes: Collection[str]) -> list[int]:
    """The subscriptions of a mailbox that still hold something, by its spelling and by its keyed hashes."""
    found = select(subscriptions.c.id).where(
        or_(subscriptions.c.identity == identity, subscriptions.c.address_hash.in_(hashes)),
        subscriptions.c.erased_at.is_(None),
    )
    return list(connection.execute(found.order_by(subscriptions.c.id)).scalars())


def empty_row(connection: Connection, subscription_id: int, **values: object) -> None:
    """Take the address out of a row and of the mails made of it; ``values`` are set beside it."""
    connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id == subscription_id)
        .values(address=None, identity=None, domain="", new_address=None, **values)
    )
    connection.execute(delete(links).where(links.c.subscription_id == subscription_id))
    mine = deliveries.c.subscription_id == subscription_id
    connection.execute(delete(deliveries).where(mine, deliveries.c.campaign_id.is_(None)))
    connection.execute(update(deliveries).where(mine, deliveries.c.domain != "").values(domain=""))
    connection.execute(update(bounces).where(bounces.c.subscription_id == subscription_id).values(raw=None))


def delete_rows(connection: Connection, ids: Collection[int]) -> int:
    """Delete subscriptions that were never confirmed, with all that hangs on them; how many."""
    connection.execute(delete(links).where(links.c.subscription_id.in_(ids)))
    connection.execute(delete(deliveries).where(deliveries.c.subscription_id.in_(ids)))
    connection.execute(update(bounces).where(bounces.c.subscription_id.in_(ids)).values(raw=None))
    return connection.execute(delete(subscriptions).where(subscriptions.c.id.in_(ids))).rowcount


def waiting_for(connection: Connection, identity: str) -> list[int]:
    """Subscriptions of other mailboxes that asked to be moved to this one and have not confirmed it."""
    asked = select(subscriptions.c.id).where(func.lower(subscriptions.c.new_address) == identity)
    linked = select(links.c.subscription_id).where(func.lower(links.c.address) == identity)
    return list(connection.execute(asked.union(linked)).scalars())


def stop_waiting(connection: Connection, ids: Collection[int], identity: str) -> None:
    """Forget that these asked for this mailbox, and the letters that would have gone there."""
    connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id.in_(ids), func.lower(subscriptions.c.new_address) == identity)
        .values(new_address=None)
    )
    connection.execute(
        delete(links).where(links.c.subscription_id.in_(ids), func.lower(links.c.address) == identity)
    )
    connection.execute(
        delete(deliveries).where(
            deliveries.c.subscription_id.in_(ids),
            deliveries.c.campaign_id.is_(None),
            deliveries.c.kind == "address",
        )
    )


def kept_reports(connection: Connection) -> Iterator[tuple[int, str]]:
    """Every report that could not be read and is kept, with its id."""
    for row in connection.execute(select(bounces.c.id, bounces.c.raw).where(bounces.c.raw.is_not(None))):
        yield row.id, row.raw


def drop_reports(connection: Connection, ids: Collection[int]) -> None:
    """Forget what these reports said; that there was one is kept."""
    connection.execute(update(bounces).where(bounces.c.id.in_(ids)).values(raw=None))


def holding(connection: Connection, hashes: Collection[str]) -> list[tuple[int, str]]:
    """Id and keyed hash of every row that still holds an address under one of ``hashes``."""
    return _by_hash(connection, hashes, subscriptions.c.erased_at.is_(None))


def going_on(connection: Connection, hashes: Collection[str]) -> list[tuple[int, str]]:
    """Id and keyed hash of every row under one of ``hashes`` that is pending or confirmed."""
    return _by_hash(connection, hashes, subscriptions.c.state.in_((State.PENDING, State.CONFIRMED)))


def _by_hash(
    connection: Connection, hashes: Collection[str], *where: ColumnElement[bool]
) -> list[tuple[int, str]]:
    every = sorted(hashes)
    found: list[tuple[int, str]] = []
    for start in range(0, len(every), _MANY):
        chosen = select(subscriptions.c.id, subscriptions.c.address_hash).where(
            subscriptions.c.address_hash.in_(every[start : start + _MANY]), *where
        )
        found += [(int(row.id), str(row.address_hash)) for row in connection.execute(chosen)]
    return found


def last_erased_at(connection: Connection) -> datetime | None:
    """When an address was taken out of a row last."""
    found: datetime | None = connection.execute(select(func.max(subscriptions.c.erased_at))).scalar()
    return found


def has_open_letters(connection: Connection, subscription_id: int) -> bool:
    """Whether a letter to it is not settled yet."""
    chosen = select(deliveries.c.id).where(
        deliveries.c.subscription_id == subscription_id,
        deliveries.c.campaign_id.is_(None),
        deliveries.c.state.not_in(SETTLED),
    )
    return connection.execute(chosen.limit(1)).first() is not None
