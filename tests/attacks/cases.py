"""The hostile cases as data, and the mark that makes a test of them.

``cases.jsonl`` holds a case a line: what is sent, what must happen. A test names
its cases with :func:`attack`, so that the id stands in pytest's output, and takes
the data as its argument ``case``. ``test_cases.py`` fails for a case without test.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of ``cases.jsonl``; ``payload`` is what to send where it is listed, else None."""

    id: str
    expect: str
    payload: Any

    @property
    def payloads(self) -> list[Any]:
        return self.payload if isinstance(self.payload, list) else [self.payload]


@cache
def all_cases() -> dict[str, Case]:
    """Every case by its id."""
    # Not splitlines: a hostile text may hold a line separator that JSON leaves as it is.
    lines = Path(__file__).with_name("cases.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")
    rows = [json.loads(line) for line in lines]
    return {row["id"]: Case(id=row["id"], expect=row["expect"], payload=row.get("payload")) for row in rows}


def attack(*ids: str) -> pytest.MarkDecorator:
    """Run the test once for each of the cases ``ids``."""
    return pytest.mark.parametrize("case", [pytest.param(all_cases()[one], id=one) for one in ids])
