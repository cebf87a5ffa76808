"""What one worker holds: rows claimed from the database, and given back where they are not sent."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection

from ..core.campaign import Campaign
from ..core.campaign import State as Running
from ..core.delivery import Delivery
from ..core.errors import JournalUnavailable, StoreUnavailable
from ..storage import campaign as campaigns
from ..storage import claim
from . import journal
from .audience import journal_name
from .deployment import Deployment
from .letters import Letters
from .pace import Pace
from .upkeep import release

logger = logging.getLogger("consent_widget")


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A worker: ``owner`` names it and nobody else; what it claims is its own for ``lease``."""

    deployment: Deployment
    owner: str
    lease: timedelta


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """What one commit claimed; ``put_off`` rows belong to domains that are left alone."""

    rows: list[Delivery] = field(default_factory=list)
    campaign: Campaign | None = None
    claims: int = 0
    put_off: int = 0


class Claims:
    """Claims rows for ``holder``; ``campaigns`` are those of the rows by their id, as they were claimed."""

    def __init__(self, holder: Holder, letters: Letters, pace: Pace) -> None:
        self._holder = holder
        self._deployment = holder.deployment
        self._letters = letters
        self._pace = pace
        self.campaigns: dict[int, Campaign] = {}

    def take(self, room: int, *, stop: Callable[[], bool]) -> list[Delivery]:
        """Up to ``room`` rows of ours: letters before campaigns, as somebody waits for them.

        Raises:
            StoreUnavailable: the database is away.
        """
        while True:
            batch = self._claim(room)
            # A slow domain's rows are put off a few at a time, so that no other write waits for all of them.
            if batch.rows or not batch.put_off or stop():
                break
        campaign = batch.campaign
        if campaign is None:
            return batch.rows
        self.campaigns[campaign.id] = campaign
        try:
            journal.note_sent(self._deployment, journal_name(campaign.number, campaign.kind), batch.claims)
        except JournalUnavailable as error:
            logger.error("Nothing is sent: %s", error)
            self.give_back(batch.rows)
            return []
        self._letters.compose(campaign, {one.language for one in batch.rows})
        return batch.rows

    def give_back(self, rows: Iterable[Delivery]) -> None:
        """Rows that were claimed and are not sent, due as they were."""
        try:
            with self._deployment.database.writing() as connection:
                for one in rows:
                    claim.give_back(connection, one.id, owner=self._holder.owner, at=one.at)
        except StoreUnavailable:
            _tell_of_the_lease()

    def end(self) -> None:
        """Give back all that was claimed, where an error ends the run; what was sent stays as it is."""
        try:
            release(self._deployment, self._holder.owner)
        except StoreUnavailable:
            _tell_of_the_lease()

    def _claim(self, room: int) -> _Batch:
        now = self._deployment.clock()
        put_off = 0
        with self._deployment.database.writing() as connection:
            if self._pace.is_relay_off(connection, now=now):
                return _Batch()
            letters = self._claim_of(connection, None, room)
            if letters.kept:
                return _Batch(rows=letters.kept)
            put_off += letters.put_off
            for campaign in reversed(campaigns.load_campaigns(connection, states=(Running.RUNNING,))):
                # The campaign before its rows, as whoever withdraws or pauses it takes them.
                locked = campaigns.load_campaign(connection, campaign.id, lock=True)
                if locked is None or locked.state is not Running.RUNNING:
                    continue
                found = self._claim_of(connection, campaign.id, room)
                put_off += found.put_off
                if found.kept:
                    started = {} if campaign.started_at else {"started_at": now}
                    claims = campaigns.count_claim(connection, campaign.id, **started)
                    return _Batch(rows=found.kept, campaign=locked, claims=claims)
        return _Batch(put_off=put_off)

    def _claim_of(self, connection: Connection, campaign_id: int | None, room: int) -> claim.Claimed:
        now = self._deployment.clock()
        found = claim.claim(
            connection,
            campaign_id=campaign_id,
            owner=self._holder.owner,
            limit=room,
            now=now,
            lease_until=now + self._holder.lease,
        )
        self._pace.note(found.slowed)
        return found


def _tell_of_the_lease() -> None:
    logger.warning("What was claimed and not sent goes back when its lease ends.")
