"""The whole way of a change to a mailbox, on the demonstration as its users start it, web and worker."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
import sqlalchemy
from icalendar import Calendar
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests import postgresql
from tests.browser.axe import findings
from tests.browser.demo import Demo, demo
from tests.browser.inbox import Inbox, Mail
from tests.browser.member import ADMIN, HANOI, Member, in_hanoi
from tests.browser.scanner import request, scan, scan_with_scripts
from tests.browser.visitor import LOCALES, complaints_of, is_save

ONE_CLICK = {"body": "List-Unsubscribe=One-Click", "Content-Type": "application/x-www-form-urlencoded"}
#: A sentence of the first notice, and what becomes of it.
SENTENCE = {
    "vi": (
        "Các thông tin liên hệ của khách hàng sẽ được lưu trữ cho tới khi",
        "Các thông tin liên hệ của khách hàng sẽ được lưu trữ thêm 24 tháng sau khi",
    ),
    "en": (
        "Customers' contact information will be stored until the customer stops",
        "Customers' contact information will be stored for 24 months after the customer stops",
    ),
}
SUMMARY = {
    "vi": "HTEK lưu thông tin liên hệ của bạn lâu hơn trước.",
    "en": "HTEK stores your contact information for longer than before.",
}

#: What a page shows does not depend on the database.
ON_SQLITE = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

NewContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demonstration on a database of each kind; the tests of this file share it, each with its own mailboxes."""
    folder = tmp_path_factory.mktemp("demo")
    if request.param == "sqlite":
        with demo(folder, None) as started:
            yield started
        return
    maintenance: sqlalchemy.URL = request.getfixturevalue("postgresql_database")
    with (
        postgresql.database(maintenance, f"{maintenance.database}_walk") as url,
        demo(folder, url.render_as_string(hide_password=False)) as started,
    ):
        yield started


@contextlib.contextmanager
def nothing_changes(site: Demo) -> Iterator[None]:
    """Whatever happens in the block leaves every row about subscribers as it was."""
    before = site.settled()
    yield
    assert site.kept() == before


class Reader:
    """Somebody with a browser and a mailbox."""

    def __init__(self, site: Demo, context: BrowserContext, address: str) -> None:
        self.site, self.address = site, address
        self.page = context.new_page()
        self.complaints = complaints_of(self.page)
        self.inbox = Inbox(context.new_page(), site)

    def open(self, path: str) -> None:
        self.page.goto(path if path.startswith("http") else f"{self.site.url}{path}")

    def refuse_cookies(self) -> None:
        """The banner would stand in front of what is below it."""
        with self.page.expect_response(is_save):
            self.page.locator("button[name=action][value=reject_all]").first.click()
        expect(self.page.locator("[data-consent-widget=banner]")).to_be_hidden()

    def ask(self, place: str = "main") -> None:
        """Fill in the form of the page and send it."""
        form = self.page.locator(f"{place} form:has([name=email])")
        form.locator("[name=email]").fill(self.address)
        self.press(form.locator("button"), status=202)

    def press(self, button: Locator, *, status: int = 200) -> None:
        with self.page.expect_response(lambda answer: answer.request.is_navigation_request()) as found:
            button.click()
        assert found.value.status == status
        self.page.wait_for_load_state()

    def action(self, action: str) -> None:
        self.press(self.page.locator(f"main button[name=action][value={action}]"))

    def confirm(self, *, number: int = 1) -> Mail:
        """Follow the link in the mail, press the button behind it."""
        mail = self.inbox.wait(self.address, number=number)
        self.open(mail.link("confirm/"))
        self.press(self.page.locator("main form button"))
        return mail

    @property
    def heading(self) -> Locator:
        return self.page.locator("main h1")


@pytest.fixture
def reader(site: Demo, new_context: NewContext) -> Callable[..., Reader]:
    """`reader("lan@khach.example", lang="vi", scripts=False)`: each has a browser of their own."""

    def make(address: str, *, lang: str = "vi", scripts: bool = True, **options: object) -> Reader:
        context = new_context(locale=LOCALES[lang], java_script_enabled=scripts, **options)
        return Reader(site, context, address)

    return make


def announce(author: Member, approver: Member, effective_at: datetime) -> None:
    """Version 2: the author changes a sentence, the approver announces it."""
    author.open(f"{ADMIN}versions/new")
    for language, (old, new) in SENTENCE.items():
        field = author.page.locator(f"[name=text_{language}]")
        text = field.input_value()
        assert text.count(old) == 1
        field.fill(text.replace(old, new))
    for language, summary in SUMMARY.items():
        author.page.fill(f"[name=summary_{language}]", summary)
    author.page.check("[name=change_class][value=important]")
    author.page.fill("[name=effective_at]", in_hanoi(effective_at))
    assert author.press("save") == 303
    draft = re.sub(r"[?#].*", "", author.page.url)
    assert author.press("submit") == 303
    approver.page.goto(draft)
    assert approver.press("approve") == 303
    assert approver.press("announce") == 303


def counts(page: Page) -> dict[str, int]:
    """The table of a campaign's page, by state."""
    rows = page.locator("table.cw-admin-counts tr[data-name]").all()
    return {
        str(row.get_attribute("data-name")): int(
            row.locator("[data-count]").get_attribute("data-count") or ""
        )
        for row in rows
    }


def expect_balance(page: Page) -> dict[str, int]:
    """The counts once the campaign is done: every mail is in one of the five states that are an end."""
    expect(page.locator("[data-live-text=state]")).to_have_attribute("data-state", "done", timeout=30_000)
    page.reload()
    found = counts(page)
    ends = ("accepted", "failed", "suppressed", "unknown", "cancelled")
    assert found["rows"] == sum(found.get(one, 0) for one in ends)
    return found


def calendar_of(mail: Mail) -> str:
    """The only file that is attached."""
    (file,) = mail.message.iter_attachments()
    assert file.get_content_type() == "text/calendar"
    return str(file.get_content())


def expect_change(mail: Mail, lang: str, *, effective_at: datetime, site: Demo) -> None:
    """The mail that tells ``lang`` of version 2: headers, both parts, the comparison, the calendar file."""
    message = mail.message
    assert SUMMARY[lang] in mail.text
    assert SUMMARY[lang] in mail.html
    assert message["Content-Language"] == lang
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Precedence"] in ("list", "bulk")
    assert message["List-Id"]
    assert message["Feedback-ID"]
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.one_click.startswith(f"{site.url}/privacy/unsubscribe/")
    assert abs(parsedate_to_datetime(message["Date"]) - datetime.now(UTC)) < timedelta(minutes=10)
    assert max(map(len, mail.raw.splitlines())) <= 998
    assert b"<img" not in mail.html.encode()

    removed, added = (
        " ".join(re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", mail.html, re.DOTALL)) for tag in ("del", "ins")
    )
    assert "24" in added
    assert "24" not in removed
    assert removed
    for page in (f"/privacy/{lang}/versions/2", f"/privacy/{lang}/versions/2/changes"):
        assert any(link.partition("?")[0] == f"{site.url}{page}" for link in mail.links), mail.links
    assert effective_at.astimezone(HANOI).strftime("%H:%M") in mail.text
    assert "GMT+7" in mail.text

    (event,) = Calendar.from_ical(calendar_of(mail)).walk("VEVENT")
    assert event.decoded("DTSTART") == effective_at


def test_the_way_of_a_change(site: Demo, reader: Callable[..., Reader], new_context: NewContext) -> None:
    effective_at = (datetime.now(UTC) + timedelta(days=20)).replace(second=0, microsecond=0)

    # Lan subscribes in the notice's own form, and finds the mail.
    lan = reader("lan@khach.example")
    lan.open("/privacy/vi/")
    lan.refuse_cookies()
    lan.ask()
    expect(lan.heading).to_have_text("Hãy kiểm tra hộp thư của bạn")
    asked = lan.inbox.wait(lan.address)
    assert asked.message["Content-Language"] == "vi"
    assert asked.message["To"] == lan.address

    # A scanner opens every link of it: nothing changes, and the link still works for her.
    with nothing_changes(site):
        scan(asked.links)
        scan_with_scripts(new_context(locale="en-US"), asked.links)
    lan.inbox.wait(lan.address).article.locator(f"a[href='{asked.link('confirm/')}']").click()
    button = lan.inbox.page.locator("main form button")
    button.click()
    expect(lan.inbox.page.locator("main h1")).to_have_text("Bạn đã đăng ký nhận thông báo")
    lan.open(asked.link("confirm/"))
    expect(lan.page.locator("main form")).to_have_count(0)

    # An English reader, one who only asked, and one who has left again before anything was announced.
    dave, minh, hoa = (
        reader("dave@reader.example", lang="en"),
        reader("minh@khach.example"),
        reader("hoa@khach.example"),
    )
    for one in (dave, minh, hoa):
        one.open(f"/?lang={'en' if one is dave else 'vi'}")
        one.refuse_cookies()
        one.ask("footer")
    dave.confirm()
    expect(dave.heading).to_have_text("You are subscribed")
    hoa.confirm()
    hoa.page.locator("main a[href*='/subscription/']").click()
    hoa.action("leave")
    invited = minh.inbox.wait(minh.address)

    # The approver announces version 2, and the mails say so, each in its language.
    author, approver = (Member(new_context(locale="vi-VN").new_page(), site.url) for _ in range(2))
    for member, role in ((author, "author"), (approver, "approver")):
        member.sign_in(f"{role}@demo.example", site.password(role))
    announce(author, approver, effective_at)
    told = lan.inbox.wait(lan.address, number=2)
    expect_change(told, "vi", effective_at=effective_at, site=site)
    told_dave = dave.inbox.wait(dave.address, number=2)
    expect_change(told_dave, "en", effective_at=effective_at, site=site)
    assert told.message["Message-ID"] != told_dave.message["Message-ID"]
    assert told.one_click != told_dave.one_click

    # The scanner again: GET, scripts, and a POST without the field.
    with nothing_changes(site):
        scan(told.links)
        scan_with_scripts(new_context(locale="en-US"), told.links)
        assert request(told.one_click, "POST", body="")[0] == 400

    # Who confirms only now is told once as well.
    minh.open(invited.link("confirm/"))
    minh.press(minh.page.locator("main form button"))
    expect_change(minh.inbox.wait(minh.address, number=2), "vi", effective_at=effective_at, site=site)

    # The raw header is enough to leave: a POST without cookies, as often as it comes.
    for _ in range(2):
        status, page = request(told.one_click, "POST", **ONE_CLICK)
        assert status == 200
        assert "Bạn đã hủy đăng ký" in page
    lan.open(told.link("subscription/"))
    expect(lan.page.locator("main")).to_contain_text("Đã hủy đăng ký")

    # She takes it back, leaves by the page, and comes back once more: no second mail comes of it.
    lan.action("undo")
    expect(lan.heading).to_have_text("Bạn đã đăng ký nhận thông báo")
    lan.open(told.link("subscription/"))
    lan.action("leave")
    lan.open(told.link("unsubscribe/"))
    lan.action("undo")

    # What staff see are the mails in the mailbox.
    complaints = complaints_of(approver.page)
    approver.open(f"{ADMIN}campaigns")
    approver.page.locator("main li a", has_text="2").first.click()
    found = expect_balance(approver.page)
    sent = [
        mail for mail in lan.inbox.every() if mail.message["List-Id"] and "2" in str(mail.message["Subject"])
    ]
    assert found["accepted"] == found["rows"] == len(sent)
    assert [len(one.inbox.mails(one.address)) for one in (lan, dave, minh, hoa)] == [2, 2, 2, 1]
    assert findings(approver.page) == []
    approver.open(f"{ADMIN}subscriptions")
    expect(approver.page.locator("main")).not_to_contain_text(lan.address)
    assert complaints == []

    # Version 2 does not come after all: whoever was told hears of it.
    approver.open(f"{ADMIN}versions/2")
    approver.page.fill("[name=reason]", "Thời hạn lưu trữ còn được xem xét lại.")
    assert approver.press("withdraw") == 303
    correction = dave.inbox.wait(dave.address, number=3)
    assert "withdrawn" in correction.text
    assert "METHOD:CANCEL" in calendar_of(correction)
    assert [lan.complaints, dave.complaints, minh.complaints, hoa.complaints] == [[]] * 4


@ON_SQLITE
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_reader_without_scripts(reader: Callable[..., Reader], lang: str) -> None:
    """Sign up, confirm, take a copy, change the language, leave by the button, undo, be forgotten."""
    other = {"vi": "en", "en": "vi"}[lang]
    one = reader(f"plain.{lang}@reader.example", lang=lang, scripts=False)
    one.open("/contact")
    one.ask("footer")
    mail = one.confirm()
    assert mail.message["Content-Language"] == lang
    one.page.locator("main a[href*='/subscription/']").click()
    manage = one.page.url
    expect(one.page.locator("main")).to_contain_text(one.address)

    with one.page.expect_download() as found:
        one.page.locator("main button[value=export]").click()
    copy = json.loads(found.value.path().read_text(encoding="utf-8"))
    assert one.address in json.dumps(copy)

    one.page.locator("main [name=lang]").select_option(other)
    one.action("save")
    expect(one.page.locator("html")).to_have_attribute("lang", other)

    one.open("/privacy/subscribe")
    one.ask()
    known = one.inbox.wait(one.address, number=2)
    assert known.message["Content-Language"] == other
    one.open(known.link("unsubscribe/"))
    one.press(one.page.locator("main form button"))
    one.action("undo")
    one.open(manage)
    one.page.locator("main a[href*='step=erase']").click()
    one.action("erase")
    one.open(manage)
    expect(one.page.locator("main")).not_to_contain_text(one.address)


@ON_SQLITE
def test_signing_up_under_a_strict_policy(reader: Callable[..., Reader]) -> None:
    """``default-src 'self'`` and Trusted Types: the form is plain HTML, and nothing on its pages complains."""
    one = reader("strict@khach.example")
    one.open("/?csp=strict")
    one.refuse_cookies()
    one.ask("footer")
    one.confirm()
    expect(one.heading).to_have_text("Bạn đã đăng ký nhận thông báo")
    assert one.complaints == []


@ON_SQLITE
def test_pages_in_a_host_s_layout(reader: Callable[..., Reader]) -> None:
    """axe finds nothing in the site's own colours, light and dark, on a phone; the mail in its frame is readable."""
    one = reader("axe@khach.example", viewport={"width": 375, "height": 740})
    one.open("/privacy/subscribe")
    one.refuse_cookies()
    one.page.locator("main [name=email]").fill("khong-phai-dia-chi")
    one.press(one.page.locator("main form button"), status=400)
    expect(one.page.locator("main [name=email]")).to_be_focused()
    assert findings(one.page) == []
    one.ask()
    one.confirm()
    assert findings(one.page) == []
    one.page.locator("main a[href*='/subscription/']").click()
    assert findings(one.page) == []

    one.page.emulate_media(color_scheme="dark")
    one.open("/mailbox")
    article = one.page.locator(f'article[data-to="{one.address}"]')
    article.locator("summary").click()
    frame = article.locator("iframe")
    text = frame.content_frame.locator("h1").evaluate("at => getComputedStyle(at).color")
    behind = frame.evaluate("at => getComputedStyle(at).backgroundColor")
    assert text == "rgb(255, 255, 255)"
    assert behind != text
