"""How often something may be asked for, counted for all workers together.

Counts stand in our own tables under keyed marks: no address of a person or of a machine is stored. Choices
are counted by each process for itself, as counting them in the database would cost as much as saving them.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from math import ceil

from limits import RateLimitItemPerDay, RateLimitItemPerHour
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from ..core.address import mailbox_of
from ..core.errors import StoreUnavailable, TooMany
from ..storage import count as storage
from ..storage.database import Database, retrying
from .deployment import Deployment
from .tally import Tally

logger = logging.getLogger("consent_widget")

#: Sign-ups, links sent again and new addresses from one network.
PER_NETWORK = RateLimitItemPerHour(20)

#: Letters that strangers can let us write to one mailbox, however it is spelled.
PER_MAILBOX = RateLimitItemPerDay(3)

#: Choices from one network that one process records within a minute.
CHOICES, CHOICES_SPAN = 60, timedelta(minutes=1)


class DatabaseStorage(Storage):
    """Keeps the counts in our tables: every worker sees the same ones. ``mark`` makes a keyed hash of a name."""

    STORAGE_SCHEME = ["consent-widget"]  # noqa: RUF012  # as limits declares it
    base_exceptions = StoreUnavailable

    def __init__(self, database: Database, mark: Callable[[str], str], clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._database, self._mark, self._clock = database, mark, clock

    @retrying
    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = self._clock()
        ends_at = now + timedelta(seconds=expiry)
        with self._database.writing() as connection:
            return storage.add_count(connection, self._mark(key), amount, now=now, ends_at=ends_at)

    def get(self, key: str) -> int:
        with self._database.reading() as connection:
            return storage.window(connection, self._mark(key), now=self._clock())[0]

    def get_expiry(self, key: str) -> float:
        with self._database.reading() as connection:
            return storage.window(connection, self._mark(key), now=self._clock())[1].timestamp()

    def check(self) -> bool:
        try:
            self.get("check")
        except StoreUnavailable:
            return False
        return True

    def reset(self) -> int | None:
        with self._database.writing() as connection:
            return storage.forget_counts(connection)

    @retrying
    def clear(self, key: str) -> None:
        with self._database.writing() as connection:
            storage.forget_counts(connection, self._mark(key))


def check_choice(tally: Tally, address: str | None, now: datetime) -> None:
    """Count a choice sent from ``address``; one that is none of the public internet has no limit.

    That would be the company's own proxy which the app was not told of, or somebody in its house.

    Raises:
        TooMany: the network's choices of this minute are used up in this process.
    """
    network = network_of(address)
    if not network or not ip_address(network.partition("/")[0]).is_global:
        return
    count = tally.add(network, span=CHOICES_SPAN, now=now)
    if count <= CHOICES:
        return
    if count == CHOICES + 1:
        logger.warning(
            "More than %d choices within a minute came from one network; more are refused for now. "
            "If that network is your proxy, see docs/how-to/behind-a-proxy.md.",
            CHOICES,
        )
    _, ends = tally.window(network, span=CHOICES_SPAN, now=now)
    raise TooMany(
        "network", "Too many choices from this network.", max(1, ceil((ends - now).total_seconds()))
    )


def check_network(deployment: Deployment, network: str, now: datetime) -> None:
    """Count a request from ``network`` (:func:`network_of`); one that is not known has no limit.

    Raises:
        TooMany: it asked too often within the hour.
        StoreUnavailable: nothing was counted.
    """
    limiter = _limiter(deployment)
    names = ("subscribe", network)
    # Refused ones cost no write. Two at once may both pass the look: what the count says then decides.
    if network and not (limiter.test(PER_NETWORK, *names) and limiter.hit(PER_NETWORK, *names)):
        ends = limiter.get_window_stats(PER_NETWORK, *names).reset_time
        raise TooMany(
            "network", "Too many requests from this network.", max(1, round(ends - now.timestamp()))
        )


def may_write_to(deployment: Deployment, address: str) -> bool:
    """Count a letter to the mailbox of ``address``, however it is spelled; whether it may be written.

    Raises:
        StoreUnavailable: nothing was counted.
    """
    return _limiter(deployment).hit(PER_MAILBOX, "letter", mailbox_of(address))


def _limiter(deployment: Deployment) -> FixedWindowRateLimiter:
    def mark(key: str) -> str:
        return deployment.links.mac("count", key)

    return FixedWindowRateLimiter(DatabaseStorage(deployment.database, mark, deployment.clock))


def network_of(address: str | None) -> str:
    """An IPv4 address itself, the /64 of an IPv6 address: what one customer has; empty for what is none."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None:
        return str(mapped)
    return str(found) if found.version == 4 else str(ip_network(f"{found}/64", strict=False))
