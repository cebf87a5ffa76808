"""Versions that the public reads, as they stand in their tables, for comparison with the ledger."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, or_, select, text

from ..core.language import GOVERNING
from ..core.published import Kept, at_entry, hashed
from .notice import PUBLIC, texts, versions


def freeze(connection: Connection) -> None:
    """Let what this connection reads from here on be of one moment; SQLite does so anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def read_published(connection: Connection) -> Iterator[Kept]:
    """Every version that is public or has a number, by number; one at a time, since a text may be long."""
    chosen = or_(versions.c.state.in_(PUBLIC), versions.c.number.is_not(None))
    known = select(versions.c.id, versions.c.number).where(chosen).order_by(versions.c.number, versions.c.id)
    for version_id, number in connection.execute(known).all():
        try:
            hashes = hashed(_values(connection, version_id))
        except (ValueError, TypeError, AttributeError):
            hashes = None  # a time or a list that somebody made unreadable
        yield Kept(number=number, hashes=hashes)


def _values(connection: Connection, version_id: int) -> dict[str, Any]:
    row = connection.execute(select(versions).where(versions.c.id == version_id)).mappings().one()
    written = connection.execute(select(texts).where(texts.c.version_id == version_id)).all()
    sources = {one.language: one.source_hash for one in written}
    # The governing text was made from no other.
    made_from = [source for language, source in sorted(sources.items()) if source or language != GOVERNING]
    return {
        "state": row["state"],
        "titles": {one.language: one.title for one in written},
        "summaries": {one.language: one.summary for one in written},
        "texts": {one.language: one.markdown for one in written},
        "content_hashes": {one.language: one.content_hash for one in written},
        "source_hash": made_from[0] if len(made_from) == 1 else made_from,
        "class": row["change_class"],
        "ask_again": row["ask_again"],
        "new": row["new_kinds"] or [],
        "effective_at": row["effective_at"],
        "reason": row["reason"] or "",
        "overrides": row["overrides"] or [],
        "announced_at": at_entry(row["announced_at"]),
        "withdrawn_at": at_entry(row["withdrawn_at"]),
        "withdrawal_reason": row["withdrawal_reason"] or "",
    }
