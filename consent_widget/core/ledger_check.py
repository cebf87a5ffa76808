"""Checks a ledger and names the first entry that is wrong."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from .ledger import PUBLISHED, Entry, Head, Kind, canonical, join_peaks, show_time
from .ledger_key import PublicKey, by_id
from .merkle import Peaks, add_leaf, hash_leaf, root_of


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong first. ``entry`` is its index, None where it is the head; ``line`` counts from 1 in a file.

    ``code`` is ``unreadable``, ``order``, ``body``, ``root``, ``peaks``, ``key``,
    ``signature``, ``head`` or ``cut_off``; or ``version`` where the tables do not
    hold the ``version`` of that number as ``entry`` does (None: no entry does).
    """

    code: str
    message: str
    entry: int | None
    line: int | None = None
    version: int | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found: ``head`` is the newest that is good, ``problem`` None where all is well.

    ``notes`` say what could not be checked.
    """

    head: Head | None
    problem: Problem | None
    notes: tuple[str, ...] = ()


def check_entries(entries: Iterable[Entry], trusted: Iterable[PublicKey]) -> Report:
    """Check the own ledger, with the bodies and peaks that are not published."""
    checker = _Checker(trusted)
    try:
        for entry in entries:
            checker.take(entry)
        if checker.head is not None:
            checker.check_trust(checker.head, entry=checker.size - 1)
    except _Wrong as wrong:
        return Report(head=checker.head, problem=wrong.problem())
    return Report(head=checker.head, problem=None)


def check_lines(lines: Iterable[bytes], trusted: Iterable[PublicKey]) -> Report:
    """Check a published log; ``lines`` with their ends, as a file opened in binary mode gives them."""
    checker = _Checker(trusted)
    head: Head | None = None
    number = 0
    try:
        for line in lines:
            number += 1
            if head is not None:
                raise _Wrong("head", "something follows the head", None)
            found = _parse(line, checker.size)
            if "head" in found:
                head = checker.check_head(_read_head(found))
            else:
                checker.take(_read_entry(found, checker.size))
        if head is None:
            number += 1
            raise _Wrong("cut_off", "the log ends before its head", None)
    except _Wrong as wrong:
        return Report(head=checker.head, problem=wrong.problem(number))
    return Report(head=head, problem=None)


class _Wrong(Exception):
    def __init__(self, code: str, message: str, entry: int | None) -> None:
        super().__init__(code, message, entry)
        self._code, self._message, self._entry = code, message, entry

    def problem(self, line: int | None = None) -> Problem:
        return Problem(code=self._code, message=self._message, entry=self._entry, line=line)


class _Checker:
    """Grows the tree anew, entry by entry; raises _Wrong."""

    def __init__(self, trusted: Iterable[PublicKey]) -> None:
        self._trusted = by_id(trusted)
        self._declared: dict[str, PublicKey] = {}
        self._peaks: Peaks = ()
        self.head: Head | None = None
        self.size = 0

    def take(self, entry: Entry) -> None:
        """Check the next entry."""
        at = self.size
        if entry.index != at:
            raise _Wrong("order", f"entry {entry.index} stands in its place", at)
        self._check_body(entry)
        peaks = add_leaf(self._peaks, at, hash_leaf(entry.leaf()))
        if root_of(peaks).hex() != entry.root:
            raise _Wrong("root", "the tree that it completes has another root than was signed", at)
        if entry.peaks is not None and entry.peaks != join_peaks(peaks):
            raise _Wrong("peaks", "the peaks stored with it are not those of its tree", at)
        if entry.kind == Kind.KEY:
            self._declare(entry)
        key = self._declared.get(entry.key) or self._trusted.get(entry.key)
        if key is None:
            raise _Wrong("key", f"it is signed by {entry.key}, a key that nothing before makes known", at)
        if not key.signed(entry.head()):
            raise _Wrong("signature", "its signature is not good", at)
        self._peaks, self.head, self.size = peaks, entry.head(), at + 1

    def _check_body(self, entry: Entry) -> None:
        if entry.body is None:
            if entry.kind in PUBLISHED:
                raise _Wrong("body", "its body is missing", self.size)
        elif sha256(entry.body.encode()).hexdigest() != entry.body_sha256:
            raise _Wrong("body", "its body does not have the hash that was entered", self.size)

    def _declare(self, entry: Entry) -> None:
        """A key is known from its entry on, and trusted if one that is trusted signed that entry."""
        try:
            key = PublicKey.from_body(json.loads(entry.body or ""))
        except (ValueError, AttributeError) as error:
            raise _Wrong("body", "it makes no public key known", self.size) from error
        self._declared[key.id] = key
        signer = self._trusted.get(entry.key)
        if signer is not None and signer.signed(entry.head()):
            self._trusted[key.id] = key

    def check_head(self, head: Head) -> Head:
        """Check the head that closes a published log."""
        if head.size != self.size:
            raise _Wrong("head", f"the head counts {head.size} entries, {self.size} stand before it", None)
        if head.root != root_of(self._peaks).hex() or (self.head is not None and head != self.head):
            raise _Wrong("head", "the head is not that of the last entry", None)
        self.check_trust(head, entry=None)
        return head

    def check_trust(self, head: Head, *, entry: int | None) -> None:
        """The newest head vouches for all before it: a key that is merely declared is not enough."""
        key = self._trusted.get(head.key)
        if key is None:
            raise _Wrong("key", f"it is signed by {head.key}, which is none of the keys you trust", entry)
        if not key.signed(head):
            raise _Wrong("signature", "its signature is not good", entry)


def _parse(line: bytes, index: int) -> dict[str, Any]:
    """The object in one line, which must be canonical: so a byte changed anywhere shows."""
    if not line.endswith(b"\n"):
        raise _Wrong("cut_off", "the line has no end", index)
    try:
        found = json.loads(line[:-1].decode())
        same = canonical(found) == line[:-1]
    except (ValueError, RecursionError):
        found, same = None, False
    if not same or not isinstance(found, dict):
        raise _Wrong("unreadable", "the line is not canonical JSON", index)
    return found


_FORMS = {
    "key": "[0-9a-f]{64}",
    "kind": "[a-z_]{1,16}",
    "root": "[0-9a-f]{64}",
    "body_sha256": "[0-9a-f]{64}",
    "signature": "[0-9a-f]{128}",
    "at": "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z",
}


def _read_entry(found: Mapping[str, Any], index: int) -> Entry:
    names = {"at", "body_sha256", "index", "key", "kind", "root", "signature"}
    values = _read_fields({name: found[name] for name in found if name != "body"}, names, "index", index)
    return Entry(**values, body=canonical(found["body"]).decode() if "body" in found else None)


def _read_head(found: Mapping[str, Any]) -> Head:
    if found.keys() != {"head"} or not isinstance(found["head"], dict):
        raise _Wrong("unreadable", "the head has other fields than it should have", None)
    return Head(**_read_fields(found["head"], {"at", "key", "root", "signature", "size"}, "size", None))


def _read_fields(found: Mapping[str, Any], names: set[str], number: str, entry: int | None) -> dict[str, Any]:
    """The fields of these ``names``, each of its form; ``number`` names the one that is a whole number."""
    if found.keys() != names:
        raise _Wrong("unreadable", "it has other fields than it should have", entry)
    for name, value in found.items():
        good = (
            type(value) is int and value >= 0
            if name == number
            else isinstance(value, str) and re.fullmatch(_FORMS[name], value)
        )
        if not good:
            raise _Wrong("unreadable", f"{name} does not have the form it should have", entry)
    try:
        at = datetime.fromisoformat(found["at"])
    except (ValueError, OverflowError) as error:
        raise _Wrong("unreadable", "at is no time", entry) from error
    if show_time(at) != found["at"]:
        raise _Wrong("unreadable", "at is not written as it should be", entry)
    return {**found, "at": at}
