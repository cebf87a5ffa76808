"""Content security policies: ours on our pages, the host's strictest on its own, and frames around us."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Arrive
from tests.browser.host import MakeApp, Policy, make_host
from tests.browser.visitor import complaints_of


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("shared", [False, True], ids=["own page", "shared cache"])
def test_whole_walk_violates_nothing(arrive: Arrive, make_app: MakeApp, policy: Policy, shared: bool) -> None:
    """Banner, dialog, scripts, frames, a next page and the withdrawal."""
    if shared and policy is Policy.NONCE:
        pytest.skip("a page for everybody has no nonce")
    app = make_host(make_app, policy, config={"CONSENT_WIDGET_SHARED_CACHE": shared})
    visitor = arrive(None, app=app)
    complaints = complaints_of(visitor.page)

    visitor.open("/scripts")
    expect(visitor.banner).to_be_visible()
    assert visitor.banner.evaluate("one => getComputedStyle(one).position") == "fixed", "the style is there"
    visitor.save_in_preferences("analytics")
    visitor.until("window.ran?.includes('module')")
    visitor.open("/frames")
    visitor.save(visitor.page.locator("[data-consent-widget=frame]").first.get_by_role("button"))
    film = visitor.page.locator("iframe[title='Film two']")
    expect(film.content_frame.get_by_role("heading")).to_have_text("Third party")
    visitor.open("/scripts")
    visitor.until("['campaign', 'module'].every(one => window.ran?.includes(one))")
    visitor.open("/frames")
    expect(film.content_frame.get_by_role("heading")).to_have_text("Third party")
    visitor.open_preferences()
    visitor.save(visitor.button("reject_all", visitor.preferences))
    expect(visitor.page.locator("[data-consent-widget=frame]")).to_have_count(2)

    assert visitor.granted() == [{"analytics"}, {"analytics", "marketing"}, set()]
    assert complaints == []


@pytest.mark.parametrize("policy", [Policy.NONCE, Policy.STRICT])
def test_placeholder_alone_has_its_style(arrive: Arrive, make_app: MakeApp, policy: Policy) -> None:
    """On a page of a visitor who refused there is no banner whose style it could borrow."""
    visitor = arrive(app=make_host(make_app, policy))
    visitor.save(visitor.button("reject_all"))
    complaints = complaints_of(visitor.page)

    visitor.open("/frames")

    places = visitor.page.locator("[data-consent-widget=frame]")
    expect(places).to_have_count(2)
    for place in places.all():
        expect(place.locator("form")).to_have_css("border-top-style", "solid")
    assert complaints == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_our_own_pages_violate_nothing(arrive: Arrive, lang: str, scripts: bool) -> None:
    visitor = arrive(None, lang=lang, scripts=scripts)
    complaints = complaints_of(visitor.page)

    for path in ("/privacy/preferences", f"/privacy/{lang}/", f"/privacy/{lang}/versions/1"):
        visitor.open(path)

    assert complaints == []


@pytest.mark.parametrize("path", ["/privacy/preferences", "/privacy/en/", "/privacy/nowhere"])
def test_nobody_else_may_frame_our_pages(arrive: Arrive, path: str) -> None:
    """A button of ours under somebody else's picture would be pressed without meaning it."""
    visitor = arrive(None)

    with visitor.page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        visitor.page.goto(f"{visitor.site.other_url}/framing?path={visitor.site.url}{path}")

    # What the browser shows instead is its own.
    ours = visitor.page.frame_locator("iframe").locator("[class*=consent-widget]")
    expect(ours).to_have_count(0)


def test_site_itself_may_frame_its_notice(arrive: Arrive) -> None:
    visitor = arrive("/framing?path=/privacy/en/")

    expect(visitor.page.frame_locator("iframe").locator("article[data-notice]")).to_be_visible()
