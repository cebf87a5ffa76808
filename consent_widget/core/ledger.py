"""The ledger: entries in an order that nobody can change unseen.

Each entry is a leaf of a Merkle tree (core.merkle), and each carries the root
of the tree that it completes, signed with Ed25519 (RFC 8032) in the form of
RFC 6962 section 3.5. So whoever checks can name the first entry that is wrong.
The format is described byte by byte in docs/reference/log.md.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from struct import pack

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

#: Larger whole numbers are not the same in every language (RFC 8785 section 3.2.2.3).
_LARGEST = 2**53 - 1


class Kind(StrEnum):
    """What an entry is about: a signing key from here on, a version, an act of staff."""

    KEY = "key"
    VERSION = "version"
    AUDIT = "audit"


#: The kinds that are published with their body; of the others only its hash.
PUBLISHED = frozenset({Kind.KEY, Kind.VERSION})


def canonical(value: object) -> bytes:
    """``value`` as canonical JSON (RFC 8785): one value, one row of bytes, in any language.

    Raises:
        ValueError: a number that is not whole, a name that is not ASCII, a lone
            surrogate, or something that is no JSON.
    """
    _check(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _check(value: object) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str) or not name.isascii():
                raise ValueError(f"{name!r} cannot be a name in canonical JSON")
            _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item)
    elif isinstance(value, int):
        if abs(value) > _LARGEST:
            raise ValueError("a whole number has more than 53 bits")
    elif value is not None and not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} is not part of canonical JSON here")


def in_milliseconds(moment: datetime) -> datetime:
    """``moment`` in UTC as the ledger keeps it."""
    return _EPOCH + _MILLISECOND * ((moment - _EPOCH) // _MILLISECOND)


def show_time(moment: datetime) -> str:
    return in_milliseconds(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, kw_only=True)
class Head:
    """A tree head: the ``root`` of the first ``size`` entries, in hexadecimal, signed at ``at``."""

    size: int
    root: str
    at: datetime
    key: str
    signature: str

    def line(self) -> bytes:
        """The last line of a published log, without line end."""
        return canonical({"head": vars(self) | {"at": show_time(self.at)}})


def join_peaks(peaks: Iterable[bytes]) -> str:
    """Peaks as they are stored: hexadecimal, one after the other."""
    return b"".join(peaks).hex()


def split_peaks(stored: str) -> tuple[bytes, ...]:
    """The inverse of :func:`join_peaks`; ValueError where it is no hexadecimal."""
    raw = bytes.fromhex(stored)
    return tuple(raw[start : start + 32] for start in range(0, len(raw), 32))


def signed_bytes(size: int, root: bytes, at: datetime) -> bytes:
    """What is signed: ``TreeHeadSignature`` of RFC 6962 section 3.5, 50 bytes."""
    version, signature_type = 0, 1
    return pack(">BBQQ32s", version, signature_type, (at - _EPOCH) // _MILLISECOND, size, root)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry; hashes, key and signature in hexadecimal.

    ``body`` is canonical JSON, or None where it is not published. ``peaks`` is
    known in the own database alone.
    """

    index: int
    kind: str
    at: datetime
    body: str | None
    body_sha256: str
    root: str
    key: str
    signature: str
    peaks: str | None = None

    def leaf(self) -> bytes:
        """The bytes that are this entry's leaf in the tree."""
        return canonical(
            {
                "at": show_time(self.at),
                "body_sha256": self.body_sha256,
                "index": self.index,
                "kind": self.kind,
            }
        )

    def head(self) -> Head:
        """The tree head that this entry completes."""
        return Head(size=self.index + 1, root=self.root, at=self.at, key=self.key, signature=self.signature)

    def line(self) -> bytes:
        """The entry as it is published, canonical JSON without line end."""
        first = canonical({"at": show_time(self.at)})[:-1]
        rest = canonical(
            {
                name: getattr(self, name)
                for name in ("body_sha256", "index", "key", "kind", "root", "signature")
            }
        )[1:]
        if self.kind not in PUBLISHED or self.body is None:
            return b",".join((first, rest))
        # As it is stored, and not parsed: what somebody altered there must be seen.
        return b",".join((first, b'"body":' + self.body.encode(), rest))
