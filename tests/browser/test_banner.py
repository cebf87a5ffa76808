"""The banner: fair, in nobody's way, quick to go, honest when a save failed."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests import factories
from tests.browser.conftest import Arrive, Serve
from tests.browser.host import MakeApp, broken_record, make_host
from tests.browser.visitor import BANNER, SEES_FOCUS, Visitor, tab_stops

PHONE = {"width": 320, "height": 568}
DESKTOP = {"width": 1280, "height": 800}

#: What makes one button look more important than another.
_LOOKS = """button => {
    const style = getComputedStyle(button), {width, height} = button.getBoundingClientRect();
    const kept = ["color", "backgroundColor", "borderColor", "borderWidth", "borderRadius", "fontSize",
        "fontWeight", "fontFamily", "padding", "opacity", "boxShadow", "textDecorationLine", "visibility"];
    return {tag: button.localName, classes: button.className, width, height,
        ...Object.fromEntries(kept.map(name => [name, style[name]]))};
}"""

#: Texts that are wider than their place, or out of the window to the side.
_CUT = """root => [...root.querySelectorAll("*")].filter(one => {
    const {left, right, width} = one.getBoundingClientRect(), style = getComputedStyle(one);
    if (!width || style.clipPath !== "none") return false;
    const isCut = style.overflowX !== "visible" && one.scrollWidth > one.clientWidth + 1;
    return isCut || left < -1 || right > document.documentElement.clientWidth + 1;
}).map(one => one.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_accepting_and_refusing_look_the_same(
    arrive: Arrive, lang: str, scheme: str, viewport: dict[str, int]
) -> None:
    visitor = arrive(lang=lang, color_scheme=scheme, viewport=viewport)

    accept, refuse = (visitor.button(action).evaluate(_LOOKS) for action in ("accept_all", "reject_all"))

    assert accept == refuse
    for action in ("accept_all", "reject_all"):
        expect(visitor.button(action)).to_be_in_viewport(ratio=1)
        # WCAG 2.5.8 asks for 24; fingers like 44.
        assert accept["height"] >= 44


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_nothing_is_ticked_before_the_visitor_ticks_it(arrive: Arrive, scripts: bool) -> None:
    visitor = arrive(scripts=scripts)
    expect(visitor.banner.locator("input:checked")).to_have_count(0)

    visitor.open_preferences()

    boxes = visitor.preferences.get_by_role("checkbox")
    expect(boxes).to_have_count(3)
    for box in boxes.all():
        expect(box).not_to_be_checked()
        expect(box).to_be_enabled()


@pytest.mark.parametrize(
    "lang, refuse, accept, options, privacy",
    [
        ("vi", "Từ chối tất cả", "Đồng ý tất cả", "Tùy chọn", "Chính sách bảo mật thông tin"),
        ("en", "Reject all", "Accept all", "Options", "Privacy"),
    ],
)
def test_banner_has_a_name_and_so_has_all_in_it(
    arrive: Arrive, lang: str, refuse: str, accept: str, options: str, privacy: str
) -> None:
    visitor = arrive(lang=lang)

    region = visitor.page.get_by_role("region", name="cookie").filter(has=visitor.banner)
    expect(region).to_have_count(1)
    expect(region).to_have_attribute("lang", lang)
    expect(region.get_by_role("heading", level=2)).to_be_visible()
    expect(region.get_by_role("button")).to_have_count(2)
    expect(region.get_by_role("button", name=refuse, exact=True)).to_be_visible()
    expect(region.get_by_role("button", name=accept, exact=True)).to_be_visible()
    expect(region.get_by_role("link", name=options, exact=True)).to_be_visible()
    notice = region.get_by_role("link", name=privacy)
    expect(notice).to_have_attribute("href", f"/privacy/{lang}/")


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_banner_says_what_the_law_asks_for(arrive: Arrive, lang: str) -> None:
    """Who asks, for which purposes, which of them are sensitive, that one can withdraw, and where."""
    visitor = arrive(lang=lang)

    expect(visitor.banner).to_contain_text(factories.CONTROLLER["name"])
    register = factories.deployment(visitor.app).register
    for category in register:
        if not category.necessary:
            expect(visitor.banner).to_contain_text(category.title[lang])
            expect(visitor.banner).to_contain_text(category.purpose[lang])
    sensitive = visitor.banner.get_by_text({"vi": "dữ liệu cá nhân nhạy cảm", "en": "sensitive"}[lang])
    for category in register:
        if category.sensitive:
            expect(sensitive).to_contain_text(category.title[lang])
    settings = visitor.page.locator("footer [data-consent='open-preferences']").inner_text()
    expect(visitor.banner).to_contain_text(settings)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_skip_link_is_first_and_leads_to_the_banner(arrive: Arrive, scripts: bool) -> None:
    visitor = arrive(scripts=scripts)
    page = visitor.page

    page.keyboard.press("Tab")
    skip = page.locator("[data-consent-widget=skip]")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport(ratio=1)
    expect(skip).not_to_have_accessible_name("")
    box = skip.bounding_box()
    assert box is not None
    assert box["height"] >= 24
    assert box["width"] >= 24
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    inside = visitor.banner.locator(":focus")
    expect(inside).to_have_count(1)
    assert page.evaluate("scrollY") == 0, "the banner is in view already, so the page stays where it was"


def test_skip_link_goes_with_the_banner(arrive: Arrive) -> None:
    visitor = arrive()

    visitor.save(visitor.button("reject_all"))
    visitor.page.reload()

    expect(visitor.page.locator("[data-consent-widget=skip]")).to_have_count(0)


def test_page_stays_usable_and_the_focus_free(arrive: Arrive) -> None:
    visitor = arrive()
    page = visitor.page

    page.locator("#own-button").click()
    stops = list(tab_stops(page))
    page.keyboard.press("Tab")

    assert stops.index("last-link") < stops.index("reject_all") < stops.index("accept_all")
    # Behind the banner the walk left the page and came in again at its top.
    expect(page.locator("[data-consent-widget=skip]")).to_be_focused()
    page.locator("#first-link").click()
    expect(page).to_have_url(visitor.site.url + "/")
    expect(visitor.banner).to_be_visible()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
def test_banner_hides_no_element_that_has_the_focus(
    arrive: Arrive, viewport: dict[str, int], key: str
) -> None:
    """WCAG 2.4.11, walking the page in both directions."""
    visitor = arrive(viewport=viewport)

    hidden = [at for at in tab_stops(visitor.page, key) if not visitor.page.evaluate(SEES_FOCUS)]

    assert hidden == []


@pytest.mark.parametrize(
    "viewport, font_percent",
    [(PHONE, 100), (PHONE, 200), (DESKTOP, 200)],
    ids=["320 px", "320 px, 200 %", "200 %"],
)
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_small_windows_and_large_text_lose_nothing(
    arrive: Arrive, lang: str, viewport: dict[str, int], font_percent: int
) -> None:
    visitor = arrive(None, lang=lang, viewport=viewport)
    page = visitor.page

    def look(place: str) -> None:
        page.evaluate(f"document.documentElement.style.fontSize = '{font_percent}%'")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{place} scrolls sideways"
        assert page.locator("body").evaluate(_CUT) == [], place

    visitor.open("/frames")
    look("banner and placeholders")
    for button in visitor.banner.get_by_role("button").all():
        button.scroll_into_view_if_needed()
        expect(button).to_be_in_viewport(ratio=1)
    visitor.open_preferences(visitor.banner.locator("[data-consent=open-preferences]"))
    for details in visitor.preferences.locator("summary").all():
        details.click()
    look("dialog")
    for button in visitor.preferences.get_by_role("button").all():
        button.scroll_into_view_if_needed()
        expect(button).to_be_in_viewport(ratio=1)
    for path in ("/privacy/preferences", f"/privacy/{lang}/", "/privacy/nowhere"):
        visitor.open(path)
        look(path)


def _luminance(page: Page, selector: str) -> float:
    """How bright the background of an element is, from 0 to 1."""
    found: float = page.locator(selector).evaluate(
        """one => {
            const [r, g, b] = getComputedStyle(one).backgroundColor.match(/[\\d.]+/g).map(Number);
            return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
        }"""
    )
    return found


def test_banner_follows_the_colour_scheme(arrive: Arrive) -> None:
    visitor = arrive(color_scheme="light")

    light = _luminance(visitor.page, BANNER)
    visitor.page.emulate_media(color_scheme="dark")
    dark = _luminance(visitor.page, BANNER)

    assert dark < 0.2 < 0.8 < light


def test_forced_colours_keep_edges_and_focus(arrive: Arrive) -> None:
    """Backgrounds and shadows go; borders and outlines must tell a button from a text."""
    visitor = arrive(forced_colors="active")
    page = visitor.page

    for action in ("accept_all", "reject_all"):
        border = visitor.button(action).evaluate(
            "one => { const s = getComputedStyle(one); return [s.borderTopStyle, s.borderTopWidth]; }"
        )
        assert border[0] == "solid"
        assert float(border[1].removesuffix("px")) >= 1
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    outline = page.locator(":focus").evaluate(
        "one => { const s = getComputedStyle(one); return [s.outlineStyle, s.outlineWidth]; }"
    )
    assert outline[0] not in ("none", "")
    assert float(outline[1].removesuffix("px")) >= 2


def test_reduced_motion_moves_nothing(arrive: Arrive) -> None:
    visitor = arrive(reduced_motion="reduce")

    visitor.open_preferences()

    moving = visitor.page.evaluate(
        """() => [...document.querySelectorAll("[class*=consent-widget], [class*=consent-widget] *")]
            .filter(one => {
                const {animationName, transitionDuration} = getComputedStyle(one);
                return animationName !== "none" || transitionDuration.split(", ").some(t => t !== "0s");
            }).map(one => one.className)"""
    )
    assert moving == []
    assert visitor.page.evaluate("document.getAnimations().length") == 0


_SHIFTS = """window.shifts = [];
new PerformanceObserver(list => shifts.push(...list.getEntries().map(one => one.value)))
    .observe({type: "layout-shift", buffered: true});"""


def _shifts(page: Page) -> list[float]:
    """All layout shifts so far, the frame that is being drawn included."""
    found: list[float] = page.evaluate(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(shifts))))"
    )
    return found


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("shared", [False, True], ids=["own page", "shared cache"])
def test_nothing_in_the_page_shifts(
    arrive: Arrive, make_app: MakeApp, viewport: dict[str, int], shared: bool
) -> None:
    app = make_host(make_app, config={"CONSENT_WIDGET_SHARED_CACHE": shared})
    visitor = arrive(None, app=app, viewport=viewport)
    visitor.page.add_init_script(_SHIFTS)

    visitor.open()
    expect(visitor.banner).to_be_visible()
    heading = visitor.page.locator("h1").bounding_box()
    visitor.save(visitor.button("reject_all"))
    expect(visitor.banner).to_be_hidden()

    assert _shifts(visitor.page) == []
    assert visitor.page.locator("h1").bounding_box() == heading


def test_banner_is_there_for_scanners_too(arrive: Arrive) -> None:
    """Some hide from automated browsers; what is measured must be what visitors see."""
    visitor = arrive()

    assert visitor.page.evaluate("navigator.webdriver") is True
    expect(visitor.banner).to_be_visible()


@pytest.mark.parametrize("size", [(390, 844), (768, 1024), (1280, 800)], ids=["phone", "tablet", "desktop"])
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_what_the_law_asks_for_is_in_sight_without_scrolling(
    arrive: Arrive, lang: str, size: tuple[int, int]
) -> None:
    """Who asks, what is sensitive, that one can withdraw, where all of it is told: before the purposes."""
    visitor = arrive(lang=lang, viewport={"width": size[0], "height": size[1]})
    words = {
        "vi": ("Bên kiểm soát", "rút lại", "nhạy cảm"),
        "en": ("Controller", "withdraw", "Sensitive"),
    }

    for part in words[lang]:
        expect(visitor.banner.locator("p", has_text=part).last).to_be_in_viewport(ratio=0.98)
    expect(visitor.banner.locator("p a")).to_be_in_viewport(ratio=0.98)


#: What scrolls within an element, and the background that tells of it.
_SCROLLING = """root => [root, ...root.querySelectorAll("*")]
    .filter(one => one.scrollHeight > one.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(one).overflowY))
    .map(one => getComputedStyle(one).backgroundAttachment)"""


@pytest.mark.parametrize(
    "width, height, font_percent", [(320, 640, 100), (390, 844, 100), (640, 320, 100), (390, 844, 200)]
)
def test_one_part_of_it_scrolls_and_says_so(
    arrive: Arrive, width: int, height: int, font_percent: int
) -> None:
    """The shadow lies still and the cover of its end does not: together they show while there is more to read."""
    visitor = arrive(viewport={"width": width, "height": height})
    visitor.page.evaluate(f"document.documentElement.style.fontSize = '{font_percent}%'")

    assert visitor.banner.evaluate(_SCROLLING) == ["local, scroll"]
    for action in ("reject_all", "accept_all"):
        expect(visitor.button(action)).to_be_in_viewport(ratio=0.98)
    expect(visitor.banner.locator("[data-consent]")).to_be_in_viewport(ratio=0.98)


@pytest.mark.parametrize("width", [320, 390, 640, 700, 768, 799, 800, 1280])
def test_its_buttons_fill_their_place(arrive: Arrive, width: int) -> None:
    visitor = arrive(viewport={"width": width, "height": 1024})

    place, refuse, accept = (
        one.bounding_box()
        for one in (
            visitor.banner.locator(".consent-widget-actions"),
            visitor.button("reject_all"),
            visitor.button("accept_all"),
        )
    )

    assert place is not None
    assert refuse is not None
    assert accept is not None
    assert refuse["x"] == pytest.approx(place["x"], abs=1)
    assert accept["x"] + accept["width"] == pytest.approx(place["x"] + place["width"], abs=1)
    assert refuse["width"] == pytest.approx(accept["width"], abs=0.1)


class _Held:
    """Keeps the answer to a save back until the test lets it go."""

    def __init__(self, page: Page) -> None:
        self.count = 0
        self._held: list[Route] | None = []
        page.route("**/privacy/preferences", self._hold)

    def _hold(self, route: Route) -> None:
        is_save = route.request.method == "POST"
        self.count += is_save
        if is_save and self._held is not None:
            self._held.append(route)
        else:
            route.continue_()

    def let_go(self) -> None:
        """From here on nothing is held, not even a save that has not left the page yet."""
        held, self._held = self._held or [], None
        for route in held:
            route.continue_()


@pytest.mark.parametrize("action", ["accept_all", "reject_all"])
def test_banner_goes_before_the_save_is_answered_and_scripts_wait_for_it(arrive: Arrive, action: str) -> None:
    visitor = arrive("/scripts")
    held = _Held(visitor.page)

    visitor.button(action).click()

    assert visitor.banner.is_hidden(), "at once: no waiting here"
    assert visitor.ran() == []
    assert set(visitor.state().values()) == {"undecided"}
    with visitor.page.expect_response("**/privacy/preferences"):
        held.let_go()
    expect(visitor.page.locator("[data-consent-widget=status]")).not_to_be_empty()
    if action == "accept_all":
        visitor.until("window.ran?.includes('campaign')")
    else:
        assert visitor.ran() == []


def test_second_click_saves_nothing_twice(arrive: Arrive) -> None:
    visitor = arrive()
    held = _Held(visitor.page)

    visitor.button("accept_all").dblclick(force=True)
    visitor.until("document.querySelector('.consent-widget-banner').hidden")
    held.let_go()
    expect(visitor.page.locator("[data-consent-widget=status]")).not_to_be_empty()

    assert held.count == 1
    assert len(visitor.records()) == 1


def _is_back_with_a_message(visitor: Visitor, button: Any) -> None:
    alert = visitor.banner.get_by_role("alert")
    expect(alert).to_be_visible()
    expect(alert).to_contain_text({"vi": "Chưa lưu được", "en": "could not be saved"}[visitor.lang])
    expect(visitor.banner).to_be_visible()
    expect(button).to_be_focused()
    assert visitor.ran() == []
    assert visitor.cookies() == {}
    assert visitor.records() == []
    assert set(visitor.state().values()) == {"undecided"}


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_failed_save_brings_the_banner_back_with_a_message(arrive: Arrive, lang: str) -> None:
    visitor = arrive("/scripts", lang=lang)
    accept = visitor.button("accept_all")

    with broken_record(visitor.app), visitor.page.expect_response("**/privacy/preferences") as answer:
        accept.click()
    assert answer.value.status == 503
    _is_back_with_a_message(visitor, accept)

    visitor.save(accept)
    expect(visitor.banner).to_be_hidden()
    assert visitor.granted() == [{"analytics", "marketing", "preferences"}]


def test_save_that_never_arrives_brings_the_banner_back(arrive: Arrive) -> None:
    visitor = arrive("/scripts")
    visitor.page.route("**/privacy/preferences", lambda route: route.abort())
    refuse = visitor.button("reject_all")

    refuse.click()

    _is_back_with_a_message(visitor, refuse)


def test_answer_that_is_no_answer_grants_nothing(arrive: Arrive) -> None:
    """A captive portal answers everything with a page of its own and 200."""
    visitor = arrive("/scripts")
    visitor.page.route(
        "**/privacy/preferences",
        lambda route: route.fulfill(status=200, content_type="text/html", body="<h1>Sign in</h1>"),
    )
    accept = visitor.button("accept_all")

    accept.click()

    _is_back_with_a_message(visitor, accept)


def test_who_answered_sees_no_banner_not_even_for_a_moment(
    arrive: Arrive, make_app: MakeApp, serve: Serve
) -> None:
    app = make_host(make_app)
    visitor = arrive(app=app, site=serve(app))
    visitor.save(visitor.button("reject_all"))

    with visitor.page.expect_response("**/page") as answer:
        visitor.open("/page")

    assert 'data-consent-widget="banner"' not in answer.value.text()
    expect(visitor.page.locator(BANNER)).to_have_count(0)
