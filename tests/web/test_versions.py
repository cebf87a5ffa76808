"""The versions of the notice as the public reads them: history, permalinks, changes, days, machine forms."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Any
from unicodedata import normalize
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from icalendar import Calendar

from consent_widget.core.draft import draft_of
from consent_widget.core.notice import ChangeClass, Edition, NoticeText
from consent_widget.core.workflow import State
from consent_widget.storage.draft import insert_draft
from consent_widget.web.notice import end_of_day
from tests.conftest import MakeApp
from tests.factories import (
    IN_FORCE_SINCE,
    LAYOUT,
    NOW,
    Clock,
    Element,
    bare_client,
    count_records,
    counted_statements,
    deployment,
    read_page,
    set_cookies,
    store_edition,
    varies_by,
    write_template,
)
from tests.web.conftest import BreakStore

ATOM = {"a": "http://www.w3.org/2005/Atom"}


def written(
    text: str = "A version",
    *,
    title: str = "Notice",
    summary: str = "What is new",
    change_class: ChangeClass = ChangeClass.IMPORTANT,
) -> Edition:
    return Edition(
        texts={
            lang: NoticeText(
                title=f"{title} ({lang})",
                summary=f"{summary} ({lang})",
                markdown=f"## One {{#one}}\n\n{text} ({lang}).",
            )
            for lang in ("vi", "en")
        },
        change_class=change_class,
    )


def publish(
    app: Flask, number: int, edition: Edition | None = None, *, effective_at: datetime = NOW, **values: Any
) -> None:
    """Announce a version; ``values`` are fields of the draft, ``state`` and ``withdrawn_at`` among them."""
    announced_at = values.pop("announced_at", NOW - timedelta(days=20))
    draft = replace(
        draft_of(edition or written(f"Version {number}"), editor="author", now=announced_at),
        effective_at=effective_at,
        state=State.ANNOUNCED,
        number=number,
        approved_by="approver",
        approved_at=announced_at,
        announced_by="approver",
        announced_at=announced_at,
    )
    draft = replace(draft, approved_hash=draft.edition_hash, **values)
    with deployment(app).database.writing() as connection:
        insert_draft(connection, draft)
    deployment(app).schedule.forget()


def withdrawn(app: Flask, number: int, reason: str = "A customer objected") -> None:
    publish(
        app,
        number,
        effective_at=NOW + timedelta(days=9),
        state=State.WITHDRAWN,
        withdrawn_by="officer",
        withdrawn_at=NOW - timedelta(days=1),
        withdrawal_reason=reason,
    )


@pytest.fixture
def past_and_future(app: Flask) -> Flask:
    """1 superseded, 2 in force, 3 withdrawn, 4 coming."""
    publish(app, 2, effective_at=NOW - timedelta(days=5))
    withdrawn(app, 3)
    publish(
        app,
        4,
        effective_at=NOW + timedelta(days=30),
        reason="The authority asked for it",
        overrides=("too_early",),
    )
    return app


def stamp(page: Element) -> str:
    return page.one(class_="consent-widget-stamp").text


# The history


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_history_names_every_version_newest_first_and_no_draft(past_and_future: Flask, lang: str) -> None:
    with deployment(past_and_future).database.writing() as connection:
        store_edition(connection, written("A secret draft", title="Secret"), now=NOW)

    response = past_and_future.test_client().get(f"/privacy/{lang}/versions")
    page = read_page(response)

    rows = page.one("ol", class_="consent-widget-history").all("li")
    assert [(one["data-version"], one["data-standing"]) for one in rows] == [
        ("4", "announced"),
        ("3", "withdrawn"),
        ("2", "in_force"),
        ("1", "superseded"),
    ]
    assert "ecret" not in response.text
    for row in rows:
        assert f"({lang})" in row.text or row["data-version"] == "1"
        assert row.one("h2").one("a")["href"] == f"/privacy/{lang}/versions/{row['data-version']}"


def test_the_history_tells_until_when_a_version_applied(past_and_future: Flask) -> None:
    page = read_page(past_and_future.test_client().get("/privacy/en/versions"))

    times = {
        row["data-version"]: [one["datetime"] for one in row.all("time")]
        for row in page.one("ol", class_="consent-widget-history").all("li")
    }
    # Effective, until the next that was not withdrawn, announced.
    assert times["1"] == [
        IN_FORCE_SINCE.isoformat(),
        (NOW - timedelta(days=5)).isoformat(),
        IN_FORCE_SINCE.isoformat(),
    ]
    assert times["2"][1] == (NOW + timedelta(days=30)).isoformat()
    assert len(times["3"]) == len(times["4"]) == 2


def test_the_history_compares_with_what_applied_before(past_and_future: Flask) -> None:
    """A reader wants to know what changes from the version in force, not from one that was withdrawn."""
    page = read_page(past_and_future.test_client().get("/privacy/en/versions"))

    links = [one["href"] for one in page.one("ol", class_="consent-widget-history").all("a")]
    assert [one for one in links if "changes" in one] == [
        "/privacy/en/versions/4/changes?from=2",
        "/privacy/en/versions/3/changes",
        "/privacy/en/versions/2/changes",
    ]


def test_a_thousand_versions_are_one_query(app: Flask, client: FlaskClient) -> None:
    with deployment(app).database.writing() as connection:
        for number in range(2, 1001):
            store_edition(
                connection,
                written(f"Version {number}"),
                now=NOW - timedelta(days=9),
                number=number,
                effective_at=NOW - timedelta(days=9) + timedelta(minutes=number),
            )
    client.get("/privacy/state")
    deployment(app).schedule.forget()

    with counted_statements(deployment(app).database.engine) as statements:
        page = client.get("/privacy/vi/versions")

    assert len([one for one in statements if one != "BEGIN"]) == 1
    assert page.text.count("data-standing=") == 1000


def test_before_version_1_was_announced_there_is_no_history(make_app: MakeApp, sqlite_database: Any) -> None:
    client = make_app(database_url=str(sqlite_database.engine.url)).test_client()

    for path in ("vi/versions", "en/feed.atom", "vi/versions/1", "en/as-of/2026-12-01"):
        assert client.get(f"/privacy/{path}").status_code == 404
    assert client.get("/privacy/versions.json").get_json() == []


def test_the_form_for_a_day_leads_to_that_day(client: FlaskClient) -> None:
    form = read_page(client.get("/privacy/vi/versions")).one("form", class_="consent-widget-pick")
    assert form["method"] == "get"
    assert form["action"] == "/privacy/vi/versions"
    assert form.one("input", name="as-of")["value"] == "2026-12-01"

    for sent, path in (
        ("2026-12-24", "/privacy/vi/as-of/2026-12-24"),
        ("//evil.example/", "/privacy/vi/as-of/%2F%2Fevil.example%2F"),
        ("x\r\nSet-Cookie: a=b", "/privacy/vi/as-of/x%0D%0ASet-Cookie%3A%20a%3Db"),
    ):
        response = client.get("/privacy/vi/versions", query_string={"as-of": sent})
        assert response.status_code == 302
        assert response.headers["Location"] == path
        assert set_cookies(response) == {}


# The permalink


def test_a_withdrawn_version_stays_readable_with_its_stamp(past_and_future: Flask) -> None:
    client = past_and_future.test_client()

    response = client.get("/privacy/en/versions/3")
    page = read_page(response)

    assert response.status_code == 200
    assert "Withdrawn on 30 November 2026, 09:00" in stamp(page)
    assert "never applied" in stamp(page)
    assert "A customer objected" in stamp(page)
    assert page.one("article", data_notice="3").text.startswith("One")
    assert "Planned effective date" in page.text
    assert client.get("/privacy/vi/versions/3.md").status_code == 200


def test_why_a_version_comes_early_is_printed_on_its_page(past_and_future: Flask) -> None:
    client = past_and_future.test_client()

    assert "Reason: The authority asked for it" in stamp(read_page(client.get("/privacy/en/versions/4")))
    assert "Takes effect on 31 December 2026" in stamp(read_page(client.get("/privacy/en/versions/4")))
    assert "Lý do: The authority asked for it" in stamp(read_page(client.get("/privacy/vi/versions/4")))
    assert "authority" not in client.get("/privacy/en/versions/2").text


def test_a_tagged_change_filed_as_editorial_is_not_called_short_notice(app: Flask) -> None:
    publish(
        app,
        2,
        effective_at=NOW + timedelta(days=90),
        reason="Only a comma moved",
        overrides=("tagged_change",),
    )

    told = stamp(read_page(app.test_client().get("/privacy/en/versions/2")))

    assert "shorter notice" not in told
    assert "Filed as an editorial change" in told
    assert "Only a comma moved" in told


def test_a_withdrawn_version_never_comes_into_force(past_and_future: Flask, clock: Clock) -> None:
    clock.tick(days=10)
    client = past_and_future.test_client()

    assert read_page(client.get("/privacy/en/")).all("article", data_notice="2")
    assert "Version 3" not in client.get("/privacy/en/as-of/2026-12-12").text


# The changes


def diff_of(client: FlaskClient, path: str) -> tuple[list[str], list[str]]:
    """What was added and what was removed, as the page marks it."""
    page = read_page(client.get(path))
    return [one.text for one in page.all("ins")], [one.text for one in page.all("del")]


def test_the_changes_are_marked_and_the_text_before_is_the_default(app: Flask) -> None:
    publish(app, 2, written("We keep logs for 12 months"), effective_at=NOW - timedelta(days=3))
    publish(app, 3, written("We keep logs for 24 months"))
    client = app.test_client()

    added, removed = diff_of(client, "/privacy/en/versions/3/changes")
    assert any("24" in one for one in added)
    assert any("12" in one for one in removed)
    assert diff_of(client, "/privacy/en/versions/3/changes?from=2") == (added, removed)
    back = diff_of(client, "/privacy/en/versions/2/changes?from=3")
    assert any("12" in one for one in back[0])
    assert any("24" in one for one in back[1])
    assert diff_of(client, "/privacy/en/versions/3/changes?from=3") == ([], [])


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_changes_page_offers_every_other_version(past_and_future: Flask, lang: str) -> None:
    page = read_page(past_and_future.test_client().get(f"/privacy/{lang}/versions/4/changes?from=1"))

    form = page.one("form", class_="consent-widget-pick")
    assert form["action"] == f"/privacy/{lang}/versions/4/changes"
    options = form.one("select", name="from").all("option")
    assert [one["value"] for one in options] == ["3", "2", "1"]
    assert [one["value"] for one in options if "selected" in one] == ["1"]
    assert [one["href"] for one in page.one("head").all("link", rel="alternate")] == [
        "/privacy/vi/versions/4/changes?from=1",
        "/privacy/en/versions/4/changes?from=1",
    ]


def test_a_changed_title_is_shown_too(app: Flask) -> None:
    publish(app, 2, written("Same", title="Old name"), effective_at=NOW - timedelta(days=3))
    publish(app, 3, written("Same", title="New name"))

    added, removed = diff_of(app.test_client(), "/privacy/en/versions/3/changes")

    assert any("New" in one for one in added)
    assert any("Old" in one for one in removed)


@pytest.mark.parametrize(
    "path, status",
    [
        ("versions/1/changes", 404),
        ("versions/9/changes", 404),
        ("versions/2/changes?from=9", 404),
        ("versions/2/changes?from=0", 404),
        ("versions/2/changes?from=999999999", 404),
        ("versions/2/changes?from=one", 400),
        ("versions/2/changes?from=-1", 400),
        ("versions/2/changes?from=", 400),
        ("versions/2/changes?from=%D9%A1", 400),
        ("versions/2/changes?from=9999999999999", 400),
        ("versions/2/changes?from=1%00", 400),
    ],
)
def test_what_cannot_be_compared_says_so(past_and_future: Flask, path: str, status: int) -> None:
    client = past_and_future.test_client()

    page = client.get(f"/privacy/en/{path}")
    told = client.get(f"/privacy/en/{path}", headers={"Accept": "application/json"})

    for response in (page, told):
        assert response.status_code == status
        assert response.headers["Cache-Control"] == "no-store"
    if status == 400:
        assert told.get_json()["error"]["field"] == "from"
        assert "This is not a version" in page.text


# A day


@pytest.mark.parametrize(
    "day, number",
    [
        ("2026-10-31", None),
        ("2026-11-01", 1),
        ("2026-11-25", 1),
        ("2026-11-26", 2),
        ("2026-12-01", 2),
        ("2026-12-30", 2),
        ("2026-12-31", 4),
        ("2099-01-01", 4),
        ("9999-12-31", 4),
        ("0001-01-01", None),
    ],
)
def test_a_day_has_the_version_that_applies_at_its_end(
    past_and_future: Flask, day: str, number: int | None
) -> None:
    response = past_and_future.test_client().get(f"/privacy/vi/as-of/{day}")

    if number is None:
        assert response.status_code == 404
    else:
        assert response.status_code == 200
        assert read_page(response).all("article", data_notice=str(number))


def test_a_day_that_is_not_over_says_as_announced_so_far(past_and_future: Flask) -> None:
    client = past_and_future.test_client()

    assert "as announced so far" in stamp(read_page(client.get("/privacy/en/as-of/2026-12-31")))
    assert "as announced so far" in stamp(read_page(client.get("/privacy/en/as-of/2026-12-01")))
    past = stamp(read_page(client.get("/privacy/en/as-of/2026-11-30")))
    assert "In force at the end of 30 November 2026 (Vietnam Time, GMT+7)" in past
    assert "so far" not in past


@pytest.mark.parametrize(
    "day",
    [
        "2026-13-01",
        "2026-02-30",
        "20261201",
        "2026-W10-1",
        "2026-12-1",
        "2026-12-01T00:00",
        "tomorrow",
        "٢٠٢٦-١٢-٠١",
        "2026-12-01%0A",
        "0000-01-01",
        "10000-01-01",
    ],
)
def test_a_malformed_date_is_400(client: FlaskClient, day: str) -> None:
    response = client.get(f"/privacy/en/as-of/{day}")

    assert response.status_code == 400
    assert "This is not a date" in read_page(response).one("h1").text
    assert client.get(f"/privacy/vi/as-of/{day}").status_code == 400


@pytest.mark.parametrize(
    "zone, day, end",
    [
        ("Asia/Ho_Chi_Minh", "2026-12-31", "2026-12-31T17:00:00Z"),
        ("America/New_York", "2027-03-14", "2027-03-15T04:00:00Z"),  # 23 hours: clocks go forward
        ("America/New_York", "2027-11-07", "2027-11-08T05:00:00Z"),  # 25 hours
        ("Europe/London", "2027-03-28", "2027-03-28T23:00:00Z"),
        ("Europe/London", "2027-10-31", "2027-11-01T00:00:00Z"),
        ("America/Havana", "2027-03-13", "2027-03-14T05:00:00Z"),  # the next day begins at 01:00
        ("America/Havana", "2027-11-06", "2027-11-07T04:00:00Z"),  # midnight comes twice: the first one
        ("Pacific/Kiritimati", "2026-12-31", "2026-12-31T10:00:00Z"),
        ("UTC", "9999-12-31", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_day_ends_when_the_next_one_begins_there(zone: str, day: str, end: str) -> None:
    assert end_of_day(date.fromisoformat(day), ZoneInfo(zone)) == datetime.fromisoformat(end)


@pytest.mark.parametrize(
    "zone, day",
    [
        ("Asia/Ho_Chi_Minh", date(2027, 1, 1)),
        ("America/New_York", date(2027, 3, 15)),
        ("America/New_York", date(2027, 11, 8)),
        ("Europe/London", date(2027, 3, 29)),
        ("Europe/London", date(2027, 11, 1)),
    ],
)
def test_midnight_belongs_to_the_new_day_in_every_zone(
    make_app: MakeApp, clock: Clock, zone: str, day: date
) -> None:
    """TM-005: in force at that instant to the second, on that date and not the day before, in both languages."""
    instant = datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)
    app = make_app(config={"CONSENT_WIDGET_TIMEZONE": zone})
    publish(app, 2, effective_at=instant)
    client = app.test_client()

    assert read_page(client.get(f"/privacy/en/as-of/{day}")).all("article", data_notice="2")
    assert read_page(client.get(f"/privacy/en/as-of/{day - timedelta(days=1)}")).all(
        "article", data_notice="1"
    )
    for now, number in ((instant - timedelta(seconds=1), "1"), (instant, "2")):
        clock.now = now
        for lang in ("vi", "en"):
            assert read_page(client.get(f"/privacy/{lang}/")).all("article", data_notice=number)
    for lang in ("vi", "en"):
        text = read_page(client.get(f"/privacy/{lang}/versions/2")).text
        assert {"vi": f"00:00 ngày {day:%-d tháng %-m} năm 2027", "en": f"{day:%-d %B} 2027, 00:00"}[
            lang
        ] in text


# For programs


def test_the_list_tells_class_dates_and_hashes(past_and_future: Flask) -> None:
    client = past_and_future.test_client()

    response = client.get("/privacy/versions.json")
    found = response.get_json()

    assert response.headers["Content-Type"] == "application/json"
    assert [(one["number"], one["state"]) for one in found] == [
        (4, "announced"),
        (3, "withdrawn"),
        (2, "in_force"),
        (1, "superseded"),
    ]
    coming = found[0]
    assert coming["class"] == "important"
    assert coming["effective_at"] == "2026-12-31T02:00:00+00:00"
    assert coming["reason"] == "The authority asked for it"
    assert found[1]["withdrawn_at"] == "2026-11-30T02:00:00+00:00"
    assert found[1]["withdrawal_reason"] == "A customer objected"
    for one in found:
        for lang, text in one["texts"].items():
            markdown = client.get(f"/privacy/{lang}/versions/{one['number']}.md").data
            assert text["content_hash"] == sha256(markdown).hexdigest()
        assert one["texts"]["vi"]["source_hash"] is None
        assert one["texts"]["en"]["source_hash"] == one["texts"]["vi"]["content_hash"]


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_one_version_as_json_holds_its_text(past_and_future: Flask, lang: str) -> None:
    client = past_and_future.test_client()

    found = client.get(f"/privacy/{lang}/versions/4.json").get_json()

    assert found["markdown"].encode() == client.get(f"/privacy/{lang}/versions/4.md").data
    assert sha256(found["markdown"].encode()).hexdigest() == found["content_hash"]
    assert (found["number"], found["language"], found["state"]) == (4, lang, "announced")


def test_a_version_as_text_reads_without_any_program(past_and_future: Flask) -> None:
    response = past_and_future.test_client().get("/privacy/en/versions/3.txt")

    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.text.startswith("Notice (en)\n===========\n\nHTEK\nVersion 3\n")
    assert "Withdrawn on" in response.text
    assert "The Vietnamese text governs." in response.text
    assert response.text.endswith("One\n---\n\nVersion 3 (en).\n")


def event(client: FlaskClient, number: int, lang: str = "vi") -> tuple[Any, Any]:
    response = client.get(f"/privacy/{lang}/versions/{number}.ics")
    assert response.status_code == 200
    calendar = Calendar.from_ical(response.data)
    assert f"method={calendar['METHOD']}" in response.headers["Content-Type"]
    return calendar, calendar.walk("VEVENT")[0]


def test_the_date_for_calendars_is_the_instant_whatever_the_zone(make_app: MakeApp) -> None:
    for zone in ("Asia/Ho_Chi_Minh", "America/New_York", "Europe/London"):
        app = make_app(
            config={"CONSENT_WIDGET_TIMEZONE": zone, "CONSENT_WIDGET_PUBLIC_URL": "https://a.example"}
        )
        publish(app, 2, effective_at=datetime(2026, 12, 31, 17, tzinfo=UTC))

        _, shown = event(app.test_client(), 2)

        assert shown["DTSTART"].dt == datetime(2026, 12, 31, 17, tzinfo=UTC)
        assert shown["URL"] == "https://a.example/privacy/vi/versions/2"


def test_a_withdrawal_cancels_the_date_that_calendars_hold(app: Flask, client: FlaskClient) -> None:
    publish(app, 2, effective_at=NOW + timedelta(days=30))
    calendar, before = event(client, 2)
    assert (calendar["METHOD"], before["STATUS"], before["SEQUENCE"]) == ("PUBLISH", "CONFIRMED", 0)

    other = (
        "UPDATE cw_notice_version SET state = 'withdrawn', withdrawn_by = 'officer', withdrawn_at = :now"
        " WHERE number = 2"
    )
    with deployment(app).database.writing() as connection:
        connection.exec_driver_sql(other.replace(":now", f"'{NOW:%Y-%m-%d %H:%M:%S}.000000'"))
    deployment(app).schedule.forget()

    calendar, after = event(client, 2)
    assert (calendar["METHOD"], after["STATUS"], after["SEQUENCE"]) == ("CANCEL", "CANCELLED", 1)
    assert after["UID"] == before["UID"] == event(client, 2, "en")[1]["UID"]
    assert after["UID"] != event(client, 1)[1]["UID"]


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_feed_tells_of_every_version(past_and_future: Flask, lang: str) -> None:
    response = past_and_future.test_client().get(f"/privacy/{lang}/feed.atom")
    feed = ElementTree.fromstring(response.data)

    assert response.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    links = [one.attrib["href"] for one in feed.findall("a:entry/a:link", ATOM)]
    assert links == [f"/privacy/{lang}/versions/{number}" for number in (4, 3, 2, 1)]
    ids = [one.text for one in feed.iterfind(".//a:id", ATOM)]
    assert len(set(ids)) == len(ids) == 5
    summaries = [one.text or "" for one in feed.findall("a:entry/a:summary", ATOM)]
    assert {"vi": "Đã rút lại", "en": "Withdrawn"}[lang] in summaries[1]


def test_addresses_follow_the_setting_and_never_the_host_that_was_sent(make_app: MakeApp) -> None:
    app = make_app(config={"CONSENT_WIDGET_PUBLIC_URL": "https://www.example.com"})
    client = app.test_client()

    for path in ("/privacy/vi/feed.atom", "/privacy/versions.json", "/privacy/vi/versions/1.ics"):
        text = client.get(path, headers={"Host": "evil.example"}).text
        assert "https://www.example.com/privacy/vi/versions/1" in text.replace("\r\n ", "")
        assert "evil.example" not in text


# For everybody alike

PAGES = [
    "vi/versions",
    "en/versions",
    "vi/versions/4",
    "en/versions/3",
    "vi/versions/4/changes",
    "en/versions/4/changes?from=1",
    "vi/as-of/2026-12-01",
    "en/as-of/2027-02-01",
    "vi/feed.atom",
    "versions.json",
    "en/versions/2.txt",
    "vi/versions/2.json",
    "en/versions/4.ics",
]


@pytest.mark.parametrize("path", PAGES)
def test_everybody_gets_and_may_keep_the_same(past_and_future: Flask, path: str) -> None:
    first = bare_client(past_and_future).get(f"/privacy/{path}")

    again = bare_client(past_and_future).get(
        f"/privacy/{path}",
        headers={"Cookie": "consent=x; consent_seen=4", "Sec-GPC": "1", "Accept-Language": "fr"},
    )

    assert first.status_code == 200
    assert first.data == again.data
    for one in (first, again):
        assert one.headers["Cache-Control"] == "public, max-age=60"
        assert varies_by(one) == set()
        assert set_cookies(one) == {}
        assert one.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'self'" in one.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", PAGES)
def test_who_has_it_gets_304(past_and_future: Flask, path: str) -> None:
    client = past_and_future.test_client()
    etag = client.get(f"/privacy/{path}").headers["ETag"]

    for sent in (etag, f'"other", {etag}', "*", etag.removeprefix("W/")):
        response = client.get(f"/privacy/{path}", headers={"If-None-Match": sent})
        assert response.status_code == 304
        assert response.data == b""
        assert response.headers["ETag"] == etag
        assert response.headers["Cache-Control"] == "public, max-age=60"
    assert client.get(f"/privacy/{path}", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_they_are_only_read(past_and_future: Flask, path: str) -> None:
    client = past_and_future.test_client()

    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert client.open(f"/privacy/{path}", method=method).status_code == 405
    assert client.head(f"/privacy/{path}").status_code == 200
    assert count_records(past_and_future) == 0


@pytest.mark.parametrize(
    "path", ["vi/versions", "vi/versions/4", "vi/versions/4/changes", "vi/as-of/2026-12-01"]
)
def test_a_host_layout_is_asked_every_time(make_app: MakeApp, path: str) -> None:
    """It may print a name or a message of this visitor: only pages of our own templates are kept whole."""
    app = make_app(config={"CONSENT_WIDGET_BASE_TEMPLATE": "host.html"})
    write_template(app, "host.html", LAYOUT.replace("<body>", "<body>{{ request.args.get('who', '') }}"))
    publish(app, 4, effective_at=NOW + timedelta(days=3))
    publish(app, 3, effective_at=NOW)
    client = app.test_client()

    for who in ("An", "Bình"):
        assert f"<body>{who}" in client.get(f"/privacy/{path}", query_string={"who": who}).text


def test_a_template_that_a_host_replaced_is_asked_every_time(app: Flask, client: FlaskClient) -> None:
    write_template(
        app,
        "consent_widget/notice/history.html",
        "{% extends base_template %}{% block content %}{{ request.args.who }}{% endblock %}",
    )

    for who in ("An", "Bình"):
        assert who in client.get("/privacy/vi/versions", query_string={"who": who}).text


def test_they_show_what_was_announced_at_most_half_a_minute_later(
    app: Flask, client: FlaskClient, clock: Clock
) -> None:
    client.get("/privacy/en/versions")
    with deployment(app).database.writing() as connection:
        store_edition(connection, written("News"), number=2, now=NOW, effective_at=NOW + timedelta(days=40))

    clock.tick(seconds=31)

    assert 'data-version="2"' in client.get("/privacy/en/versions").text
    assert client.get("/privacy/en/versions/2").status_code == 200


def test_while_the_store_is_down_the_history_stands(
    past_and_future: Flask, clock: Clock, store_down: BreakStore
) -> None:
    client = past_and_future.test_client()
    client.get("/privacy/en/versions")

    with store_down(past_and_future):
        clock.tick(minutes=5)
        assert client.get("/privacy/en/versions").status_code == 200
        assert client.get("/privacy/vi/versions/4/changes").status_code == 503


# Hostile and Vietnamese text

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title><script>alert(1)</script>",
    "{{7*7}}",
    "[x](javascript:alert(1))",
    "]]><x onload=alert(1)>",
]


def running(elements: Iterable[Element]) -> list[str]:
    """What would run or load: scripts but ours, handlers, script addresses."""
    return [
        f"<{one.tag} {one.attributes}>"
        for one in elements
        if (one.tag == "script" and one.attributes.get("data-consent-widget") != "script")
        or one.tag in ("object", "embed", "base", "svg", "iframe")
        or any(name.startswith("on") or name == "style" for name in one.attributes)
        or (one.attributes.get("href") or "").strip().lower().startswith(("javascript", "data", "vbscript"))
        or (one.tag == "img")
    ]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_field_of_a_version_becomes_markup(app: Flask, client: FlaskClient, payload: str) -> None:
    """XS-001 to XS-034 and XS-040 as far as the public meets them."""
    publish(app, 2, written(payload, title=payload, summary=payload), effective_at=NOW - timedelta(days=9))
    withdrawn(app, 3, payload)
    publish(
        app,
        4,
        written(payload + " more", title=f"{payload} 4", summary=payload),
        effective_at=NOW + timedelta(days=9),
        reason=payload,
    )

    for path in (
        "en/",
        "vi/versions",
        "en/versions/2",
        "en/versions/3",
        "vi/versions/4",
        "en/versions/4/changes",
        "vi/versions/4/changes?from=1",
        "en/as-of/2026-12-01",
        "preferences",
    ):
        response = client.get(f"/privacy/{path}")
        assert response.status_code == 200
        assert running(read_page(response).one("body").all()) == []
        assert "49" not in read_page(response).one("h1").text
    assert client.get("/privacy/en/versions/4.json").get_json()["title"] == f"{payload} 4 (en)"
    assert json.loads(client.get("/privacy/versions.json").data)[0]["reason"] == payload
    assert ElementTree.fromstring(client.get("/privacy/en/feed.atom").data) is not None
    assert event(client, 4)


LETTERS = "".join(chr(code) for code in (*range(0xC0, 0x1B1), *range(0x1EA0, 0x1EFA)) if chr(code).isalpha())


def test_every_vietnamese_letter_comes_out_as_it_went_in(app: Flask, client: FlaskClient) -> None:
    """UN-001 and UN-003: composed or decomposed it is one text, in every form."""
    publish(
        app,
        2,
        written(normalize("NFD", LETTERS), title=normalize("NFD", LETTERS), summary=LETTERS),
        effective_at=NOW - timedelta(days=9),
    )
    publish(app, 3, written(LETTERS, title=LETTERS, summary=LETTERS))

    for path in ("versions/2.md", "versions/2.txt", "versions/2", "versions", "feed.atom"):
        assert normalize("NFC", LETTERS) in client.get(f"/privacy/en/{path}").text.replace("Version ", "")
    assert (
        client.get("/privacy/en/versions/2.json").get_json()["title"] == f"{normalize('NFC', LETTERS)} (en)"
    )
    assert normalize("NFC", LETTERS) in event(client, 2)[1]["DESCRIPTION"]
    assert diff_of(client, "/privacy/en/versions/3/changes") == ([], [])


def test_characters_that_xml_cannot_hold_break_no_feed(app: Flask, client: FlaskClient) -> None:
    """UN-008."""
    publish(app, 2, written("a", summary="\u202eright to left\ufffe\x01\U000e0041"))

    summary = ElementTree.fromstring(client.get("/privacy/en/feed.atom").data).findtext(
        "a:entry/a:summary", namespaces=ATOM
    )
    assert summary == "\u202eright to left\U000e0041 (en)"
