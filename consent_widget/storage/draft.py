"""Versions with everything that work on them needs: read whole, written under their revision."""

from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text, update

from ..core.draft import Draft
from ..core.language import GOVERNING, LANGUAGES
from ..core.notice import ChangeClass
from ..core.workflow import State
from .notice import texts, versions

#: Who stands as editor of what came out of files.
IMPORTED = "import"

_SAME = (
    "number", "revision", "effective_at", "created_at", "submitted_by", "submitted_at", "approved_by",
    "approved_at", "approved_hash", "announced_by", "announced_at", "withdrawn_by", "withdrawn_at",
)  # fmt: skip
_WORDS = ("comment", "reason", "withdrawal_reason")

#: Holds the numbering on PostgreSQL while one transaction announces; SQLite has one writer anyway.
_ANNOUNCING = 0x6377_0001


def load_draft(connection: Connection, version_id: int) -> Draft | None:
    """The version with this id at any stage of work; None if there is none."""
    found = load_drafts(connection, version_id)
    return found[0] if found else None


def load_drafts(connection: Connection, version_id: int | None = None) -> list[Draft]:
    """Every version, newest first, or the one with ``version_id``; two queries however many there are."""
    chosen = select(versions).order_by(versions.c.id.desc())
    written = select(texts)
    if version_id is not None:
        chosen = chosen.where(versions.c.id == version_id)
        written = written.where(texts.c.version_id == version_id)
    rows = connection.execute(chosen).mappings().all()
    by_version: dict[int, dict[str, Any]] = {}
    for row in connection.execute(written):
        by_version.setdefault(row.version_id, {})[row.language] = row
    return [_draft(dict(row), by_version.get(row["id"], {})) for row in rows]


def _draft(row: dict[str, Any], written: dict[str, Any]) -> Draft:
    same: dict[str, Any] = {name: row[name] for name in _SAME}
    words: dict[str, Any] = {name: row[name] or "" for name in _WORDS}
    sources = [one.source_hash for language, one in written.items() if language != GOVERNING]
    return Draft(
        id=row["id"],
        state=State(row["state"]),
        titles={language: written[language].title if language in written else "" for language in LANGUAGES},
        summaries={
            language: written[language].summary if language in written else "" for language in LANGUAGES
        },
        texts={language: written[language].markdown if language in written else "" for language in LANGUAGES},
        source_hash=sources[0] if sources else None,
        change_class=ChangeClass(row["change_class"]),
        ask_again=frozenset(row["ask_again"]),
        new=frozenset(row["new_kinds"] or ()),
        overrides=tuple(row["overrides"] or ()),
        edited_by=row["edited_by"] or IMPORTED,
        edited_at=row["edited_at"] or row["created_at"],
        **same,
        **words,
    )


def insert_draft(connection: Connection, draft: Draft) -> int:
    """Store a version that has no row yet (its ``id`` is ignored); the row's id."""
    # The texts come before the state that freezes them.
    columns = _columns(draft)
    added = connection.execute(insert(versions).values(columns | {"state": State.DRAFT.value}))
    version_id = int(added.inserted_primary_key[0])  # type: ignore[index]  # one row, so there is one
    connection.execute(insert(texts), _texts(draft, version_id))
    if draft.state is not State.DRAFT:
        connection.execute(update(versions).where(versions.c.id == version_id).values(columns))
    return version_id


def update_draft(connection: Connection, draft: Draft, *, seen: int) -> bool:
    """Write ``draft`` where its row is still at revision ``seen``; whether it was.

    The texts are written only where they differ: those of an announced version are frozen.
    """
    done = connection.execute(
        update(versions).where(versions.c.id == draft.id, versions.c.revision == seen).values(_columns(draft))
    )
    if done.rowcount != 1:
        return False
    rows = connection.execute(select(texts).where(texts.c.version_id == draft.id)).mappings()
    before = {row["language"]: dict(row) for row in rows}
    for row in _texts(draft, draft.id):
        if before.get(row["language"]) != row:
            connection.execute(
                delete(texts).where(texts.c.version_id == draft.id, texts.c.language == row["language"])
            )
            connection.execute(insert(texts).values(row))
    return True


def delete_row(connection: Connection, draft: Draft, *, seen: int) -> bool:
    """Remove a draft and its texts where its row is still at revision ``seen``; whether it was."""
    mine = (versions.c.id == draft.id) & (versions.c.revision == seen)
    if connection.execute(select(versions.c.id).where(mine).with_for_update()).first() is None:
        return False
    connection.execute(delete(texts).where(texts.c.version_id == draft.id))
    connection.execute(delete(versions).where(mine))
    return True


def lock_numbers(connection: Connection) -> None:
    """Until the transaction ends nobody else announces."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ANNOUNCING})


def next_number(connection: Connection) -> int:
    """The number after the highest that was ever given."""
    highest = connection.execute(select(func.max(versions.c.number))).scalar_one()
    return int(highest or 0) + 1


def _columns(draft: Draft) -> dict[str, Any]:
    return {
        "state": draft.state.value,
        "change_class": draft.change_class.value,
        "ask_again": sorted(draft.ask_again),
        "new_kinds": sorted(draft.new),
        "overrides": list(draft.overrides),
        "edited_by": draft.edited_by,
        "edited_at": draft.edited_at,
        **{name: getattr(draft, name) for name in (*_SAME, *_WORDS)},
    }


def _texts(draft: Draft, version_id: int) -> list[dict[str, Any]]:
    return [
        {
            "version_id": version_id,
            "language": language,
            "title": draft.titles[language],
            "summary": draft.summaries[language],
            "markdown": draft.texts[language],
            "content_hash": draft.content_hashes[language],
            "source_hash": None if language == GOVERNING else draft.source_hash,
        }
        for language in LANGUAGES
    ]
