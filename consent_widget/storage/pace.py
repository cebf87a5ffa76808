"""Who asked for less mail: the table of slowed domains, the relay itself among them."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, select

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
    """``is_first``: the domain took mail until now."""

    until: datetime
    is_first: bool


def slow_down(
    connection: Connection, domain: str, *, until: Callable[[int], datetime], now: datetime
) -> Pause:
    """Leave ``domain`` alone until ``until(refusals)``; refusals within one pause count once."""
    row = connection.execute(select(domains).where(domains.c.domain == domain)).one_or_none()
    if row is not None and is_on(row.until, now):
        return Pause(row.until, is_first=False)
    refusals = (row.refusals if row is not None else 0) + 1
    ends_at = until(refusals)
    values = {"until": ends_at, "refusals": refusals}
    put = insert_or(connection, domains).values(domain=domain, **values)
    connection.execute(put.on_conflict_do_update(index_elements=["domain"], set_=values))
    return Pause(ends_at, is_first=row is None)


def speed_up(connection: Connection, domain: str) -> None:
    """The domain takes mail again."""
    connection.execute(delete(domains).where(domains.c.domain == domain))
