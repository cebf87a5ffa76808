"""What one worker knows of those who asked for less mail: domains, or the relay itself."""

import logging
from collections.abc import Collection
from datetime import datetime
from logging import ERROR, INFO

from sqlalchemy import Connection

from ..core.delivery import Delivery
from ..core.reply import Outcome, Reply
from ..core.verdict import Verdict, domain_pause, relay_pause
from ..storage import pace
from .deployment import Deployment

logger = logging.getLogger("consent_widget")


def relay_off_until(deployment: Deployment, *, now: datetime) -> datetime | None:
    """When the mail server is tried again that takes nothing; None where it takes mail, as far as is known.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        return pace.slowed_domains(connection, {pace.RELAY}, now=now).get(pace.RELAY)


class Pace:
    """Slows down, for all workers, what asked for it; speeds up again what takes mail."""

    def __init__(self) -> None:
        self._put_off: dict[str, datetime] = {}
        self._slowed: set[str] = set()
        self._news: list[tuple[int, str]] = []

    @property
    def is_free(self) -> bool:
        """Nothing that this worker has met asked for less."""
        return not self._put_off and not self._slowed

    def is_relay_off(self, connection: Connection, *, now: datetime) -> bool:
        """Whether the relay takes nothing at this moment; what others learned is heard here."""
        self._put_off = pace.slowed_domains(connection, {pace.RELAY, *self._put_off}, now=now)
        return pace.RELAY in self._put_off

    def note(self, slowed: Collection[str]) -> None:
        """These were slowed at some time, and have not taken mail since."""
        self._slowed.update(slowed)

    def put_off(self, one: Delivery, *, now: datetime) -> datetime | None:
        """When a claimed row is due again that must not leave now; None where it may."""
        if self._put_off.get(pace.RELAY, now) > now:
            return one.at
        until = self._put_off.get(one.domain, now)
        return until if until > now else None

    def begin(self) -> None:
        """A transaction begins, perhaps again: what was to be told of one that failed is not."""
        self._news.clear()

    def tell(self) -> None:
        """Log what was learned, once it is committed."""
        for level, words in self._news:
            logger.log(level, words)
        self._news.clear()

    def mind(
        self, connection: Connection, one: Delivery, reply: Reply, verdict: Verdict, *, now: datetime
    ) -> None:
        """Learn from an answer."""
        if verdict.relay_down:
            pause = pace.slow_down(
                connection, pace.RELAY, until=lambda refusals: now + relay_pause(refusals), now=now
            )
            self._put_off[pace.RELAY] = pause.until
            if pause.is_first:
                self._news.append(
                    (ERROR, f"The mail server takes nothing: {reply.code}. It is tried again until it does.")
                )
        elif verdict.slow:
            self._put_off[one.domain] = pace.slow_down(
                connection, one.domain, until=lambda refusals: now + domain_pause(refusals), now=now
            ).until
        elif reply.outcome is Outcome.ACCEPTED:
            for name in self._slowed & {pace.RELAY, one.domain}:
                if pace.speed_up(connection, name) and name == pace.RELAY:
                    self._news.append((INFO, "It works again: the mail server."))
                self._slowed.discard(name)
                self._put_off.pop(name, None)
