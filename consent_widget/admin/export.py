"""The audit log as files, written line by line."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping

from ..core.staff import Staff
from ..services.audit import row_of, say_details
from ..storage.audit import Act

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

#: Where a spreadsheet would begin a formula (OWASP, CSV Injection): at the start of a cell, of a line in it,
#: and behind what separates cells where the comma is for decimals; white space and quotes aside.
_FORMULA = re.compile(r'(^|[\t\r\n;])(?=[\s"]*[=+\-@＝＋－＠]|[\t\r])')


def csv_lines(acts: Iterable[Act], names: Mapping[str, Staff]) -> Iterator[str]:
    """RFC 4180, UTF-8 with a byte order mark, as spreadsheets want it; no cell is a formula."""
    yield "\ufeff" + _line(_COLUMNS)
    for act in acts:
        yield _line([safe_cell(_text(value)) for value in row_of(act, names).values()])


def json_lines(acts: Iterable[Act], names: Mapping[str, Staff]) -> Iterator[str]:
    """One JSON array of objects, one on each line."""
    first = True
    yield "["
    for act in acts:
        yield ("\n" if first else ",\n") + json.dumps(row_of(act, names), ensure_ascii=False)
        first = False
    yield "\n]\n"


def safe_cell(text: str) -> str:
    """``text`` with an apostrophe before whatever a spreadsheet would compute."""
    return _FORMULA.sub(r"\1'", text)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return say_details(value)
    return "" if value is None else str(value)


def _line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
