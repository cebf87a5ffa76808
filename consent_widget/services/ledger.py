"""The ledger is appended to, published and checked."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection

from ..core.errors import LedgerError
from ..core.ledger import (
    PUBLISHED,
    Entry,
    Head,
    Kind,
    canonical,
    in_milliseconds,
    join_peaks,
    split_peaks,
)
from ..core.ledger_check import Report, check_entries
from ..core.ledger_key import LogKey, PublicKey, by_id
from ..core.merkle import Peaks, add_leaf, hash_leaf, root_of
from ..core.published import Log
from ..storage import ledger as storage
from ..storage.database import Database
from ..storage.published import freeze, read_published
from .deployment import Deployment

#: So many entries are read at a time: a version may be a megabyte.
_BATCH = 50


def append(
    deployment: Deployment, connection: Connection, *, kind: str, body: Mapping[str, object], now: datetime
) -> int:
    """Enter ``body`` in the caller's write transaction; the index of the entry.

    Where the current key has not signed yet, an entry that makes it known comes
    before. What is not published gets a nonce: its hash is public, and without
    one somebody could try what it says until the hash fits.

    Raises:
        ValueError: ``kind`` is none of :class:`Kind`, or ``body`` is not canonical JSON.
        LedgerError: the last entry was altered or is not ours; nothing may stand on it.
    """
    what = Kind(kind)
    whole = dict(body) if what in PUBLISHED else {**body, "nonce": deployment.new_id()}
    keys = deployment.log_keys
    storage.lock(connection)
    last = storage.last_entry(connection)
    if last is not None:
        _check_signer(last, keys)
    if last is None or last.key != keys[0].public.id:
        last = _announce_key(connection, keys, last, now)
    return _enter(connection, what, whole, last, now, keys[0]).index


def _check_signer(last: Entry, keys: Sequence[LogKey]) -> None:
    """Our signature vouches for all before it: so it follows one of ours, and none that came with a forged ledger."""
    signer = by_id(key.public for key in keys).get(last.key)
    if signer is None:
        raise LedgerError(
            f"Entry {last.index} of the ledger is signed by {last.key}, which neither SECRET_KEY nor "
            "SECRET_KEY_FALLBACKS gives. If that is a key of yours that was dropped, run "
            "`flask consent verify --key PEM --adopt` with its public half; if not, somebody wrote the ledger "
            "anew: restore the table cw_ledger from a backup."
        )
    if not signer.signed(last.head()):
        raise _altered(last)


def hand_over(deployment: Deployment, *, now: datetime) -> None:
    """Let the current key sign the head, while the one that did is retained; else nothing is done.

    So that the old key can be dropped later, even if nothing is entered until then.

    Raises:
        LedgerError: the last entry was altered.
        StoreUnavailable: nothing was entered.
    """
    keys = deployment.log_keys
    retained = {key.public.id for key in keys[1:]}
    with deployment.database.reading() as connection:
        last = storage.last_entry(connection)
    if last is None or last.key not in retained:
        return
    with deployment.database.writing() as connection:
        storage.lock(connection)
        last = storage.last_entry(connection)
        if last is not None and last.key in retained:  # another worker may have been faster
            _check_signer(last, keys)
            last = _announce_key(connection, keys, last, now)
            _enter(connection, Kind.KEY, keys[0].public.body(), last, now, keys[0])


def adopt(deployment: Deployment, trusted: Sequence[PublicKey], *, now: datetime) -> Report:
    """Go on, under the current key, with a ledger that is good under ``trusted``, whose last key is not ours.

    The report of the check; where it has a problem, nothing was entered.

    Raises:
        LedgerError: an entry came in between.
        StoreUnavailable: nothing was entered.
    """
    report = verify(deployment, trusted)
    key = deployment.log_keys[0]
    if report.problem is not None or report.head is None or report.head.key == key.public.id:
        return report
    with deployment.database.writing() as connection:
        storage.lock(connection)
        last = storage.last_entry(connection)
        if last is None or last.head() != report.head:
            raise LedgerError("The ledger has another end than the one that was checked. Try again.")
        _enter(connection, Kind.KEY, key.public.body(), last, now, key)
    return report


def _announce_key(
    connection: Connection, keys: Sequence[LogKey], last: Entry | None, now: datetime
) -> Entry | None:
    """Make the current key known, signed by the one before where that is retained; the last entry then."""
    new = keys[0]
    if new.public.id in {key.id for key in _declared(connection)}:
        return last  # workers that know two keys in another order sign by turns during a rotation
    before = next((key for key in keys if last is not None and key.public.id == last.key), new)
    return _enter(connection, Kind.KEY, new.public.body(), last, now, before)


def _enter(
    connection: Connection,
    kind: Kind,
    body: Mapping[str, object],
    last: Entry | None,
    now: datetime,
    key: LogKey,
) -> Entry:
    text = canonical(dict(body)).decode()
    index = last.index + 1 if last else 0
    bare = Entry(
        index=index,
        kind=kind.value,
        at=in_milliseconds(now),
        body=text,
        body_sha256=sha256(text.encode()).hexdigest(),
        root="",
        key="",
        signature="",
    )
    peaks = add_leaf(_peaks(last), index, hash_leaf(bare.leaf()))
    head = key.sign(size=index + 1, root=root_of(peaks), at=bare.at)
    entry = replace(bare, root=head.root, key=head.key, signature=head.signature, peaks=join_peaks(peaks))
    storage.insert_entry(connection, entry)
    return entry


def _peaks(last: Entry | None) -> Peaks:
    if last is None:
        return ()
    try:
        peaks = split_peaks(last.peaks or "")
    except ValueError:
        peaks = ()
    if root_of(peaks).hex() != last.root or len(peaks) != (last.index + 1).bit_count():
        raise _altered(last)
    return peaks


def _altered(last: Entry) -> LedgerError:
    return LedgerError(
        f"Entry {last.index} of the ledger was altered, so nothing can be entered after it. "
        "Run `flask consent verify` and restore the table cw_ledger from a backup."
    )


def _declared(connection: Connection) -> list[PublicKey]:
    """The keys that entries make known; what somebody made unreadable there is left to :func:`verify`."""
    found = []
    for body in storage.bodies(connection, Kind.KEY):
        try:
            found.append(PublicKey.from_body(json.loads(body)))
        except (ValueError, AttributeError):
            continue
    return found


def public_keys(deployment: Deployment) -> list[PublicKey]:
    """The current key, then the retained ones: no other is ours to vouch for.

    Keys that the ledger makes known are not among them. Who may write to the
    database could put one of their own there; and one that follows from ours
    needs no publishing, since whoever checks follows it.
    """
    return [key.public for key in deployment.log_keys]


def newest_head(deployment: Deployment, *, now: datetime) -> Head:
    """The head of the last entry; of an empty ledger one that says so, signed ``now``.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        last = storage.last_entry(connection)
    if last is not None:
        return last.head()
    return deployment.log_keys[0].sign(size=0, root=root_of(()), at=in_milliseconds(now))


def read_lines(database: Database, head: Head) -> Iterator[bytes]:
    """The published log up to ``head``, line by line.

    Entries are read a few at a time, each time anew: a slow reader holds no
    transaction open. What was appended meanwhile is left for the next one.

    Raises:
        StoreUnavailable: the database did not answer; the log is cut off then.
    """
    for entry in _read(database, head.size):
        yield entry.line() + b"\n"
    yield head.line() + b"\n"


def verify(deployment: Deployment, trusted: Sequence[PublicKey]) -> Report:
    """Check the own ledger, bodies included, and the versions that the public reads against it.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    database = deployment.database
    with database.reading() as connection:
        freeze(connection)
        last = storage.last_entry(connection)
        kept = list(read_published(connection))
    size = last.index + 1 if last else 0
    report = check_entries(_read(database, size), trusted)
    if report.problem is not None:
        return report
    log = Log()
    for entry in _read(database, size):
        log.take(entry)
    return log.compare(kept, report)


def _read(database: Database, size: int) -> Iterator[Entry]:
    for start in range(0, size, _BATCH):
        with database.reading() as connection:
            batch = storage.read_entries(connection, start=start, stop=min(start + _BATCH, size))
        yield from batch
