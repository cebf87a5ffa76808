"""How often something was asked for within a window of time, counted for all workers together."""

from datetime import datetime

from sqlalchemy import Column, Connection, Integer, String, Table, case, delete, select

from .database import UtcDateTime, insert_or, metadata

#: ``mark`` says by whom, without saying it.
counts = Table(
    "cw_count",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
)


def add_count(connection: Connection, mark: str, amount: int, *, now: datetime, ends_at: datetime) -> int:
    """Add ``amount`` to the window of ``mark``, a new one where the last has ended; the count then."""
    goes_on = counts.c.ends_at > now
    first = max(amount, 0)
    put = insert_or(connection, counts).values(mark=mark, count=first, ends_at=ends_at)
    put = put.on_conflict_do_update(
        index_elements=["mark"],
        set_={
            "count": case((goes_on, counts.c.count + amount), else_=first),
            "ends_at": case((goes_on, counts.c.ends_at), else_=ends_at),
        },
    )
    count = int(connection.execute(put.returning(counts.c.count)).scalar_one())
    if count == first:
        connection.execute(delete(counts).where(counts.c.ends_at <= now))
    return count


def window(connection: Connection, mark: str, *, now: datetime) -> tuple[int, datetime]:
    """What the window of ``mark`` holds, and when it ends."""
    row = connection.execute(
        select(counts.c.count, counts.c.ends_at).where(counts.c.mark == mark, counts.c.ends_at > now)
    ).first()
    return (0, now) if row is None else (int(row[0]), row[1])


def forget_counts(connection: Connection, mark: str | None = None) -> int:
    """Forget the window of ``mark``, or all of them; how many there were."""
    where = [] if mark is None else [counts.c.mark == mark]
    return connection.execute(delete(counts).where(*where)).rowcount
