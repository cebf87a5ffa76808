"""Subscriptions are counted for all, listed masked, found, and revealed to few: with an entry in the ledger."""

import csv
import io
import json
import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from werkzeug.test import TestResponse

from consent_widget.core.delivery import State as Row
from consent_widget.core.subscription import State
from consent_widget.services.bounce import take_report
from consent_widget.services.erasure import erase
from consent_widget.storage.audit import read_acts
from consent_widget.storage.subscription import subscriptions, suppressed_for
from tests.admin.newsroom import ADMIN, Newsroom, post
from tests.admin.post_office import ADDRESS, campaign_of, report, row_of, settle, subscribe
from tests.factories import NOW

MASKED = "n•••@e•••.vn"
DECIDERS = ("minh", "oanh", "boss")


def acts(newsroom: Newsroom) -> list[dict[str, Any]]:
    """What stands in the audit log, newest first."""
    with newsroom.deployment.database.reading() as connection:
        return [dict(act.body) for act in read_acts(connection, limit=100)]


def listed(page: TestResponse) -> list[int]:
    """The ids of the subscriptions on a page, in its order."""
    return [int(one) for one in re.findall(r'<a href="/privacy/admin/subscriptions/(\d+)">', page.text)]


def search(newsroom: Newsroom, user: str, typed: str) -> TestResponse:
    return post(newsroom.browser(user), "/subscriptions?lang=en", {"action": "search", "q": typed})


# Who sees what -----------------------------------------------------------------------


@pytest.mark.parametrize("user", ["minh", "oanh", "hoa"])
def test_the_list_is_masked(stored_newsroom: Newsroom, user: str) -> None:
    one = subscribe(stored_newsroom.deployment)
    browser = stored_newsroom.browser(user)

    for path in ("/subscriptions", f"/subscriptions/{one}", f"/subscriptions/{one}/proof"):
        page = browser.get(f"{ADMIN}{path}").text
        assert MASKED in page
        assert ADDRESS not in page
        assert "nguyen" not in page


def test_an_author_sees_counts_and_nobody(newsroom: Newsroom) -> None:
    one = subscribe(newsroom.deployment)
    subscribe(newsroom.deployment, "b@example.vn", state=State.PENDING)
    author = newsroom.browser("lan")

    page = author.get(f"{ADMIN}/subscriptions?lang=en")

    assert re.findall(r"<b>(\d+)</b> ([\w ]+)</a>", page.text)[:3] == [
        ("2", "All"),
        ("1", "Not confirmed yet"),
        ("1", "Confirmed"),
    ]
    assert "•••" not in page.text
    for path in (f"/subscriptions/{one}", f"/subscriptions/{one}/proof", f"/subscriptions/{one}/proof.json"):
        assert author.get(f"{ADMIN}{path}").status_code == 403
    assert (
        post(author, "/subscriptions", {"q": ADDRESS, "csrf_token": newsroom.token(author)}).status_code
        == 403
    )


ACTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "reveal": ("/subscriptions/1", {"action": "reveal"}),
    "suppress": ("/subscriptions/1", {"action": "suppress", "reason": "Vì thế"}),
    "release": ("/subscriptions/2", {"action": "release", "reason": "Vì thế"}),
    "export": ("/subscriptions", {"action": "export", "format": "csv"}),
    "prove": ("/subscriptions/1/proof", {}),
    "open": ("/bounces/1", {}),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("user", ["lan", "minh", "oanh", "hoa", "boss"])
def test_who_may_do_what(newsroom: Newsroom, user: str, action: str) -> None:
    subscribe(newsroom.deployment)
    subscribe(newsroom.deployment, "b@example.vn", state=State.SUPPRESSED)
    report(newsroom.deployment, "raw")
    path, data = ACTIONS[action]
    browser = newsroom.browser(user)
    before = newsroom.stored()

    answer = browser.post(f"{ADMIN}{path}", data=data | {"csrf_token": newsroom.token(browser)})

    if user in DECIDERS:
        assert answer.status_code in (200, 303)
        assert len(acts(newsroom)) == 1
    else:
        assert answer.status_code == 403
        assert ADDRESS not in answer.text
        assert newsroom.stored() == before


def test_an_address_is_revealed_once_and_noted_without_it(stored_newsroom: Newsroom) -> None:
    one = subscribe(stored_newsroom.deployment)
    browser = stored_newsroom.browser("minh")

    page = post(browser, f"/subscriptions/{one}", {"action": "reveal"})

    assert page.status_code == 200
    assert f'<p class="cw-admin-address">{ADDRESS}</p>' in page.text
    assert ADDRESS not in browser.get(f"{ADMIN}/subscriptions/{one}").text
    assert acts(stored_newsroom) == [{"action": "reveal", "staff": "minh", "subscription": one}]


def test_what_cannot_be_noted_is_not_revealed(newsroom: Newsroom) -> None:
    one = subscribe(newsroom.deployment)
    post(newsroom.browser("minh"), f"/subscriptions/{one}", {"action": "reveal"})
    with newsroom.deployment.database.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER cw_ledger_no_update")
        connection.exec_driver_sql("UPDATE cw_ledger SET root = peaks, peaks = ''")

    for path, data in (
        (f"/subscriptions/{one}", {"action": "reveal"}),
        ("/subscriptions", {"action": "export", "format": "json"}),
        (f"/subscriptions/{one}/proof", {}),
    ):
        answer = post(newsroom.browser("minh"), path, data)
        assert answer.status_code == 503
        assert ADDRESS not in answer.text


def test_no_address_reaches_a_log_or_a_link(
    stored_newsroom: Newsroom, caplog: pytest.LogCaptureFixture
) -> None:
    """PI-001: addresses are sent in the bodies of forms, which access logs do not keep."""
    caplog.set_level(logging.DEBUG)
    one = subscribe(stored_newsroom.deployment)
    answers = [
        search(stored_newsroom, "minh", ADDRESS),
        search(stored_newsroom, "minh", "nguyen"),
        search(stored_newsroom, "hoa", "nguyen"),
        post(stored_newsroom.browser("minh"), f"/subscriptions/{one}", {"action": "reveal"}),
        post(stored_newsroom.browser("minh"), "/subscriptions", {"action": "export", "format": "csv"}),
        post(
            stored_newsroom.browser("minh"),
            f"/subscriptions/{one}",
            {"action": "suppress", "reason": f"told by {ADDRESS}"},
        ),
    ]

    said = caplog.text + "".join(str(one.headers) for one in answers) + json.dumps(acts(stored_newsroom))
    links = re.findall(r'(?:href|action)="([^"]*)"', "".join(one.text for one in answers))
    assert "nguyen" not in said.lower()
    assert not [link for link in links if "nguyen" in link.lower()]


# The list ------------------------------------------------------------------------------


def test_pages_by_key_hold_each_once(stored_newsroom: Newsroom) -> None:
    ids = [subscribe(stored_newsroom.deployment, f"a{at}@example.vn") for at in range(120)]
    browser = stored_newsroom.browser("hoa")

    found: list[int] = []
    path: str | None = f"{ADMIN}/subscriptions?state=confirmed"
    while path:
        page = browser.get(path)
        found += listed(page)
        subscribe(stored_newsroom.deployment, f"later{len(found)}@example.vn")  # shifts no page
        following = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = following[1].replace("&amp;", "&") if following else None

    assert found == ids[::-1]


def test_the_list_of_one_state(newsroom: Newsroom) -> None:
    pending = subscribe(newsroom.deployment, state=State.PENDING, confirmed_at=None)
    subscribe(newsroom.deployment, "b@example.vn")
    browser = newsroom.browser("hoa")

    assert listed(browser.get(f"{ADMIN}/subscriptions?state=pending")) == [pending]
    assert len(listed(browser.get(f"{ADMIN}/subscriptions?state=nonsense"))) == 2
    assert listed(browser.get(f"{ADMIN}/subscriptions?state=suppressed")) == []


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 30, "\0", "1;DROP"])
def test_a_key_that_is_none_shows_the_newest(stored_newsroom: Newsroom, before: str) -> None:
    one = subscribe(stored_newsroom.deployment)

    page = stored_newsroom.browser("hoa").get(f"{ADMIN}/subscriptions", query_string={"before": before})

    assert listed(page) == [one]


@pytest.mark.parametrize("subscription", ["0", "99", "9" * 18, "9" * 40])
def test_an_unknown_subscription_is_not_found(stored_newsroom: Newsroom, subscription: str) -> None:
    for path in ("", "/proof", "/proof.json"):
        answer = stored_newsroom.browser("hoa").get(f"{ADMIN}/subscriptions/{subscription}{path}")
        assert answer.status_code == 404


# The search ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        ADDRESS,
        "Nguyen.LAN@Example.vn",
        f"  {ADDRESS} ",
        "nguyen",
        "NGUYEN.l",
        "@example",
        "example.vn",
        "@EXAMPLE.vn",
    ],
)
def test_what_finds_an_address(stored_newsroom: Newsroom, typed: str) -> None:
    subscribe(stored_newsroom.deployment, "a@other.vn")
    one = subscribe(stored_newsroom.deployment)

    assert listed(search(stored_newsroom, "minh", typed)) == [one]


@pytest.mark.parametrize(
    "typed", ["guyen", "@n", "%", "_guyen", "n%", "nguyen.lan@example.v_", "'", "\0", "é", "a@b@c"]
)
def test_what_finds_none(stored_newsroom: Newsroom, typed: str) -> None:
    """Signs that mean something to LIKE are letters here."""
    subscribe(stored_newsroom.deployment)

    answer = search(stored_newsroom, "minh", typed)

    assert answer.status_code == 200
    assert listed(answer) == []
    assert "Nothing was found" in answer.text


def test_an_erased_address_is_found_by_its_hash_alone(stored_newsroom: Newsroom) -> None:
    one = subscribe(stored_newsroom.deployment)
    with stored_newsroom.deployment.database.writing() as connection:
        erase(stored_newsroom.deployment, connection, one, now=NOW)

    whole = search(stored_newsroom, "hoa", ADDRESS)

    assert listed(whole) == [one]
    assert f"Erased, number {one}" in whole.text
    assert listed(search(stored_newsroom, "minh", "nguyen")) == []


def test_an_auditor_cannot_read_an_address_letter_by_letter(newsroom: Newsroom) -> None:
    one = subscribe(newsroom.deployment)

    for typed in ("n", "nguyen.lan", "@example.vn", "nguyen.lan@example.v"):
        answer = search(newsroom, "hoa", typed)
        assert listed(answer) == []
    assert search(newsroom, "hoa", "nguyen").status_code == 400
    assert listed(search(newsroom, "hoa", ADDRESS)) == [one]


def test_more_than_fit_is_said(newsroom: Newsroom) -> None:
    for at in range(60):
        subscribe(newsroom.deployment, f"a{at:02}@example.vn")

    answer = search(newsroom, "minh", "a")

    assert len(listed(answer)) == 50
    assert "the first 50" in answer.text


# Suppress and release ------------------------------------------------------------------------


def test_a_suppressed_address_gets_no_mail_that_waits(stored_newsroom: Newsroom) -> None:
    one = subscribe(stored_newsroom.deployment)
    campaign_of(stored_newsroom, stored_newsroom.announced())

    answer = post(
        stored_newsroom.browser("oanh"),
        f"/subscriptions/{one}",
        {"action": "suppress", "reason": " by  phone\n"},
    )

    assert answer.status_code == 303
    page = stored_newsroom.browser("oanh").get(answer.headers["Location"] + "?lang=en").text
    assert 'data-state="suppressed"' in page
    assert "Not sent, because" not in page
    with stored_newsroom.deployment.database.reading() as connection:
        row = row_of(connection, one)
        assert (row["state"], row["reason"], row["ended_at"]) == (
            "suppressed",
            "staff",
            stored_newsroom.clock(),
        )
        assert suppressed_for(connection, [row["address_hash"]]) == "staff"
    assert acts(stored_newsroom)[0] == {
        "action": "suppress",
        "staff": "oanh",
        "subscription": one,
        "reason": "by phone",
    }
    campaign = stored_newsroom.browser("oanh").get(f"{ADMIN}/campaigns/1").text
    assert re.search(r'data-name="suppressed">.*?data-count="1"', campaign, re.DOTALL)


def test_a_released_address_may_come_back(stored_newsroom: Newsroom) -> None:
    one = subscribe(stored_newsroom.deployment)
    browser = stored_newsroom.browser("oanh")
    post(browser, f"/subscriptions/{one}", {"action": "suppress", "reason": "by phone"})

    answer = post(browser, f"/subscriptions/{one}", {"action": "release", "reason": "asked for it"})

    assert answer.status_code == 303
    with stored_newsroom.deployment.database.reading() as connection:
        row = row_of(connection, one)
        assert row["state"] == "unsubscribed"
        assert suppressed_for(connection, [row["address_hash"]]) is None
    assert [act["action"] for act in acts(stored_newsroom)] == ["release", "suppress"]


@pytest.mark.parametrize(
    "reason, said",
    [
        ("", "Please write down the reason."),
        (" \n ", "Please write down the reason."),
        ("x" * 501, "This is too long."),
        (f"{ADDRESS} asked", "Please leave email addresses out"),
    ],
)
def test_a_reason_that_cannot_be_kept(newsroom: Newsroom, reason: str, said: str) -> None:
    one = subscribe(newsroom.deployment)
    before = newsroom.stored()

    answer = post(
        newsroom.browser("oanh"), f"/subscriptions/{one}?lang=en", {"action": "suppress", "reason": reason}
    )

    assert answer.status_code == 400
    assert said in answer.text
    assert newsroom.stored() == before


def test_a_suppression_is_released_after_its_owner_left_or_was_erased(stored_newsroom: Newsroom) -> None:
    """It hangs on the keyed hash; the state of the row may have gone on."""
    deployment, browser = stored_newsroom.deployment, stored_newsroom.browser("oanh")
    one = subscribe(deployment)
    post(browser, f"/subscriptions/{one}", {"action": "suppress", "reason": "by phone"})
    with deployment.database.writing() as connection:
        erase(deployment, connection, one, now=NOW)

    page = browser.get(f"{ADMIN}/subscriptions/{one}?lang=en").text
    answer = post(browser, f"/subscriptions/{one}", {"action": "release", "reason": "asked for it"})

    assert 'data-state="unsubscribed"' in page
    assert 'data-state="suppressed"' in page
    assert 'value="release"' in page
    assert answer.status_code == 303
    with deployment.database.reading() as connection:
        assert suppressed_for(connection, deployment.pseudonyms.every(ADDRESS)) is None


def test_what_is_not_suppressed_cannot_be_released(newsroom: Newsroom) -> None:
    one = subscribe(newsroom.deployment)
    before = newsroom.stored()

    answer = post(
        newsroom.browser("oanh"), f"/subscriptions/{one}?lang=en", {"action": "release", "reason": "why not"}
    )

    assert answer.status_code == 409
    assert "It has changed meanwhile" in answer.text
    assert newsroom.stored() == before


@pytest.mark.parametrize("path", ["/subscriptions", "/subscriptions/1"])
def test_an_action_that_is_none(newsroom: Newsroom, path: str) -> None:
    subscribe(newsroom.deployment)
    before = newsroom.stored()

    assert post(newsroom.browser("oanh"), path, {"action": "erase"}).status_code == 400
    assert newsroom.stored() == before


# One subscription --------------------------------------------------------------------------------


def test_what_a_subscription_was_told_of(stored_newsroom: Newsroom) -> None:
    one = subscribe(stored_newsroom.deployment)
    campaign_of(stored_newsroom, stored_newsroom.announced())
    settle(stored_newsroom.deployment, one, Row.FAILED, code="5.2.2", at=NOW)
    report(stored_newsroom.deployment, None, subscription_id=one, code="4.4.1", kind="soft")

    page = stored_newsroom.browser("hoa").get(f"{ADMIN}/subscriptions/{one}?lang=en").text

    assert "<code>5.2.2</code> The mailbox is full." in page
    assert "<code>4.4.1</code> The mail server of the recipient was not reached." in page
    assert f"{ADMIN}/subscriptions/{one}/proof" in page


def test_a_report_without_a_code_is_not_called_given_up(newsroom: Newsroom) -> None:
    one = subscribe(newsroom.deployment)
    report(newsroom.deployment, "Xin chào", subscription_id=one, kind="unread")

    page = newsroom.browser("hoa").get(f"{ADMIN}/subscriptions/{one}?lang=en").text

    assert "The report could not be read." in page
    assert "given up" not in page


def test_a_full_mailbox_is_not_called_missing(newsroom: Newsroom) -> None:
    one = subscribe(newsroom.deployment, state=State.SUPPRESSED, ended_at=NOW, reason="bounce")

    page = newsroom.browser("hoa").get(f"{ADMIN}/subscriptions/{one}?lang=en").text

    assert "because its mailbox does not exist, or mails to it kept coming back" in page


# Export ---------------------------------------------------------------------------------------------


def export(newsroom: Newsroom, form: str, **fields: str) -> TestResponse:
    data = {"action": "export", "format": form} | fields
    return post(newsroom.browser("oanh"), "/subscriptions", data)


def test_the_csv_holds_everything_and_no_formula(stored_newsroom: Newsroom) -> None:
    addresses = ["=1+1@example.vn", "+84@example.vn", "-a@example.vn", ADDRESS]
    for address in addresses:
        subscribe(stored_newsroom.deployment, address)

    answer = export(stored_newsroom, "csv")
    rows = list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"), newline=""), strict=True))

    assert answer.headers["Content-Disposition"] == 'attachment; filename="subscriptions.csv"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert rows[0][:5] == ["id", "address", "address_hash", "language", "state"]
    assert [row[1] for row in rows[1:]] == ["'=1+1@example.vn", "'+84@example.vn", "'-a@example.vn", ADDRESS]
    assert all(len(row) == len(rows[0]) for row in rows)
    assert acts(stored_newsroom) == [{"action": "export_subscriptions", "staff": "oanh", "format": "csv"}]


def test_the_json_holds_one_state_alone(stored_newsroom: Newsroom) -> None:
    subscribe(stored_newsroom.deployment)
    one = subscribe(stored_newsroom.deployment, "b@example.vn", state=State.UNSUBSCRIBED, ended_at=NOW)

    rows = json.loads(export(stored_newsroom, "json", state="unsubscribed").get_data())

    assert [(row["id"], row["address"], row["ended_at"]) for row in rows] == [
        (one, "b@example.vn", "2026-12-01T02:00:00+00:00")
    ]
    assert acts(stored_newsroom)[0]["state"] == "unsubscribed"


def test_an_export_is_of_those_who_were_there_when_it_began(newsroom: Newsroom) -> None:
    """However slowly it is read, and whatever is erased meanwhile."""
    many = 2500
    template = dict(
        language="vi", state="confirmed", salt="s", reason="", bounce_score=0.0, domain="example.vn",
        created_at=NOW, requested_at=NOW - timedelta(days=1),
    )  # fmt: skip
    with newsroom.deployment.database.writing() as connection:
        connection.execute(
            insert(subscriptions),
            [
                template
                | {
                    "address": f"a{at}@example.vn",
                    "identity": f"a{at}@example.vn",
                    "address_hash": f"{at:064}",
                }
                for at in range(many)
            ],
        )
    browser = newsroom.browser("oanh")
    data = {"action": "export", "format": "json", "csrf_token": newsroom.token(browser)}

    answer = browser.post(f"{ADMIN}/subscriptions", data=data, buffered=False)
    chunks = answer.iter_encoded()
    begun = next(chunks) + next(chunks)
    subscribe(newsroom.deployment, "later@example.vn")
    with newsroom.deployment.database.writing() as connection:
        erase(newsroom.deployment, connection, many, now=NOW)
    rows = json.loads(begun + b"".join(chunks))

    assert [row["id"] for row in rows] == list(range(1, many + 1))
    assert rows[-1]["address"] is None


@pytest.mark.parametrize("form", ["", "exe", "../csv"])
def test_a_format_that_is_none(newsroom: Newsroom, form: str) -> None:
    before = newsroom.stored()

    assert export(newsroom, form).status_code == 400
    assert newsroom.stored() == before


# Reports that could not be read ------------------------------------------------------------------------


def test_reports_are_listed_without_their_words(stored_newsroom: Newsroom) -> None:
    raw = f"Xin chào <script>alert(1)</script> {ADDRESS}"
    one = report(stored_newsroom.deployment, raw)
    report(stored_newsroom.deployment, raw.upper())
    report(stored_newsroom.deployment, None, code="5.1.1")

    page = stored_newsroom.browser("minh").get(f"{ADMIN}/bounces?lang=en").text

    assert page.count('action="/privacy/admin/bounces/') == 2
    assert page.count(">1 Dec 2026, 09:00</time>") == 2
    assert page.count("Times in this list: Vietnam Time") == 1
    assert "Xin chào" not in page
    opened = post(stored_newsroom.browser("minh"), f"/bounces/{one}", page=f"{ADMIN}/bounces")
    assert "Xin chào &lt;script&gt;" in opened.text
    assert acts(stored_newsroom) == [{"action": "open_bounce", "staff": "minh", "bounce": one}]
    assert "action=" not in stored_newsroom.browser("hoa").get(f"{ADMIN}/bounces").text.partition("<main")[2]


def test_reports_about_mails_of_ours_stand_first_and_none_is_left_out(stored_newsroom: Newsroom) -> None:
    one = subscribe(stored_newsroom.deployment)
    ours = [report(stored_newsroom.deployment, f"{at}", subscription_id=one) for at in range(55)]
    others = [report(stored_newsroom.deployment, f"other {at}") for at in range(60)]
    browser = stored_newsroom.browser("minh")

    found: list[str] = []
    pages: list[str] = []
    path: str | None = f"{ADMIN}/bounces?lang=en"
    while path:
        pages.append(browser.get(path).text)
        found += re.findall(r'action="/privacy/admin/bounces/(\d+)"', pages[-1])
        following = re.search(r'rel="next" href="([^"]+)"', pages[-1])
        path = f"{following[1]}&lang=en" if following else None

    assert [int(one) for one in found] == ours[::-1] + others[::-1]
    assert "not for a mail of ours" not in pages[0]
    assert "not for a mail of ours" in pages[1]


@pytest.mark.parametrize("text", ["a" * 9000, "ề" * 4000, "a"])
def test_a_report_that_was_cut_says_so(newsroom: Newsroom, text: str) -> None:
    content = f"From: a@example.vn\nContent-Type: text/plain; charset=utf-8\n\n{text}".encode()
    take_report(newsroom.deployment, content, now=NOW)

    opened = post(newsroom.browser("minh"), "/bounces/1?lang=en", page=f"{ADMIN}/bounces")

    assert ("Only the beginning of a long report is kept." in opened.text) is (len(text) > 1)


def test_a_report_that_is_none(newsroom: Newsroom) -> None:
    browser = newsroom.browser("minh")

    for one in ("1", "9" * 30):
        answer = browser.post(f"{ADMIN}/bounces/{one}", data={"csrf_token": newsroom.token(browser)})
        assert answer.status_code == 404
