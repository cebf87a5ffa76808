"""What stands in a report is read, whatever strangers put into it, and quickly."""

import time
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.core.bounce import HALF_LIFE, LIMIT, Kind, classify, score
from consent_widget.core.report import MAX_REPORT, read_report
from tests.factories import NOW
from tests.reports import plain, report

TO = "bounce+7-00112233445566778899@demo.example"


@pytest.mark.parametrize(
    "code, kind",
    [
        ("5.1.1", Kind.GONE),
        ("5.1.2", Kind.GONE),
        ("5.1.10", Kind.GONE),
        ("5.1.7", Kind.POLICY),
        ("5.1.8", Kind.POLICY),
        ("5.7.1", Kind.POLICY),
        ("5.7.26", Kind.POLICY),
        ("5.2.2", Kind.REFUSED),
        ("5.0.0", Kind.REFUSED),
        ("4.2.2", Kind.SOFT),
        ("4.7.0", Kind.SOFT),
        ("2.0.0", Kind.DELIVERED),
        ("", Kind.UNREAD),
        ("550", Kind.UNREAD),
        ("3.1.1", Kind.UNREAD),
    ],
)
def test_a_code_stands_for_a_kind(code: str, kind: Kind) -> None:
    assert classify(code) is kind


def test_a_score_halves_every_thirty_days() -> None:
    assert score(0.0, None, NOW) == 1.0
    assert score(1.0, NOW, NOW) == 2.0
    assert score(4.0, NOW, NOW + HALF_LIFE) == 4.0 / 2 + 1
    assert score(4.0, NOW, NOW + 2 * HALF_LIFE) == 4.0 / 4 + 1
    assert score(4.0, NOW + HALF_LIFE, NOW) == 5.0, "a clock that was set back"


def test_five_at_once_reach_the_limit_and_one_a_month_never_does() -> None:
    at_once = monthly = 0.0
    for number in range(5):
        at_once = score(at_once, NOW if number else None, NOW)
    for number in range(100):
        monthly = score(monthly, NOW + (number - 1) * HALF_LIFE if number else None, NOW + number * HALF_LIFE)

    assert at_once == LIMIT
    assert monthly < 2.0 + 1e-9


def test_a_notification_says_who_why_and_that_it_is_final() -> None:
    found = read_report(report(TO, status="5.2.2", diagnostic="552 5.2.2 Mailbox full"))

    assert (found.to[0], found.code, found.is_final, found.is_answer) == (TO, "5.2.2", True, False)


def test_one_that_tells_of_a_delay_is_not_final() -> None:
    found = read_report(report(TO, status="4.4.1", action="delayed", diagnostic="connect timed out"))

    assert (found.code, found.is_final) == ("4.4.1", False)


@pytest.mark.parametrize(
    "status, diagnostic, code",
    [
        ("5.0.0", "550 5.1.1 No such user", "5.1.1"),
        ("5.0.0", "550 No such user", "5.0.0"),
        ("5.0.0", "450 4.2.1 later", "5.0.0"),
        ("5.2.1 (mailbox disabled)", "550 5.1.1 x", "5.2.1"),
        ("5.7.1", "550-5.7.26 unauthenticated", "5.7.1"),
        ("nonsense", "550 5.1.1 No such user", "5.1.1"),
        ("nonsense", "no code, from 10.5.1.1", ""),
    ],
)
def test_a_status_that_says_nothing_gives_way_to_what_the_server_said(
    status: str, diagnostic: str, code: str
) -> None:
    assert read_report(report(TO, status=status, diagnostic=diagnostic)).code == code


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_good_news_is_read_as_such(action: str) -> None:
    found = read_report(report(TO, status="2.0.0", action=action, diagnostic=""))

    assert classify(found.code) is Kind.DELIVERED


def test_several_recipients_count_by_the_one_that_failed() -> None:
    content = report(TO, status="4.0.0", action="delayed").replace(
        b"\n--b\nContent-Type: message/rfc822",
        b"\nFinal-Recipient: rfc822; b@x.example\nAction: failed\nStatus: 5.1.1\n\n--b\nContent-Type: message/rfc822",
    )

    assert read_report(content).code == "5.1.1"


def receipt() -> bytes:
    message = EmailMessage()
    message["To"] = TO
    message["Content-Type"] = "multipart/report; report-type=disposition-notification; boundary=b"
    return bytes(message) + b"--b\n\nread\n--b--\n"


@pytest.mark.parametrize(
    "content",
    [
        plain(TO, "I am away.", subject="Automatic reply: Policy", From_="reader@reader.example"),
        plain(TO, "Tôi nghỉ đến thứ Hai.", subject="Trả lời tự động: Chính sách"),
        plain(TO, "Tôi vắng mặt.", subject="Vắng mặt"),
        plain(TO, "I am away.", subject="Re: Policy", X_Autoreply="yes"),
        plain(TO, "I am away.", subject="Re: Policy", Auto_Submitted="auto-replied").replace(
            b"MAILER-DAEMON@", b"reader@"
        ),
        receipt(),
    ],
    ids=["subject", "vi", "vi-encoded", "header", "rfc3834", "receipt"],
)
def test_automatic_answers_are_told_apart(content: bytes) -> None:
    found = read_report(content)

    assert (found.is_answer, found.code) == (True, "")


def test_two_copies_of_one_report_have_one_digest() -> None:
    first = report(TO)
    second = b"Received: from another.example\n" + first.replace(b"Return-Path: <>\n", b"").replace(
        b"\n", b"\r\n"
    )

    assert read_report(first).digest == read_report(second).digest
    assert read_report(first).digest != read_report(report(TO, status="5.1.2")).digest


HOSTILE = {
    "nothing": b"",
    "zeros": b"\0" * 5000,
    "not text": bytes(range(256)) * 40,
    "many headers": b"A: b\n" * 60_000,
    "one long header": b"To: " + b"a@b, " * 60_000,
    "folded": b"To: x\n" + b" y\n" * 80_000,
    "deep": b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(5000)),
    "deep mails": b"Content-Type: message/rfc822\n\n" * 8000,
    "many parts": b'Content-Type: multipart/report; boundary="b"\n\n' + b"--b\n\nx\n" * 30_000,
    "status in status": b"Content-Type: message/delivery-status\n\n" + b"Status: 5.1.1\n\n" * 17_000,
    "bad charset": b"Subject: =?bogus?q?=ff=fe?=\nContent-Type: text/plain; charset=bogus\n\n\xff",
    "bad base64": b"Content-Transfer-Encoding: base64\nContent-Type: text/plain\n\n%%%%",
    "bad boundary": b'Content-Type: multipart/report; boundary="\xff\n\n--\xff\n',
    "encoded words": b"Subject: " + b"=?utf-8?q?=61?= " * 18_000,
    "digits": b"Content-Type: text/plain\n\n5.1.1" + b"1" * 250_000,
    "dots": b"Content-Type: text/plain\n\n" + b"5.1.1." * 43_000,
    "comments": b"To: " + b"(" * 250_000,
    "quotes": b'To: "' + b'\\"' * 120_000,
    "larger than is read": report(TO) + b"x" * (2 * MAX_REPORT),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_mails_neither_fail_nor_take_long(content: bytes) -> None:
    began = time.perf_counter()

    read_report(content)

    assert time.perf_counter() - began < 3.0


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(content: bytes) -> None:
    read_report(content)


@given(st.lists(st.sampled_from(report(TO).split(b"\n")), max_size=60))
def test_any_order_of_a_reports_lines_is_read(lines: list[bytes]) -> None:
    read_report(b"\n".join(lines))
