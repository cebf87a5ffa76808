"""The preferences as a dialog: where the focus goes, what closing means, what is said when asked again."""

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from consent_widget.core.notice import ChangeClass
from tests import factories
from tests.browser.conftest import Arrive, Serve
from tests.browser.host import MakeApp, broken_record, make_host
from tests.browser.visitor import DIALOG, PREFERENCES, SEES_FOCUS, SETTINGS, is_save

BANNER_LINK = '[data-consent-widget="banner"] [data-consent="open-preferences"]'


def _posts(page: Page) -> list[str]:
    """Grows by the address of every request that could change something."""
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url) if request.method != "GET" else None)
    return seen


@pytest.mark.parametrize("opener", [SETTINGS, BANNER_LINK], ids=["settings link", "banner"])
def test_link_opens_it_and_closing_returns_the_focus(arrive: Arrive, opener: str) -> None:
    visitor = arrive()
    posts = _posts(visitor.page)
    link = visitor.page.locator(opener)

    link.focus()
    visitor.page.keyboard.press("Enter")

    dialog = visitor.page.locator(DIALOG)
    expect(dialog).to_be_visible()
    expect(dialog).to_have_js_property("open", True)
    assert dialog.evaluate("one => one.matches(':modal')")
    expect(dialog.locator(":focus")).to_have_count(1)
    assert visitor.page.url == visitor.site.url + "/", "no other page"

    visitor.page.keyboard.press("Escape")

    expect(dialog).to_have_count(0)
    expect(link).to_be_focused()
    expect(visitor.banner).to_be_visible()
    assert posts == []
    assert visitor.cookies() == {}
    assert visitor.records() == []


@pytest.mark.parametrize("decided", [False, True], ids=["undecided", "decided"])
def test_host_s_own_button_opens_it_and_gets_the_focus_back(arrive: Arrive, decided: bool) -> None:
    visitor = arrive()
    if decided:
        visitor.save(visitor.button("reject_all"))
        visitor.page.reload()
    own = visitor.page.locator("#own-button")
    own.evaluate("one => { one.onclick = () => { consentWidget.open(); }; }")

    own.focus()
    visitor.page.keyboard.press("Enter")
    dialog = visitor.page.locator(DIALOG)
    expect(dialog.locator(":focus")).to_have_count(1)
    visitor.page.keyboard.press("Escape")

    expect(dialog).to_have_count(0)
    expect(own).to_be_focused()


def test_second_opening_is_the_same_dialog(arrive: Arrive) -> None:
    visitor = arrive()

    visitor.call("Promise.all([consentWidget.open(), consentWidget.open()])")
    visitor.call("consentWidget.open()")

    expect(visitor.page.locator(PREFERENCES)).to_have_count(1)
    expect(visitor.page.locator(DIALOG)).to_be_visible()


@pytest.mark.parametrize("decided", [False, True], ids=["undecided", "decided"])
@pytest.mark.parametrize("opener", [SETTINGS, "#own-button"], ids=["settings link", "own button"])
def test_it_speaks_the_language_of_the_banner_where_the_page_says_another(
    arrive: Arrive, make_app: MakeApp, opener: str, decided: bool
) -> None:
    """A host's layout may say a fixed `lang`, as the one of the tutorial."""
    app = make_host(make_app, locale_selector=lambda: "vi")
    app.context_processor(lambda: {"lang": "en"})
    visitor = arrive(app=app, lang="en")
    expect(visitor.page.locator("html")).to_have_attribute("lang", "en")
    if decided:
        visitor.save(visitor.button("reject_all"))
        visitor.page.reload()
    visitor.page.locator("#own-button").evaluate("one => { one.dataset.consent = 'open-preferences'; }")

    visitor.page.locator(opener).click()

    expect(visitor.preferences).to_have_attribute("lang", "vi")
    expect(visitor.preferences.locator("h1")).to_have_text("Cài đặt cookie")
    visitor.save(visitor.button("save", visitor.preferences))
    assert visitor.records()[-1]["language"] == "vi"


@pytest.mark.parametrize(
    "width, height, font_percent",
    [
        (320, 640, 100),
        (390, 844, 100),
        (768, 1024, 100),
        (640, 320, 100),
        (1280, 800, 100),
        (390, 844, 200),
        (1280, 800, 200),
    ],
)
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_its_buttons_stay_in_sight_and_alike(
    arrive: Arrive, lang: str, width: int, height: int, font_percent: int
) -> None:
    """However much there is to read: open services, large text."""
    visitor = arrive(lang=lang, viewport={"width": width, "height": height})
    visitor.page.evaluate(f"document.documentElement.style.fontSize = '{font_percent}%'")
    visitor.page.evaluate("consentWidget.open()")
    expect(visitor.preferences).to_be_visible()
    for details in visitor.preferences.locator("details").all():
        details.evaluate("one => { one.open = true; }")

    for top in (0, 200, 100_000):
        visitor.preferences.evaluate("(one, top) => one.scrollTo(0, top)", top)
        for action in ("save", "reject_all", "accept_all"):
            expect(visitor.button(action, visitor.preferences)).to_be_in_viewport(ratio=0.98)
    refuse, accept = (
        visitor.button(action, visitor.preferences).bounding_box() for action in ("reject_all", "accept_all")
    )
    assert refuse is not None
    assert accept is not None
    assert (refuse["width"], refuse["height"]) == pytest.approx((accept["width"], accept["height"]), abs=0.1)


@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
@pytest.mark.parametrize("size", [(320, 640), (640, 320)], ids=["upright", "across"])
def test_its_buttons_hide_no_element_that_has_the_focus(
    arrive: Arrive, key: str, size: tuple[int, int]
) -> None:
    """WCAG 2.4.11."""
    visitor = arrive(viewport={"width": size[0], "height": size[1]})
    visitor.open_preferences()
    for details in visitor.preferences.locator("details").all():
        details.evaluate("one => { one.open = true; }")

    hidden = []
    for _ in range(16):
        visitor.page.keyboard.press(key)
        if visitor.preferences.locator(":focus").count() and not visitor.page.evaluate(SEES_FOCUS):
            hidden.append(visitor.preferences.locator(":focus").evaluate("one => one.outerHTML"))

    assert hidden == []


def test_focus_stays_in_it_while_it_is_open(arrive: Arrive) -> None:
    visitor = arrive()
    visitor.open_preferences()

    for key in ("Tab", "Shift+Tab"):
        for _ in range(20):
            visitor.page.keyboard.press(key)
            # Outside of the page, in the browser's own controls, the body has it.
            assert visitor.page.evaluate(
                f"document.activeElement === document.body || !!document.activeElement.closest('{DIALOG}')"
            )


def test_close_button_decides_nothing(arrive: Arrive) -> None:
    visitor = arrive()
    posts = _posts(visitor.page)
    visitor.open_preferences()
    visitor.tick("analytics")

    visitor.preferences.locator("form[method=dialog] [aria-label]").click()

    expect(visitor.page.locator(DIALOG)).to_have_count(0)
    expect(visitor.banner).to_be_visible()
    expect(visitor.page.locator(SETTINGS)).to_be_focused()
    assert posts == []
    assert visitor.records() == []
    visitor.open_preferences()
    expect(visitor.preferences.locator("input:checked")).to_have_count(0)


def test_saving_closes_it_and_returns_the_focus(arrive: Arrive) -> None:
    visitor = arrive()

    visitor.save_in_preferences("analytics")

    expect(visitor.page.locator(DIALOG)).to_have_count(0)
    expect(visitor.page.locator(SETTINGS)).to_be_focused()


def test_saving_from_the_banner_s_link_leaves_the_focus_in_the_page(arrive: Arrive) -> None:
    """The link went with the banner: the content is the next best place, never nowhere."""
    visitor = arrive()

    visitor.save_in_preferences("analytics", link=visitor.page.locator(BANNER_LINK))

    expect(visitor.page.locator(DIALOG)).to_have_count(0)
    expect(visitor.page.locator("main")).to_be_focused()


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_failed_save_opens_it_again_as_it_was_filled_in(arrive: Arrive, lang: str) -> None:
    visitor = arrive(lang=lang)
    visitor.open_preferences()
    visitor.tick("marketing")
    save = visitor.button("save", visitor.preferences)

    with broken_record(visitor.app), visitor.page.expect_response(is_save):
        save.click()

    alert = visitor.preferences.get_by_role("alert")
    expect(alert).to_contain_text({"vi": "Chưa lưu được", "en": "could not be saved"}[lang])
    expect(save).to_be_focused()
    assert visitor.preferences.locator("input:checked").evaluate_all("all => all.map(one => one.value)") == [
        "marketing"
    ]
    expect(visitor.banner).to_be_visible()
    assert visitor.records() == []
    visitor.save(save)
    assert visitor.granted() == [{"marketing"}]


def test_without_the_server_the_link_leads_to_the_page(arrive: Arrive) -> None:
    """Where the dialog cannot be had, the browser's own way there is taken."""
    visitor = arrive()
    visitor.page.route(
        "**/privacy/preferences*",
        lambda route: route.abort() if route.request.resource_type == "xhr" else route.continue_(),
    )

    visitor.page.locator(SETTINGS).click()

    expect(visitor.page).to_have_url(visitor.site.url + "/privacy/preferences")
    expect(visitor.page.locator(PREFERENCES)).to_be_visible()


@pytest.mark.parametrize("decided", [False, True], ids=["undecided", "decided"])
@pytest.mark.parametrize("key", ["Control", "Shift"])
def test_link_with_a_key_held_is_the_browser_s(arrive: Arrive, key: str, decided: bool) -> None:
    """A new tab or window is what was asked for."""
    visitor = arrive()
    if decided:
        visitor.save(visitor.button("reject_all"))
        visitor.page.reload()

    with visitor.page.context.expect_page() as opened:
        visitor.page.locator(SETTINGS).click(modifiers=[key])  # type: ignore[list-item]

    expect(opened.value.locator(f"section{PREFERENCES}")).to_be_visible()
    expect(visitor.page.locator(DIALOG)).to_have_count(0)


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_preferences_page_works_with_scripts_too(arrive: Arrive, lang: str) -> None:
    visitor = arrive("/page?here", lang=lang)
    page = visitor.page

    page.goto(visitor.site.url + "/privacy/preferences?next=/page?here")
    form = page.locator(PREFERENCES)
    expect(form.get_by_role("heading", level=1)).to_be_visible()
    expect(form.locator("form[method=dialog] [aria-label]")).to_be_hidden()
    form.locator("[value=analytics]").check()
    form.locator("button[value=save]").click()

    expect(page).to_have_url(visitor.site.url + "/page?here")
    expect(visitor.banner).to_be_hidden()
    assert visitor.granted() == [{"analytics"}]


@pytest.fixture
def asked_again(make_app: MakeApp, clock: factories.Clock) -> Flask:
    """A host; :func:`_announce` lets it ask about analytics again."""
    return make_host(make_app)


def _announce(app: Flask, clock: factories.Clock) -> None:
    """A material version 2 takes effect, which is known to the pages half a minute later."""
    factories.announce(
        factories.deployment(app).database, 2, effective_at=clock.now, ask_again=["analytics"], now=clock.now
    )
    clock.tick(minutes=1)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_new_version_asks_again_about_its_categories_and_says_what_changed(
    arrive: Arrive, asked_again: Flask, clock: factories.Clock, lang: str, scripts: bool
) -> None:
    visitor = arrive("/scripts", app=asked_again, lang=lang, scripts=scripts)
    visitor.save(visitor.button("accept_all"))
    titles = {one.name: one.title[lang] for one in factories.deployment(asked_again).register}

    _announce(asked_again, clock)
    visitor.open("/scripts")

    expect(visitor.banner).to_contain_text(f"What changed ({lang})")
    link = visitor.banner.locator(f"a[href='/privacy/{lang}/versions/2']")
    expect(link).to_be_visible()
    if scripts:
        visitor.until("window.ran")
        assert visitor.ran() == ["campaign"], "what was granted before goes on, analytics waits"
        assert visitor.state() == {
            "analytics": "undecided",
            "marketing": "granted",
            "preferences": "granted",
        }
    visitor.open_preferences()
    expect(visitor.preferences).to_contain_text(f"What changed ({lang})")
    expect(visitor.preferences).to_contain_text(titles["analytics"])
    checked = visitor.preferences.locator("input:checked").evaluate_all if scripts else None
    if checked:
        assert sorted(checked("all => all.map(one => one.value)")) == ["marketing", "preferences"]
    visitor.save(visitor.button("save", visitor.preferences))

    expect(visitor.banner).to_be_hidden()
    first, second = visitor.records()
    assert (first["notice"], second["notice"]) == (1, 2)
    assert visitor.granted()[-1] == {"marketing", "preferences"}


def test_new_wording_alone_asks_nobody_again(
    arrive: Arrive, asked_again: Flask, clock: factories.Clock, serve: Serve
) -> None:
    visitor = arrive(app=asked_again)
    visitor.save(visitor.button("accept_all"))

    factories.announce(
        factories.deployment(asked_again).database,
        2,
        effective_at=clock.now,
        change_class=ChangeClass.EDITORIAL,
        now=clock.now,
    )
    clock.tick(minutes=1)
    visitor.page.reload()

    expect(visitor.page.locator('[data-consent-widget="banner"]')).to_have_count(0)
    assert (
        visitor.page.evaluate("document.querySelector('[data-consent-widget=script]').dataset.notice") == "2"
    )
    assert set(visitor.state().values()) == {"granted"}


def test_choice_runs_out_after_182_days(arrive: Arrive, make_app: MakeApp, clock: factories.Clock) -> None:
    visitor = arrive(app=make_host(make_app))
    visitor.save(visitor.button("accept_all"))

    clock.tick(days=181)
    visitor.page.reload()
    expect(visitor.page.locator('[data-consent-widget="banner"]')).to_have_count(0)
    clock.tick(days=1)
    visitor.page.reload()

    expect(visitor.banner).to_be_visible()
    assert set(visitor.state().values()) == {"undecided"}
