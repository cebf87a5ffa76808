"""The effective date in calendars: one event, the right instant, replaced when the version is withdrawn."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar

from consent_widget.render.calendar import write_event

STARTS = datetime(2026, 12, 31, 17, 0, tzinfo=UTC)
CHANGED = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def written(**values: Any) -> bytes:
    given: dict[str, Any] = {
        "uid": "3709d3c7-705f-572f-8a84-3c9bd4c5fcb2",
        "language": "vi",
        "starts_at": STARTS,
        "changed_at": CHANGED,
        "cancelled": False,
        "summary": "HTEK: chính sách mới có hiệu lực",
        "description": "Phiên bản 2",
        "url": "https://www.example.com/privacy/vi/versions/2",
    }
    return write_event(**given | values)


def lines(file: bytes) -> list[str]:
    """The content lines, folds taken out (RFC 5545 section 3.1)."""
    return file.replace(b"\r\n ", b"").decode("utf-8").split("\r\n")


def test_the_event_is_one_instant_in_utc() -> None:
    found = lines(written())

    assert "DTSTART:20261231T170000Z" in found
    assert "DTSTAMP:20261201T020000Z" in found
    assert "METHOD:PUBLISH" in found
    assert "STATUS:CONFIRMED" in found
    assert "SEQUENCE:0" in found
    assert not any(one.startswith(("DTEND", "DURATION")) for one in found)


def test_a_cancellation_replaces_the_event() -> None:
    """RFC 5546 section 3.2.5: the same UID, a higher SEQUENCE, METHOD and STATUS say so."""
    before, after = lines(written()), lines(written(cancelled=True, changed_at=CHANGED + timedelta(days=3)))

    assert [one for one in after if one.startswith("UID:")] == [
        one for one in before if one.startswith("UID:")
    ]
    assert {"METHOD:CANCEL", "STATUS:CANCELLED", "SEQUENCE:1", "DTSTAMP:20261204T020000Z"} <= set(after)


@pytest.mark.parametrize("text", ["Ẩm" * 200, "Điều khoản, " * 40, "a" * 300, "🔒" * 60])
def test_a_line_has_at_most_75_octets_and_no_letter_is_cut(text: str) -> None:
    file = written(summary=text, description=text)

    assert file.endswith(b"\r\n")
    for line in file.removesuffix(b"\r\n").split(b"\r\n"):
        assert len(line) <= 75
        line.decode("utf-8")
    event = Calendar.from_ical(file).walk("VEVENT")[0]
    assert event["summary"] == event["description"] == text


def test_text_cannot_add_lines_of_its_own() -> None:
    evil = "Policy\r\nATTACH:https://evil.example/\nEND:VEVENT;,\\"

    found = lines(written(summary=evil, description=evil))

    assert not any(one.startswith(("ATTACH", "END:VEVENT;")) for one in found)
    assert found.count("END:VEVENT") == 1
    assert Calendar.from_ical(written(summary=evil)).walk("VEVENT")[0]["summary"] == evil.replace(
        "\r\n", "\n"
    )


def test_control_characters_are_left_out() -> None:
    assert "SUMMARY;LANGUAGE=vi:ab" in lines(written(summary="a\x07\ufffe\x1bb"))


def test_without_a_public_address_there_is_no_url() -> None:
    assert "URL:https://www.example.com/privacy/vi/versions/2" in lines(written())
    assert not any(one.startswith("URL") for one in lines(written(url=None)))
