"""Asking to hear of changes, or to have them sent elsewhere: what is written, and what nobody learns.

Nothing here sends a mail: letters are queued in the transaction that they answer, and a
worker is woken behind its commit. Nothing tells a stranger who is subscribed: for every
address the same statements run.
"""

from datetime import datetime

from ..core.address import clean_address, domain_of, identity_of
from ..core.delivery import Kind
from ..core.errors import StoreUnavailable
from ..core.subscription import TELL_KNOWN_EVERY, Purpose, State, answer_request
from ..storage import letter
from ..storage import subscription as storage
from ..storage.database import retrying
from .deployment import Deployment
from .limits import check_network, may_write_to
from .subscription import Found, look_up


def request_subscription(
    deployment: Deployment, typed: str, language: str, *, network: str, now: datetime, salt: str
) -> None:
    """Queue the letter that answers a sign-up, if one may be written; nobody learns which, or whether.

    ``network`` is whom the request came from (services.limits.network_of), ``salt`` random.

    Raises:
        InputError: ``email``: it is no address.
        TooMany: this network asked too often.
        StoreUnavailable: nothing was stored.
    """
    address = clean_address(typed)
    check_network(deployment, network, now)
    is_within = may_write_to(deployment, address)
    _answer(deployment, address, language, is_within=is_within, now=now, salt=salt)


def request_again(
    deployment: Deployment, token: str, language: str, *, network: str, now: datetime, salt: str
) -> Found | None:
    """The same for the address of a link that has expired; None where there is no such link.

    Raises:
        TooMany: this network asked too often.
        StoreUnavailable: nothing was stored.
    """
    found = look_up(deployment, token, now=now)
    if found is None or found.subscription.address is None:
        return None
    check_network(deployment, network, now)
    if found.link.purpose is Purpose.CONFIRM:
        address = found.subscription.address
        is_within = may_write_to(deployment, address)
        _answer(deployment, address, language, is_within=is_within, now=now, salt=salt)
    elif found.link.address is not None and found.subscription.new_address == found.link.address:
        ask_new_address(deployment, found.subscription.id, found.link.address, now=now)
    return found


@retrying
def _answer(
    deployment: Deployment, address: str, language: str, *, is_within: bool, now: datetime, salt: str
) -> None:
    hashes = deployment.pseudonyms.every(address)
    with deployment.database.writing() as connection:
        storage.add_subscription(
            connection,
            identity=identity_of(address),
            address=address,
            address_hash=hashes[0],
            domain=domain_of(address),
            language=language,
            state=State.PENDING,
            salt=salt,
            created_at=now,
            requested_at=now,
        )
        found = storage.find_by_identity(connection, identity_of(address), lock=True)
        if found is None:
            raise StoreUnavailable("the row was erased at this instant; ask again")
        is_suppressed = storage.suppressed_for(connection, hashes) is not None
        told_lately = letter.wrote_since(connection, found.id, Kind.KNOWN, since=now - TELL_KNOWN_EVERY)
        state, kind = answer_request(
            found, may_write=is_within and not is_suppressed, told_lately=told_lately
        )
        # A stranger may choose how a sign-up is confirmed, and nothing about a subscription that is one.
        fresh = kind is Kind.CONFIRM
        storage.change_subscription(
            connection,
            found.id,
            state=state,
            requested_at=now,
            address=address if fresh else found.address,
            language=language if fresh else found.language,
        )
        # A letter that is not written leaves the links of the last one as they are; there is no row 0.
        storage.void_links(connection, found.id if fresh else 0, Purpose.CONFIRM, now=now)
        letter.renew_letter(
            connection,
            found.id,
            kind or Kind.CONFIRM,
            language=language if fresh else found.language,
            domain=domain_of(address),
            is_sent=kind is not None,
            now=now,
        )
    deployment.wake()


def ask_new_address(deployment: Deployment, subscription_id: int, address: str, *, now: datetime) -> None:
    """Queue the letter to a new mailbox that a confirmed subscription is to move to.

    Whose mailbox is subscribed itself hears just that. The answer is the same for all.

    Raises:
        StoreUnavailable: nothing was stored.
    """
    is_within = may_write_to(deployment, address)
    _ask(deployment, subscription_id, address, is_within=is_within, now=now)


@retrying
def _ask(
    deployment: Deployment, subscription_id: int, address: str, *, is_within: bool, now: datetime
) -> None:
    hashes = deployment.pseudonyms.every(address)
    with deployment.database.writing() as connection:
        found = storage.load_subscription(connection, subscription_id, lock=True)
        if found is None or found.state is not State.CONFIRMED:
            return
        other = storage.find_by_identity(connection, identity_of(address))
        is_taken = other is not None and other.state is State.CONFIRMED
        may_write = is_within and storage.suppressed_for(connection, hashes) is None
        to = other if other is not None and is_taken else found
        kind = Kind.KNOWN if is_taken else Kind.ADDRESS
        told_lately = letter.wrote_since(connection, to.id, Kind.KNOWN, since=now - TELL_KNOWN_EVERY)
        storage.change_subscription(connection, found.id, new_address=address)
        storage.void_links(connection, found.id, Purpose.ADDRESS, now=now)
        letter.renew_letter(
            connection,
            to.id,
            kind,
            language=to.language,
            domain=domain_of(address),
            is_sent=may_write and not (is_taken and told_lately),
            now=now,
        )
    deployment.wake()
