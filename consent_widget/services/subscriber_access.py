"""What staff do with single subscriptions: an address is revealed, suppressed, released, all are exported.

Every look at an address is entered in the ledger (Decree 356/2025: access is noted), without the address.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Connection

from ..core.campaign import check_decider
from ..core.errors import InputError, UnknownSubscription
from ..core.staff import Staff
from ..core.subscription import State
from ..storage import subscriber_list as storage
from ..storage.database import retrying
from ..storage.subscriber_list import Bounce, Listed
from .deployment import Deployment
from .ledger import append
from .subscriber_list import MAX_ID, find_subscription
from .suppression import STAFF, release, suppress

_BATCH = 1000
_MAX_WORDS = 500

#: What looks like an address: entries of the ledger cannot be erased.
_ADDRESS = re.compile(r"[^\s@]@[^\s@]")


@retrying
def reveal_address(deployment: Deployment, subscription_id: int, *, staff: Staff, now: datetime) -> str:
    """The whole address, empty once erased; that ``staff`` looked is entered in the ledger first.

    Raises:
        Forbidden: ``role``; UnknownSubscription.
        LedgerError, StoreUnavailable: it could not be entered, so nothing is shown.
    """
    check_decider(staff)
    with deployment.database.writing() as connection:
        found = find_subscription(connection, subscription_id)
        note_act(deployment, connection, "reveal", staff=staff, now=now, subscription=found.id)
    return found.address or ""


@retrying
def suppress_subscriber(
    deployment: Deployment, subscription_id: int, *, reason: str, staff: Staff, now: datetime
) -> None:
    """Send nothing more to this mailbox, whoever signs it up.

    Raises:
        Forbidden: ``role``; UnknownSubscription.
        InputError: ``no_reason``, ``too_long`` or ``address_in_reason``.
        StoreUnavailable: nothing was changed.
    """
    check_decider(staff)
    words = _reason(reason)
    with deployment.database.writing() as connection:
        find_subscription(connection, subscription_id)
        if suppress(deployment, connection, subscription_id, reason=STAFF, now=now):
            note_act(
                deployment, connection, "suppress", staff=staff, now=now,
                subscription=subscription_id, reason=words,
            )  # fmt: skip


@retrying
def release_subscriber(
    deployment: Deployment, subscription_id: int, *, reason: str, staff: Staff, now: datetime
) -> None:
    """Let this mailbox be signed up again.

    Raises:
        Forbidden: ``role``; UnknownSubscription; Conflict: ``wrong_state``: it is not suppressed.
        InputError: ``no_reason``, ``too_long`` or ``address_in_reason``.
        StoreUnavailable: nothing was changed.
    """
    check_decider(staff)
    words = _reason(reason)
    with deployment.database.writing() as connection:
        find_subscription(connection, subscription_id)
        release(deployment, connection, subscription_id, now=now)
        note_act(
            deployment, connection, "release", staff=staff, now=now,
            subscription=subscription_id, reason=words,
        )  # fmt: skip


def export_subscribers(
    deployment: Deployment, *, state: State | None, form: str, staff: Staff, now: datetime
) -> Iterator[dict[str, object]]:
    """Every subscription that there is now, or those in one state, oldest first; it is noted before the first.

    A few are read at a time, so that a slow reader neither holds a transaction open nor needs
    memory; each stands as it was when it was read, so whoever was erased meanwhile is not told.

    Raises:
        Forbidden: ``role``.
        LedgerError, StoreUnavailable: it could not be noted, so nothing is given out.
    """
    check_decider(staff)
    with deployment.database.writing() as connection:
        upto = storage.newest_id(connection)
        chosen = {"state": state.value} if state else {}
        note_act(deployment, connection, "export_subscriptions", staff=staff, now=now, format=form, **chosen)
    return _export(deployment, state, upto)


def _export(deployment: Deployment, state: State | None, upto: int) -> Iterator[dict[str, object]]:
    after = 0
    while True:
        with deployment.database.reading() as connection:
            batch = storage.read_rows(connection, after=after, upto=upto, limit=_BATCH, state=state)
        if not batch:
            return
        yield from (row_of(one) for one in batch)
        after = batch[-1].id


def row_of(one: Listed) -> dict[str, object]:
    """One subscription as it leaves the site; times in UTC, what is not so is None."""
    return {
        "id": one.id,
        "address": one.address,
        "address_hash": one.address_hash,
        "language": one.language,
        "state": one.state.value,
        **{
            name: at.astimezone(UTC).isoformat(timespec="seconds") if at else None
            for name, at in (
                ("requested_at", one.requested_at),
                ("confirmed_at", one.confirmed_at),
                ("ended_at", one.ended_at),
                ("erased_at", one.erased_at),
            )
        },
        "reason": one.reason,
    }


@retrying
def open_bounce(deployment: Deployment, bounce_id: int, *, staff: Staff, now: datetime) -> Bounce:
    """One report whole: it holds addresses, so that ``staff`` looked is entered in the ledger first.

    Raises:
        Forbidden: ``role``; UnknownSubscription: there is no such report.
        LedgerError, StoreUnavailable: it could not be entered, so nothing is shown.
    """
    check_decider(staff)
    with deployment.database.writing() as connection:
        found = storage.load_bounce(connection, bounce_id) if 0 < bounce_id <= MAX_ID else None
        if found is None:
            raise UnknownSubscription(f"There is no report with the id {bounce_id}.")
        note_act(deployment, connection, "open_bounce", staff=staff, now=now, bounce=bounce_id)
    return found


def note_act(
    deployment: Deployment,
    connection: Connection,
    action: str,
    *,
    staff: Staff,
    now: datetime,
    **details: object,
) -> None:
    """One line of the audit log, in the transaction of what it tells; never with an address."""
    append(
        deployment, connection, kind="audit", body={"action": action, "staff": staff.id, **details}, now=now
    )


def check_words(words: str) -> str:
    """``words`` on one line, as they may stand in the ledger; empty stays empty.

    Raises:
        InputError: ``too_long`` or ``address_in_reason``.
    """
    words = " ".join(words.split())
    if len(words) > _MAX_WORDS:
        raise InputError("too_long", f"Longer than {_MAX_WORDS} characters.", "reason")
    if _ADDRESS.search(words):
        raise InputError(
            "address_in_reason", "The reason must hold no address: it is kept for good.", "reason"
        )
    return words


def _reason(given: str) -> str:
    words = check_words(given)
    if not words:
        raise InputError("no_reason", "A reason is needed.", "reason")
    return words
