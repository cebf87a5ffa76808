"""Notice versions: what they say, since when they apply, what they ask again.

Whether a version is in force is computed from its effective date and the
clock, never stored and never the work of a job that may be late.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from unicodedata import normalize
from uuid import UUID, uuid5

from .errors import InputError
from .language import GOVERNING, LANGUAGES

#: A text longer than this is refused, in characters.
MAX_TEXT = 500_000

#: Of the identifiers of versions (RFC 9562 section 5.5); ours alone, never to be changed.
_NAMESPACE = UUID("5a1c0c1e-8d0f-5c55-9d3a-8a9f3f3b7e21")


class Standing(StrEnum):
    """What a version that was once announced is to readers at an instant: computed, never stored."""

    ANNOUNCED = "announced"
    IN_FORCE = "in_force"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


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
    """A version that was announced, without its text: enough to know what applies when.

    Times are aware, in UTC. ``source_hashes`` name the text that a translation
    was made from. ``reason`` says why the gate was opened, ``overrides`` what it
    would have refused (core.lead.reasons_needed),
    ``withdrawal_reason`` why it was taken back; plain, empty where there is none.
    """

    number: int
    change_class: ChangeClass
    effective_at: datetime
    announced_at: datetime
    ask_again: frozenset[str] = frozenset()
    titles: Mapping[str, str] = field(default_factory=dict)
    summaries: Mapping[str, str] = field(default_factory=dict)
    content_hashes: Mapping[str, str] = field(default_factory=dict)
    source_hashes: Mapping[str, str] = field(default_factory=dict)
    withdrawn_at: datetime | None = None
    reason: str = ""
    overrides: tuple[str, ...] = ()
    withdrawal_reason: str = ""

    @property
    def uid(self) -> str:
        """An identifier for calendars and feeds that never changes: a version is frozen when announced."""
        return str(
            uuid5(
                _NAMESPACE,
                f"{self.number} {self.announced_at.astimezone(UTC).isoformat()} {self.content_hashes.get(GOVERNING)}",
            )
        )


class Schedule:
    """What was announced: ``versions`` apply or will apply, in the order of their numbers.

    ``history`` holds those that were withdrawn before their effect as well, newest first.
    """

    def __init__(self, announced: Iterable[Version] = ()) -> None:
        ordered = sorted(announced, key=lambda one: one.number)
        self.versions = tuple(one for one in ordered if one.withdrawn_at is None)
        self.history = tuple(reversed(ordered))
        self._newest_first = self.versions[::-1]
        self._by_number = {one.number: one for one in ordered}

    def find(self, number: int) -> Version | None:
        """The version of that number, withdrawn ones too."""
        return self._by_number.get(number)

    def before(self, version: Version) -> Version | None:
        """The version that ``version`` changes: the newest one before it that was not withdrawn."""
        for earlier in self._newest_first:
            if earlier.number < version.number:
                return earlier
        return None

    def standing(self, version: Version, now: datetime) -> Standing:
        """What ``version`` is to a reader at ``now``."""
        current = self.in_force(now)
        if version.withdrawn_at is not None:
            return Standing.WITHDRAWN
        if current is not None and version.number < current.number:
            return Standing.SUPERSEDED
        return Standing.IN_FORCE if version is current else Standing.ANNOUNCED

    def stage(self, now: datetime) -> tuple[int, int, int, int]:
        """Equal at two instants if, and only if, every version has the same standing at both."""
        in_force, coming = self.in_force(now), self.coming(now)
        return (
            len(self.versions),
            len(self.history),
            in_force.number if in_force else 0,
            coming.number if coming else 0,
        )

    def in_force(self, now: datetime) -> Version | None:
        """The version that applies at ``now``; None before the first."""
        for version in self._newest_first:
            if version.effective_at <= now:
                return version
        return None

    def coming(self, now: datetime) -> Version | None:
        """The announced version that is not yet in force."""
        found = None
        for version in self._newest_first:
            if version.effective_at <= now:
                break
            found = version
        return found

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
