"""What staff did is told page by page, and exported so that no spreadsheet computes it."""

import csv
import io
import json
import re
from collections.abc import Iterable

import pytest
import sqlalchemy as sa

from consent_widget import Staff
from consent_widget.admin.export import safe_cell
from consent_widget.services.staff import add_staff
from tests.admin.conftest import MakeNewsroom
from tests.admin.newsroom import ADMIN, STAFF, Newsroom, post


def acts(newsroom: Newsroom, reason: str = "Vì thế") -> None:
    """A draft that is submitted and returned with ``reason``."""
    draft = newsroom.submitted()
    post(newsroom.browser("minh"), f"/versions/{draft.id}", {"action": "return", "reason": reason})


def test_the_newest_act_stands_first(stored_newsroom: Newsroom) -> None:
    acts(stored_newsroom)

    page = stored_newsroom.browser("hoa").get(f"{ADMIN}/audit?lang=en").text
    told = re.findall(r'data-label="(?:Who|What)">([^<]*)', page)

    assert told == [
        "Minh",
        "Returned with a comment",
        "Lan",
        "Submitted for review",
        "Lan",
        "Started the draft",
    ]
    assert "<q>Vì thế</q>" in page


def test_old_acts_stand_on_further_pages(newsroom: Newsroom) -> None:
    for _ in range(40):
        newsroom.submitted()
    browser = newsroom.browser("hoa")

    first = browser.get(f"{ADMIN}/audit").text
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    second = browser.get(older[1]).text

    numbers = [
        int(one) for page in (first, second) for one in re.findall(r'data-label="Mục số">(\d+)<', page)
    ]
    assert numbers == list(range(80, 0, -1))
    assert 'rel="next"' not in second


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 30, "\0"])
def test_an_index_that_is_none_shows_the_newest(stored_newsroom: Newsroom, before: str) -> None:
    acts(stored_newsroom)

    answer = stored_newsroom.browser("hoa").get(f"{ADMIN}/audit", query_string={"before": before})

    assert answer.status_code == 200
    assert "Vì thế" in answer.text


PAYLOADS = [
    "=cmd|'/c calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    '=HYPERLINK("http://evil.example")',
    "＝1+1",
]


def test_no_cell_of_the_csv_is_a_formula(stored_newsroom: Newsroom) -> None:
    for payload in PAYLOADS:
        acts(stored_newsroom, reason=payload)

    answer = stored_newsroom.browser("hoa").get(f"{ADMIN}/audit?format=csv")
    rows = list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"), newline=""), strict=True))

    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert rows[0][:5] == ["index", "at", "staff", "name", "action"]
    assert len(rows) == 1 + 3 * len(PAYLOADS) + 1  # the export itself
    assert all(len(row) == len(rows[0]) for row in rows)
    assert not [cell for row in rows for cell in row if cell.lstrip().startswith(("=", "+", "-", "@", "＝"))]
    assert {f"comment: {one}" for one in PAYLOADS} <= {row[-1] for row in rows}


@pytest.mark.parametrize("payload", [*PAYLOADS, "\t=1+1", "\r=1+1", "  =1", "\n=1", "\u3000=1"])
def test_a_formula_becomes_text(payload: str) -> None:
    safe = safe_cell(payload)

    assert safe.startswith("'")
    assert safe.replace("'", "") == payload.replace("'", "")


@pytest.mark.parametrize("harmless", ["", "Lan", "a=b", "2026-12-01", "comment: =1"])
def test_other_text_stays(harmless: str) -> None:
    assert safe_cell(harmless) == harmless


def test_the_json_holds_everything(stored_newsroom: Newsroom) -> None:
    acts(stored_newsroom)

    answer = stored_newsroom.browser("minh").get(f"{ADMIN}/audit?format=json")
    rows = json.loads(answer.get_data())

    assert [row["action"] for row in rows] == ["export", "return", "submit", "create"]
    assert rows[0]["details"] == {"format": "json"}
    assert rows[1]["staff"] == "minh"
    assert rows[1]["details"] == {"comment": "Vì thế"}
    assert "nonce" not in answer.text


def test_an_empty_log_says_so_and_its_export_holds_the_export_alone(newsroom: Newsroom) -> None:
    browser = newsroom.browser("hoa")

    assert "Chưa có gì được ghi." in browser.get(f"{ADMIN}/audit").text
    (only,) = json.loads(browser.get(f"{ADMIN}/audit?format=json").get_data())
    assert (only["action"], only["staff"]) == ("export", "hoa")


def test_an_altered_ledger_takes_no_act_and_is_exported_all_the_same(newsroom: Newsroom) -> None:
    draft = newsroom.submitted()
    with newsroom.deployment.database.writing() as connection:
        connection.execute(sa.text("DROP TRIGGER cw_ledger_no_update"))
        connection.execute(sa.text("UPDATE cw_ledger SET root = peaks, peaks = ''"))
    order = {"action": "approve", "revision": str(draft.revision)}

    refused = post(newsroom.browser("minh"), f"/versions/{draft.id}?lang=en", order)
    exported = newsroom.browser("hoa").get(f"{ADMIN}/audit?format=json")

    assert refused.status_code == 503
    assert "The audit log was altered" in refused.text
    assert newsroom.load(draft.id) == draft
    assert [row["action"] for row in json.loads(exported.get_data())] == ["submit", "create"]


def test_the_directory_is_asked_once_a_page(make_newsroom: MakeNewsroom) -> None:
    """Hosts look it up in a service of theirs; each account that a line is about is in the one answer."""
    asked: list[int] = []

    def directory() -> Iterable[Staff]:
        asked.append(1)
        return STAFF.values()

    newsroom = make_newsroom(staff_directory=directory)
    now = newsroom.clock()
    for one in "abc":
        add_staff(
            newsroom.deployment,
            email=f"{one}@demo.example",
            name=one,
            roles={"author"},
            password="a-quiet-lake-behind-seven-hills",
            one_time=False,
            now=now,
        )
    browser = newsroom.browser("hoa")
    asked.clear()

    page = browser.get(f"{ADMIN}/audit?lang=en").text

    assert page.count("Added an account") == 3
    assert len(asked) == 1


def test_a_format_that_is_none(newsroom: Newsroom) -> None:
    assert newsroom.browser("hoa").get(f"{ADMIN}/audit?format=exe").status_code == 400
