"""What is known of one mailbox, wherever it stands, and how it is taken out of every table."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, update

from ..core.subscription import State
from .delivery import bounces, deliveries, jobs
from .job import note_job, taken_at
from .subscription import delete_links, links, subscriptions, suppressions

#: A driver takes a bounded number of values.
_MANY = 500

#: In the table of jobs: when something was deleted last whose bytes may still stand in the files.
_ERASED, _PURGED, _SCRUBBED = "erased", "purged", "scrubbed"


def secure(connection: Connection) -> None:
    """From here on SQLite overwrites what it deletes with zeros, also where the engine is the host's."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def rows_of(connection: Connection, identity: str, hashes: Collection[str]) -> list[int]:
    """The subscriptions of a mailbox that still hold something, by its spelling and by its keyed hashes."""
    found = select(subscriptions.c.id).where(
        or_(subscriptions.c.identity == identity, subscriptions.c.address_hash.in_(hashes)),
        subscriptions.c.erased_at.is_(None),
    )
    return list(connection.execute(found.order_by(subscriptions.c.id)).scalars())


def empty_rows(connection: Connection, ids: Collection[int], **values: object) -> None:
    """Take the address out of rows and of the mails made of them; ``values`` are set beside it."""
    connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id.in_(ids))
        .values(address=None, identity=None, domain="", new_address=None, **values)
    )
    connection.execute(delete(links).where(links.c.subscription_id.in_(ids)))
    theirs = deliveries.c.subscription_id.in_(ids)
    connection.execute(delete(deliveries).where(theirs, deliveries.c.campaign_id.is_(None)))
    connection.execute(update(deliveries).where(theirs, deliveries.c.domain != "").values(domain=""))
    connection.execute(update(bounces).where(bounces.c.subscription_id.in_(ids)).values(raw=None))


def delete_rows(connection: Connection, ids: Collection[int]) -> None:
    """Delete subscriptions that were never confirmed, with all that hangs on them."""
    for table in (links, deliveries, bounces):
        connection.execute(delete(table).where(table.c.subscription_id.in_(ids)))
    connection.execute(delete(subscriptions).where(subscriptions.c.id.in_(ids)))


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
    found: list[tuple[int, str]] = []
    for some in _chunks(hashes):
        chosen = select(subscriptions.c.id, subscriptions.c.address_hash).where(
            subscriptions.c.address_hash.in_(some), *where
        )
        found += [(int(row.id), str(row.address_hash)) for row in connection.execute(chosen)]
    return found


def _chunks(hashes: Collection[str]) -> Iterator[list[str]]:
    every = sorted(hashes)
    for start in range(0, len(every), _MANY):
        yield every[start : start + _MANY]


def end_row(connection: Connection, subscription_id: int, *, state: State, at: datetime) -> None:
    """Note that somebody left, as far as a journal can tell how."""
    connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id == subscription_id)
        .values(state=state, ended_at=at, reason="page", new_address=None)
    )
    delete_links(connection, subscription_id)


def not_suppressed(connection: Connection, hashes: Collection[str]) -> set[str]:
    """Those of ``hashes`` to which mail may go."""
    known: set[str] = set()
    for some in _chunks(hashes):
        chosen = select(suppressions.c.address_hash).where(suppressions.c.address_hash.in_(some))
        known.update(connection.execute(chosen).scalars())
    return set(hashes) - known


def note_erased(connection: Connection, *, now: datetime) -> None:
    """Let the next scrub know that something was erased on request."""
    note_job(connection, _ERASED, now=now)


def note_purged(connection: Connection, *, now: datetime) -> None:
    """Let a scrub know that the time of something was over."""
    note_job(connection, _PURGED, now=now)


@dataclass(frozen=True, kw_only=True)
class Unscrubbed:
    """When something was erased and purged last that the files may still hold, and when they were written anew."""

    erased_at: datetime | None
    purged_at: datetime | None
    scrubbed_at: datetime | None


def unscrubbed(connection: Connection) -> Unscrubbed:
    return Unscrubbed(
        erased_at=taken_at(connection, _ERASED),
        purged_at=taken_at(connection, _PURGED),
        scrubbed_at=taken_at(connection, _SCRUBBED),
    )


def note_scrubbed(connection: Connection, before: Unscrubbed, *, now: datetime) -> None:
    """All up to ``before`` is overwritten; what came since is left to the next time."""
    for name, at in ((_ERASED, before.erased_at), (_PURGED, before.purged_at)):
        connection.execute(delete(jobs).where(jobs.c.name == name, jobs.c.taken_at == at))
    note_job(connection, _SCRUBBED, now=now)
