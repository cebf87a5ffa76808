"""The mails to subscribers: what stands in them, what never does, and that they are the same bytes each time."""

import inspect
import re
import timeit
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

import consent_widget
from consent_widget.core.address import clean_address
from consent_widget.core.delivery import Kind
from consent_widget.core.envelope import message_id
from consent_widget.core.errors import InputError
from consent_widget.core.links import MANAGE, UNSUBSCRIBE
from consent_widget.core.notice import ChangeClass
from consent_widget.render.catalogue import WORDS
from consent_widget.render.mail import campaign_mail, letter_mail
from consent_widget.render.mail_diff import MOST_BYTES
from consent_widget.render.mail_wire import one_line
from tests.factories import Element, read_page, write_template
from tests.render.mails import (
    ADDRESS,
    CONFIRM,
    EFFECTIVE,
    LETTERHEAD,
    LINKS,
    NEW,
    NOW,
    OLD,
    SECRET,
    campaign_of,
    change,
    correction,
    every_mail,
    filled,
    html_body,
    letter,
    links_of,
    read,
    text_body,
    text_of,
    tokens,
    version_of,
)

MAILS = dict(every_mail())
LISTED = {name: raw for name, raw in MAILS.items() if name.startswith(("change", "correction", "known"))}
ASKING = {name: raw for name, raw in MAILS.items() if name not in LISTED}
CAMPAIGNS = {name: raw for name, raw in LISTED.items() if not name.startswith("known")}

TEMPLATES = Path(consent_widget.__file__).parent / "templates" / "consent_widget" / "mail"

lines_of_staff = st.text(min_size=1, max_size=300).filter(
    lambda text: (
        bool(text.strip()) and "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
    )
)


def parts_of(raw: bytes) -> list[str]:
    return [part.get_content_type() for part in read(raw).walk()]


def page_of(raw: bytes) -> Element:
    return read_page(html_body(read(raw)))


# The bytes


@pytest.mark.parametrize("raw", MAILS.values(), ids=MAILS)
def test_every_server_passes_the_bytes_on(raw: bytes) -> None:
    """7-bit and CRLF: no 8BITMIME is needed; no dot begins a line (RFC 5321 sections 2.3.8 and 4.5.2)."""
    head, _, body = raw.partition(b"\r\n\r\n")

    assert raw.isascii()
    assert b"\0" not in raw
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))
    assert all(len(line) <= 78 for line in body.split(b"\r\n"))
    assert not any(line.startswith((b".", b"From ")) for line in raw.split(b"\r\n"))


@pytest.mark.parametrize("name", MAILS)
def test_equal_arguments_give_equal_bytes(name: str) -> None:
    assert dict(every_mail())[name] == MAILS[name]


def test_the_order_of_a_set_changes_nothing() -> None:
    many = [
        frozenset({"analytics", "marketing", "preferences"}),
        frozenset(["preferences", "marketing", "analytics"]),
    ]

    first, second = (
        change(version=version_of(change_class=ChangeClass.MATERIAL, ask_again=one)) for one in many
    )

    assert filled(first) == filled(second)


def test_a_withdrawal_afterwards_changes_nothing_of_what_was_announced() -> None:
    later = version_of(withdrawn_at=NOW + timedelta(days=1), withdrawal_reason="Sai.")

    assert filled(change(version=later)) == filled(change())


@pytest.mark.parametrize("raw", CAMPAIGNS.values(), ids=CAMPAIGNS)
def test_a_campaign_has_a_text_an_html_page_and_a_date(raw: bytes) -> None:
    assert parts_of(raw) == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
    ]


@pytest.mark.parametrize("name", [name for name in MAILS if name not in CAMPAIGNS])
def test_a_letter_has_a_text_and_an_html_page(name: str) -> None:
    assert parts_of(MAILS[name]) == ["multipart/alternative", "text/plain", "text/html"]


def test_boundaries_are_the_campaigns_own() -> None:
    other = campaign_mail(
        campaign_of(secret="other"),
        version=version_of(),
        text=text_of(),
        before=None,
        text_before=None,
        language="vi",
        letterhead=LETTERHEAD,
    )

    assert read(filled(other)).get_boundary() != read(filled(change())).get_boundary()


# The headers


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_the_headers_of_a_campaign(name: str) -> None:
    """EM-013; RFC 8058, RFC 2369, RFC 2919, RFC 3834; each header once, and no other."""
    mail = read(CAMPAIGNS[name])
    kind, _, language = name.partition(".")

    assert [key for key, _ in mail.items()] == [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "List-Id",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "Auto-Submitted",
        "Precedence",
        "Content-Language",
        "Feedback-ID",
        "MIME-Version",
        "Content-Type",
    ]
    (sender,) = mail["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Công ty Cổ phần HTEK", "privacy@htek.example")
    assert mail["To"] == ADDRESS
    assert parsedate_to_datetime(mail["Date"]) == NOW
    assert mail["Message-ID"] == message_id(SECRET, 7, 99, "htek.example")
    assert mail["List-Id"] == "<privacy-notices.htek.example>"
    token = tokens()["unsubscribe"]
    assert mail["List-Unsubscribe"] == f"<https://www.htek.example/privacy/unsubscribe/{token}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Precedence"] == "bulk"
    assert mail["Content-Language"] == language
    assert re.fullmatch(rf"c7:{kind}:{language}:cw-[0-9a-f]{{10}}", mail["Feedback-ID"])
    assert mail["MIME-Version"] == "1.0"


@pytest.mark.parametrize("raw", ASKING.values(), ids=ASKING)
def test_who_has_not_confirmed_gets_no_power_over_a_subscription(raw: bytes) -> None:
    mail = read(raw)

    assert not [key for key, _ in mail.items() if key.startswith("List-")]
    for word in ("/subscription/", "/unsubscribe/"):
        assert word not in text_body(mail)
        assert word not in html_body(mail)


@pytest.mark.parametrize("name", [name for name in MAILS if name not in CAMPAIGNS])
def test_a_letter_is_to_one_person_and_not_bulk(name: str) -> None:
    mail = read(MAILS[name])

    assert mail["Precedence"] is None
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == name.partition(".")[2]


def test_who_is_known_can_end_it_with_one_click() -> None:
    mail = read(MAILS["known.vi"])

    assert (
        mail["List-Unsubscribe"]
        == f"<https://www.htek.example/privacy/unsubscribe/{tokens()['unsubscribe']}>"
    )
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize(
    "name, subject",
    [
        ("change.vi", "Thay đổi từ ngày 15 tháng 1 năm 2027: Chính sách bảo mật thông tin"),
        ("change.en", "Changes from 15 January 2027: Chính sách bảo mật thông tin"),
        ("correction.vi", "Đính chính: phiên bản 2 của “Chính sách bảo mật thông tin” đã được rút lại"),
        ("confirm.en", "Please confirm: notices of change from Công ty Cổ phần HTEK"),
    ],
)
def test_a_subject_says_what_matters_first(name: str, subject: str) -> None:
    assert read(MAILS[name])["Subject"] == subject


@pytest.mark.parametrize("raw", MAILS.values(), ids=MAILS)
def test_no_mail_carries_an_advertising_label(raw: bytes) -> None:
    """Notices of change are no advertising; a label would say they are (law.md)."""
    mail = read(raw)

    assert not re.search(
        r"\[\s*(QC|AD)\s*\]", f"{mail['Subject']}{text_body(mail)}{html_body(mail)}", re.IGNORECASE
    )


@given(lines_of_staff, lines_of_staff)
def test_any_title_and_summary_make_one_subject(title: str, summary: str) -> None:
    text = text_of(title=title, summary=summary)

    mail = read(filled(change(text=text, text_before=None, before=None)))

    said = one_line(f"Thay đổi từ ngày 15 tháng 1 năm 2027: {one_line(text.title, 120)}")
    assert [str(value) for key, value in mail.items() if key == "Subject"] == [said]
    assert [str(value) for value in mail.get_all("To", [])] == [ADDRESS]
    assert mail["Bcc"] is None
    words = "".join(text.summary.split())
    assert words in "".join(text_body(mail).split())


@pytest.mark.parametrize(
    "payload",
    [
        "x\r\n.\r\nMAIL FROM:<x@evil.example>",
        "x\n.\nMAIL FROM:<x>",
        "x\n.\r\nMAIL FROM:<x>",
        "x\r.\r\nMAIL FROM:<x>",
    ],
)
def test_a_text_never_ends_the_mail(payload: str) -> None:
    """EM-005: the text comes through as it was written, and is no command."""
    raw = filled(change(text=text_of(f"{NEW}\n\n```\n{payload}\n```", summary=payload)))

    assert not any(line.startswith(b".") for line in re.split(b"[\r\n]+", raw))
    clean = payload.replace("\r\n", "\n").replace("\r", "\n")
    assert clean in text_body(read(raw))


local_parts = st.from_regex(
    r"[A-Za-z0-9!#$&'*+/=?^_`{|}~-]{1,20}(\.[A-Za-z0-9!#$&'*+/=?^_`{|}~-]{1,20}){0,2}", fullmatch=True
)
domains = st.from_regex(r"([a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?\.){1,3}[a-z]{2,10}", fullmatch=True)


@given(local_parts, domains)
def test_any_address_that_is_accepted_makes_one_recipient(local: str, domain: str) -> None:
    try:
        address = clean_address(f"{local}@{domain}")
    except InputError:
        return

    mail = read(filled(change(), recipient=address))

    (to,) = mail["To"].addresses
    assert to.addr_spec == address
    assert [key for key, _ in mail.items()].count("To") == 1
    assert address in text_body(mail)
    assert address in read_page(html_body(mail)).text


@pytest.mark.parametrize(
    "address",
    [
        "o'brien+tag@good.example",
        "a/b=c@good.example",
        f"x@{'a' * 63}.example",
        "user@xn--v-jga.example",
        "1@good.example",
        f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.vn",
        "a&b@good.example",
    ],
)
def test_unusual_addresses_are_written_to_as_they_are(address: str) -> None:
    """EM-008."""
    raw = letter(recipient=clean_address(address))

    assert f"\r\nTo: {address}\r\n".encode() in raw
    assert read(raw)["To"].addresses[0].addr_spec == address
    assert all(len(line) <= 300 for line in raw.split(b"\r\n"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"recipient": "a@good.example\r\nBcc: x@evil.example"},
        {"recipient": "a@good.example\n"},
        {"recipient": "a@good.example, b@good.example"},
        {"recipient": "=?utf-8?q?x=40evil.example=3E=00?=foo@good.example"},
        {"recipient": "a"},
        {"recipient": "ạ@good.example"},
        {"recipient": ""},
        {"message_id": "<1@good.example>\r\nBcc: x@evil.example"},
        {"message_id": "1"},
        {"date": datetime(2026, 1, 1)},  # noqa: DTZ001  # that is what is wrong with it
        {"unsubscribe": "a\r\nBcc: x@evil.example"},
        {"unsubscribe": "a>b"},
        {"unsubscribe": ""},
        {"manage": "a b"},
        {"manage": '"><script>'},
        {"confirm": CONFIRM},
    ],
)
def test_what_is_not_of_its_form_gets_into_no_mail(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="need"):
        filled(change(), **wrong)


def test_a_mail_needs_both_of_its_links() -> None:
    with pytest.raises(ValueError, match="tokens"):
        change().fill(recipient=ADDRESS, message_id="<1@htek.example>", date=NOW, unsubscribe="a")


def test_a_date_is_one_instant_in_whatever_zone_it_comes() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=7)))

    assert filled(change(), date=there) == filled(change())


# What a reader gets


@pytest.mark.parametrize("name", ["change.vi", "change.en"])
@pytest.mark.parametrize("body", [text_body, html_body], ids=["text", "html"])
def test_what_a_change_tells(name: str, body: Any) -> None:
    language = name.partition(".")[2]
    words = body(read(MAILS[name]))
    if body is html_body:
        words = read_page(words).text
    when = {
        "vi": "lúc 00:00 ngày 15 tháng 1 năm 2027 (giờ Việt Nam, GMT+7)",
        "en": "15 January 2027, 00:00 (Vietnam Time, GMT+7)",
    }[language]

    told = [
        WORDS[language]("Notice of change of the privacy policy"),
        "Từ nay lưu trữ 24 tháng.",  # in plain words first
        when,
        "Chính sách bảo mật thông tin",
        WORDS[language]("Important, may affect your rights and interests"),
        WORDS[language]("What changes, word for word"),
        "12 24 tháng" if body is html_body else {"vi": "[thêm: 24]", "en": "[added: 24]"}[language],
        ADDRESS,
        "Công ty Cổ phần HTEK",
        "Số 1, đường Ví Dụ, Hà Nội",
        "024 0000 0000",
    ]

    # The words that a list of mails shows stand before the heading.
    words = words[words.index(told[0]) :]
    places = [words.find(one) for one in told[:7]]
    assert all(one in words for one in told)
    assert places == sorted(places)


@pytest.mark.parametrize("name", CAMPAIGNS)
@pytest.mark.parametrize("body", [text_body, html_body], ids=["text", "html"])
def test_every_link_that_a_campaign_owes(name: str, body: Any) -> None:
    kind, _, language = name.partition(".")
    base = "https://www.htek.example/privacy"
    owed = {
        f"{base}/{language}/versions/2",
        f"{base}/subscription/{tokens()['manage']}",
        f"{base}/unsubscribe/{tokens()['unsubscribe']}",
        f"{base}/{language}/",
        f"{base}/{language}/versions/2/changes?from=1"
        if kind == "change"
        else f"{base}/{language}/versions/1",
    }

    words = body(read(MAILS[name]))

    found = set(links_of(words)) if body is html_body else set(re.findall(r"https?://\S+", words))
    governing = {f"{base}/vi/versions/2"} if name == "change.en" else set()
    assert found == owed | governing


@pytest.mark.parametrize("raw", MAILS.values(), ids=MAILS)
def test_nothing_leads_away_loads_anything_or_names_the_reader(raw: bytes) -> None:
    mail = read(raw)
    html = html_body(mail)
    for link in [*links_of(html), *re.findall(r"https?://\S+", text_body(mail))]:
        parts = urlsplit(link)
        assert (parts.scheme, parts.netloc) == ("https", "www.htek.example"), link
        assert "@" not in unquote(link)
        assert ADDRESS.partition("@")[0] not in unquote(link)

    assert not re.search(r"<(img|link|script|style|iframe|object|form|input|video|audio|svg|base)\b", html)
    assert not re.search(r"\b(src|srcset|background|action|poster|ping)\s*=|url\(|@import|javascript:", html)
    assert "http" not in re.sub(r'href="[^"]*"', "", html)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_material_changes_say_that_silence_is_no_consent(language: str) -> None:
    """Law 91/2025/QH15 Art. 9(4)(d)."""
    material = version_of(change_class=ChangeClass.MATERIAL, ask_again=frozenset({"analytics"}))
    words = {
        "vi": "Chừng nào bạn chưa trả lời thì không có nội dung mới",
        "en": "As long as you have not answered",
    }

    told, silent = read(filled(change(language, version=material))), read(MAILS[f"change.{language}"])

    for body in (text_body, html_body):
        assert words[language] in body(told)
        assert words[language] not in body(silent)


def test_the_translation_says_which_text_governs() -> None:
    for body in (text_body, html_body):
        assert "The Vietnamese text governs." in body(read(MAILS["change.en"]))
        assert "bản dịch" not in body(read(MAILS["change.vi"]))


def test_the_first_version_has_nothing_to_be_compared_with() -> None:
    mail = read(filled(change(version=version_of(1), before=None, text_before=None)))

    for body in (text_body, html_body):
        assert "/changes" not in body(mail)
        assert "so sánh" not in body(mail).lower()


def test_a_comparison_that_is_too_long_is_cut_and_leads_on() -> None:
    paragraphs = [f"Điều {number}: lưu trữ 12 tháng kể từ ngày ký hợp đồng." for number in range(2000)]
    old = "\n\n".join(paragraphs)

    raw = filled(change(text=text_of(old.replace("12 tháng", "24 tháng")), text_before=text_of(old)))

    mail = read(raw)
    html = html_body(mail)
    assert len(html.encode()) < MOST_BYTES * 1.5 < 100_000
    whole = "https://www.htek.example/privacy/vi/versions/2/changes?from=1"
    missing = int(re.search(r"chưa hiện đủ ở đây: (\d+)", html)[1])  # type: ignore[index]  # fails the test as it should
    assert html.count("<ins") == 2000 - missing
    assert links_of(html).count(whole) == 2
    assert text_body(mail).count(whole) == 2
    assert f"chưa hiện đủ ở đây: {missing}" in text_body(mail)


@pytest.mark.parametrize("name", ["correction.vi", "correction.en"])
def test_a_correction_says_that_nothing_comes_and_why(name: str) -> None:
    words = {
        "vi": ["phiên bản 2 của chính sách bảo mật thông tin sẽ có hiệu lực từ lúc 00:00 ngày 15 tháng 1 năm 2027",
               "đã được rút lại vào lúc 16:00 ngày 27 tháng 11 năm 2026", "sẽ không có hiệu lực",
               "Lý do: Văn bản còn sai về thời hạn lưu trữ.", "Phiên bản 1 vẫn tiếp tục được áp dụng."],
        "en": ["version 2 of the privacy policy would take effect on 15 January 2027, 00:00 (Vietnam Time, GMT+7)",
               "It was withdrawn on 27 November 2026, 16:00", "will not take effect",
               "Reason: Văn bản còn sai về thời hạn lưu trữ.", "Version 1 goes on to apply."],
    }[name.partition(".")[2]]  # fmt: skip
    mail = read(MAILS[name])

    for said in (text_body(mail), page_of(MAILS[name]).text):
        assert all(one in said for one in words)
        assert "Từ nay lưu trữ" not in said  # what does not come is not told again


def test_a_hostile_reason_stays_text() -> None:
    version = version_of(
        withdrawn_at=NOW, withdrawal_reason='<a href="https://evil.example">x</a>\0\n.\nBcc: y'
    )

    mail = read(filled(correction(version=version)))

    assert "evil.example" not in "".join(links_of(html_body(mail)))
    assert '<a href="https://evil.example">x</a>\n.\nBcc: y' in text_body(mail)


# The date


@pytest.mark.parametrize(
    "name, method, status", [("change.vi", "PUBLISH", "CONFIRMED"), ("correction.vi", "CANCEL", "CANCELLED")]
)
def test_the_date_is_attached_for_calendars(name: str, method: str, status: str) -> None:
    (file,) = read(MAILS[name]).iter_attachments()

    assert file.get_filename() == "privacy-2.vi.ics"
    assert file.get_content_disposition() == "attachment"
    assert file["Content-Type"].params["method"] == method
    calendar = Calendar.from_ical(file.get_content())
    (event,) = calendar.walk("VEVENT")
    assert calendar["METHOD"] == method
    assert event["STATUS"] == status
    assert event.decoded("DTSTART") == EFFECTIVE
    assert event["URL"] == "https://www.htek.example/privacy/vi/versions/2"


def test_a_correction_takes_the_very_event_back() -> None:
    uids = set()
    for name in ("change.vi", "correction.vi", "change.en"):
        (file,) = read(MAILS[name]).iter_attachments()
        uids.add(str(Calendar.from_ical(file.get_content()).walk("VEVENT")[0]["UID"]))

    assert len(uids) == 1


# The letters


@pytest.mark.parametrize("name", ASKING)
def test_a_letter_that_asks_has_one_link_that_confirms(name: str) -> None:
    url = f"https://www.htek.example/privacy/confirm/{CONFIRM}"
    hours = {"vi": "Liên kết này có hiệu lực trong 72 giờ.", "en": "The link holds for 72 hours."}[name[-2:]]
    nothing = {"vi": "Nếu bạn không xác nhận thì", "en": "If you do not confirm, nothing happens"}[name[-2:]]
    mail = read(MAILS[name])

    assert text_body(mail).count(url) == 1
    assert sorted(links_of(html_body(mail))) == sorted(
        [url, f"https://www.htek.example/privacy/{name[-2:]}/"]
    )
    for said in (text_body(mail), page_of(MAILS[name]).text):
        assert hours in said
        assert nothing in said
        assert ADDRESS in said


@pytest.mark.parametrize("language", ["vi", "en"])
def test_who_is_known_is_told_so_and_led_to_the_page_of_the_subscription(language: str) -> None:
    mail = read(MAILS[f"known.{language}"])

    for body in (text_body, html_body):
        assert {"vi": "Bạn đã đăng ký từ trước", "en": "You are already subscribed"}[language] in body(mail)
        assert f"/privacy/subscription/{tokens()['manage']}" in body(mail)


@pytest.mark.parametrize(
    "kind, given",
    [
        (Kind.CONFIRM, {}),
        (Kind.CONFIRM, {"confirm": "a", "manage": "b"}),
        (Kind.CONFIRM, {"confirm": "a", "unsubscribe": "b"}),
        (Kind.ADDRESS, {"confirm": "a", "manage": "b", "unsubscribe": "c"}),
        (Kind.KNOWN, {"manage": "a"}),
        (Kind.KNOWN, {"confirm": "a"}),
        (Kind.CHANGE, {"manage": "a", "unsubscribe": "b"}),
        (Kind.CORRECTION, {"manage": "a", "unsubscribe": "b"}),
    ],
)
def test_a_letter_takes_its_own_links_and_no_other(kind: Kind, given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"tokens|told to all"):
        letter_mail(
            kind,
            language="vi",
            letterhead=LETTERHEAD,
            recipient=ADDRESS,
            message_id="<0.1.a@htek.example>",
            date=NOW,
            **given,
        )


# One mail, one reader


def test_a_mail_belongs_to_its_recipient_alone() -> None:
    """EM-014: header, links and body are of one subscription in each of the mails of one stencil."""
    stencil = change()
    seen = set()
    for number in range(1, 301):
        address = f"reader{number}@mail{number % 7}.example"
        raw = filled(
            stencil,
            recipient=address,
            message_id=message_id(SECRET, 7, number, "htek.example"),
            **tokens(number),
        )
        mail = read(raw)
        text, html = text_body(mail), html_body(mail)
        assert mail["To"] == address
        for body in (text, html):
            assert set(re.findall(r"reader\d+@mail\d\.example", body)) == {address}
            for path, purpose in (("unsubscribe", UNSUBSCRIBE), ("subscription", MANAGE)):
                (token,) = re.findall(rf"/privacy/{path}/([\w.-]+)", body)
                assert LINKS.open(token, purpose) == (number, f"salt{number}x")
        (token,) = re.findall(r"/unsubscribe/([\w.-]+)>", mail["List-Unsubscribe"])
        assert LINKS.open(token, UNSUBSCRIBE) == (number, f"salt{number}x")
        seen |= {mail["Message-ID"], token}

    assert len(seen) == 600


def test_filling_in_takes_a_fraction_of_a_millisecond() -> None:
    """A relay takes about a thousand mails a second; the composer must not be what holds them up."""
    stencil = change()

    fastest = min(timeit.repeat(lambda: filled(stencil), number=50, repeat=10)) / 50

    assert fastest < 0.0002


# Nothing else can be sent


def test_there_is_no_way_to_send_other_content() -> None:
    """law.md M18: one purpose; no parameter takes words, a template or a subject."""
    assert {kind.value for kind in Kind} == {"change", "correction", "confirm", "address", "known"}
    assert set(inspect.signature(campaign_mail).parameters) == {
        "campaign",
        "version",
        "text",
        "before",
        "text_before",
        "language",
        "letterhead",
    }
    assert set(inspect.signature(letter_mail).parameters) == {
        "kind",
        "language",
        "letterhead",
        "recipient",
        "message_id",
        "date",
        "confirm",
        "manage",
        "unsubscribe",
    }
    made = {path.name for path in TEMPLATES.iterdir() if not path.name.startswith("_")}
    assert made == {f"{kind}.{ending}" for kind in Kind for ending in ("txt", "html")}


def test_a_host_cannot_put_its_own_words_into_a_mail(app: Flask) -> None:
    """A template of the host by the same path changes a page, never a mail."""
    for name in ("change.html", "change.txt", "_layout.html", "_layout.txt"):
        write_template(app, f"consent_widget/mail/{name}", "Giảm giá 50 %")

    with app.test_request_context():
        raw = filled(change())

    assert raw == MAILS["change.vi"]


# Who sends


def test_the_sender_is_a_real_address() -> None:
    with pytest.raises(InputError):
        replace(LETTERHEAD, mail_from="HTEK <privacy@htek.example>")


@pytest.mark.parametrize(
    "url, ascii_url",
    [
        ("https://bảomật.example/privacy", "https://xn--bomt-gr5asc.example/privacy"),
        ("https://www.htek.example/riêng-tư", "https://www.htek.example/ri%C3%AAng-t%C6%B0"),
        ("http://127.0.0.1:5000/privacy", "http://127.0.0.1:5000/privacy"),
    ],
)
def test_links_are_ascii(url: str, ascii_url: str) -> None:
    raw = filled(change(letterhead=replace(LETTERHEAD, public_base=url)))

    assert f"List-Unsubscribe: <{ascii_url}/unsubscribe/".encode() in raw


def test_a_senders_name_is_text_and_nothing_else() -> None:
    hostile = replace(LETTERHEAD, name='A & "B" <b>\r\nBcc: x@evil.example', contact="\0<script>")

    mail = read(filled(change(letterhead=hostile)))

    (sender,) = mail["From"].addresses
    assert sender.display_name == 'A & "B" <b> Bcc: x@evil.example'
    assert sender.addr_spec == "privacy@htek.example"
    assert mail["Bcc"] is None
    assert 'A & "B" <b>' in text_body(mail)
    assert "<script" not in html_body(mail)


# How it looks


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_can_be_read_aloud(name: str) -> None:
    page = page_of(MAILS[name])
    html = html_body(read(MAILS[name]))

    assert page.one("html")["lang"] == name.partition(".")[2]
    assert page.one("title").text == read(MAILS[name])["Subject"]
    levels = [int(level) for level in re.findall(r"<h([1-6])", html)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert levels.count(1) == 1
    assert all(table["role"] == "presentation" for table in page.all("table"))
    assert all(one.text.strip() for one in page.all("a"))


@pytest.mark.parametrize("name", MAILS)
def test_colours_come_in_pairs_that_can_be_read_in_both_modes(name: str) -> None:
    """WCAG 1.4.3: where we set a colour we set its background, so the mode of the program does not matter."""
    for style in re.findall(r'style="([^"]*)"', html_body(read(MAILS[name]))):
        found = dict(one.split(":", 1) for one in unescape(style).split(";") if one)
        if "color" in found:
            assert contrast(found["color"], found["background-color"]) >= 4.5, style


def contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", MAILS)
def test_nothing_is_left_of_the_templates(name: str) -> None:
    mail = read(MAILS[name])

    for body in (text_body(mail), html_body(mail)):
        assert not re.search(r"\{\{|\{%|%\(|\bNone\b|Undefined|\0", body)
        assert "\n\n\n\n" not in body


def test_the_old_text_is_not_told_whole() -> None:
    """Long stretches without a change are left out, and the mail says so."""
    for body in (text_body, html_body):
        words = body(read(MAILS["change.vi"]))
        assert "đoạn không thay đổi, không nhắc lại ở đây." in words
        assert "Đoạn giữ nguyên thứ ba." not in words
    assert "Đoạn giữ nguyên thứ ba." in OLD
