"""Notices are imported, and their schedule is kept at hand for every page view."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

import frontmatter
import yaml

from ..core.errors import InputError, NoticeError, StoreUnavailable
from ..core.language import LANGUAGES
from ..core.notice import ChangeClass, Edition, NoticeText, Schedule
from ..storage import notice as storage
from ..storage.database import Database


class ScheduleCache:
    """The announced versions as this process last read them.

    Read again after ``seconds`` and at each known effective instant, by one
    thread while the others go on with what they have: a page view asks no
    database in between. While the database is down the last known schedule
    stands; what is in force is computed from the clock anyway.
    """

    def __init__(self, database: Database, *, seconds: int, failed: Callable[[StoreUnavailable], None]) -> None:
        self._database = database
        self._every = timedelta(seconds=seconds)
        self._failed = failed
        self._lock = Lock()
        self._schedule = Schedule()
        self._read_again_at: datetime | None = None

    def at(self, now: datetime) -> Schedule:
        """The schedule, at most ``seconds`` old unless the database is down."""
        due = self._read_again_at
        if due is not None and now < due:
            # A clock that was set back must not freeze the schedule.
            if due - now <= self._every:
                return self._schedule
        first = due is None
        if self._lock.acquire(blocking=first):
            try:
                if self._read_again_at is due:
                    self._read(now)
            finally:
                self._lock.release()
        return self._schedule

    def forget(self) -> None:
        """Read again at the next call; for whoever just changed it in this process."""
        self._read_again_at = None

    def _read(self, now: datetime) -> None:
        try:
            with self._database.reading() as connection:
                self._schedule = storage.load_schedule(connection)
        except StoreUnavailable as error:
            self._failed(error)
        again = now + self._every
        coming = self._schedule.coming(now)
        if coming is not None and coming.effective_at < again:
            again = coming.effective_at
        self._read_again_at = again


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
    effective_at: datetime | None = None,
    announce: bool = False,
) -> list[Imported]:
    """Import ``N.vi.md`` and ``N.en.md`` from ``folder``.

    Version 1 is announced with ``announce``: there is nobody yet who could
    have been told beforehand, so it takes effect at ``effective_at``, the date
    in the file, or ``now``. Later versions become drafts. Importing the same
    text twice changes nothing.

    Raises:
        NoticeError: a file is missing or faulty, or an announced text differs.
        StoreUnavailable: nothing was imported.
    """
    editions = {number: _read_edition(folder, number, categories) for number in _numbers(folder)}
    done = []
    with database.writing() as connection:
        announced = {version.number: version for version in storage.load_schedule(connection).versions}
        for number, (edition, written) in editions.items():
            if number in announced:
                version = announced[number]
                for language, text in edition.texts.items():
                    if version.content_hashes.get(language) != text.content_hash:
                        raise NoticeError(
                            str(folder / f"{number}.{language}.md"),
                            f"version {number} is announced with another text and frozen; make it a new version.",
                        )
                done.append(Imported(number=number, state="unchanged", effective_at=version.effective_at))
                continue
            at_once = announce and number == 1
            when = effective_at or (parse_time(written) if written is not None else now)
            if storage.has_draft(connection, edition) and not at_once:
                done.append(Imported(number=number, state="unchanged", effective_at=None))
                continue
            storage.insert_edition(
                connection,
                edition,
                now=now,
                number=1 if at_once else None,
                effective_at=when if at_once else None,
            )
            done.append(
                Imported(
                    number=number,
                    state="announced" if at_once else "draft",
                    effective_at=when if at_once else None,
                )
            )
    return done


def _numbers(folder: Path) -> list[int]:
    numbers = sorted(
        {int(path.name.split(".")[0]) for path in folder.glob("*.*.md") if path.name.split(".")[0].isdigit()}
    )
    if not numbers:
        raise NoticeError(str(folder), "holds no notice; expected files like 1.vi.md and 1.en.md.")
    return numbers


def _read_edition(folder: Path, number: int, categories: tuple[str, ...]) -> tuple[Edition, object]:
    """The edition in the files of ``number`` and the effective date they name, unparsed."""
    texts: dict[str, NoticeText] = {}
    heads: dict[str, tuple[object, ...]] = {}
    for language in LANGUAGES:
        path = folder / f"{number}.{language}.md"
        try:
            post = frontmatter.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise NoticeError(str(path), "is missing; a version needs every language.") from None
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise NoticeError(str(path), f"cannot be read: {error}") from error
        head = post.metadata
        unknown = set(head) - {"title", "summary", "class", "ask_again", "effective_at"}
        if unknown:
            raise NoticeError(str(path), f"the front matter has an unknown key {sorted(unknown)[0]!r}.")
        try:
            texts[language] = NoticeText(
                title=str(head.get("title") or ""), summary=str(head.get("summary") or ""), markdown=post.content
            )
        except InputError as error:
            raise NoticeError(str(path), str(error)) from error
        heads[language] = (head.get("class"), head.get("ask_again") or [], head.get("effective_at"))
    if len({repr(head) for head in heads.values()}) > 1:
        raise NoticeError(
            str(folder), f"class, ask_again and effective_at of version {number} differ between the languages."
        )
    change_class, ask_again, effective_at = heads[LANGUAGES[0]]
    where = str(folder / f"{number}.{LANGUAGES[0]}.md")
    if change_class not in list(ChangeClass):
        raise NoticeError(where, f"class must be one of {', '.join(ChangeClass)}, not {change_class!r}.")
    if not isinstance(ask_again, list) or not all(isinstance(name, str) for name in ask_again):
        raise NoticeError(where, "ask_again must be a list of category names.")
    for name in ask_again:
        if name not in categories:
            raise NoticeError(where, f"ask_again names {name!r}; optional categories are {', '.join(categories)}.")
    edition = Edition(texts=texts, change_class=ChangeClass(str(change_class)), ask_again=frozenset(ask_again))
    return edition, effective_at


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
