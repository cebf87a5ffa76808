"""TM: what takes effect when, whatever clocks, zones and people do; nothing is told too late or twice."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from consent_widget import Staff
from consent_widget.services.draft import load_draft
from tests.attacks import newsroom
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.newsroom import draft, make_newsroom, page_of, publish, send, signed_in, step, written
from tests.attacks.target import ALL, SECURE_NAME, Target, ask, granted_in
from tests.factories import Clock, read_page

STATE = "/privacy/state"

MATERIAL = {"change_class": "material"}


@pytest.fixture
def staffed(make_target: MakeTarget, database_url: str, clock: Clock) -> Target:
    """A site with staff who sign in at the host, on each kind of database."""
    return make_newsroom(make_target, database_url, clock=clock)


def in_force(target: Target) -> int:
    page = read_page(target.browser().get("/privacy/vi/"))
    (article,) = [one for one in page.all("article") if "data-notice" in one]
    return int(article["data-notice"])


def approved(target: Target, **fields: Any) -> int:
    version_id = draft(target, **fields)
    step(target, "author", "submit", version_id)
    step(target, "approver", "approve", version_id)
    return version_id


@attack("TM-001")
@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)],
                         ids=str)  # fmt: skip
def test_clock_that_jumps_back(case: Case, back: timedelta, staffed: Target, clock: Clock) -> None:
    """A fresh choice is none of the future; what was announced stays announced, once; the log keeps its order."""
    effective_at = clock.now + timedelta(days=40)
    publish(staffed, **MATERIAL, effective_at=_local(effective_at))
    clock.now = effective_at
    assert in_force(staffed) == 2
    browser = staffed.browser()
    browser.post("/privacy/preferences", data={"action": "accept_all"})

    clock.now -= back

    assert granted_in(browser.get(STATE)) == ALL
    assert (browser.get(STATE).json or {})["decided"]
    assert newsroom.numbers(staffed) == [2, 1]
    assert in_force(staffed) == 1
    browser.post("/privacy/preferences", data={"action": "reject_all"})
    assert granted_in(browser.get(STATE)) == frozenset()
    assert staffed.recorded()[-1][0] == frozenset()
    clock.now += back
    assert in_force(staffed) == 2
    assert granted_in(browser.get(STATE)) == frozenset()
    log = [json.loads(line) for line in staffed.browser().get("/privacy/log.jsonl").text.splitlines()]
    entries = [one["index"] for one in log if "index" in one]
    assert entries == sorted(entries)
    assert staffed.app.test_cli_runner().invoke(args=["consent", "verify"]).exit_code == 0


@attack("TM-003")
@pytest.mark.parametrize("apart", [timedelta(minutes=5), -timedelta(minutes=5)], ids=["ahead", "behind"])
def test_hosts_whose_clocks_differ(
    case: Case, apart: timedelta, make_target: MakeTarget, database_url: str, clock: Clock
) -> None:
    """Cookies, forms and links that one made work at the other."""
    other_clock = Clock(clock.now + apart)
    one = make_newsroom(make_target, database_url, clock=clock)
    other = make_newsroom(make_target, database_url, clock=other_clock)
    accepted = f"{SECURE_NAME}={one.genuine('accept_all')}"
    assert granted_in(ask(other, accepted, STATE)) == ALL

    author = signed_in(one, "author")
    token = newsroom.token_of(author)
    session = author.get_cookie("session")
    assert session is not None
    fields = written("From one host") | {"action": "save", "csrf_token": token}
    answer = ask(other, f"session={session.value}", newsroom.NEW, method="POST", data=fields)
    version_id = newsroom.created(answer)
    link = read_page(author.get(page_of(version_id)))
    (preview, *_) = [a["href"] for a in link.all("a") if "/preview/" in (a.attributes.get("href") or "")]
    assert "From one host" in ask(other, "", preview).text


@attack("TM-004")
@pytest.mark.parametrize("server", ["Asia/Ho_Chi_Minh", "America/New_York"])
def test_time_that_clocks_skip_or_repeat(
    case: Case,
    server: str,
    make_target: MakeTarget,
    database_url: str,
    clock: Clock,
    zone_of_server: Any,
) -> None:
    """The form names the instants and takes neither; beside it, one version takes effect at one instant."""
    zone_of_server(server)
    target = make_newsroom(make_target, database_url, clock=clock, timezone="Europe/Paris")
    version_id = draft(target, text="Words that are kept")
    author = signed_in(target, "author")
    for local, instants in (
        ("2027-03-28T02:30", ("2027-03-28 01:30 +0100", "2027-03-28 03:30 +0200")),
        ("2027-10-31T02:30", ("2027-10-31 02:30 +0100", "2027-10-31 02:30 +0200")),
    ):
        fields = written("Words that are kept", effective_at=local)
        answer = send(author, "save", page_of(version_id), fields)
        assert answer.status_code == 400
        assert all(one in answer.text for one in instants)
        assert "Words that are kept" in answer.text
        refused = send(author, "save", page_of(version_id), fields, headers={"Accept": "application/json"})
        assert refused.status_code == 400
        assert (refused.json or {})["error"]["field"] == "effective_at"
        assert load_draft(target.deployment, version_id).effective_at is None

    publish(target, **MATERIAL, effective_at="2027-03-28T03:30")
    starts = datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    for now, number in ((starts - timedelta(seconds=1), 1), (starts, 2)):
        clock.now = now
        assert in_force(target) == number


@pytest.fixture
def zone_of_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Sets the time zone of this process, of which nothing may depend."""

    def use(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield use
    monkeypatch.undo()
    time.tzset()


@attack("TM-005")
def test_midnight_in_vietnam(case: Case, staffed: Target, clock: Clock) -> None:
    """In force to the second; every page and form tells the same date, in both languages."""
    publish(staffed, **MATERIAL, effective_at="2027-01-01T00:00")
    starts = datetime(2026, 12, 31, 17, 0, tzinfo=UTC)
    reader = staffed.browser()
    for language, shown in (("vi", "1 tháng 1 năm 2027"), ("en", "1 January 2027")):
        version = f"/privacy/{language}/versions/2"
        for path in (version, f"{version}.txt", f"{version}.ics", f"/privacy/{language}/versions",
                     f"/privacy/{language}/feed.atom", f"{version}/changes"):  # fmt: skip
            page = reader.get(path).text.replace("\r\n ", "")
            assert shown in page, path
            assert "31 tháng 12" not in page
            assert "31 December" not in page
        assert "DTSTART:20261231T170000Z" in reader.get(f"{version}.ics").text
        assert 'datetime="2026-12-31T17:00:00+00:00"' in reader.get(version).text
        for day, number in (("2026-12-31", 1), ("2027-01-01", 2)):
            assert f'data-notice="{number}"' in reader.get(f"/privacy/{language}/as-of/{day}").text
    listed = {one["number"]: one["effective_at"] for one in reader.get("/privacy/versions.json").json or []}
    assert listed[2] == "2026-12-31T17:00:00+00:00"
    staff = signed_in(staffed, "auditor").get(page_of(2)).text
    assert "1 January 2027" in staff
    for now, number in ((starts - timedelta(seconds=1), 1), (starts, 2)):
        clock.now = now
        assert in_force(staffed) == number


@attack("TM-008")
@pytest.mark.parametrize("late", [timedelta(seconds=60), timedelta(days=365)], ids=["now", "a year ago"])
def test_date_that_has_passed(case: Case, late: timedelta, staffed: Target, clock: Clock) -> None:
    """Nothing is announced for yesterday, neither by form nor by script, with or without a reason."""
    for change_class in ("editorial", "important", "material"):
        effective_at = _local(clock.now - late)
        version_id = approved(staffed, change_class=change_class, effective_at=effective_at)
        for reason in ("", "In a hurry"):
            for accept in ("text/html", "application/json"):
                answer = send(
                    signed_in(staffed, "approver"),
                    "announce",
                    page_of(version_id),
                    {"reason": reason},
                    headers={"Accept": accept},
                )
                assert answer.status_code == 400
    assert newsroom.numbers(staffed) == [1]


@attack("TM-008")
@pytest.mark.parametrize("down", [timedelta(minutes=1), timedelta(hours=1), timedelta(days=3)], ids=str)
def test_site_that_was_down_at_the_due_time(
    case: Case, down: timedelta, make_target: MakeTarget, database_url: str, clock: Clock
) -> None:
    """In force is computed: whoever starts later serves what has applied since its instant."""
    target = make_newsroom(make_target, database_url, clock=clock)
    effective_at = clock.now + timedelta(days=30)
    publish(target, **MATERIAL, effective_at=_local(effective_at))
    target.close()

    clock.now = effective_at + down
    again = make_newsroom(make_target, database_url, clock=clock)

    assert in_force(again) == 2
    assert newsroom.numbers(again) == [2, 1]
    listed = again.browser().get("/privacy/versions.json").json or []
    assert listed[0]["effective_at"] == effective_at.isoformat(timespec="seconds")


@attack("TM-008")
def test_approval_that_waited_too_long(case: Case, staffed: Target, clock: Clock) -> None:
    """The notice period is counted from the announcement, not from the approval."""
    version_id = approved(staffed, **MATERIAL, effective_at=_local(clock.now + timedelta(days=30)))
    clock.now += timedelta(minutes=1)

    answer = send(signed_in(staffed, "approver"), "announce", page_of(version_id))

    assert answer.status_code == 400
    assert newsroom.numbers(staffed) == [1]


@attack("TM-009")
@pytest.mark.parametrize(
    "zone", ["Asia/Ho_Chi_Minh", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Paris", "Asia/Kathmandu"]
)
@pytest.mark.parametrize("change_class, days", [("important", 15), ("material", 30)])
def test_date_before_the_lead_time_is_over(
    case: Case,
    zone: str,
    change_class: str,
    days: int,
    make_target: MakeTarget,
    sqlite_url: str,
    clock: Clock,
) -> None:
    """Refused by the form, for a program and on the command line; one minute later it is taken."""
    clock.now = datetime(2027, 3, 10, 23, 30, tzinfo=UTC)  # clocks are set in Paris within the lead time
    staff = newsroom.STAFF | {
        "approver": Staff("approver", "Hùng", frozenset({"approver"}), email="approver@example.com")
    }
    target = make_newsroom(make_target, sqlite_url, clock=clock, timezone=zone, staff=staff)
    earliest = clock.now + timedelta(days=days)
    early = _local(earliest - timedelta(minutes=1), zone)
    version_id = approved(target, change_class=change_class, effective_at=early)
    approver = signed_in(target, "approver")

    for fields, accept in (
        ({}, "text/html"),
        ({}, "application/json"),
        ({"effective_at": early}, "text/html"),
        ({"effective_at": _local(clock.now, zone)}, "text/html"),
        ({"reason": "   "}, "text/html"),
    ):
        answer = send(approver, "announce", page_of(version_id), fields, headers={"Accept": accept})
        assert answer.status_code == 400
    written_out = (earliest - timedelta(seconds=1)).isoformat()
    order = ["consent", "announce", str(version_id), "--as", "approver@example.com", "--effective"]
    assert target.app.test_cli_runner().invoke(args=[*order, written_out]).exit_code == 1
    assert newsroom.numbers(target) == [1]

    step(target, "approver", "announce", version_id, effective_at=_local(earliest, zone))
    assert newsroom.numbers(target) == [2, 1]
    assert load_draft(target.deployment, version_id).effective_at == earliest


@attack("TM-009")
def test_earlier_than_promised_only_with_a_reason_that_everybody_reads(
    case: Case, staffed: Target, clock: Clock
) -> None:
    version_id = approved(staffed, **MATERIAL, effective_at=_local(clock.now + timedelta(days=2)))

    step(staffed, "approver", "announce", version_id, reason="Theo yêu cầu của cơ quan nhà nước")

    for language in ("vi", "en"):
        page = staffed.browser().get(f"/privacy/{language}/versions/2").text
        assert "Theo yêu cầu của cơ quan nhà nước" in page


def _local(when: datetime, zone: str = "Asia/Ho_Chi_Minh") -> str:
    return f"{when.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"
