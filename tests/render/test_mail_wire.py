"""Whatever people write, the bytes of a mail are those that every server passes on."""

import quopri
from email import message_from_string, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.render.mail_wire import (
    LONGEST_LINE,
    attachment,
    boundary,
    break_line,
    header,
    mailbox_header,
    multipart,
    one_line,
    quoted_printable,
    slot,
    split,
    text_part,
)
from tests.render.mails import read

#: EM-004, and what else ends lines or is decoded twice.
TITLES = [
    "Thông báo\r\nBcc: x@evil.example",
    "x\r\n\tBcc: y",
    "A" * 5000,
    "x\0y",
    "=?utf-8?q?x=0d=0aBcc:_y@evil.example?=",
    "=?utf-8?b?eA0KQmNjOiB5?=",
    "a =?utf-8?q?b?= c",
    "x\u2028Bcc: y",
    "x\x85Bcc: y",
    "x\x0bBcc: y\x0c",
    "Thông báo " * 500,
    "\u202eneerg",
    "👩‍👩‍👧 gia đình",
    "\ud800x",
    "",
    " ",
    ":;,<>@\"\\()[]",
]  # fmt: skip

anything = st.text() | st.text(alphabet='abc ạê=?_.-\r\n\t"\\,;:<>@()', max_size=120)


def parsed(line: str) -> str:
    """The one header of ``line``, decoded by a strict reader."""
    mail = message_from_string(f"{line}\r\n", policy=policy.default)
    assert len(mail.items()) <= 1, mail.items()
    return "".join(str(value) for value in mail.values())


@pytest.mark.parametrize("title", TITLES)
def test_a_title_makes_one_subject(title: str) -> None:
    line = header("Subject", title)

    assert line.isascii()
    assert "\0" not in line
    assert all(len(one) <= 76 for one in line.split("\r\n"))
    assert parsed(line) == one_line(title)


@given(anything)
def test_any_text_makes_one_header_that_says_its_cleaned_form(text: str) -> None:
    line = header("Subject", text)

    assert line.startswith("Subject: ")
    assert line.isascii()
    assert line.endswith("\r\n")
    folded = line.removesuffix("\r\n").split("\r\n")
    assert all(one.startswith(" ") for one in folded[1:])
    assert "\r" not in "".join(folded)
    assert "\n" not in "".join(folded)
    assert all(len(one) <= 76 for one in folded)
    assert parsed(line) == one_line(text)


@given(anything)
def test_any_name_makes_one_mailbox(name: str) -> None:
    line = mailbox_header("From", name, "privacy@htek.example")
    mail = message_from_string(f"{line}\r\n", policy=policy.default)

    assert line.isascii()
    assert all(len(one) <= 78 for one in line.split("\r\n"))
    (mailbox,) = mail["From"].addresses
    assert mailbox.addr_spec == "privacy@htek.example"
    assert mailbox.display_name == one_line(name)


@pytest.mark.parametrize(
    "typed, clean",
    [
        ("a\r\nb", "a b"),
        ("  a\t \u00a0b  ", "a b"),
        ("a\0b\u200bc\u202e", "abc"),
        ("a \u200b b", "a b"),
        ("Chính sách", "Chính sách"),
    ],
)
def test_one_line(typed: str, clean: str) -> None:
    assert one_line(typed) == clean


def test_a_long_line_is_cut_and_says_so() -> None:
    assert one_line("A" * 5000) == "A" * (LONGEST_LINE - 1) + "…"
    assert one_line("chữ " * 10, 10) == "chữ chữ c…"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_printable_is_read_back_and_safe(text: str) -> None:
    written = quoted_printable(text)

    assert quopri.decodestring(written.encode("ascii")).decode() == text.replace("\n", "\r\n")
    for line in written.split("\r\n"):
        assert len(line) <= 76
        assert not line.startswith((".", "From "))
        assert not line.endswith((" ", "\t"))
        assert "\r" not in line
        assert "\n" not in line


@pytest.mark.parametrize(
    "text",
    [".", "..", "\n.\n", "a\n.\nMAIL FROM:<x@evil.example>", "." * 300, "From x\nFrom y", "From " * 60],
)
def test_no_line_ends_the_mail_or_looks_like_the_next(text: str) -> None:
    """EM-005: however the text is broken, no line begins with a dot."""
    written = quoted_printable(text)

    assert not any(line.startswith((".", "From ")) for line in written.split("\r\n"))
    assert quopri.decodestring(written.encode()).decode() == text.replace("\n", "\r\n")


def test_a_broken_line_is_read_as_none() -> None:
    assert quopri.decodestring(f"ab{break_line('cd')}ef".encode()) == b"abcdef"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(), st.text())
def test_no_part_can_hold_the_boundary(text: str, secret: str, name: str) -> None:
    between = boundary(
        secret.encode("utf-8", "replace").decode(), name.encode("utf-8", "replace").decode(), 1
    )

    assert between not in quoted_printable(f"{between}\n--{between}--\n{text}")


def test_another_secret_name_or_place_makes_another_boundary() -> None:
    made = {boundary(*given) for given in [("a", "vi", 0), ("b", "vi", 0), ("a", "en", 0), ("a", "vi", 1)]}

    assert len(made) == 4
    assert len(boundary("a", "vi", 0)) <= 70  # RFC 2046 section 5.1.1


def test_slots_are_found_again() -> None:
    text = f"a{slot('one')}b{slot('two')}"

    assert list(split(text)) == [("a", "one"), ("b", "two"), ("", "")]


def test_parts_are_read_back() -> None:
    file = bytes(range(256)) * 3
    body = multipart(
        "mixed", "=_x.0", [text_part("plain", "Một\n.\nHai\n"), attachment("calendar", file, "a.ics")]
    )

    mail = read(f"MIME-Version: 1.0\r\n{body}".encode("ascii"))

    first, second = mail.iter_parts()
    assert first.get_content() == "Một\r\n.\r\nHai\r\n"
    assert second.get_filename() == "a.ics"
    assert second.get_payload(decode=True) == file
