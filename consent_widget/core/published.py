"""Compares the versions that the public reads with what the ledger holds of them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from .ledger import Entry, Kind, canonical, show_time
from .ledger_check import Problem, Report

#: What an announcement enters and the tables hold, and what it is called. By language where there is more than one.
_NAMES: Mapping[str, str] = {
    "titles": "title",
    "summaries": "summary",
    "texts": "text",
    "content_hashes": "content hash",
    "source_hash": "source of the translation",
    "class": "class",
    "ask_again": "what is asked again",
    "new": "what is new",
    "effective_at": "effective date",
    "reason": "reason",
    "overrides": "what the reason overrides",
    "state": "state",
    "announced_at": "time of the announcement",
    "withdrawn_at": "time of the withdrawal",
    "withdrawal_reason": "reason of the withdrawal",
}

#: The one version that may have been announced before there was a ledger: later ones need staff, who came with it.
_FIRST = 1


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A version as the tables hold it: see :func:`hashed`; ``hashes`` None where it cannot be read."""

    number: int | None
    hashes: Mapping[str, Mapping[str, str]] | None


@dataclass
class Logged:
    """What the ledger holds of one version: the last ``entry`` on it, and hashes of the values by name."""

    entry: int
    announced: bool = False
    hashes: dict[str, dict[str, str]] = field(default_factory=dict)


def hashed(values: Mapping[str, object]) -> dict[str, dict[str, str]]:
    """The hash of each value, by language where it has one: texts are long, and only equality is asked for.

    Raises:
        ValueError: a value is none that the ledger could hold.
    """
    found = {}
    for name, value in values.items():
        parts = value if isinstance(value, Mapping) else {"": value}
        found[name] = {part: sha256(canonical(_plain(one))).hexdigest() for part, one in parts.items()}
    return found


def _plain(value: object) -> object:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


class Log:
    """What the ledger says about versions, gathered from entries whose bodies are good."""

    def __init__(self) -> None:
        self._versions: dict[int, Logged] = {}

    def take(self, entry: Entry) -> None:
        """Note what ``entry`` says of a version, if it does."""
        if entry.kind != Kind.VERSION:
            return
        body: dict[str, Any] = json.loads(entry.body or "{}")
        event, number = body.get("event"), body.get("number")
        if event not in ("announced", "withdrawn") or not isinstance(number, int):
            return
        version = self._versions.setdefault(number, Logged(entry.index))
        version.entry = entry.index
        if event == "withdrawn":
            version.hashes |= hashed(
                {
                    "state": "withdrawn",
                    "withdrawn_at": show_time(entry.at),
                    "withdrawal_reason": body.get("reason") or "",
                }
            )
            return
        values = {name: body[name] for name in _NAMES if name in body}
        if isinstance(values.get("effective_at"), str):
            values["effective_at"] = datetime.fromisoformat(values["effective_at"])
        version.announced = True
        version.hashes |= hashed(
            {
                "state": "announced",
                "withdrawn_at": None,
                "withdrawal_reason": "",
                **values,
                "announced_at": show_time(entry.at),
            }
        )

    def compare(self, kept: Iterable[Kept], report: Report) -> Report:
        """``report`` with the first version that the tables do not hold as the ledger does, and with notes."""
        by_number = {one.number: one for one in kept}
        notes: list[str] = []
        for number in sorted(by_number.keys() | self._versions.keys(), key=lambda one: one or 0):
            logged = self._versions.get(number) if number is not None else None
            found = by_number.get(number)
            if logged is not None:
                wrong = _differences(found, logged) if found else "it is gone from the database"
            elif number == _FIRST:
                wrong = ""
            else:
                wrong = "it stands in the database and was never announced"
            if wrong:
                entry = logged.entry if logged else None
                problem = Problem(code="version", message=wrong, entry=entry, version=number)
                return replace(report, problem=problem, notes=tuple(notes))
            if number == _FIRST and not (logged and logged.announced):
                notes.append(f"version {_FIRST} is not in the log and was not compared")
        return replace(report, notes=tuple(notes))


def _differences(kept: Kept, logged: Logged) -> str:
    if kept.hashes is None:
        return "it cannot be read"
    odd = []
    for name in logged.hashes:  # what an older release did not enter yet is not asked
        before, now = logged.hashes[name], kept.hashes.get(name, {})
        odd += [
            f"{_NAMES[name]} ({part})" if part else _NAMES[name]
            for part in sorted(before.keys() | now.keys())
            if before.get(part) != now.get(part)
        ]
    return f"not what was entered: {', '.join(odd)}" if odd else ""


def at_entry(moment: datetime | None) -> str | None:
    """``moment`` as an entry's time is written."""
    return show_time(moment) if moment is not None else None
