"""Notice versions and their texts."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    delete,
    select,
)
from sqlalchemy.types import JSON

from ..core.notice import ChangeClass, Edition, NoticeText, Schedule, Version
from .database import UtcDateTime, metadata

versions = Table(
    "cw_notice_version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, unique=True),
    Column("state", String(16), nullable=False),
    Column("change_class", String(16), nullable=False),
    Column("ask_again", JSON, nullable=False),
    Column("effective_at", UtcDateTime),
    Column("announced_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    # Counts every change, so that nobody overwrites what they have not seen.
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("new_kinds", JSON),
    Column("edited_by", String(255)),
    Column("edited_at", UtcDateTime),
    Column("submitted_by", String(255)),
    Column("submitted_at", UtcDateTime),
    Column("approved_by", String(255)),
    Column("approved_at", UtcDateTime),
    Column("approved_hash", String(64)),
    Column("announced_by", String(255)),
    Column("withdrawn_by", String(255)),
    Column("withdrawn_at", UtcDateTime),
    Column("comment", Text),
    Column("reason", Text),
    Column("overrides", JSON),
    Column("withdrawal_reason", Text),
    CheckConstraint(
        "state <> 'announced' OR "
        "(number IS NOT NULL AND effective_at IS NOT NULL AND announced_at IS NOT NULL)",
        name="announced_is_complete",
    ),
    sqlite_autoincrement=True,
)

texts = Table(
    "cw_notice_text",
    metadata,
    Column("version_id", Integer, ForeignKey("cw_notice_version.id"), primary_key=True),
    Column("language", String(8), primary_key=True),
    Column("title", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("markdown", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    # Of a translation: the content hash of the text that it was made from.
    Column("source_hash", String(64)),
    sqlite_with_rowid=False,
)

#: The states whose text the public may read: a version that was taken back stays on record.
PUBLIC = ("announced", "withdrawn")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One row of the list of versions."""

    id: int
    number: int | None
    state: str
    change_class: str
    effective_at: datetime | None


def list_versions(connection: Connection) -> list[Listed]:
    """Every version and draft, oldest first."""
    rows = connection.execute(
        select(
            versions.c.id,
            versions.c.number,
            versions.c.state,
            versions.c.change_class,
            versions.c.effective_at,
        ).order_by(versions.c.id)
    ).mappings()
    return [Listed(**row) for row in rows]


def load_schedule(connection: Connection) -> Schedule:
    """Everything that was announced, without the texts, in one query."""
    rows = connection.execute(
        select(
            versions.c.number,
            versions.c.change_class,
            versions.c.ask_again,
            versions.c.effective_at,
            versions.c.announced_at,
            versions.c.withdrawn_at,
            versions.c.reason,
            versions.c.overrides,
            versions.c.withdrawal_reason,
            texts.c.language,
            texts.c.title,
            texts.c.summary,
            texts.c.content_hash,
            texts.c.source_hash,
        )
        .join(texts, texts.c.version_id == versions.c.id)
        .where(versions.c.state.in_(PUBLIC))
        .order_by(versions.c.number)
    ).all()
    by_number: dict[int, list[int]] = {}
    for position, row in enumerate(rows):
        by_number.setdefault(row.number, []).append(position)
    found = []
    for number, positions in by_number.items():
        of_version = [rows[position] for position in positions]
        first = of_version[0]
        found.append(
            Version(
                number=number,
                change_class=ChangeClass(first.change_class),
                ask_again=frozenset(first.ask_again),
                effective_at=first.effective_at,
                announced_at=first.announced_at,
                titles={row.language: row.title for row in of_version},
                summaries={row.language: row.summary for row in of_version},
                content_hashes={row.language: row.content_hash for row in of_version},
                source_hashes={row.language: row.source_hash for row in of_version if row.source_hash},
                withdrawn_at=first.withdrawn_at,
                reason=first.reason or "",
                overrides=tuple(first.overrides or ()),
                withdrawal_reason=first.withdrawal_reason or "",
            )
        )
    return Schedule(found)


def load_text(connection: Connection, *, number: int, language: str) -> NoticeText | None:
    """The frozen text of a version that was announced; None if there is none."""
    row = connection.execute(
        select(texts.c.title, texts.c.summary, texts.c.markdown)
        .join(versions, versions.c.id == texts.c.version_id)
        .where(versions.c.number == number, versions.c.state.in_(PUBLIC), texts.c.language == language)
    ).one_or_none()
    return NoticeText(title=row.title, summary=row.summary, markdown=row.markdown) if row else None


def find_draft(connection: Connection, edition: Edition) -> int | None:
    """The id of the draft with exactly these texts; None if there is none."""
    wanted = frozenset((text.content_hash, language) for language, text in edition.texts.items())
    drafts = select(versions.c.id).where(versions.c.state == "draft").order_by(versions.c.id)
    for draft in connection.execute(drafts).scalars():
        rows = connection.execute(
            select(texts.c.content_hash, texts.c.language).where(texts.c.version_id == draft)
        )
        if frozenset((row.content_hash, row.language) for row in rows) == wanted:
            return int(draft)
    return None


def delete_draft(connection: Connection, draft: int) -> None:
    """Remove a draft and its texts; an announced version is never removed."""
    known = select(versions.c.id).where(versions.c.id == draft, versions.c.state == "draft")
    connection.execute(delete(texts).where(texts.c.version_id.in_(known)))
    connection.execute(delete(versions).where(versions.c.id == draft, versions.c.state == "draft"))
