"""The audit log as files, written line by line."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..core.staff import Staff
from ..storage.audit import Act
from .forms import in_utc

_COLUMNS = (
    "index",
    "at",
    "staff",
    "name",
    "action",
    "version",
    "number",
    "revision",
    "edition_hash",
    "details",
)

#: A cell that begins so is a formula to a spreadsheet (OWASP, CSV Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_lines(acts: Iterable[Act], names: Mapping[str, Staff]) -> Iterator[str]:
    """RFC 4180, UTF-8 with a byte order mark, as spreadsheets want it; no cell is a formula."""
    yield "\ufeff" + _line(_COLUMNS)
    for act in acts:
        yield _line([safe_cell(_text(value)) for value in _row(act, names).values()])


def json_lines(acts: Iterable[Act], names: Mapping[str, Staff]) -> Iterator[str]:
    """One JSON array of objects, one on each line."""
    first = True
    yield "["
    for act in acts:
        yield ("\n" if first else ",\n") + json.dumps(_row(act, names), ensure_ascii=False)
        first = False
    yield "\n]\n"


def safe_cell(text: str) -> str:
    """``text`` with an apostrophe before what a spreadsheet would compute, also after white space."""
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def _row(act: Act, names: Mapping[str, Staff]) -> dict[str, Any]:
    body = dict(act.body)
    staff = str(body.pop("staff", ""))
    row = {
        "index": act.index,
        "at": in_utc(act.at),
        "staff": staff,
        "name": names[staff].name if staff in names else "",
        **{
            name: body.pop(name, None) for name in ("action", "version", "number", "revision", "edition_hash")
        },
    }
    return row | {"details": body}


def _text(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {one}" for name, one in value.items())
    return "" if value is None else str(value)


def _line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
