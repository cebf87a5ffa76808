"""Notice versions: what they say, since when they apply, what they ask again.

Whether a version is in force is computed from its effective date and the
clock, never stored and never the work of a job that may be late.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from unicodedata import normalize

from .errors import InputError
from .language import LANGUAGES

#: A text longer than this is refused, in characters.
MAX_TEXT = 500_000


class ChangeClass(StrEnum):
    """How much a version changes: a typo, something that matters, what consent was given for."""

    EDITORIAL = "editorial"
    IMPORTANT = "important"
    MATERIAL = "material"


@dataclass(frozen=True, kw_only=True)
class NoticeText:
    """One version in one language: ``title`` and ``summary`` plain, ``markdown`` the frozen text.

    The text is kept in NFC with LF line ends, so that its hash is the hash of
    what a reader downloads as ``.md``.

    Raises:
        InputError: ``empty``, ``too_long`` or ``not_text`` (NUL, lone surrogate), with the field.
    """

    title: str
    summary: str
    markdown: str
    content_hash: str = field(init=False)

    def __post_init__(self) -> None:
        for name in ("title", "summary", "markdown"):
            value = canonical_text(getattr(self, name), name)
            object.__setattr__(self, name, value + "\n" if name == "markdown" else value)
        object.__setattr__(self, "content_hash", content_hash(self.markdown))


@dataclass(frozen=True, kw_only=True)
class Edition:
    """A version as it is written: all languages, its class, what it asks again."""

    texts: Mapping[str, NoticeText]
    change_class: ChangeClass
    ask_again: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for language in LANGUAGES:
            if language not in self.texts:
                raise InputError("missing_language", f"The text in {language!r} is missing.", language)


@dataclass(frozen=True, kw_only=True)
class Version:
    """An announced version, without its text: enough to know what applies when.

    Times are aware, in UTC.
    """

    number: int
    change_class: ChangeClass
    effective_at: datetime
    announced_at: datetime
    ask_again: frozenset[str] = frozenset()
    titles: Mapping[str, str] = field(default_factory=dict)
    summaries: Mapping[str, str] = field(default_factory=dict)
    content_hashes: Mapping[str, str] = field(default_factory=dict)


class Schedule:
    """All announced versions in the order of their numbers."""

    def __init__(self, versions: Iterable[Version] = ()) -> None:
        self.versions = tuple(sorted(versions, key=lambda one: one.number))
        self._newest_first = self.versions[::-1]

    def in_force(self, now: datetime) -> Version | None:
        """The version that applies at ``now``; None before the first."""
        for version in self._newest_first:
            if version.effective_at <= now:
                return version
        return None

    def coming(self, now: datetime) -> Version | None:
        """The announced version that is not yet in force."""
        for version in self.versions:
            if version.effective_at > now:
                return version
        return None

    def asked_again(self, *, since: int, now: datetime) -> frozenset[str]:
        """The categories that versions after number ``since`` ask about again by ``now``."""
        names: set[str] = set()
        for version in self.asking(since=since, now=now):
            names |= version.ask_again
        return frozenset(names)

    def asking(self, *, since: int, now: datetime) -> list[Version]:
        """The versions after number ``since`` that ask again by ``now``, newest first.

        Only material versions ask, and only for what they name: nobody is
        asked again for a typo (Law 91/2025/QH15 Art. 3(2) and 9: a new purpose
        needs a new consent).
        """
        found = []
        for version in self._newest_first:
            if version.number <= since:
                break
            if version.effective_at <= now and version.change_class is ChangeClass.MATERIAL:
                found.append(version)
        return found


def canonical_text(text: str, name: str) -> str:
    """``text`` in NFC with LF line ends and no white space around it.

    Raises:
        InputError: ``empty``, ``too_long`` or ``not_text``.
    """
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise InputError("not_text", f"The {name} holds characters that are no text.", name)
    clean = normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if not clean:
        raise InputError("empty", f"The {name} is empty.", name)
    if len(clean) > MAX_TEXT:
        raise InputError("too_long", f"The {name} is longer than {MAX_TEXT} characters.", name)
    return clean


def content_hash(markdown: str) -> str:
    """SHA-256 of the UTF-8 bytes of the frozen text, in hexadecimal."""
    return sha256(markdown.encode()).hexdigest()
