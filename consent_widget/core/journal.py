"""The journal: what must not be undone by restoring a backup of the database.

It lies outside the database, one JSON object a line, appended and never changed. It
holds keyed hashes of addresses (core.pseudonym), no address.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


class Word(StrEnum):
    """What a line says of an address; ``joined`` takes ``left`` back, ``released`` ``suppressed``."""

    ERASED = "erased"
    LEFT = "left"
    JOINED = "joined"
    SUPPRESSED = "suppressed"
    RELEASED = "released"


_SENT = "sent"


@dataclass(frozen=True, kw_only=True)
class Said:
    """A line about one address: its hash under every key that was known, and since when it holds."""

    word: Word
    hashes: tuple[str, ...]
    at: datetime

    def line(self) -> bytes:
        return _line({"kind": self.word.value, "hashes": list(self.hashes), "at": self.at.isoformat()})


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A line about a campaign: how often rows of it had been claimed before a mail of it went out."""

    campaign: str
    claims: int

    def line(self) -> bytes:
        return _line({"kind": _SENT, "campaign": self.campaign, "claims": self.claims})


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def read_line(line: bytes) -> Said | Sent | None:
    """What a line says; None for one that was torn, and for what a newer release may write."""
    try:
        value = json.loads(line)
        if value["kind"] == _SENT:
            return Sent(campaign=str(value["campaign"]), claims=int(value["claims"]))
        at = datetime.fromisoformat(value["at"])
        hashes = tuple(str(one) for one in value["hashes"])
        return Said(word=Word(value["kind"]), hashes=hashes, at=at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


@dataclass(frozen=True)
class Standing:
    """What holds at the journal's end: by hash, the line that says so; by campaign, how far it had gone.

    ``unread`` lines say nothing to this release.
    """

    erased: Mapping[str, Said] = field(default_factory=dict)
    left: Mapping[str, Said] = field(default_factory=dict)
    suppressed: Mapping[str, Said] = field(default_factory=dict)
    claims: Mapping[str, int] = field(default_factory=dict)
    unread: int = 0


def standing(lines: Iterable[bytes]) -> Standing:
    """The last word on each address and campaign."""
    of: dict[Word, dict[str, Said]] = {Word.ERASED: {}, Word.LEFT: {}, Word.SUPPRESSED: {}}
    undone_by = {Word.JOINED: of[Word.LEFT], Word.RELEASED: of[Word.SUPPRESSED]}
    claims: dict[str, int] = {}
    unread = 0
    for found in _read(lines):
        if found is None:
            unread += 1
        elif isinstance(found, Sent):
            claims[found.campaign] = max(found.claims, claims.get(found.campaign, 0))
        elif found.word in undone_by:
            for one in found.hashes:
                undone_by[found.word].pop(one, None)
        else:
            of[found.word].update(dict.fromkeys(found.hashes, found))
    return Standing(of[Word.ERASED], of[Word.LEFT], of[Word.SUPPRESSED], claims, unread)


def _read(lines: Iterable[bytes]) -> Iterator[Said | Sent | None]:
    for line in lines:
        if line.strip():
            yield read_line(line)
