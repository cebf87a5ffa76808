"""CV: the audit log as a file opens as text, and however long it is nobody waits for it in memory."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import insert

from consent_widget import Staff
from consent_widget.storage.ledger import last_entry, ledger
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.newsroom import ADMIN, STAFF, draft, make_newsroom, signed_in, step
from tests.attacks.target import Target
from tests.factories import Clock
from tests.volume import volume

EXPORT = f"{ADMIN}/audit?format=csv"

#: What makes a formula of a cell, in any program and any language's separators.
STARTS = tuple("=+-@\t\r＝＋－＠")


def cells(text: str, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=separator))


def formulas(rows: Iterable[Iterable[str]]) -> list[str]:
    return [cell for row in rows for cell in row if cell.lstrip(' "\n').startswith(STARTS)]


@attack("CV-001")
def test_formula_in_the_audit_log(
    case: Case, make_target: MakeTarget, database_url: str, clock: Clock
) -> None:
    """From a name, a comment, a reason: text, with commas between the cells or as programs elsewhere split them."""
    forms = ("{}", "  {}", '"{}', "Một;{}", "Một\t{}", "Một\n{}", "Một\r\n{}", "Một, {}")
    values = [form.format(payload) for payload in case.payloads for form in forms]
    staff = {f"{at}": Staff(f"{at}", value, frozenset({"author"})) for at, value in enumerate(values)}
    target = make_newsroom(make_target, database_url, clock=clock, staff=STAFF | staff)
    version_id = draft(target, "0")
    for at, value in enumerate(values):
        step(target, f"{at}", "submit", version_id)
        step(target, "officer", "return", version_id, reason=value)

    answer = signed_in(target, "auditor").get(EXPORT)

    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    text = answer.data.decode("utf-8")
    rows = cells(text)
    assert len({len(row) for row in rows}) == 1
    assert len(rows) > 2 * len(values)
    for separator in (",", ";", "\t"):
        assert formulas(cells(text, separator)) == [], separator
    # Nothing is lost: the other form tells it to the letter.
    told = json.loads(signed_in(target, "auditor").get(f"{ADMIN}/audit?format=json").data)
    comments = [one["details"]["comment"] for one in told if "comment" in one["details"]]
    assert comments == [value.replace("\r\n", "\n").replace("\r", "\n").strip() for value in values[::-1]]


@attack("CV-003")
@pytest.mark.parametrize("wanted", ["csv", "json"])
def test_long_export(
    case: Case, wanted: str, make_target: MakeTarget, database_url: str, clock: Clock
) -> None:
    """A sample of the million: a few megabytes at most, whole, while visitors go on, and for few roles."""
    target = make_newsroom(make_target, database_url, clock=clock)
    draft(target)
    auditor = signed_in(target, "auditor")
    before = auditor.get(f"{ADMIN}/audit?format={wanted}").data.count(b"\n")
    number = volume(6_000, 20_000)
    _lengthen(target, number)

    tracemalloc.start()
    answer = auditor.get(f"{ADMIN}/audit?format={wanted}", buffered=False)
    lines = 0
    for at, chunk in enumerate(answer.iter_encoded()):
        lines += chunk.count(b"\n")
        if at == 10:  # visitors go on meanwhile
            target.browser().post("/privacy/preferences", data={"action": "accept_all"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    answer.close()

    assert lines == before + number
    assert peak < 1000 * number, "far less than the whole"
    assert signed_in(target, "author").get(f"{ADMIN}/audit?format={wanted}").status_code == 403


def _lengthen(target: Target, number: int) -> None:
    """Put ``number`` acts into the log at once. Their proofs are not looked at here."""
    with target.deployment.database.writing() as connection:
        last = last_entry(connection)
        assert last is not None
        rows: list[dict[str, Any]] = [
            {
                "index": last.index + at,
                "kind": "audit",
                "at": last.at,
                "body": json.dumps({"action": "save", "staff": "author", "version": at, "nonce": "x"}),
                "body_sha256": "0" * 64,
                "root": "0" * 64,
                "peaks": "",
                "key": "0" * 64,
                "signature": "0" * 128,
            }
            for at in range(1, number + 1)
        ]
        for start in range(0, number, 1000):
            connection.execute(insert(ledger), rows[start : start + 1000])
