"""Every page and state of ours: without a finding of axe's, by keyboard alone, with names and live messages."""

from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import factories
from tests.browser.axe import findings
from tests.browser.conftest import Arrive
from tests.browser.host import MakeApp, broken_record, make_host, with_signal
from tests.browser.visitor import DIALOG, PREFERENCES, SETTINGS, STATUS, Visitor, is_save

both_languages = pytest.mark.parametrize("lang", ["vi", "en"])


@both_languages
def test_page_with_the_banner(arrive: Arrive, lang: str) -> None:
    visitor = arrive(lang=lang)
    expect(visitor.banner).to_be_visible()

    assert findings(visitor.page) == []


@both_languages
def test_banner_that_failed_to_save(arrive: Arrive, lang: str) -> None:
    visitor = arrive(lang=lang)
    with broken_record(visitor.app), visitor.page.expect_response(is_save):
        visitor.button("accept_all").click()
    expect(visitor.banner.get_by_role("alert")).not_to_be_empty()

    assert findings(visitor.page) == []


@both_languages
def test_open_dialog(arrive: Arrive, lang: str) -> None:
    visitor = arrive(lang=lang)
    visitor.open_preferences()
    for details in visitor.preferences.locator("summary").all():
        details.click()

    assert findings(visitor.page) == []


@both_languages
def test_preferences_page_with_all_it_can_say(
    arrive: Arrive, make_app: MakeApp, clock: factories.Clock, lang: str
) -> None:
    """Decided before, asked again, with the signal."""
    app = with_signal(make_host(make_app))
    visitor = arrive(lang=lang, app=app)
    visitor.save_in_preferences("analytics")
    factories.announce(factories.deployment(app).database, 2, ask_again=["analytics"])
    clock.tick(minutes=1)

    visitor.open("/privacy/preferences")
    for details in visitor.page.locator(f"{PREFERENCES} summary").all():
        details.click()

    assert findings(visitor.page) == []


@both_languages
def test_notice_page(arrive: Arrive, lang: str) -> None:
    visitor = arrive(f"/privacy/{lang}/", lang=lang)
    expect(visitor.banner).to_be_visible()

    assert findings(visitor.page) == []


@both_languages
@pytest.mark.parametrize("path", ["", "versions", "versions/2", "versions/2/changes", "as-of/2026-12-01"])
def test_pages_of_versions_during_the_lead_time(
    arrive: Arrive, make_app: MakeApp, lang: str, path: str
) -> None:
    app = make_host(make_app)
    factories.announce(factories.deployment(app).database, 2, effective_at=factories.NOW + timedelta(days=30))
    visitor = arrive(f"/privacy/{lang}/{path}", lang=lang, app=app)
    expect(visitor.page.locator("h1")).to_have_count(1)

    assert findings(visitor.page) == []


@both_languages
def test_placeholders_of_frames(arrive: Arrive, lang: str) -> None:
    visitor = arrive("/frames", lang=lang)
    expect(visitor.page.locator("[data-consent-widget=frame]")).to_have_count(2)

    assert findings(visitor.page) == []


@both_languages
def test_error_page(arrive: Arrive, lang: str) -> None:
    visitor = arrive(lang=lang)

    visitor.open("/privacy/nowhere")

    expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
    assert findings(visitor.page) == []


@both_languages
def test_pages_without_scripts(arrive: Arrive, lang: str) -> None:
    """The plain form after a failed save; only our scripts are missing, since axe is one itself."""
    visitor = arrive(lang=lang)
    visitor.page.route("**/privacy/assets/*.js", lambda route: route.abort())
    visitor.open("/frames")
    visitor.page.locator(SETTINGS).click()
    with broken_record(visitor.app):
        visitor.page.locator(f"{PREFERENCES} [value=save]").click()
        expect(visitor.page.get_by_role("alert").filter(has_text=".")).to_be_visible()

    assert findings(visitor.page) == []


@pytest.mark.parametrize("path", ["/privacy/preferences", "/privacy/{lang}/", "/privacy/nowhere"])
@both_languages
def test_our_pages_say_their_language(arrive: Arrive, path: str, lang: str) -> None:
    visitor = arrive(path.format(lang=lang), lang=lang)

    expect(visitor.page.locator("html")).to_have_attribute("lang", lang)
    assert visitor.page.title()
    expect(visitor.page.get_by_role("main")).to_have_count(1)
    expect(visitor.page.get_by_role("heading", level=1)).to_have_count(1)


@both_languages
def test_our_parts_say_their_language_in_pages_of_another(
    arrive: Arrive, make_app: MakeApp, lang: str
) -> None:
    """The host's own page is in neither; what we print in it says which language it is."""
    app = make_host(make_app, locale_selector=lambda: lang)
    app.context_processor(lambda: {"lang": "fr"})
    visitor = arrive("/frames", app=app, lang=lang)
    expect(visitor.page.locator("[data-consent-widget=frame]")).to_have_count(2)

    parts = visitor.page.locator(
        f"[data-consent-widget=skip], .consent-widget-banner, {STATUS}, [data-consent-widget=frame] form, {SETTINGS}"
    )

    assert parts.count() == 6
    for part in parts.all():
        expect(part).to_have_attribute("lang", lang)
    visitor.open_preferences()
    expect(visitor.preferences).to_have_attribute("lang", lang)


@pytest.mark.parametrize(
    "lang, name, close, boxes, buttons",
    [
        (
            "vi",
            "Cài đặt cookie",
            "Đóng, chưa lựa chọn",
            ["Tùy chỉnh cá nhân", "Phân tích truy cập", "Tiếp thị"],
            ["Lưu lựa chọn", "Từ chối tất cả", "Đồng ý tất cả"],
        ),
        (
            "en",
            "Cookie settings",
            "Close without choosing",
            ["Preferences", "Analytics", "Marketing"],
            ["Save choices", "Reject all", "Accept all"],
        ),
    ],
    ids=["vi", "en"],
)
def test_names_in_the_dialog(
    arrive: Arrive, lang: str, name: str, close: str, boxes: list[str], buttons: list[str]
) -> None:
    visitor = arrive(lang=lang)

    visitor.open_preferences()

    dialog = visitor.page.get_by_role("dialog", name=name, exact=True)
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name=close, exact=True)).to_be_visible()
    for box in boxes:
        found = dialog.get_by_role("checkbox", name=box, exact=True)
        expect(found).to_have_count(1)
        expect(found).not_to_have_accessible_description("")
        expect(found.locator("xpath=ancestor::fieldset")).to_have_count(1)
    for button in buttons:
        expect(dialog.get_by_role("button", name=button, exact=True)).to_be_visible()


@both_languages
def test_live_messages(arrive: Arrive, lang: str) -> None:
    """The regions are there, empty, before anything is said in them: screen readers announce changes alone."""
    visitor = arrive(lang=lang)
    status = visitor.page.get_by_role("status")
    alert = visitor.banner.locator("[role=alert]")
    expect(status).to_have_count(1)
    expect(status).to_be_empty()
    expect(status).to_have_attribute("lang", lang)
    expect(alert).to_be_empty()

    with broken_record(visitor.app), visitor.page.expect_response(is_save):
        visitor.button("reject_all").click()
    expect(alert).to_contain_text({"vi": "Chưa lưu được", "en": "could not be saved"}[lang])
    expect(status).to_be_empty()

    visitor.save(visitor.button("reject_all"))
    expect(status).to_have_text({"vi": "Đã lưu lựa chọn của bạn.", "en": "Your choice has been saved."}[lang])
    assert status.evaluate("one => getComputedStyle(one).display !== 'none' && !one.closest('[hidden]')")


def test_second_save_is_announced_again(arrive: Arrive) -> None:
    """The words are the same, so they have to be written anew: a screen reader is told of changes alone."""
    visitor = arrive()
    visitor.save(visitor.button("reject_all"))
    visitor.page.locator(STATUS).evaluate(
        """status => {
            window.said = 0;
            new MutationObserver(() => { said += status.textContent !== ""; })
                .observe(status, {childList: true});
        }"""
    )

    visitor.save_in_preferences("analytics")

    visitor.until("said === 1")


def _press_until_focused(page: Page, target: Locator, key: str = "Tab") -> None:
    for _ in range(40):
        page.keyboard.press(key)
        if target.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"{target} is not reached by {key}")


both_ways = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


def _saved(visitor: Visitor, key: str) -> None:
    """Press ``key`` on the focused button and wait for the end of the save."""
    page = visitor.page
    if visitor.scripts:
        with page.expect_response(is_save):
            page.keyboard.press(key)
        expect(page.locator(STATUS)).not_to_be_empty()
    else:
        with page.expect_navigation():
            page.keyboard.press(key)
    expect(visitor.banner).to_be_hidden()


@both_ways
@pytest.mark.parametrize(
    "action, key, granted",
    [("reject_all", "Enter", set()), ("accept_all", "Space", {"analytics", "marketing", "preferences"})],
    ids=["refuse", "accept"],
)
def test_keyboard_alone_decides_in_the_banner(
    arrive: Arrive, action: str, key: str, granted: set[str], scripts: bool
) -> None:
    visitor = arrive(scripts=scripts)
    page = visitor.page

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    _press_until_focused(page, visitor.button(action))
    _saved(visitor, key)

    assert visitor.granted() == [granted]


@both_ways
def test_keyboard_alone_chooses_a_part_and_withdraws_it(arrive: Arrive, scripts: bool) -> None:
    visitor = arrive(scripts=scripts)
    page = visitor.page

    def open_by_key(link: Locator) -> None:
        _press_until_focused(page, link)
        page.keyboard.press("Enter")
        expect(visitor.preferences.locator("h1")).to_be_visible()

    open_by_key(visitor.banner.locator("[data-consent=open-preferences]"))
    analytics = visitor.preferences.locator("[value=analytics]")
    if scripts:
        # Escape and in again: nothing was decided by it.
        page.keyboard.press("Escape")
        expect(page.locator(DIALOG)).to_have_count(0)
        page.keyboard.press("Enter")
        expect(visitor.preferences.locator("h1")).to_be_visible()
    if not analytics.evaluate("one => one === document.activeElement"):
        _press_until_focused(page, analytics)
    page.keyboard.press("Space")
    expect(analytics).to_be_checked()
    _press_until_focused(page, visitor.button("save", visitor.preferences))
    _saved(visitor, "Enter")
    assert visitor.granted() == [{"analytics"}]

    open_by_key(page.locator(SETTINGS))
    _press_until_focused(page, visitor.button("reject_all", visitor.preferences))
    _saved(visitor, "Space")
    assert visitor.granted() == [{"analytics"}, set()]


def test_enter_in_the_form_saves_what_is_ticked(arrive: Arrive) -> None:
    """Enter presses a form's first button; it must be the one that says "save", not one that accepts."""
    visitor = arrive()
    visitor.open_preferences()
    visitor.tick("analytics")

    visitor.preferences.locator("[value=analytics]").focus()
    with visitor.page.expect_response(is_save):
        visitor.page.keyboard.press("Enter")
    visitor.until("consentWidget.state().analytics === 'granted'")

    assert visitor.granted() == [{"analytics"}]
