"""The staff's pages of campaigns and subscriptions in a real browser: numbers that go on, and what axe finds."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import update

from consent_widget.core.delivery import State as Row
from consent_widget.services.campaign import pause, resume
from consent_widget.services.erasure import erase
from consent_widget.storage.campaign import campaigns
from tests.admin.newsroom import STAFF, Newsroom
from tests.admin.post_office import campaign_of, report, settle, subscribe
from tests.browser.axe import findings
from tests.browser.conftest import Serve, Site
from tests.factories import NOW, Clock, close

ADMIN = "/privacy/admin"
CAMPAIGN = f"{ADMIN}/campaigns/1"

_WATCH = """addEventListener("securitypolicyviolation", event =>
    console.error(`violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`), true);"""


@pytest.fixture
def room(prepared_url: str, clock: Clock, tmp_path: Path) -> Iterator[Newsroom]:
    """A campaign of six mails: one in most states, the first one waits."""
    made = Newsroom(prepared_url, tmp_path, clock)
    for at in range(6):
        subscribe(made.deployment, f"a{at}@example.vn")
    campaign_of(made, made.announced())
    states = (Row.PENDING, Row.ACCEPTED, Row.FAILED, Row.UNKNOWN, Row.SUPPRESSED, Row.PENDING)
    for at, state in enumerate(states, 1):
        code = "5.2.2" if state is Row.FAILED else "4.7.0" if at == 6 else ""
        settle(made.deployment, at, state, code=code, at=NOW)
    report(made.deployment, "A report in words", subscription_id=3)
    made.app.add_url_rule("/favicon.ico", "icon", lambda: ("", 204))  # or the browser would complain of it
    yield made
    close(made.app)


@pytest.fixture
def site(room: Newsroom, serve: Serve) -> Site:
    return serve(room.app)


def enter(
    new_context: Callable[..., BrowserContext], site: Site, path: str, *, scripts: bool = True
) -> tuple[Page, list[str]]:
    """The page for an approver who reads English, and what the browser complains about."""
    context = new_context(locale="en-GB", java_script_enabled=scripts)
    if scripts:
        context.add_init_script(_WATCH)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{site.url}/host/sign-in/minh")
    page.goto(f"{site.url}{path}?lang=en")
    return page, complaints


def count(page: Page, name: str) -> str:
    found = page.locator(f"tr[data-name={name}] td[data-count]").get_attribute("data-count")
    assert found is not None
    return found


def test_the_numbers_go_on_by_themselves(
    room: Newsroom, site: Site, new_context: Callable[..., BrowserContext]
) -> None:
    """And leave alone what somebody is typing meanwhile; when all is done, the site is asked no more."""
    page, complaints = enter(new_context, site, CAMPAIGN)
    page.locator(".cw-admin-fold summary").click()
    page.fill("#reason", "Typed and not")
    assert count(page, "accepted") == "1"

    settle(room.deployment, 1, Row.ACCEPTED, code="2.0.0", at=NOW)

    expect(page.locator("tr[data-name=accepted] td[data-count]")).to_have_attribute("data-count", "2")
    expect(page.locator("#reason")).to_have_value("Typed and not")
    expect(page.locator("#reason")).to_be_focused()

    settle(room.deployment, 6, Row.ACCEPTED, code="2.0.0", at=NOW)
    with room.deployment.database.writing() as connection:
        connection.execute(update(campaigns).values(state="done", finished_at=NOW))
    page.locator("h1").click()  # nobody types any more

    expect(page.locator("[data-live-text=state]")).to_have_text("Done")
    expect(page.locator(".cw-admin-fold")).to_have_count(0)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3500)
    assert asked == []
    assert complaints == []


def test_a_colleague_pauses_it(
    room: Newsroom, site: Site, new_context: Callable[..., BrowserContext]
) -> None:
    page, _ = enter(new_context, site, CAMPAIGN)

    pause(room.deployment, 1, reason="Chờ", staff=STAFF["oanh"], now=NOW)

    expect(page.get_by_role("button", name="Resume sending")).to_be_visible()
    expect(page.locator("[data-live-text=state]")).to_have_attribute("data-state", "paused")
    page.get_by_role("button", name="Resume sending").click()
    expect(page.locator("[role=status]", has_text="Resumed.")).to_be_visible()


def test_what_was_done_leaves_when_a_colleague_resumes(
    room: Newsroom, site: Site, new_context: Callable[..., BrowserContext]
) -> None:
    page, _ = enter(new_context, site, CAMPAIGN)
    page.locator(".cw-admin-fold summary").click()
    page.get_by_role("button", name="Pause sending", exact=True).click()
    expect(page.locator(".cw-admin-done")).to_contain_text("Paused.")

    resume(room.deployment, 1, staff=STAFF["oanh"], now=NOW)

    expect(page.locator("[data-live-text=state]")).to_have_attribute("data-state", "running")
    expect(page.locator(".cw-admin-done")).to_have_count(0)
    expect(page.locator(".cw-admin-alert")).to_have_count(0)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_header_is_one_row_on_a_desktop(
    site: Site, new_context: Callable[..., BrowserContext], language: str
) -> None:
    """Also with a long name, which takes the room of the menu of an account."""
    page, _ = enter(new_context, site, CAMPAIGN)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{site.url}{CAMPAIGN}?lang={language}")
    page.locator(".cw-admin-who").evaluate("who => who.textContent = 'Nguyễn Thị Hoàng Oanh, Đăng xuất'")

    tops = page.locator(".cw-admin-bar").evaluate(
        "bar => [bar.querySelector('.cw-admin-nav'), bar.querySelector('.cw-admin-who')]"
        ".map(one => one.getBoundingClientRect()).map(box => (box.top + box.bottom) / 2)"
    )

    assert abs(tops[0] - tops[1]) < 4


def test_without_scripts_a_link_renews_the_numbers(
    room: Newsroom, site: Site, new_context: Callable[..., BrowserContext]
) -> None:
    page, _ = enter(new_context, site, CAMPAIGN, scripts=False)
    settle(room.deployment, 1, Row.ACCEPTED, code="2.0.0", at=NOW)

    page.get_by_role("link", name="Refresh").click()

    assert count(page, "accepted") == "2"


def test_whoever_is_signed_out_is_told(site: Site, new_context: Callable[..., BrowserContext]) -> None:
    """Old numbers must not pass for new ones."""
    page, _ = enter(new_context, site, CAMPAIGN)
    page.context.request.get(f"{site.url}/host/sign-out")

    expect(page.locator(".cw-admin-refresh")).to_contain_text("you are signed out", timeout=20_000)
    assert count(page, "accepted") == "1"


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("width", [320, 1280])
def test_every_page_is_for_everybody(
    room: Newsroom, site: Site, new_context: Callable[..., BrowserContext], lang: str, width: int
) -> None:
    """axe finds nothing, in light and dark; nothing is wider than the narrowest screen (WCAG 1.4.10)."""
    with room.deployment.database.writing() as connection:
        erase(room.deployment, connection, 5, now=NOW)
    page, complaints = enter(new_context, site, CAMPAIGN)
    page.set_viewport_size({"width": width, "height": 800})
    for path in (
        CAMPAIGN,
        f"{ADMIN}/campaigns",
        f"{ADMIN}/subscriptions",
        f"{ADMIN}/subscriptions/3",
        f"{ADMIN}/subscriptions/5",
        f"{ADMIN}/subscriptions/3/proof",
        f"{ADMIN}/subscriptions/5/proof",
        f"{ADMIN}/bounces",
        f"{ADMIN}/audit",
    ):
        page.goto(f"{site.url}{path}?lang={lang}")
        assert findings(page) == [], path
        widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert widths[0] <= widths[1], path
    assert complaints == []


def test_somebody_is_found_revealed_and_suppressed(
    site: Site, new_context: Callable[..., BrowserContext]
) -> None:
    """By the keyboard alone."""
    page, complaints = enter(new_context, site, f"{ADMIN}/subscriptions")

    page.locator("#q").focus()
    page.keyboard.type("a2@")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Found: 1")).to_be_visible()
    page.get_by_role("link", name=re.compile("a•••@e•••.vn")).click()
    page.get_by_role("button", name="Show the address").press("Enter")
    expect(page.locator(".cw-admin-address")).to_have_text("a2@example.vn")
    page.get_by_label("Reason").fill("By telephone")
    page.get_by_role("button", name="Suppress").press("Enter")

    expect(page.locator("[role=status]", has_text="Suppressed.")).to_be_visible()
    assert "a2@" not in page.content()
    assert complaints == []
