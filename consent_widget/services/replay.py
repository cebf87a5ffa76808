"""What the journal says is done again: for a database that was restored from a backup.

Called before the first page and before the first mail of each process. On a database that
was not restored nothing is left to do, so it may be called at any time.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ..core.campaign import Campaign, PauseReason
from ..core.campaign import State as Running
from ..core.journal import Standing
from ..core.staff import SYSTEM
from ..core.subscription import Event, Subscription, advance
from ..storage import campaign as campaigns
from ..storage import erasure as storage
from ..storage import subscription
from ..storage.subscription import load_subscription
from .audience import journal_name, leave_campaigns
from .campaign import pause_for
from .deployment import Deployment
from .erasure import erase_again, scrub
from .journal import read
from .suppression import BOUNCE, suppress

logger = logging.getLogger("consent_widget")


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """How many rows were erased, ended and suppressed once more, and which campaigns paused."""

    erased: int = 0
    left: int = 0
    suppressed: int = 0
    paused: tuple[str, ...] = ()

    @property
    def is_nothing(self) -> bool:
        return not (self.erased or self.left or self.suppressed or self.paused)


def replay(deployment: Deployment, *, now: datetime) -> Replayed:
    """Erase, end, suppress and pause what a restored database does not know of; what was done.

    Raises:
        JournalUnavailable: ERASURE_FILE cannot be read or written; send nothing.
        StoreUnavailable: the database did not answer; call it again.
    """
    stands = read(deployment)  # before the database: a claim is committed before its line is written
    done = Replayed(
        erased=_erase(deployment, stands, now),
        left=_end(deployment, stands, now),
        suppressed=_suppress(deployment, stands, now),
        paused=_pause(deployment, stands, now),
    )
    if done.is_nothing:
        return done
    logger.warning(
        "This database is older than CONSENT_WIDGET_ERASURE_FILE: %d erasures, %d departures and %d suppressed "
        "addresses were done again; campaigns paused: %s.",
        done.erased,
        done.left,
        done.suppressed,
        ", ".join(done.paused) or "none",
    )
    if done.erased:
        left = scrub(deployment, now=now)
        if left is not None:
            logger.warning("What was erased again is still in the files: %s. It is tried again.", left)
    return done


def _erase(deployment: Deployment, stands: Standing, now: datetime) -> int:
    with deployment.database.reading() as connection:
        found = storage.holding(connection, stands.erased)
    count = 0
    for subscription_id, address_hash in found:
        with deployment.database.writing() as connection:
            count += erase_again(
                deployment,
                connection,
                subscription_id,
                before=stands.erased[address_hash].at,
                now=now,
                by=SYSTEM,
            )
    return count


def _end(deployment: Deployment, stands: Standing, now: datetime) -> int:
    with deployment.database.reading() as connection:
        found = storage.going_on(connection, stands.left)
    count = 0
    for subscription_id, address_hash in found:
        at = stands.left[address_hash].at
        with deployment.database.writing() as connection:
            row = load_subscription(connection, subscription_id, lock=True)
            if row is None or row.erased_at is not None or _last_will(row) > at:
                continue
            storage.end_row(connection, row.id, state=advance(row.state, Event.UNSUBSCRIBE), at=at)
            leave_campaigns(connection, row.id, now=now)
            count += 1
    return count


def _last_will(row: Subscription) -> datetime:
    """When somebody last asked for it or confirmed it."""
    return max(row.requested_at, row.confirmed_at or row.requested_at)


def _suppress(deployment: Deployment, stands: Standing, now: datetime) -> int:
    lines = set(stands.suppressed.values())
    with deployment.database.reading() as connection:
        unknown = storage.not_suppressed(connection, stands.suppressed)
        found = storage.going_on(connection, stands.suppressed)
    # A mailbox that is suppressed under one key is suppressed.
    missing = [line for line in lines if unknown.issuperset(line.hashes)]
    if missing:
        with deployment.database.writing() as connection:
            for line in missing:
                subscription.suppress(connection, line.hashes[0], reason=BOUNCE, now=line.at)
    for subscription_id, _hash in found:
        with deployment.database.writing() as connection:
            suppress(deployment, connection, subscription_id, reason=BOUNCE, now=now)
    return max(len(missing), len(found))


def _pause(deployment: Deployment, stands: Standing, now: datetime) -> tuple[str, ...]:
    with deployment.database.reading() as connection:
        behind = [
            (one, name, claims)
            for one in campaigns.load_campaigns(connection)
            if (claims := stands.claims.get(name := journal_name(one.number, one.kind), 0)) > one.claims
        ]
    paused = []
    for campaign, name, claims in behind:
        detail = f"{claims} claims were noted outside, {campaign.claims} are in the database"
        with deployment.database.writing() as connection:
            if _pause_one(deployment, connection, campaign, detail, now):
                paused.append(name)
            # So that it is not paused anew at each start once staff have let it go on.
            campaigns.change_campaign(connection, campaign.id, claims=claims)
        if name in paused:
            deployment.alarm(
                "campaign_paused",
                {
                    "campaign": campaign.id,
                    "number": campaign.number,
                    "reason": PauseReason.RESTORED.value,
                    "detail": detail,
                },
            )
    return tuple(paused)


def _pause_one(
    deployment: Deployment, connection: Connection, campaign: Campaign, detail: str, now: datetime
) -> bool:
    """Whether it is paused for this reason now; one that is done, or withdrawn, sends nothing anyway."""
    reason = PauseReason.RESTORED
    is_paused = pause_for(deployment, connection, campaign.id, reason=reason, detail=detail, now=now)
    if not is_paused and campaign.state is Running.PAUSED:
        campaigns.change_campaign(connection, campaign.id, pause_reason=reason, pause_detail=detail)
        is_paused = True
    return is_paused
