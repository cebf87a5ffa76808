"""A person is forgotten: the address goes out of every table, a keyed hash stays.

The row keeps its id, keyed hash, language and times, so that what was proved stays proved
(law.md M07 and M13; PDPL Art. 4(1)(d), 14). What the files of the database still hold of
what was deleted is overwritten by :func:`scrub`, soon after.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ..core.address import identity_of
from ..core.errors import LedgerError
from ..core.journal import Word
from ..core.mention import mentions
from ..core.retention import SCRUB_EVERY
from ..core.subscription import Event, Subscription, advance
from ..storage import erasure as storage
from ..storage.database import retrying
from ..storage.scrub import scrub as scrub_files
from ..storage.subscription import load_subscription
from .audience import leave_campaigns
from .deployment import Deployment
from .journal import hashes_of, note
from .ledger import append

logger = logging.getLogger("consent_widget")

#: Stands in the ledger where a person erased their own address.
SUBSCRIBER = "subscriber"


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What was, or would be, taken out: rows emptied, requests for this mailbox, kept reports of mails."""

    subscriptions: int = 0
    requests: int = 0
    reports: int = 0

    @property
    def is_nothing(self) -> bool:
        return not (self.subscriptions or self.requests or self.reports)


def erase(
    deployment: Deployment,
    connection: Connection,
    subscription_id: int,
    *,
    now: datetime,
    by: str = SUBSCRIBER,
) -> bool:
    """Take the address out of a subscription and of all that hangs on it; whether there was one.

    In the caller's write transaction. Nothing more is sent to it; its links open nothing any
    more, but for those of old mails, which say so. ``by`` is the id of the staff who did it.

    Raises:
        JournalUnavailable: ERASURE_FILE did not take it; let the transaction be rolled back.
    """
    found = load_subscription(connection, subscription_id, lock=True)
    if found is None or found.erased_at is not None:
        return False
    note(deployment, Word.ERASED, hashes_of(deployment, found), now=now)
    _erase(deployment, connection, found, now=now, by=by)
    return True


def erase_again(
    deployment: Deployment,
    connection: Connection,
    subscription_id: int,
    *,
    before: datetime,
    now: datetime,
    by: str,
) -> bool:
    """The same where the journal knows already, for a row that was made ``before`` it was erased."""
    found = load_subscription(connection, subscription_id, lock=True)
    if found is None or found.erased_at is not None or found.created_at > before:
        return False
    _erase(deployment, connection, found, now=now, by=by)
    return True


def _erase(
    deployment: Deployment, connection: Connection, found: Subscription, *, now: datetime, by: str
) -> None:
    empty(connection, found, now=now, reason="erased")
    if found.address:
        _drop_reports(connection, found.address)
    _enter(deployment, connection, found, now=now, by=by)


def empty(connection: Connection, found: Subscription, *, now: datetime, reason: str) -> None:
    """Take the address out of a locked row that may hold it no longer; ``reason`` counts where it had not ended."""
    storage.secure(connection)
    leave_campaigns(connection, found.id, now=now, code="erased")
    storage.empty_rows(
        connection,
        [found.id],
        state=advance(found.state, Event.UNSUBSCRIBE),
        ended_at=found.ended_at or now,
        reason=reason,
        erased_at=now,
    )
    storage.note_erased(connection, now=now)


def scrub(deployment: Deployment, *, now: datetime) -> str | None:
    """Overwrite what the files of the database still hold of what was erased; None when that is done.

    Else what keeps it from being done; the worker tries again. Nothing is done where
    nothing was erased since the last time; for what was merely purged, once a day. SQLite and
    PostgreSQL write the tables anew for it, and whoever wants to write meanwhile waits.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    database = deployment.database
    with database.reading() as connection:
        before = storage.unscrubbed(connection)
    if not _is_due(before, now):
        return None
    with database.failing_as_one():
        left = scrub_files(database.engine)
    if left is None:
        with database.writing() as connection:
            storage.note_scrubbed(connection, before, now=now)
    return left


def _is_due(before: storage.Unscrubbed, now: datetime) -> bool:
    if before.purged_at is None:
        return before.erased_at is not None
    last = before.scrubbed_at
    return before.erased_at is not None or last is None or abs(now - last) >= SCRUB_EVERY


def find(deployment: Deployment, address: str) -> Forgotten:
    """What :func:`forget` would take out.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    identity = identity_of(address)
    with deployment.database.reading() as connection:
        return Forgotten(
            subscriptions=len(storage.rows_of(connection, identity, deployment.pseudonyms.every(identity))),
            requests=len(storage.waiting_for(connection, identity)),
            reports=len(_reports(connection, identity)),
        )


@retrying
def forget(deployment: Deployment, address: str, *, now: datetime, by: str) -> Forgotten:
    """Take a mailbox out of everything, under whichever key its rows were hashed; what was taken out.

    Also where another subscription asked to be moved to it. Follow it with ``scrub``.

    Raises:
        JournalUnavailable: ERASURE_FILE did not take it; nothing was erased.
        StoreUnavailable: nothing was erased.
    """
    identity = identity_of(address)
    with deployment.database.writing() as connection:
        storage.secure(connection)
        ids = storage.rows_of(connection, identity, deployment.pseudonyms.every(identity))
        reports = _drop_reports(connection, identity)
        waiting = storage.waiting_for(connection, identity)
        storage.stop_waiting(connection, waiting, identity)
        if reports or waiting:
            storage.note_erased(connection, now=now)
        for one in ids:
            erase(deployment, connection, one, now=now, by=by)
    return Forgotten(subscriptions=len(ids), requests=len(waiting), reports=reports)


def _reports(connection: Connection, identity: str) -> list[int]:
    return [one for one, raw in storage.kept_reports(connection) if mentions(raw, identity)]


def _drop_reports(connection: Connection, address: str) -> int:
    found = _reports(connection, identity_of(address))
    if found:
        storage.drop_reports(connection, found)
    return len(found)


def _enter(
    deployment: Deployment, connection: Connection, found: Subscription, *, now: datetime, by: str
) -> None:
    body = {"action": "erase", "staff": by, "subscription": found.id}
    try:
        append(deployment, connection, kind="audit", body=body, now=now)
    except LedgerError as error:
        # Nobody has to stay because somebody else altered the log.
        logger.error("An erasure was not noted in the ledger: %s", error)
