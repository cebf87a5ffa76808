"""Which signing keys this installation has seen, by fingerprint: never the keys."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, Connection, String, Table, insert, select

from .database import UtcDateTime, metadata

keys = Table(
    "cw_key",
    metadata,
    Column("fingerprint", String(16), primary_key=True),
    Column("first_seen_at", UtcDateTime, nullable=False),
)


def known_keys(connection: Connection) -> frozenset[str]:
    return frozenset(connection.execute(select(keys.c.fingerprint)).scalars())


def remember_keys(connection: Connection, fingerprints: Sequence[str], *, now: datetime) -> None:
    """Note the keys not seen before; the others keep their time."""
    seen = known_keys(connection)
    new = [
        {"fingerprint": one, "first_seen_at": now} for one in dict.fromkeys(fingerprints) if one not in seen
    ]
    if new:
        connection.execute(insert(keys), new)
