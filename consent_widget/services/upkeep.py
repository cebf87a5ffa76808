"""What keeps campaigns going when a worker died, and what is done once at their effective date."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection

from ..core.campaign import Campaign, Event, Kind, Policy, State, advance
from ..core.delivery import Delivery
from ..core.delivery import Event as Step
from ..core.delivery import State as Row
from ..core.staff import SYSTEM
from ..core.verdict import lost
from ..storage import campaign as storage
from ..storage import claim, delivery
from ..storage.job import take_job
from .audience import count_recipients, reopen
from .campaign import note_act
from .deployment import Deployment

logger = logging.getLogger("consent_widget")

_BATCH = 500

#: So long before the effective date staff hear that somebody has not been told yet.
WARN = timedelta(days=3)

_ONCE = timedelta(days=3650)


def sweep(deployment: Deployment, *, now: datetime) -> None:
    """Do all of this room's work once; every minute is enough, and any number of workers may.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    reap(deployment, now=now)
    mend(deployment, now=now)
    finish_campaigns(deployment, now=now)
    warn_campaigns(deployment, now=now)
    close_campaigns(deployment, now=now)


def reap(deployment: Deployment, *, now: datetime) -> int:
    """Settle what silent workers hold; how many rows.

    What was claimed and not begun goes back. What was being sent may have been taken: it is
    unknown, and never sent again by itself unless the campaign's policy says so.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    count = 0
    while True:
        with deployment.database.writing() as connection:
            found = claim.expired(connection, now=now, limit=_BATCH)
            policies = {one.id: one.policy for one in storage.load_campaigns(connection)} if found else {}
            for one in found:
                _reap(connection, one, policies.get(one.campaign_id or 0), now)
        count += len(found)
        if len(found) < _BATCH:
            return count


def mend(deployment: Deployment, *, now: datetime) -> None:
    """Let no row be left where nobody would ever come by.

    An answer that came late may leave an open row in a campaign that was done meanwhile, or
    withdrawn; a clock that was far ahead may have put mails off until then.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        found = [
            one
            for one in storage.load_campaigns(connection, states=(State.DONE, State.WITHDRAWN))
            if delivery.has_open(connection, one.id)
        ]
    for campaign in found:
        with deployment.database.writing() as connection:
            if campaign.state is State.DONE:
                reopen(connection, campaign.id)
            else:
                where = (
                    delivery.deliveries.c.campaign_id == campaign.id,
                    delivery.deliveries.c.state.in_((Row.PENDING, Row.LEASED)),
                )
                delivery.change_rows(connection, Step.CANCEL, *where, now=now, code="withdrawn")
    with deployment.database.writing() as connection:
        claim.hurry(connection, now=now)


def release(deployment: Deployment, owner: str) -> int:
    """Give back what a worker that is to end has claimed and not begun to send; how many rows.

    It may still be waiting for an answer: what it then wants to send, it finds it has no more.

    Raises:
        StoreUnavailable: others take them up when the lease is over.
    """
    with deployment.database.writing() as connection:
        return claim.give_back_all(connection, owner=owner)


def _reap(connection: Connection, one: Delivery, policy: Policy | None, now: datetime) -> None:
    owner = one.owner or ""
    if one.state is Row.LEASED:
        claim.give_back(connection, one.id, owner=owner, at=one.at)
        return
    verdict = lost(one, policy=policy, now=now)
    claim.settle(
        connection,
        one,
        verdict.event,
        owner=owner,
        now=now,
        code="lost",
        at=verdict.at,
        attempts=verdict.attempts,
    )


def finish_campaigns(deployment: Deployment, *, now: datetime) -> None:
    """Note that a campaign is done: its rows are made, and each is settled.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        candidates = [
            one.id
            for one in storage.load_campaigns(connection, states=(State.RUNNING,))
            if one.prepared_at is not None and not delivery.has_open(connection, one.id)
        ]
    for campaign_id in candidates:
        with deployment.database.writing() as connection:
            campaign = storage.load_campaign(connection, campaign_id, lock=True)
            # Somebody may have joined meanwhile, and holds the lock until their row is seen.
            if (
                campaign is None
                or campaign.state is not State.RUNNING
                or delivery.has_open(connection, campaign_id)
            ):
                continue
            state = advance(campaign.state, Event.FINISH)
            # The first time tells how long it takes: who joins late, or is tried again, says nothing about that.
            storage.change_campaign(
                connection, campaign_id, state=state, finished_at=campaign.finished_at or now
            )


def warn_campaigns(deployment: Deployment, *, now: datetime) -> None:
    """Alarm staff once when the effective date is near and somebody has not been told yet.

    There is time then to mend what holds the mails up, or to withdraw the version.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        near = [
            one
            for one in storage.load_campaigns(connection, states=(State.RUNNING, State.PAUSED))
            if one.kind is Kind.CHANGE and one.closes_at - WARN <= now < one.closes_at
        ]
        late = [one for one in near if one.prepared_at is None or delivery.has_open(connection, one.id)]
    for campaign in late:
        with deployment.database.writing() as connection:
            if not take_job(connection, f"warned {campaign.id}", every=_ONCE, now=now):
                continue
            counts = delivery.count_states(connection, campaign.id)
        details = {
            "campaign": campaign.id,
            "number": campaign.number,
            "rows": counts.rows,
            "told": counts[Row.ACCEPTED],
        }
        deployment.alarm("not_told_yet", details)


def close_campaigns(deployment: Deployment, *, now: datetime) -> None:
    """At the effective date, note in the ledger how many were told in time, and alarm staff if not all were.

    The version takes effect all the same: what is in force follows from its date alone. That
    some were not told is not to pass in silence.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        due = [one.id for one in storage.load_campaigns(connection) if _is_due(one, now)]
    for campaign_id in due:
        with deployment.database.writing() as connection:
            campaign = storage.load_campaign(connection, campaign_id, lock=True)
            if campaign is None or not _is_due(campaign, now):
                continue
            coverage = _coverage(connection, campaign)
            storage.change_campaign(connection, campaign_id, told_in_time=coverage["told"])
            note_act(deployment, connection, "close_campaign", campaign, staff=SYSTEM, now=now, **coverage)
        if coverage["missed"]:
            logger.error(
                "Version %s took effect and %s subscribers were not told.",
                campaign.number,
                coverage["missed"],
            )
            deployment.alarm(
                "not_told_in_time", {"campaign": campaign.id, "number": campaign.number, **coverage}
            )


def _is_due(campaign: Campaign, now: datetime) -> bool:
    return (
        campaign.kind is Kind.CHANGE
        and campaign.state is not State.WITHDRAWN
        and campaign.told_in_time is None
        and campaign.closes_at <= now
    )


def _coverage(connection: Connection, campaign: Campaign) -> dict[str, int]:
    """``told`` were accepted in time, ``missed`` are those who should have been: open, failed or unknown."""
    counts = delivery.count_states(connection, campaign.id)
    told = delivery.count_until(connection, campaign.id, until=campaign.closes_at)
    is_late = campaign.prepared_at is None
    excused = counts[Row.CANCELLED] + counts[Row.SUPPRESSED]
    return {
        "rows": counts.rows,
        "told": told,
        "failed": counts[Row.FAILED],
        "unknown": counts[Row.UNKNOWN],
        "missed": max(counts.rows - excused, count_recipients(connection) if is_late else 0) - told,
    }
