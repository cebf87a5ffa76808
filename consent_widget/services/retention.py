"""What has been kept for its time is taken away; keyed hashes follow the key.

May be killed at any instant and goes on the next time. Other writes wait for one chunk at
most, and for the moment in which the files are written anew (services.erasure.scrub).
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import sleep

from ..core.retention import CHUNK, KEEP, PAUSE, PERSONAL, REHASH_EVERY, Rule
from ..storage import erasure, job
from ..storage import retention as storage
from .deployment import Deployment
from .erasure import scrub

logger = logging.getLogger("consent_widget")

#: In the table of jobs, with the fingerprint of the key: when all hashes were of this key last.
_REHASHED = "hashes {}"


@dataclass(frozen=True, kw_only=True)
class Purged:
    """How many rows each rule took away, and how many keyed hashes were made anew.

    ``left`` says what keeps the files from being written anew; None where nothing does.
    """

    rows: Mapping[Rule, int]
    hashes: int
    left: str | None = None


def purge(deployment: Deployment, *, now: datetime) -> Purged:
    """Take away whatever its time is over for; what was taken.

    Raises:
        StoreUnavailable: the rest is left to the next time.
    """
    rows = {rule: _purge(deployment, rule, now) for rule in Rule}
    hashes = _rehash(deployment, now=now)
    left = scrub(deployment, now=now)
    if left is not None:
        logger.warning("The files of the database still hold what was deleted: %s. It is tried again.", left)
    return Purged(rows=rows, hashes=hashes, left=left)


def count_due(deployment: Deployment, *, now: datetime) -> Purged:
    """What :func:`purge` would take; nothing is changed.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        rows = {rule: storage.count_due(connection, rule, before=now - KEEP[rule]) for rule in Rule}
    stale = sum(len(some) for some in _stale(deployment)) if _is_rehash_due(deployment, now) else 0
    return Purged(rows=rows, hashes=stale)


def _purge(deployment: Deployment, rule: Rule, now: datetime) -> int:
    total = 0
    while True:
        with deployment.database.writing() as connection:
            erasure.secure(connection)
            count = storage.purge_some(connection, rule, before=now - KEEP[rule], now=now, limit=CHUNK)
            if count and rule in PERSONAL:
                erasure.note_purged(connection, now=now)
        total += count
        if count < CHUNK:
            return total
        sleep(PAUSE)


def _rehash(deployment: Deployment, *, now: datetime) -> int:
    """Hash under the present key what an older one hashed, so that the older one can be dropped."""
    if not _is_rehash_due(deployment, now):
        return 0
    total = 0
    for some in _stale(deployment):
        with deployment.database.writing() as connection:
            total += sum(storage.rehash(connection, number, old=old, new=new) for number, old, new in some)
    with deployment.database.writing() as connection:
        job.note_job(connection, _REHASHED.format(deployment.fingerprints[0]), now=now)
    return total


def _is_rehash_due(deployment: Deployment, now: datetime) -> bool:
    with deployment.database.reading() as connection:
        done = job.taken_at(connection, _REHASHED.format(deployment.fingerprints[0]))
    # While workers still run with another order of keys, they go on hashing with the other one.
    return done is None or (len(deployment.fingerprints) > 1 and abs(now - done) >= REHASH_EVERY)


def _stale(deployment: Deployment) -> Iterator[list[tuple[int, str, str]]]:
    """Id, old hash and new one of each address that the present key did not hash, a chunk at a time."""
    after = 0
    while True:
        with deployment.database.reading() as connection:
            found = storage.addresses_after(connection, after, limit=CHUNK)
        if not found:
            return
        after = found[-1][0]
        hashed = [(number, old, deployment.pseudonyms.of(address)) for number, address, old in found]
        some = [(number, old, new) for number, old, new in hashed if old != new]
        if some:
            yield some
