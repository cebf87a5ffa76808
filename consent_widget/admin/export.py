"""Lists as files, written while they are sent: the audit log, the subscriptions."""

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

#: So many characters are sent at once: a line at a time would be a million writes to the network.
_PART = 32_000

#: Where a spreadsheet would begin a formula (OWASP, CSV Injection): at the start of a cell, of a line in it,
#: and behind what separates cells where the comma is for decimals; white space and quotes aside.
_FORMULA = re.compile(r'(^|[\t\r\n;])(?=[\s"]*[=+\-@＝＋－＠]|[\t\r])')


def csv_lines(acts: Iterable[Act], names: Mapping[str, Staff]) -> Iterator[str]:
    """The audit log as :func:`csv_table` writes it."""
    return csv_table(_COLUMNS, (row_of(act, names) for act in acts))


def json_lines(acts: Iterable[Act], names: Mapping[str, Staff]) -> Iterator[str]:
    """The audit log as :func:`json_table` writes it."""
    return json_table(row_of(act, names) for act in acts)


def csv_table(columns: Iterable[str], rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """RFC 4180, UTF-8 with a byte order mark, as spreadsheets want it; no cell is a formula.

    Each row has its values in the order of ``columns``.
    """
    part = io.StringIO(newline="")
    writer = csv.writer(part)
    part.write("\ufeff")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(_text(value)) for value in row.values()])
        if part.tell() > _PART:
            yield part.getvalue()
            part.seek(0)
            part.truncate()
    yield part.getvalue()


def json_table(rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """One JSON array of objects, one on each line."""
    part, before = ["["], ""
    size = 0
    for row in rows:
        part.append(before + json.dumps(row, ensure_ascii=False))
        before = ",\n"
        size += len(part[-1])
        if size > _PART:
            yield "".join(part)
            part, size = [], 0
    yield "".join([*part, "\n]\n"])


def safe_cell(text: str) -> str:
    """``text`` with an apostrophe before whatever a spreadsheet would compute."""
    # Hardly any cell has one, and looking costs half of what replacing does.
    return _FORMULA.sub(r"\1'", text) if _FORMULA.search(text) else text


def _text(value: object) -> str:
    if isinstance(value, dict):
        return say_details(value)
    return "" if value is None else str(value)
