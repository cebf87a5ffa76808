"""What was done at the command line is told as such, and what staff did can be read there."""

import json
import re
from typing import Any

import pytest
from click.testing import Result

from consent_widget.services.decision import withdraw_version
from tests.admin.newsroom import ADMIN, STAFF, Newsroom


def run(newsroom: Newsroom, *args: str) -> Result:
    return newsroom.app.test_cli_runner().invoke(args=["consent", *args])


def announced(newsroom: Newsroom) -> int:
    """A draft of Lan's, announced by a script in Minh's name; its id."""
    draft = newsroom.write()
    done = run(
        newsroom,
        "announce",
        str(draft.id),
        "--effective",
        "2027-01-15T08:00",
        "--as",
        "minh@demo.example",
    )
    assert done.exit_code == 0, done.output
    return draft.id


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_an_announcement_by_a_script_says_so_everywhere(stored_newsroom: Newsroom) -> None:
    announced(stored_newsroom)
    browser = stored_newsroom.browser("hoa")

    page = browser.get(f"{ADMIN}/audit?lang=en").text
    vietnamese = browser.get(f"{ADMIN}/audit?lang=vi").text
    table = browser.get(f"{ADMIN}/audit?format=csv").get_data().decode("utf-8-sig")
    (_, _, act, _) = json.loads(browser.get(f"{ADMIN}/audit?format=json").get_data())

    assert re.findall(r'data-label="Who">([^<]*)', page) == ["Minh, at the command line", "Lan"]
    assert "Minh, qua dòng lệnh" in vietnamese
    assert "via: command line" in table
    assert (act["staff"], act["action"], act["details"]) == ("minh", "announce", {"via": "command line"})


def test_an_announcement_by_the_button_is_not_said_to_come_from_a_script(newsroom: Newsroom) -> None:
    newsroom.announced()

    (newest, *_) = printed(run(newsroom, "audit", "--json"))

    assert (newest["action"], newest["details"]) == ("announce", {})


def test_the_acts_of_staff_are_printed_newest_first(stored_newsroom: Newsroom) -> None:
    version = announced(stored_newsroom)

    acts = printed(run(stored_newsroom, "audit", "--json"))

    assert [(one["action"], one["staff"], one["name"]) for one in acts] == [
        ("announce", "minh", "Minh"),
        ("create", "lan", "Lan"),
    ]
    assert acts[0]["index"] > acts[1]["index"]
    assert (acts[0]["version"], acts[0]["number"], acts[0]["details"]) == (
        version,
        2,
        {"via": "command line"},
    )
    assert "nonce" not in json.dumps(acts)


def test_a_person_reads_one_act_a_line(newsroom: Newsroom) -> None:
    version = announced(newsroom)

    result = run(newsroom, "audit")

    first, second = result.output.splitlines()
    assert first.split("\t")[2:] == ["Minh", "announce", f"id {version}, number 2", "via: command line"]
    assert second.split("\t")[2:] == ["Lan", "create", f"id {version}", ""]


def test_as_many_are_printed_as_were_asked_for(newsroom: Newsroom) -> None:
    for _ in range(30):
        newsroom.submitted()

    assert len(run(newsroom, "audit").output.splitlines()) == 50
    assert len(run(newsroom, "audit", "--limit", "3").output.splitlines()) == 3
    assert [one["action"] for one in printed(run(newsroom, "audit", "--limit", "1", "--json"))] == ["submit"]
    assert len(printed(run(newsroom, "audit", "--limit", "1000", "--json"))) == 60


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_limit_that_is_none_is_a_wrong_call(newsroom: Newsroom, limit: str) -> None:
    assert run(newsroom, "audit", "--limit", limit).exit_code == 2


def test_what_somebody_wrote_starts_no_line_of_its_own(newsroom: Newsroom) -> None:
    """Nor does it move the cursor of the terminal: what stands there would read as another act."""
    draft = newsroom.announced()
    withdraw_version(
        newsroom.deployment,
        draft.id,
        revision=draft.revision,
        reason="one\n9\tnow\tMinh\tapprove \x1b[2J\u2028 \u202e",
        staff=STAFF["oanh"],
        now=newsroom.clock(),
    )

    first = run(newsroom, "audit", "--limit", "1").output

    assert first.count("\n") == 1
    assert first.count("\t") == 5
    assert first.rstrip("\n").replace("\t", "").isprintable()


def test_no_acts_are_no_lines(newsroom: Newsroom) -> None:
    assert run(newsroom, "audit").output == ""
    assert printed(run(newsroom, "audit", "--json")) == []
