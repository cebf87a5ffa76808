"""Notices are imported, listed and read."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from ..core.draft import Draft, draft_of
from ..core.errors import NoticeError
from ..core.language import GOVERNING
from ..core.notice import Edition, NoticeText, Version
from ..core.workflow import State
from ..storage import notice as storage
from ..storage.database import Database
from ..storage.draft import IMPORTED, insert_draft
from .notice_files import numbers_in, read_edition


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of one file pair: ``state`` is ``announced``, ``draft`` or ``unchanged``."""

    number: int
    state: str
    effective_at: datetime | None


def import_notices(
    database: Database,
    folder: Path,
    *,
    now: datetime,
    categories: tuple[str, ...],
    parse_time: Callable[[object], datetime],
    announced: Callable[[Connection, Draft], object],
    effective_at: datetime | None = None,
    announce: bool = False,
) -> list[Imported]:
    """Import ``N.vi.md`` and ``N.en.md`` from ``folder``.

    Version 1 is announced with ``announce``: there is nobody yet who could
    have been told beforehand, so it takes effect at ``effective_at``, the date
    in the file, or ``now``. Later versions become drafts for the date in the
    file. Importing the same text twice changes nothing. ``announced`` is told
    of version 1 in the same transaction.

    Raises:
        NoticeError: a file is missing or faulty, or an announced text differs.
        StoreUnavailable: nothing was imported.
    """
    editions = {number: read_edition(folder, number, categories) for number in numbers_in(folder)}
    done = []
    with database.writing() as connection:
        published = {version.number: version for version in storage.load_schedule(connection).versions}
        for number, (edition, written) in editions.items():
            if number in published:
                version = published[number]
                _check_frozen(version, edition, folder)
                done.append(Imported(number=number, state="unchanged", effective_at=version.effective_at))
                continue
            at_once = announce and number == 1
            when = effective_at or (_effective(written, parse_time, folder, number) if written else now)
            known = storage.find_draft(connection, edition)
            if known is not None and not at_once:
                done.append(Imported(number=number, state="unchanged", effective_at=None))
                continue
            if known is not None:
                storage.delete_draft(connection, known)
            draft = draft_of(edition, editor=IMPORTED, now=now)
            if at_once:
                draft = replace(draft, state=State.ANNOUNCED, number=1, effective_at=when, announced_at=now)
            elif written:
                draft = replace(draft, effective_at=when)
            draft = replace(draft, id=insert_draft(connection, draft))
            if at_once:
                announced(connection, draft)
            done.append(
                Imported(
                    number=number,
                    state="announced" if at_once else "draft",
                    effective_at=draft.effective_at,
                )
            )
    return done


def _check_frozen(version: Version, edition: Edition, folder: Path) -> None:
    for language, text in edition.texts.items():
        for what, before, now in (
            ("text", version.content_hashes, text.content_hash),
            ("title", version.titles, text.title),
            ("summary", version.summaries, text.summary),
        ):
            if before.get(language) != now:
                raise NoticeError(
                    str(folder / f"{version.number}.{language}.md"),
                    f"version {version.number} is announced with another {what}; make it a new version.",
                )
    if (version.change_class, version.ask_again) != (edition.change_class, edition.ask_again):
        raise NoticeError(
            str(folder / f"{version.number}.{GOVERNING}.md"),
            f"version {version.number} is announced with another class or ask_again; make it a new version.",
        )


def _effective(
    written: object, parse_time: Callable[[object], datetime], folder: Path, number: int
) -> datetime:
    try:
        return parse_time(written)
    except (ValueError, NoticeError) as error:
        raise NoticeError(
            str(folder / f"{number}.{GOVERNING}.md"),
            f"effective_at {str(written)[:40]!r} is no ISO 8601 time.",
        ) from error


def notice_text(database: Database, *, number: int, language: str) -> NoticeText | None:
    """The frozen text of an announced version; None if there is none.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with database.reading() as connection:
        return storage.load_text(connection, number=number, language=language)


def list_versions(database: Database, *, now: datetime) -> list[storage.Listed]:
    """All versions and drafts in the order in which they were made, with their state at ``now``.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with database.reading() as connection:
        schedule = storage.load_schedule(connection)
        rows = storage.list_versions(connection)
    in_force = schedule.in_force(now)
    newest = in_force.number if in_force else 0
    return [
        replace(row, state="in_force" if row.number == newest else "superseded")
        if row.state == "announced" and row.number is not None and row.number <= newest
        else row
        for row in rows
    ]
