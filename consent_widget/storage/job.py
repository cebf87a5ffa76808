"""When each periodic job was last taken by one of the workers."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, select

from .database import insert_or
from .delivery import jobs


def take_job(connection: Connection, name: str, *, every: timedelta, now: datetime) -> bool:
    """Note that the job is run now, unless it was run less than ``every`` ago; whether it is ours.

    One statement, so that of all workers that ask at once a single one wins. A time that lies
    further ahead than ``every`` is of a clock that was set back since: it holds nobody up.
    """
    put = insert_or(connection, jobs).values(name=name, taken_at=now)
    put = put.on_conflict_do_update(
        index_elements=["name"],
        set_={"taken_at": now},
        where=or_(jobs.c.taken_at <= now - every, jobs.c.taken_at >= now + every),
    )
    return connection.execute(put.returning(jobs.c.name)).first() is not None


def note_job(connection: Connection, name: str, *, now: datetime) -> None:
    """Note that it was done, or is wanted, now."""
    put = insert_or(connection, jobs).values(name=name, taken_at=now)
    connection.execute(put.on_conflict_do_update(index_elements=["name"], set_={"taken_at": now}))


def taken_at(connection: Connection, name: str) -> datetime | None:
    """When it was taken or noted last; None for never."""
    found: datetime | None = connection.execute(select(jobs.c.taken_at).where(jobs.c.name == name)).scalar()
    return found
