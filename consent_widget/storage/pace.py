"""Who asked for less mail: the table of slowed domains, the relay itself among them."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from ..core.delivery import LONGEST_WAIT
from .database import insert_or
from .delivery import domains

#: Stands among the domains for the relay itself: nothing is sent at all until then.
RELAY = ""


def slowed_domains(connection: Connection, names: Collection[str], *, now: datetime) -> dict[str, datetime]:
    """Until when each of those domains that asked for it is left alone."""
    return {domain: until for domain, until in pauses(connection, names).items() if is_on(until, now)}


def is_on(until: datetime, now: datetime) -> bool:
    """Whether a pause is still on; one that ends later than any pause lasts is of a clock that was ahead."""
    return now < until <= now + 2 * LONGEST_WAIT


def pauses(connection: Connection, names: Collection[str]) -> dict[str, datetime]:
    """Until when each of those domains was to be left alone, those included that have not taken mail since."""
    return {row[0]: row[1] for row in connection.execute(_PAUSES, {"names": list(names)})}


_PAUSES = select(domains.c.domain, domains.c.until).where(
    domains.c.domain.in_(bindparam("names", expanding=True))
)


class Pause(NamedTuple):
    """``is_first``: nobody had slowed it since it took mail last."""

    until: datetime
    is_first: bool


def slow_down(
    connection: Connection, domain: str, *, until: Callable[[int], datetime], now: datetime
) -> Pause:
    """Leave ``domain`` alone until ``until(refusals)``; refusals within one pause count once."""
    put = insert_or(connection, domains).values(domain=domain, until=until(1), refusals=1)
    # Of several workers that learn of it at once, one is the first.
    if connection.execute(put.on_conflict_do_nothing().returning(domains.c.domain)).first() is not None:
        return Pause(until(1), is_first=True)
    this = domains.c.domain == domain
    row = connection.execute(select(domains).where(this).with_for_update()).one_or_none()
    if row is None:  # it took mail at this very instant
        return Pause(now, is_first=False)
    if is_on(row.until, now):
        return Pause(row.until, is_first=False)
    ends_at = until(row.refusals + 1)
    connection.execute(update(domains).where(this).values(until=ends_at, refusals=row.refusals + 1))
    return Pause(ends_at, is_first=False)


def speed_up(connection: Connection, domain: str) -> bool:
    """The domain takes mail again; whether it was slowed until now."""
    return connection.execute(delete(domains).where(domains.c.domain == domain)).rowcount > 0


def try_at_once(connection: Connection, domain: str, *, now: datetime) -> None:
    """End the pause of ``domain``; whether it takes mail, the next one will tell."""
    connection.execute(update(domains).where(domains.c.domain == domain).values(until=now))
