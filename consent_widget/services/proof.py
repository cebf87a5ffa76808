"""Proof that one subscriber was told: made out of what is stored, signed by the log's key, checked again."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from ..core.address import clean_address
from ..core.campaign import check_decider
from ..core.delivery import SETTLED, State
from ..core.envelope import message_id
from ..core.errors import InputError
from ..core.ledger import Entry, Kind, show_time
from ..core.ledger_check import check_lines
from ..core.ledger_key import PublicKey
from ..core.notice import Version
from ..core.proof import ProofReport, check_proof, compare_with_log, seal_proof
from ..core.staff import Staff
from ..core.subscription import Subscription
from ..storage import ledger as ledger_storage
from ..storage import subscriber_list as storage
from ..storage.database import retrying
from ..storage.notice import load_schedule
from ..storage.subscriber_list import Bounce, Told
from .deployment import Deployment
from .subscriber_access import note_act
from .subscriber_list import check_reader, find_subscription

_MOST_REPORTS = 1000


def make_proof(
    deployment: Deployment, subscription_id: int, *, staff: Staff, now: datetime
) -> dict[str, object]:
    """The signed document of which versions a subscriber was told, without the address (docs/reference/proof.md).

    Raises:
        Forbidden: ``role``; UnknownSubscription.
        StoreUnavailable: the database did not answer.
    """
    check_reader(staff)
    with deployment.database.reading() as connection:
        found = find_subscription(connection, subscription_id)
        return _sealed(deployment, connection, found, None, now)


@retrying
def make_named_proof(
    deployment: Deployment, subscription_id: int, *, presented: str, staff: Staff, now: datetime
) -> dict[str, object]:
    """The same with the address in it; that ``staff`` got it is entered in the ledger.

    After an erasure the address is known no more: ``presented`` is what somebody shows, and it
    stands in the document if it is the one that the keyed hash was made of. It is stored nowhere.

    Raises:
        Forbidden: ``role``; UnknownSubscription.
        InputError: ``email``, or ``other_address``: it is not this subscriber's.
        LedgerError, StoreUnavailable: it could not be entered, so nothing is given out.
    """
    check_decider(staff)
    with deployment.database.writing() as connection:
        found = find_subscription(connection, subscription_id)
        address = found.address or clean_address(presented)
        if found.address_hash not in deployment.pseudonyms.every(address):
            raise InputError("other_address", "This is not the address of that subscription.", "address")
        note_act(deployment, connection, "prove", staff=staff, now=now, subscription=found.id)
        return _sealed(deployment, connection, found, address, now)


def verify_proof(
    deployment: Deployment,
    document: bytes,
    *,
    trusted: Iterable[PublicKey] | None = None,
    log: Iterable[bytes] | None = None,
    address: str | None = None,
) -> ProofReport:
    """Check a document; no database is asked.

    ``trusted`` are the deployment's own keys where none are given. With ``log``, the lines of a
    published log, what it says of versions is compared with that; with ``address``, whether it
    is that person's, which only the deployment that signed it can tell.
    """
    keys = tuple(trusted) if trusted is not None else tuple(key.public for key in deployment.log_keys)
    report = check_proof(document, keys)
    body = report.body
    if body is None:
        return report
    if log is not None:
        lines = list(log)
        problem = check_lines(lines, keys).problem
        wrong = f"the log is not good: {problem.message}" if problem else compare_with_log(body, lines)
        if wrong:
            return ProofReport(body=None, problem=wrong)
        report = replace(report, notes=())
    if address is not None and body["subscriber"]["address_hash"] not in deployment.pseudonyms.every(address):
        return ProofReport(body=None, problem="it is not the proof of this address")
    return report


def write_proof(document: Mapping[str, object]) -> bytes:
    """The document as a file; white space does not matter to the signature."""
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True).encode() + b"\n"


def _sealed(
    deployment: Deployment, connection: Connection, found: Subscription, address: str | None, now: datetime
) -> dict[str, object]:
    controller = deployment.settings.controller
    reports = storage.bounces_of(connection, found.id, limit=_MOST_REPORTS)
    announced = _announcements(connection)
    schedule = load_schedule(connection)
    told = []
    for one in storage.told(connection, found.id):
        version = schedule.find(one.number)
        assert version is not None, one.number  # what was announced is never deleted
        told.append(
            _version(version, announced.get(one.number))
            | {"kind": one.kind.value, "mail": _mail(one, reports)}
        )
    issuer = {
        "name": controller.name,
        "address": controller.address,
        "contact": controller.contact,
        "url": deployment.settings.public_url,
    }
    body = {
        "issued_at": show_time(now),
        "issuer": issuer,
        "subscriber": _subscriber(found, address),
        "told": told,
    }
    return seal_proof(body, deployment.log_keys[0])


def _subscriber(found: Subscription, address: str | None) -> dict[str, object]:
    return {
        "subscription": found.id,
        "address": address,
        "address_hash": found.address_hash,
        "language": found.language,
        "state": found.state.value,
        "requested_at": show_time(found.requested_at),
        "confirmed_at": _time(found.confirmed_at),
        "ended_at": _time(found.ended_at),
        "erased_at": _time(found.erased_at),
    }


def _version(version: Version, entry: Entry | None) -> dict[str, object]:
    # As it was entered, so that it can be compared to the letter.
    effective_at = (
        json.loads(entry.body or "{}")["effective_at"] if entry else version.effective_at.isoformat()
    )
    return {
        "version": version.number,
        "content_hashes": dict(version.content_hashes),
        "announced_at": show_time(version.announced_at),
        "effective_at": effective_at,
        "withdrawn_at": _time(version.withdrawn_at),
        "announced": _quoted(entry) if entry else None,
    }


def _time(moment: datetime | None) -> str | None:
    return show_time(moment) if moment is not None else None


def _announcements(connection: Connection) -> dict[int, Entry]:
    """The entry of the ledger that announced each version; what somebody made unreadable is left to `verify`."""
    found: dict[int, Entry] = {}
    for entry in ledger_storage.entries_of(connection, Kind.VERSION):
        try:
            body = json.loads(entry.body or "{}")
        except ValueError:
            continue
        number = body.get("number") if isinstance(body, dict) and body.get("event") == "announced" else None
        if isinstance(number, int):
            found[number] = entry
    return found


def _quoted(entry: Entry) -> dict[str, object]:
    return {
        "index": entry.index,
        "at": show_time(entry.at),
        "body_sha256": entry.body_sha256,
        "root": entry.root,
        "key": entry.key,
        "signature": entry.signature,
    }


def _mail(one: Told, reports: Iterable[Bounce]) -> dict[str, object]:
    return {
        "message_id": message_id(one.secret, one.campaign_id, one.id, one.mail_domain),
        "language": one.language,
        "state": one.state.value,
        "accepted_at": show_time(one.at) if one.state is State.ACCEPTED else None,
        "settled_at": show_time(one.at) if one.state in SETTLED else None,
        "answer": one.code,
        "attempts": one.attempts,
        "late": one.late,
        "came_back": [
            {"at": show_time(report.received_at), "kind": report.kind, "code": report.code}
            for report in reports
            if report.delivery_id == one.id
        ],
    }
