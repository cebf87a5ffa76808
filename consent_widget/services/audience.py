"""Who is told of a version: the campaign in the commit that announces it, its rows, who joins and who leaves.

Most functions work in the caller's transaction: what they do is done if, and only if, the
announcement, the confirmation or the leaving is.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import sleep
from urllib.parse import urlsplit

from sqlalchemy import Connection, func, select

from ..core.address import domain_of
from ..core.campaign import CHUNK, Event, Kind, PauseReason, Policy, State, advance, sending_time
from ..core.delivery import Event as Step
from ..core.delivery import State as Row
from ..core.draft import Draft
from ..core.lead import Lead
from ..core.notice import ChangeClass
from ..storage import audience
from ..storage import campaign as storage
from ..storage import delivery as rows
from ..storage.subscription import subscriptions
from .deployment import Deployment
from .journal import claims_of

#: What subscribers are told of; a typo is none of their business.
_TOLD = frozenset({ChangeClass.IMPORTANT, ChangeClass.MATERIAL})

#: Whoever wants to write to SQLite looks every 100 ms whether it is free: after so long a time of making rows it is
#: left alone for longer than that.
_WORK, _REST = timedelta(seconds=0.6), 0.11


def start_campaign(
    deployment: Deployment, connection: Connection, draft: Draft, *, now: datetime
) -> int | None:
    """The id of the campaign that tells of a version just announced; None for one that nobody is told of."""
    if draft.change_class not in _TOLD:
        return None
    assert draft.number is not None, draft.state
    assert draft.effective_at is not None, draft.state
    storage.lock_audience(connection, shared=False)
    # A campaign of this number was sent already: the database is a restored one, and staff decide.
    claims = claims_of(deployment, journal_name(draft.number, Kind.CHANGE))
    paused = {"state": State.PAUSED, "pause_reason": PauseReason.RESTORED, "claims": claims} if claims else {}
    return _insert(
        deployment,
        connection,
        now=now,
        version_id=draft.id,
        number=draft.number,
        kind=Kind.CHANGE,
        closes_at=draft.effective_at,
        audience_to=connection.execute(select(func.max(subscriptions.c.id))).scalar() or 0,
        **paused,
    )


def withdraw_campaign(
    deployment: Deployment, connection: Connection, version_id: int, *, now: datetime
) -> int | None:
    """Tell nobody any more of a version just withdrawn, and tell those who heard of it that it is not coming.

    The rows not yet sent are cancelled here; the id of the correction, None where there was no campaign.
    """
    found = storage.load_campaigns(connection, version_id=version_id)
    if not found:
        return None
    told = found[0]
    # Whoever confirms at this instant is seen here, or sees that it was withdrawn.
    storage.lock_audience(connection, shared=False)
    locked = storage.load_campaign(connection, told.id, lock=True)
    assert locked is not None
    storage.change_campaign(connection, told.id, state=advance(locked.state, Event.WITHDRAW), finished_at=now)
    # What is being sent at this moment is told of the correction when its answer comes (_prepare_chunk).
    rows.change_rows(
        connection,
        Step.CANCEL,
        rows.deliveries.c.campaign_id == told.id,
        rows.deliveries.c.state.in_(_UNSENT),
        now=now,
        code="withdrawn",
    )
    return _insert(
        deployment,
        connection,
        now=now,
        version_id=version_id,
        number=told.number,
        kind=Kind.CORRECTION,
        corrects=told.id,
        closes_at=told.closes_at,
        audience_to=0,
    )


_UNSENT = (Row.PENDING, Row.LEASED)


def _insert(deployment: Deployment, connection: Connection, *, now: datetime, **values: object) -> int:
    return storage.insert_campaign(
        connection,
        policy=Policy.HOLD,
        secret=deployment.new_id(),
        mail_domain=mail_domain(deployment),
        created_at=now,
        cursor=0,
        candidates=0,
        excluded=0,
        **{"state": State.RUNNING, "claims": 0, **values},
    )


def journal_name(number: int, kind: Kind) -> str:
    """What a campaign is called in the journal, which outlives the database and its ids."""
    return f"{number}/{kind}"


def mail_domain(deployment: Deployment) -> str:
    """What stands behind the @ of Message-IDs: where our mail comes from."""
    settings = deployment.settings
    if settings.mail_from:
        return domain_of(settings.mail_from.rstrip("> "))
    return urlsplit(settings.public_url or "").hostname or "localhost"


def prepare(deployment: Deployment, *, now: Callable[[], datetime], stop: Callable[[], bool] = bool) -> int:
    """Make the rows of running campaigns, a chunk a commit, so that no other write waits long; how many.

    May be killed at any instant and goes on behind the last commit. Of several workers one does it.

    Raises:
        StoreUnavailable: the last chunk was not stored.
    """
    made = 0
    with deployment.database.reading() as connection:
        waiting = [
            one.id
            for one in storage.load_campaigns(connection, states=(State.RUNNING,))
            if one.prepared_at is None
        ]
    began = now()
    for campaign_id in reversed(waiting):
        while not stop():
            added = _prepare_chunk(deployment, campaign_id, now=now())
            if added is None:
                break
            made += added
            if deployment.database.has_one_writer and now() - began > _WORK:
                sleep(_REST)
                began = now()
    return made


def _prepare_chunk(deployment: Deployment, campaign_id: int, *, now: datetime) -> int | None:
    """How many rows one chunk made; None where nothing is left to do here."""
    with deployment.database.writing() as connection:
        campaign = storage.try_lock(connection, campaign_id)
        if campaign is None or campaign.state is not State.RUNNING or campaign.prepared_at is not None:
            return None
        if campaign.corrects is not None and rows.has_state(connection, campaign.corrects, Row.SENDING):
            # Whoever is being told at this moment is to hear of the correction too: their answer is awaited.
            return None
        add = audience.add_audience if campaign.kind is Kind.CHANGE else audience.add_corrected
        added = add(connection, campaign, limit=CHUNK, now=now)
        if added.upto is None:
            storage.change_campaign(connection, campaign.id, prepared_at=now)
            return None
        storage.change_campaign(
            connection,
            campaign.id,
            cursor=added.upto,
            candidates=campaign.candidates + added.rows + added.excluded,
            excluded=campaign.excluded + added.excluded,
        )
    return added.rows


def join_campaigns(
    deployment: Deployment, connection: Connection, subscription_id: int, *, now: datetime
) -> None:
    """Let somebody who has just confirmed, or come back, hear of what was announced and is not yet in force.

    Once: who got it already does not get it again. Call it in the transaction that confirms, behind its
    writes, then ``deployment.wake()``.
    """
    storage.lock_audience(connection, shared=True)
    for campaign in storage.load_campaigns(connection):
        if campaign.kind is not Kind.CHANGE or campaign.state is State.WITHDRAWN or campaign.closes_at <= now:
            continue
        added = audience.add_late(connection, campaign, subscription_id, now=now)
        mine = (
            rows.deliveries.c.campaign_id == campaign.id,
            rows.deliveries.c.subscription_id == subscription_id,
        )
        if added or rows.change_rows(connection, Step.REJOIN, *mine, now=now, code=""):
            reopen(connection, campaign.id)


def reopen(connection: Connection, campaign_id: int) -> None:
    """A campaign that was done has rows to send again."""
    campaign = storage.load_campaign(connection, campaign_id, lock=True)
    assert campaign is not None
    if campaign.state is State.DONE:
        storage.change_campaign(connection, campaign_id, state=advance(campaign.state, Event.REOPEN))


def leave_campaigns(
    connection: Connection,
    subscription_id: int,
    *,
    now: datetime,
    event: Step = Step.CANCEL,
    code: str = "left",
) -> None:
    """Send nothing more to somebody who left: in the transaction in which they do.

    ``event`` is ``suppress`` for an address that is suppressed. A mail that is on its way at this
    instant cannot be called back.
    """
    rows.change_rows(
        connection,
        event,
        rows.deliveries.c.subscription_id == subscription_id,
        rows.deliveries.c.state.in_(_UNSENT),
        now=now,
        code=code,
    )


def count_recipients(connection: Connection) -> int:
    """How many subscriptions are confirmed."""
    chosen = select(func.count()).where(subscriptions.c.state == "confirmed")
    return int(connection.execute(chosen).scalar_one())


def lead_of(deployment: Deployment, connection: Connection) -> Lead:
    """The lead times of this deployment, and what mails to today's subscribers take."""
    recipients = count_recipients(connection)
    rate = storage.measured_rate(connection) if recipients else None
    return Lead(days=deployment.settings.lead_days, sending=sending_time(recipients, rate=rate))
