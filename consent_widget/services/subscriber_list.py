"""Subscriptions as staff see them: page by page, searched, one with all that it was told."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from ..core.address import clean_address
from ..core.campaign import DECIDERS
from ..core.errors import Forbidden, InputError, UnknownSubscription
from ..core.staff import Staff
from ..core.subscription import State, Subscription
from ..storage import subscriber_list as storage
from ..storage.subscriber_list import Bounce, Listed, Told, Unknown
from ..storage.subscription import load_subscription
from .deployment import Deployment
from .suppression import is_suppressed

#: Who sees single subscriptions; whole addresses are for DECIDERS alone.
READERS = DECIDERS | {"auditor"}

#: So many are shown on a page, and found by a search.
PER_PAGE = 50

#: PostgreSQL keeps ids in 64 bits.
MAX_ID = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """One subscription with every version that it was told of, and the reports that came back.

    ``is_suppressed``: nothing goes to its mailbox, also where it left, or was erased, since.
    """

    subscription: Subscription
    is_suppressed: bool
    told: tuple[Told, ...]
    bounces: tuple[Bounce, ...]


def check_reader(staff: Staff) -> None:
    """Raises Forbidden (``role``) unless ``staff`` may see single subscriptions."""
    if not staff.roles & READERS:
        raise Forbidden("role", "The role of this account does not allow to see subscriptions.")


def count_subscribers(deployment: Deployment) -> Mapping[State, int]:
    """How many subscriptions are in each state, for whoever is signed in.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        return storage.count_states(connection)


def list_subscribers(
    deployment: Deployment,
    *,
    staff: Staff,
    state: State | None = None,
    before: int | None = None,
    limit: int = PER_PAGE,
) -> list[Listed]:
    """The newest subscriptions, or the newest of those before the id ``before``.

    Raises:
        Forbidden: ``role``.
        StoreUnavailable: the database did not answer.
    """
    check_reader(staff)
    with deployment.database.reading() as connection:
        return storage.list_rows(connection, limit=limit, state=state, before=before)


def find_subscribers(deployment: Deployment, typed: str, *, staff: Staff) -> list[Listed]:
    """The subscriptions of the address ``typed``, erased ones among them; at most one more than PER_PAGE.

    For whoever may see addresses also those whose address or domain begins so. For the others not:
    by trying letter after letter they would read what is masked.

    Raises:
        Forbidden: ``role``.
        InputError: ``email``: it is no whole address, and this person may look for no other.
        StoreUnavailable: the database did not answer.
    """
    check_reader(staff)
    sought = typed.strip().lower()
    whole: str | None = None
    try:
        whole = clean_address(sought)
    except InputError:
        if not staff.roles & DECIDERS:
            raise
    with deployment.database.reading() as connection:
        found = storage.rows_of(connection, deployment.pseudonyms.every(whole)) if whole else []
        if sought and sought.isascii() and sought.isprintable() and staff.roles & DECIDERS:
            known = {one.id for one in found}
            like = storage.rows_like(connection, sought, limit=PER_PAGE + 1)
            found += [one for one in like if one.id not in known]
    return found[: PER_PAGE + 1]


def load_subscriber(deployment: Deployment, subscription_id: int, *, staff: Staff) -> Subscriber:
    """The subscription with this id.

    Raises:
        Forbidden: ``role``; UnknownSubscription: there is none.
        StoreUnavailable: the database did not answer.
    """
    check_reader(staff)
    with deployment.database.reading() as connection:
        found = find_subscription(connection, subscription_id)
        return Subscriber(
            subscription=found,
            is_suppressed=is_suppressed(deployment, connection, found),
            told=tuple(storage.told(connection, subscription_id)),
            bounces=tuple(storage.bounces_of(connection, subscription_id, limit=PER_PAGE)),
        )


def list_unknown_mails(
    deployment: Deployment, campaign_id: int, *, staff: Staff, limit: int = PER_PAGE
) -> list[Unknown]:
    """The oldest of a campaign's mails of which nobody knows whether they were taken, with whom they were for.

    Raises:
        Forbidden: ``role``.
        StoreUnavailable: the database did not answer.
    """
    check_reader(staff)
    with deployment.database.reading() as connection:
        return storage.unknown_mails(connection, campaign_id, limit=limit)


def list_unread_bounces(
    deployment: Deployment, *, staff: Staff, before: int | None = None, limit: int = PER_PAGE
) -> list[Bounce]:
    """Reports that could not be read, newest first: about mails of ours, then all others; behind ``before``.

    Raises:
        Forbidden: ``role``.
        StoreUnavailable: the database did not answer.
    """
    check_reader(staff)
    with deployment.database.reading() as connection:
        return storage.unread_bounces(connection, limit=limit, before=before)


def find_subscription(connection: Connection, subscription_id: int) -> Subscription:
    """Raises UnknownSubscription: there is none with this id."""
    found = load_subscription(connection, subscription_id) if 0 < subscription_id <= MAX_ID else None
    if found is None:
        raise UnknownSubscription(f"There is no subscription with the id {subscription_id}.")
    return found
