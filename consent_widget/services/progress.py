"""Campaigns as staff see them: counts, the rate, what is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from ..core.campaign import Campaign, State
from ..core.delivery import Counts
from ..core.delivery import State as Row
from ..core.errors import UnknownCampaign
from ..storage import campaign as storage
from ..storage import delivery as rows
from .deployment import Deployment

#: The rate is measured over so long.
_WINDOW = timedelta(minutes=5)

#: Of fewer mails the last minutes tell nothing: then the whole time counts.
_TELLING = 20


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a campaign is. ``late`` are the rows of those who joined afterwards, within ``counts``.

    candidates = (rows - late rows) + excluded, once it is prepared. ``rate`` is in mails accepted a
    second over the last minutes, ``left`` what is left at that rate (None: nothing to tell by, or
    nothing left), ``ends_at`` when that will be. ``refusals`` are the failed rows by code, ``waiting``
    those to be tried again by the code of the last answer.
    """

    campaign: Campaign
    counts: Counts
    late: Counts
    rate: float
    left: timedelta | None
    ends_at: datetime | None
    refusals: Mapping[str, int]
    waiting: Mapping[str, int]
    last_accepted_at: datetime | None

    @property
    def is_in_time(self) -> bool | None:
        """Whether the last mail leaves before the version takes effect; None where nobody can tell yet."""
        if self.campaign.prepared_at is not None and self.counts.is_balanced:
            return (self.campaign.finished_at or self.campaign.created_at) <= self.campaign.closes_at
        return None if self.ends_at is None else self.ends_at <= self.campaign.closes_at


def list_campaigns(deployment: Deployment) -> list[Campaign]:
    """Every campaign, newest first.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        return storage.load_campaigns(connection)


def load_campaign(deployment: Deployment, campaign_id: int) -> Campaign:
    """The campaign with this id.

    Raises:
        UnknownCampaign: there is none.
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        return require_campaign(connection, campaign_id)


def require_campaign(connection: Connection, campaign_id: int, *, lock: bool = False) -> Campaign:
    """The same, in the caller's transaction.

    Raises:
        UnknownCampaign: there is none.
    """
    campaign = storage.load_campaign(connection, campaign_id, lock=lock)
    if campaign is None:
        raise UnknownCampaign(f"There is no campaign with the id {campaign_id}.")
    return campaign


def progress_of(deployment: Deployment, campaign_id: int, *, now: datetime) -> Progress:
    """How far the campaign is, read in one transaction.

    Raises:
        UnknownCampaign: there is none.
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        campaign = require_campaign(connection, campaign_id)
        counts = rows.count_states(connection, campaign_id)
        late = rows.count_states(connection, campaign_id, late=True)
        start = campaign.started_at or campaign.created_at
        since = max(now - _WINDOW, start)
        recent = rows.count_since(connection, campaign_id, since=since)
        if recent < _TELLING:
            since, recent = start, counts[Row.ACCEPTED]
        codes = rows.count_refusals(connection, campaign_id)
        last = rows.last_accepted(connection, campaign_id)
    rate = recent / max(1.0, (now - since).total_seconds())
    open_rows = counts.open
    running = campaign.state is State.RUNNING and campaign.prepared_at is not None
    left = timedelta(seconds=open_rows / rate) if running and open_rows and rate else None
    return Progress(
        campaign=campaign,
        counts=counts,
        late=late,
        rate=rate,
        left=left,
        ends_at=now + left if left is not None else None,
        refusals=codes[Row.FAILED],
        waiting=codes[Row.PENDING],
        last_accepted_at=last,
    )
