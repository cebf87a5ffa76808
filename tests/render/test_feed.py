"""The feed of versions: well formed whatever a text holds, and what RFC 4287 asks for."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from xml.etree import ElementTree

import pytest

from consent_widget.render.feed import Entry, write_feed

ATOM = {"a": "http://www.w3.org/2005/Atom"}
WHEN = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def entry(**values: Any) -> Entry:
    given: dict[str, Any] = {
        "uid": "45e8cc91-1c27-5caa-9acf-07f52e769e30",
        "title": "Phiên bản 2",
        "summary": "Tóm tắt",
        "url": "/privacy/vi/versions/2",
        "published_at": WHEN,
        "updated_at": WHEN,
        "category": "material",
    }
    return Entry(**given | values)


def read(*entries: Entry) -> ElementTree.Element:
    body = write_feed(
        entries or [entry()],
        uid="a0a454bd-4283-5fdc-9b4f-064683f92f93",
        language="vi",
        title="HTEK: các phiên bản",
        author="HTEK",
        url="/privacy/vi/feed.atom",
        page_url="/privacy/vi/versions",
    )
    assert body.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    return ElementTree.fromstring(body)


def one(parent: ElementTree.Element, path: str) -> ElementTree.Element:
    found = parent.findall(path, ATOM)
    assert len(found) == 1, path
    return found[0]


def test_the_feed_has_what_the_rfc_asks_for() -> None:
    feed = read()

    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    assert feed.get("{http://www.w3.org/XML/1998/namespace}lang") == "vi"
    assert one(feed, "a:id").text == "urn:uuid:a0a454bd-4283-5fdc-9b4f-064683f92f93"
    assert one(feed, "a:author/a:name").text == "HTEK"
    assert one(feed, "a:link[@rel='self']").get("href") == "/privacy/vi/feed.atom"
    assert one(feed, "a:link[@rel='alternate']").get("href") == "/privacy/vi/versions"
    shown = one(feed, "a:entry")
    assert one(shown, "a:title").text == "Phiên bản 2"
    assert one(shown, "a:summary").text == "Tóm tắt"
    assert one(shown, "a:category").get("term") == "material"
    assert one(shown, "a:link").get("href") == "/privacy/vi/versions/2"


def test_the_feed_is_as_new_as_its_newest_entry() -> None:
    feed = read(entry(), entry(updated_at=WHEN + timedelta(days=2)))

    assert one(feed, "a:updated").text == "2026-12-03T02:00:00Z"


def test_times_are_in_utc() -> None:
    hanoi = WHEN.astimezone(timezone(timedelta(hours=7)))

    assert one(read(entry(published_at=hanoi)), "a:entry/a:published").text == "2026-12-01T02:00:00Z"


@pytest.mark.parametrize(
    "text, kept",
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("]]> & </summary>", "]]> & </summary>"),
        ("a\x01b\x0bc\ufffed\uffff", "abcd"),
        ("Ẩm thực 🔒", "Ẩm thực 🔒"),
    ],
)
def test_any_text_stays_text(text: str, kept: str) -> None:
    shown = one(read(entry(title=text, summary=text)), "a:entry")

    assert one(shown, "a:title").text == one(shown, "a:summary").text == kept
