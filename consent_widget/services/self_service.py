"""What the owner of a mailbox does by the link in its mails, without an account.

Law 91/2025/QH15 Art. 4 and 14: see, correct, get a copy, delete (law.md M13).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..core.address import clean_address, identity_of
from ..core.links import MANAGE
from ..core.subscription import Purpose, State, Subscription
from ..storage import letter
from ..storage import subscription as storage
from ..storage.database import retrying
from ..storage.letter import Told
from ..storage.subscriber_list import bounces_of
from .deployment import Deployment
from .erasure import erase
from .limits import check_network
from .sign_up import ask_new_address
from .subscription import open_link

#: Beyond any that a mailbox can have; a sender of forged ones must not fill the answer.
_MOST_REPORTS = 1000


@dataclass(frozen=True, kw_only=True)
class Overview:
    """A subscription, and the versions that its owner was told of, newest first."""

    subscription: Subscription
    told: tuple[Told, ...]


def overview(deployment: Deployment, token: str) -> Overview | None:
    """What the link shows, of an erased subscription too; None for what we did not make.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        found = open_link(deployment, connection, token, MANAGE)
        if found is None:
            return None
        return Overview(subscription=found, told=tuple(letter.told(connection, found.id)))


def save(
    deployment: Deployment, token: str, *, language: str | None, email: str, network: str, now: datetime
) -> bool:
    """Keep the language of the mails, and ask a new mailbox to confirm that they shall go there.

    An empty ``email`` leaves the address alone; the present one takes back a new one that waits.
    False where the link opens nothing that may be changed (:func:`may_change`).

    Raises:
        InputError: ``email``: it is no address; nothing was changed.
        TooMany: this network asked for too many letters; nothing was changed.
        StoreUnavailable: nothing was changed, or the language alone.
    """
    address = clean_address(email) if email.strip() else None
    with deployment.database.reading() as connection:
        found = open_link(deployment, connection, token, MANAGE)
    if found is None or not may_change(found) or found.address is None:
        return False
    is_new = address is not None and identity_of(address) != identity_of(found.address)
    if is_new:
        check_network(deployment, network, now)
    if not _keep(deployment, token, language, takes_back=address is not None and not is_new, now=now):
        return False
    if address is not None and is_new:
        ask_new_address(deployment, found.id, address, now=now)
    return True


@retrying
def _keep(
    deployment: Deployment, token: str, language: str | None, *, takes_back: bool, now: datetime
) -> bool:
    with deployment.database.writing() as connection:
        found = open_link(deployment, connection, token, MANAGE, lock=True)
        if found is None or not may_change(found):
            return False
        storage.change_subscription(connection, found.id, language=language or found.language)
        if takes_back:
            storage.change_subscription(connection, found.id, new_address=None)
            storage.void_links(connection, found.id, Purpose.ADDRESS, now=now)
    return True


@retrying
def forget(deployment: Deployment, token: str, *, now: datetime) -> bool:
    """Erase the subscription of the link (services.erasure); False where it opens nothing.

    Raises:
        StoreUnavailable: nothing was erased.
    """
    with deployment.database.writing() as connection:
        found = open_link(deployment, connection, token, MANAGE)
        if found is not None:
            erase(deployment, connection, found.id, now=now)
    return found is not None


def export(deployment: Deployment, token: str) -> dict[str, Any] | None:
    """All that is held about the subscription of the link, ready for JSON; None where it opens nothing.

    Without the secrets that open its links.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        found = open_link(deployment, connection, token, MANAGE)
        if found is None:
            return None
        told = letter.told(connection, found.id)
        mails = letter.mails_of(connection, found.id)
        confirmations = storage.links_of(connection, found.id)
        reports = bounces_of(connection, found.id, limit=_MOST_REPORTS)
        suppressed = storage.suppressed_for(connection, (found.address_hash,))
    return {
        "address": found.address,
        "address_hash": found.address_hash,
        "new_address": found.new_address,
        "language": found.language,
        "state": found.state.value,
        "reason": found.reason,
        "suppressed": suppressed,
        "created_at": _iso(found.created_at),
        "requested_at": _iso(found.requested_at),
        "confirmed_at": _iso(found.confirmed_at),
        "ended_at": _iso(found.ended_at),
        "erased_at": _iso(found.erased_at),
        "bounce_score": found.bounce_score,
        "bounced_at": _iso(found.bounced_at),
        "confirmations": [
            {
                "purpose": one.purpose.value,
                "address": one.address,
                "sent_at": _iso(one.created_at),
                "expires_at": _iso(one.expires_at),
                "used_at": _iso(one.used_at),
            }
            for one in confirmations
        ],
        "told": [
            {"version": one.number, "kind": one.kind.value, "accepted_at": _iso(one.at)} for one in told
        ],
        "mails": [
            {
                "kind": one.kind.value,
                "language": one.language,
                "domain": one.domain,
                "state": one.state.value,
                "code": one.code,
                "attempts": one.attempts,
                "created_at": _iso(one.created_at),
                "at": _iso(one.at),
            }
            for one in mails
        ],
        "reports": [
            {"kind": one.kind, "code": one.code, "received_at": _iso(one.received_at), "text": one.raw}
            for one in reports
        ],
    }


def may_change(subscription: Subscription) -> bool:
    """Whether language and address can be changed: it is not erased, and lasts."""
    return subscription.address is not None and subscription.state is State.CONFIRMED


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone(UTC).isoformat(timespec="seconds")
