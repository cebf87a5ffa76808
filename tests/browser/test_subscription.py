"""A subscription comes and goes in a real browser, also without scripts, and every page is fit for everybody."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from consent_widget.core.links import MANAGE, UNSUBSCRIBE
from consent_widget.services import subscription as service
from consent_widget.services.sign_up import request_subscription
from consent_widget.storage import subscription as storage
from tests import factories
from tests.browser.axe import findings
from tests.browser.conftest import Arrive
from tests.browser.host import MakeApp, make_host
from tests.browser.visitor import Visitor
from tests.letterbox import Letterbox
from tests.mailroom import MAIL

both_languages = pytest.mark.parametrize("lang", ["vi", "en"])

READER = "an@good.example"


class Reader:
    """A visitor with a mailbox."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.page: Page = visitor.page
        self.deployment = factories.deployment(visitor.app)
        self.box = Letterbox(self.deployment)

    def sign_up(self, email: str = READER) -> None:
        self.visitor.open(f"/privacy/subscribe?lang={self.visitor.lang}")
        self.page.locator("main input[name=email]").fill(email)
        self.page.locator("main form button").click()

    def press(self) -> None:
        """The one button of the page."""
        self.page.locator("main form button").click()

    def open_link(self, page: str, email: str = READER) -> None:
        self.box.collect()
        self.visitor.open(self.box.link(email, page))

    def open_derived(self, page: str, purpose: str) -> None:
        with self.deployment.database.reading() as connection:
            found = storage.find_by_identity(connection, READER)
        assert found is not None
        self.visitor.open(f"/privacy/{page}/{self.deployment.links.seal(purpose, found.id, found.salt)}")

    @property
    def state(self) -> str:
        with self.deployment.database.reading() as connection:
            found = storage.find_by_identity(connection, READER)
        return found.state.value if found is not None else "none"

    @property
    def title(self) -> str:
        return self.page.locator("h1").inner_text()


@pytest.fixture
def arrive_to_read(arrive: Arrive, make_app: MakeApp) -> Callable[..., Reader]:
    """Somebody who has refused cookies, at a host that can send mail."""

    def make(*, lang: str = "en", scripts: bool = True, **options: Any) -> Reader:
        app = make_host(make_app, config=MAIL)
        visitor = arrive("/privacy/preferences", lang=lang, scripts=scripts, app=app, **options)
        visitor.page.locator("main button[value=reject_all]").click()
        return Reader(visitor)

    return make


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_subscription_comes_and_goes(arrive_to_read: Callable[..., Reader], scripts: bool) -> None:
    """Each form is posted by the browser from a page that sends no Referer: the origin rule lets it pass."""
    reader = arrive_to_read(scripts=scripts)
    reader.sign_up()
    assert reader.title == "Look into your mailbox"
    reader.open_link("confirm")
    assert reader.state == "pending"
    reader.press()
    assert (reader.title, reader.state) == ("You are subscribed", "confirmed")
    reader.page.get_by_role("link", name="Manage your subscription").click()
    reader.page.get_by_label("Language of the emails").select_option("vi")
    reader.page.locator("button[value=save]").click()
    expect(reader.page.get_by_role("status").first).to_have_text("Đã lưu thay đổi của bạn.")
    reader.open_derived("unsubscribe", UNSUBSCRIBE)
    reader.press()
    assert (reader.title, reader.state) == ("Bạn đã hủy đăng ký", "unsubscribed")
    reader.press()
    assert (reader.title, reader.state) == ("Bạn đã đăng ký nhận thông báo", "confirmed")
    reader.open_derived("subscription", MANAGE)
    with reader.page.expect_download() as download:
        reader.page.locator("button[value=export]").click()
    assert download.value.suggested_filename == "subscription.json"
    reader.page.locator("a[href*='step=erase']").click()
    assert reader.state == "confirmed"
    reader.press()
    assert (reader.title, reader.state) == ("Dữ liệu của bạn đã được xóa", "none")


@both_languages
def test_what_was_typed_wrong_is_in_focus(arrive_to_read: Callable[..., Reader], lang: str) -> None:
    reader = arrive_to_read(lang=lang, scripts=False)

    reader.sign_up("an@")

    field = reader.page.locator("main input[name=email]")
    expect(field).to_be_focused()
    expect(field).to_have_value("an@")
    assert reader.page.locator(":focus").get_attribute("aria-describedby") == "consent-widget-email-error"


@both_languages
def test_pages_of_signing_up_are_fit_for_everybody(arrive_to_read: Callable[..., Reader], lang: str) -> None:
    reader = arrive_to_read(lang=lang)

    reader.visitor.open(f"/privacy/subscribe?lang={lang}")
    assert findings(reader.page) == []
    reader.sign_up("an@")
    assert findings(reader.page) == []
    reader.sign_up()
    assert findings(reader.page) == []
    reader.visitor.open(f"/privacy/{lang}/")
    assert findings(reader.page) == []


@both_languages
def test_pages_of_a_link_are_fit_for_everybody(
    arrive_to_read: Callable[..., Reader], clock: factories.Clock, lang: str
) -> None:
    reader = arrive_to_read(lang=lang)
    reader.sign_up()
    reader.open_link("confirm")
    assert findings(reader.page) == []
    reader.press()
    assert findings(reader.page) == []
    reader.open_derived("subscription", MANAGE)
    assert findings(reader.page) == []
    reader.page.locator("input[name=email]").fill("binh@")
    reader.page.locator("button[value=save]").click()
    assert findings(reader.page) == []
    reader.page.locator("a[href*='step=erase']").click()
    assert findings(reader.page) == []
    reader.open_derived("unsubscribe", UNSUBSCRIBE)
    assert findings(reader.page) == []
    reader.press()
    assert findings(reader.page) == []
    reader.sign_up()
    reader.box.collect()
    clock.tick(days=4)
    reader.open_link("confirm")
    assert findings(reader.page) == []
    reader.visitor.open("/privacy/confirm/nobody")
    assert findings(reader.page) == []


@pytest.mark.parametrize("width", [320, 390, 1280])
@both_languages
def test_nothing_is_cut_off(arrive_to_read: Callable[..., Reader], lang: str, width: int) -> None:
    """At 320 CSS pixels no page scrolls sideways (WCAG 2.2, 1.4.10), and buttons are large enough for a finger."""
    reader = arrive_to_read(lang=lang, viewport={"width": width, "height": 800})
    long = "a" * 60 + "@" + "b" * 60 + ".example"
    for email in (READER, long):
        request_subscription(
            reader.deployment, email, lang, network="", now=factories.NOW, salt=f"salt {len(email)}"
        )
    reader.box.collect()
    token = reader.box.link(long, "confirm").rpartition("/")[2]
    service.confirm(reader.deployment, token, now=factories.NOW)
    with reader.deployment.database.reading() as connection:
        found = storage.find_by_identity(connection, long)
    assert found is not None
    manage = reader.deployment.links.seal(MANAGE, found.id, found.salt)

    for path in ("/privacy/subscribe", f"/privacy/subscription/{manage}", reader.box.link(READER, "confirm")):
        reader.visitor.open(path)
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
        for button in reader.page.locator("main button, main select, main input[name=email]").all():
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 44
