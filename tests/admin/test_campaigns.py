"""A campaign as staff see it: honest words, counts that balance, and what they may do about it."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from consent_widget.admin.chart import show_parts
from consent_widget.admin.mail_codes import explain_code
from consent_widget.core.campaign import PauseReason, Policy
from consent_widget.core.delivery import MAX_ATTEMPTS, Counts, wait
from consent_widget.core.delivery import State as Row
from consent_widget.render.catalogue import WORDS
from consent_widget.services.audience import join_campaigns, prepare
from consent_widget.services.campaign import pause_for
from consent_widget.services.decision import withdraw_version
from consent_widget.services.jobs import take
from consent_widget.services.progress import load_campaign, progress_of
from consent_widget.storage.audit import read_acts
from consent_widget.storage.campaign import campaigns
from tests.admin.newsroom import ADMIN, STAFF, Newsroom
from tests.admin.post_office import campaign_of, settle, subscribe
from tests.factories import NOW, read_page

ALL = (
    Row.ACCEPTED,
    Row.ACCEPTED,
    Row.FAILED,
    Row.UNKNOWN,
    Row.SUPPRESSED,
    Row.CANCELLED,
    Row.PENDING,
    Row.SENDING,
)


def start(newsroom: Newsroom) -> Newsroom:
    """A campaign of eight mails, one in every state and one more accepted."""
    for at in range(len(ALL)):
        subscribe(newsroom.deployment, f"a{at}@example.vn")
    campaign_of(newsroom, newsroom.announced())
    for at, state in enumerate(ALL, 1):
        code = {Row.FAILED: "5.2.2", Row.ACCEPTED: "2.0.0", Row.PENDING: "4.7.0"}.get(state, "")
        settle(newsroom.deployment, at, state, code=code, at=NOW)
    return newsroom


@pytest.fixture
def sending(newsroom: Newsroom) -> Newsroom:
    """On SQLite, for what pages say."""
    return start(newsroom)


@pytest.fixture
def stored(stored_newsroom: Newsroom) -> Newsroom:
    """On each kind of database, for what is counted and changed there."""
    return start(stored_newsroom)


def page_of(newsroom: Newsroom, user: str = "minh", path: str = "/campaigns/1") -> str:
    return newsroom.browser(user).get(f"{ADMIN}{path}?lang=en").text


def counts(page: str) -> dict[str, int]:
    """The numbers of the table beside the bar, and those of the audience."""
    tree = read_page(page)
    table = {
        row["data-name"]: cell["data-count"]
        for row in tree.all("tr")
        if "data-name" in row.attributes
        for cell in row.all("td")
        if "data-count" in cell.attributes
    }
    audience = {
        one["data-name"]: one["data-count"] for one in tree.all("dd") if "data-count" in one.attributes
    }
    return {name: int(count) for name, count in (table | audience).items()}


def press(newsroom: Newsroom, action: str, user: str = "minh", **fields: str) -> TestResponse:
    browser = newsroom.browser(user)
    data = {"action": action, "csrf_token": newsroom.token(browser)} | fields
    return browser.post(f"{ADMIN}/campaigns/1?lang=en", data=data)


def last_act(newsroom: Newsroom) -> Mapping[str, Any]:
    with newsroom.deployment.database.reading() as connection:
        return read_acts(connection, limit=1)[0].body


# What it says ------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["lan", "minh", "oanh", "hoa"])
def test_the_counts_are_those_of_the_rows(stored: Newsroom, user: str) -> None:
    shown = counts(page_of(stored, user))
    rows = progress_of(stored.deployment, 1, now=stored.clock()).counts

    assert shown == {
        "accepted": 2,
        "pending": 2,  # one waits, one is being sent
        "failed": 1,
        "unknown": 1,
        "suppressed": 1,
        "cancelled": 1,
        "rows": rows.rows,
        "candidates": 8,
        "excluded": 0,
        "late": 0,
        "coverage": 2,
    }
    assert (
        sum(shown[one] for one in ("accepted", "pending", "failed", "unknown", "suppressed", "cancelled"))
        == 8
    )


@pytest.mark.parametrize("path", ["/campaigns", "/campaigns/1"])
def test_nothing_is_called_delivered(sending: Newsroom, path: str) -> None:
    page = page_of(sending, path=path)

    assert "elivered" not in page
    assert "ccepted" in page


def test_the_bar_is_as_wide_as_the_counts(sending: Newsroom) -> None:
    tree = read_page(page_of(sending))
    parts = tree.all("rect")

    assert [one["data-name"] for one in parts] == [
        "accepted", "pending", "failed", "unknown", "suppressed", "cancelled",
    ]  # fmt: skip
    widths = [float(one["width"].rstrip("%")) for one in parts]
    assert widths == [25.0, 25.0, 12.5, 12.5, 12.5, 12.5]


def test_one_mail_in_a_million_is_to_be_seen() -> None:
    parts = show_parts(Counts(by_state={Row.ACCEPTED: 999_999, Row.UNKNOWN: 1}), WORDS["en"])
    by_name = {one.name: one for one in parts}

    assert by_name["accepted"].share == "99.9%"
    assert by_name["unknown"].share == "< 0.1%"
    assert float(by_name["unknown"].width) > 0.5
    assert by_name["failed"].share == "0%"
    assert sum(float(one.width) for one in parts) == pytest.approx(100, abs=0.01)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_common_answer_is_explained(language: str) -> None:
    t = WORDS[language]
    other = explain_code("9.9.9", t)
    codes = [
        "5.1.1", "5.1.2", "5.1.3", "5.1.10", "5.2.1", "5.2.2", "4.2.2", "5.2.3", "5.3.0", "5.3.4", "4.3.2", "5.4.1",
        "4.4.1", "4.4.7", "5.5.0", "5.6.0", "5.7.1", "5.7.26", "5.7.515", "4.7.0", "4.7.28", "421", "450", "451", "452",
        "454", "550", "551", "552", "553", "554", "connection", "timeout", "tls", "auth", "size", "",
    ]  # fmt: skip

    assert not [code for code in codes if explain_code(code, t) == other]
    assert explain_code("5.7.1", t) != explain_code("4.7.1", t)
    assert explain_code("5.1.x", t)[0] == explain_code("5.1.9", t)[0]


def test_how_long_a_mail_was_tried_is_said_as_it_is() -> None:
    tried = sum((wait(attempt, 0.5) for attempt in range(1, MAX_ATTEMPTS)), timedelta())

    assert timedelta(days=4.5) < tried < timedelta(days=5)
    assert "nearly five days" in explain_code("450", WORDS["en"])[1]


def test_failures_are_told_with_what_to_do(stored: Newsroom) -> None:
    page = page_of(stored, "hoa")

    assert "<code>5.2.2</code>" in page
    assert "The mailbox is full." in page
    assert "Retry it in a few days." in page
    assert "The recipient’s server asked us to send more slowly." in page  # waits


def test_the_unknown_are_listed_masked_with_their_message_id(stored: Newsroom) -> None:
    page = page_of(stored, "hoa")
    campaign = load_campaign(stored.deployment, 1)

    assert re.findall(r"&lt;1\.4\.[0-9a-f]{20}@[\w.]+&gt;", page)
    assert campaign.secret not in page
    assert "a•••@e•••.vn" in page
    assert "a3@example.vn" not in page


def test_an_author_sees_counts_and_nobody(sending: Newsroom) -> None:
    page = page_of(sending, "lan")

    assert "•••" not in page
    assert "/admin/subscriptions/" not in page
    assert "<form" not in page.partition("<main")[2]


def test_late_joiners_are_counted_apart(stored: Newsroom) -> None:
    late = subscribe(stored.deployment, "late@example.vn")
    with stored.deployment.database.writing() as connection:
        join_campaigns(stored.deployment, connection, late, now=stored.clock())

    shown = counts(page_of(stored))

    assert (shown["late"], shown["rows"], shown["candidates"]) == (1, 9, 8)


# How it goes on ---------------------------------------------------------------------------


def test_whether_it_is_done_before_the_version_takes_effect(stored: Newsroom) -> None:
    stored.clock.now = NOW + timedelta(minutes=2)
    with stored.deployment.database.writing() as connection:
        connection.execute(update(campaigns).values(started_at=NOW - timedelta(minutes=1)))

    in_time = page_of(stored)
    with stored.deployment.database.writing() as connection:
        connection.execute(update(campaigns).values(closes_at=NOW + timedelta(minutes=3)))
    too_late = page_of(stored)

    assert "About 0.7 mails a minute." in in_time  # 2 in 3 minutes
    assert "the rest takes about 3 minutes, until 1 December 2026, 09:05" in in_time
    assert "That is before the version takes effect on 10 January 2027" in in_time
    assert "That is after the version takes effect on 1 December 2026, 09:03" in too_late
    assert "That is before" not in too_late


def test_a_worker_that_does_not_run_is_thought_of(sending: Newsroom) -> None:
    sending.clock.now = NOW + timedelta(hours=1)

    page = page_of(sending)

    assert "No mail was accepted since 1 December 2026, 09:00" in page
    assert "flask consent worker" in page


def test_that_no_worker_runs_stands_above_the_campaigns(sending: Newsroom) -> None:
    sending.clock.now = NOW + timedelta(minutes=11)
    waiting = page_of(sending, path="/campaigns")
    take(sending.deployment, "sweep", timedelta(minutes=1), sending.clock.now)

    assert "Mails have been waiting since 1 December 2026, 09:00" in waiting
    assert "Mails have been waiting" not in page_of(sending, path="/campaigns")


def test_coverage_at_the_effective_date(sending: Newsroom) -> None:
    with sending.deployment.database.writing() as connection:
        connection.execute(update(campaigns).values(told_in_time=6))

    page = page_of(sending)

    assert "Accepted when the version took effect" in page
    assert '<dd data-name="coverage" data-count="6">6 (75%)</dd>' in page


@pytest.mark.parametrize("reason", list(PauseReason))
def test_why_it_is_paused_and_what_to_do(sending: Newsroom, reason: PauseReason) -> None:
    with sending.deployment.database.writing() as connection:
        pause_for(
            sending.deployment,
            connection,
            1,
            reason=reason,
            detail="550 5.7.1 <b>no</b>",
            now=sending.clock(),
        )

    page = page_of(sending)

    assert "It was paused." not in page
    assert "550 5.7.1 &lt;b&gt;no&lt;/b&gt;" in page
    assert page.index("esume") < page.index("cw-admin-progress-title")
    assert "Nothing is sent until it is resumed." in page
    assert 'value="resume"' not in page_of(sending, "hoa")


def test_a_withdrawn_version_and_its_correction(stored: Newsroom) -> None:
    draft = stored.load(2)
    withdraw_version(
        stored.deployment, 2, revision=draft.revision, reason="Sai", staff=STAFF["minh"], now=stored.clock()
    )

    overview = page_of(stored, path="/campaigns")
    page = page_of(stored)

    assert overview.count("cw-admin-campaign") == 2
    assert "Correction" in overview
    assert "Stopped: version withdrawn" in page
    assert not re.search(r'value="(retry_failed|resend_unknown|policy|pause|resume)"', page)


@pytest.mark.parametrize("minutes", [2, 60])
def test_a_correction_speaks_of_no_date_to_come(sending: Newsroom, minutes: int) -> None:
    draft = sending.load(2)
    withdraw_version(
        sending.deployment, 2, revision=draft.revision, reason="Sai", staff=STAFF["minh"], now=sending.clock()
    )
    prepare(sending.deployment, now=sending.clock)
    sending.clock.now = NOW + timedelta(minutes=minutes)
    withdrawn, running = page_of(sending), page_of(sending, path="/campaigns/2")
    with sending.deployment.database.writing() as connection:
        pause_for(sending.deployment, connection, 2, reason=PauseReason.STAFF, detail="", now=sending.clock())
    paused = page_of(sending, path="/campaigns/2")

    assert "What to do" not in withdrawn
    assert "<dt>Announced</dt>" in withdrawn
    assert "Nothing is sent until it is resumed.</p>" in paused
    for page in (running, paused):
        assert "<dt>Withdrawn</dt>" in page
        assert not re.search("announcement|Announced|Takes effect|takes effect", page.partition("<main")[2])


def test_without_any_campaign(newsroom: Newsroom) -> None:
    assert "There is none yet." in page_of(newsroom, path="/campaigns")


@pytest.mark.parametrize("campaign", ["0", "1", "2147483648", "9" * 30])
def test_an_unknown_campaign_is_not_found(stored_newsroom: Newsroom, campaign: str) -> None:
    browser = stored_newsroom.browser("minh")
    token = {"csrf_token": stored_newsroom.token(browser), "action": "resume"}

    assert browser.get(f"{ADMIN}/campaigns/{campaign}").status_code == 404
    assert browser.post(f"{ADMIN}/campaigns/{campaign}", data=token).status_code == 404


# What staff may do -----------------------------------------------------------------------------


BUTTONS = {
    "pause": {"reason": "wait"},
    "resume": {},
    "policy": {"policy": "resend_same_id"},
    "resend_unknown": {},
    "retry_failed": {},
}


@pytest.mark.parametrize("action", BUTTONS)
@pytest.mark.parametrize("user", ["lan", "minh", "oanh", "hoa", "boss"])
def test_who_may_press_which_button(sending: Newsroom, user: str, action: str) -> None:
    if action == "resume":
        press(sending, "pause")
    before = sending.stored()

    answer = press(sending, action, user, **BUTTONS[action])

    if user in ("minh", "oanh", "boss"):
        assert answer.status_code == 303
        assert last_act(sending)["staff"] == user
    else:
        assert answer.status_code == 403
        assert sending.stored() == before


def test_pause_and_resume(stored: Newsroom) -> None:
    assert press(stored, "pause", reason=" Chờ  máy chủ ").headers["Location"] == f"{ADMIN}/campaigns/1"
    paused = page_of(stored)
    assert "<q>Chờ máy chủ</q>" in paused
    assert last_act(stored)["reason"] == "Chờ máy chủ"

    assert press(stored, "pause").status_code in (303, 409)
    assert press(stored, "resume").status_code == 303
    again = press(stored, "resume")

    assert again.status_code == 409
    assert "It has changed meanwhile" in again.text
    assert 'data-state="running"' in page_of(stored)


def test_what_was_typed_comes_back(sending: Newsroom) -> None:
    before = sending.stored()

    answer = press(sending, "pause", reason="see a3@example.vn")

    assert answer.status_code == 400
    assert "Please leave email addresses out" in answer.text
    assert 'value="see a3@example.vn"' in answer.text
    assert sending.stored() == before


def test_failed_and_unknown_are_sent_again(stored: Newsroom) -> None:
    press(stored, "retry_failed")
    press(stored, "resend_unknown")

    shown = counts(page_of(stored))

    assert (shown["failed"], shown["unknown"], shown["pending"], shown["accepted"]) == (0, 0, 4, 2)


def test_the_policy_is_kept(stored: Newsroom) -> None:
    assert load_campaign(stored.deployment, 1).policy is Policy.HOLD

    press(stored, "policy", policy="resend_same_id")

    assert load_campaign(stored.deployment, 1).policy is Policy.RESEND_SAME_ID
    assert re.search(r'value="resend_same_id" checked', page_of(stored))


@pytest.mark.parametrize(
    "fields", [{"action": "policy", "policy": "always"}, {"action": "delete"}, {"action": ""}]
)
def test_a_button_that_is_none(sending: Newsroom, fields: dict[str, str]) -> None:
    before = sending.stored()

    assert press(sending, **fields).status_code == 400
    assert sending.stored() == before


def test_old_campaigns_stand_on_further_pages(newsroom: Newsroom) -> None:
    for _ in range(12):
        draft = newsroom.announced()
        withdraw_version(
            newsroom.deployment, draft.id, revision=draft.revision, reason="Sai", staff=STAFF["minh"], now=NOW
        )
    browser = newsroom.browser("hoa")

    found: list[str] = []
    path: str | None = f"{ADMIN}/campaigns"
    while path:
        page = browser.get(path).text
        found += re.findall(r'<a href="/privacy/admin/campaigns/(\d+)">', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1] if following else None

    assert [int(one) for one in found] == list(range(24, 0, -1))


def test_a_mail_that_left_after_the_end_has_its_time(sending: Newsroom) -> None:
    """Who joins late is told late: the first end stays, as it tells how long sending takes."""
    with sending.deployment.database.writing() as connection:
        connection.execute(update(campaigns).values(state="done", finished_at=NOW))
    assert "Last mail accepted" not in page_of(sending)

    settle(sending.deployment, 1, Row.ACCEPTED, code="2.0.0", at=NOW + timedelta(minutes=5))

    assert "Last mail accepted" in page_of(sending)
    assert (NOW + timedelta(minutes=5)).isoformat() in page_of(sending)


# The page renews itself ---------------------------------------------------------------------------


def test_the_script_finds_what_it_renews(sending: Newsroom) -> None:
    """Each part once, and a link for whoever has no script."""
    tree = read_page(page_of(sending))
    parts = [one["data-live-part"] for one in tree.all() if "data-live-part" in one.attributes]

    assert len(parts) == len(set(parts))
    assert {"done", "time", "progress", "facts", "failures", "unknown", "paused"} <= set(parts)
    assert 'href="/privacy/admin/campaigns/1">Refresh</a>' in page_of(sending)
    assert "data-live-lost" in page_of(sending)


def test_what_is_done_is_not_asked_for_again(sending: Newsroom) -> None:
    with sending.deployment.database.writing() as connection:
        connection.execute(update(campaigns).values(state="done", finished_at=NOW))

    assert "data-live-lost" not in page_of(sending)
    assert "Refresh" in page_of(sending)
