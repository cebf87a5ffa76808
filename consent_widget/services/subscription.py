"""Confirming by a link, leaving, and coming back; signing up is :mod:`.sign_up`."""

from dataclasses import dataclass, replace
from datetime import datetime
from hmac import compare_digest

from sqlalchemy import Connection

from ..core.address import domain_of, identity_of
from ..core.links import UNDO, UNSUBSCRIBE, token_hash
from ..core.subscription import (
    CONFIRM_WITHIN,
    Event,
    Link,
    Purpose,
    Standing,
    State,
    Subscription,
    advance,
    can_undo,
)
from ..storage import subscription as storage
from ..storage.database import retrying
from .audience import join_campaigns, leave_campaigns
from .deployment import Deployment
from .journal import note_joined, note_left


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a random link opens; ``standing`` is what it was good for when it was looked up."""

    subscription: Subscription
    link: Link
    standing: Standing


def make_link(
    connection: Connection, *, subscription_id: int, purpose: str, token: str, now: datetime
) -> None:
    """Let ``token`` confirm the sign-up (``confirm``) or the new address (``address``); older ones expire.

    In the transaction of the fence: only the SHA-256 of its 32 random bytes is stored, so that it
    stands in the mail alone.
    """
    found = storage.load_subscription(connection, subscription_id)
    digest = token_hash(token)
    assert digest is not None, "a token is 32 random bytes as URL-safe base64"
    assert found is not None, "fenced letters have a subscription"
    storage.void_links(connection, subscription_id, Purpose(purpose), now=now)
    storage.add_link(
        connection,
        digest,
        Link(
            subscription_id=subscription_id,
            purpose=Purpose(purpose),
            address=found.new_address if purpose == Purpose.ADDRESS else None,
            created_at=now,
            expires_at=now + CONFIRM_WITHIN,
        ),
    )


def look_up(deployment: Deployment, token: str, *, now: datetime) -> Found | None:
    """What a link of a letter opens; None for whatever we did not make, and for what was erased.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    digest = token_hash(token)
    if digest is None:
        return None
    with deployment.database.reading() as connection:
        return _find(deployment, connection, digest, now=now)


@retrying
def confirm(deployment: Deployment, token: str, *, now: datetime) -> Found | None:
    """Confirm what the link is for, if it is open; any other standing changes nothing.

    Where it was open, the subscription is the one that goes on, as it is then.

    Raises:
        StoreUnavailable: nothing was stored.
    """
    digest = token_hash(token)
    if digest is None:
        return None
    with deployment.database.writing() as connection:
        link = storage.find_link(connection, digest)
        if link is None:
            return None
        # Whoever wants to change the subscription waits here; only behind that does a look at the link count.
        storage.load_subscription(connection, link.subscription_id, lock=True)
        found = _find(deployment, connection, digest, now=now, lock=True)
        if found is None or found.standing is not Standing.OPEN:
            return found
        storage.use_link(connection, digest, now=now)
        goes_on = found.subscription.id
        if found.link.purpose is Purpose.CONFIRM:
            _begin(deployment, connection, found.subscription, Event.CONFIRM, now=now, confirmed_at=now)
        else:
            goes_on = _move(deployment, connection, found.subscription, now=now)
        subscription = storage.load_subscription(connection, goes_on)
        assert subscription is not None, "it was locked"
    deployment.wake()
    return replace(found, subscription=subscription)


def _find(
    deployment: Deployment, connection: Connection, digest: str, *, now: datetime, lock: bool = False
) -> Found | None:
    link = storage.find_link(connection, digest)
    found = storage.load_subscription(connection, link.subscription_id) if link else None
    if link is None or found is None or found.erased_at is not None:
        return None
    standing = link.standing(found, now=now)
    if (
        standing is Standing.OPEN
        and link.purpose is Purpose.ADDRESS
        and _is_stopped(deployment, connection, link, lock=lock)
    ):
        # The mails would go nowhere: those to the present address go on.
        standing = Standing.EXPIRED
    return Found(subscription=found, link=link, standing=standing)


def _is_stopped(deployment: Deployment, connection: Connection, link: Link, *, lock: bool) -> bool:
    """Whether nothing may be sent to the new address any more: it bounced since, or staff stopped it."""
    assert link.address is not None, "a link for a new address names it"
    other = storage.find_by_identity(connection, identity_of(link.address), lock=lock)
    if other is not None and other.state is State.SUPPRESSED:
        return True
    return storage.suppressed_for(connection, deployment.pseudonyms.every(link.address)) is not None


def _begin(
    deployment: Deployment,
    connection: Connection,
    found: Subscription,
    event: Event,
    *,
    now: datetime,
    **values: object,
) -> None:
    storage.change_subscription(
        connection, found.id, state=advance(found.state, event), ended_at=None, reason="", **values
    )
    join_campaigns(deployment, connection, found.id, now=now)
    note_joined(deployment, found, now=now)


def _move(deployment: Deployment, connection: Connection, found: Subscription, *, now: datetime) -> int:
    """Let the subscription go on at its new address; its id. A mailbox has one subscription:
    where the new one has its own, whose links stand in its old mails, that one goes on instead.
    """
    address = found.new_address
    assert address is not None, "an open link has the address that is waited for"
    other = storage.find_by_identity(connection, identity_of(address), lock=True)
    if other is not None and other.id != found.id:
        event = Event.CONFIRM if other.state is not State.UNSUBSCRIBED else Event.UNDO
        _begin(deployment, connection, other, event, now=now, confirmed_at=now, language=found.language)
        _end(deployment, connection, found, now=now, reason="page")
        return other.id
    storage.change_subscription(
        connection,
        found.id,
        address=address,
        identity=identity_of(address),
        address_hash=deployment.pseudonyms.of(address),
        domain=domain_of(address),
        new_address=None,
        bounce_score=0.0,
        bounced_at=None,
    )
    return found.id


def open_link(
    deployment: Deployment, connection: Connection, token: str, purpose: str, *, lock: bool = False
) -> Subscription | None:
    """The subscription that a derived link is for, erased ones too; None for what we did not make."""
    opened = deployment.links.open(token, purpose)
    found = storage.load_subscription(connection, opened[0], lock=lock) if opened else None
    if opened is None or found is None:
        return None
    return found if compare_digest(found.salt.encode(), opened[1].encode("utf-8", "replace")) else None


def show(deployment: Deployment, token: str, purpose: str) -> Subscription | None:
    """The same, for a page.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        return open_link(deployment, connection, token, purpose)


@retrying
def unsubscribe(
    deployment: Deployment, token: str, *, now: datetime, how: str = "one_click", purpose: str = UNSUBSCRIBE
) -> Subscription | None:
    """Send nothing more to this mailbox; the subscription as it is then. Repeating changes nothing.

    ``how`` is ``one_click`` or ``page``.

    Raises:
        StoreUnavailable: nothing was stored.
    """
    with deployment.database.writing() as connection:
        found = open_link(deployment, connection, token, purpose, lock=True)
        if found is None or found.state is State.UNSUBSCRIBED:
            return found
        _end(deployment, connection, found, now=now, reason=how)
        return storage.load_subscription(connection, found.id)


def _end(
    deployment: Deployment, connection: Connection, found: Subscription, *, now: datetime, reason: str
) -> None:
    storage.change_subscription(
        connection,
        found.id,
        state=advance(found.state, Event.UNSUBSCRIBE),
        ended_at=now,
        reason=reason,
        new_address=None,
    )
    # A new sign-up is needed from here on: what was sent before brings nobody back.
    storage.void_links(connection, found.id, now=now)
    leave_campaigns(connection, found.id, now=now)
    note_left(deployment, found, now=now)


@retrying
def undo(deployment: Deployment, token: str, *, now: datetime, purpose: str = UNDO) -> Subscription | None:
    """Take leaving back, where that is possible (core.subscription.can_undo); the subscription as it is then.

    To a mailbox that is suppressed nothing is sent, so nothing is taken back either.

    Raises:
        StoreUnavailable: nothing was stored.
    """
    with deployment.database.writing() as connection:
        found = open_link(deployment, connection, token, purpose, lock=True)
        if found is None or found.address is None or not can_undo(found):
            return found
        if storage.suppressed_for(connection, deployment.pseudonyms.every(found.address)):
            return found
        storage.void_links(connection, found.id, Purpose.CONFIRM, now=now)
        _begin(deployment, connection, found, Event.UNDO, now=now)
        found = storage.load_subscription(connection, found.id)
    deployment.wake()
    return found
