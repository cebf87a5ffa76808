"""Pages that are the same bytes for everybody: the script finds out who has to be asked."""

import pytest
from flask import Flask
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Arrive
from tests.browser.host import MakeApp, make_host, with_signal
from tests.browser.visitor import BANNER, PREFERENCES, Visitor

#: Counts each moment at which a banner was shown.
_WATCH = """window.sightings = 0;
new MutationObserver(() => {
    const banner = document.querySelector('[data-consent-widget="banner"]');
    if (banner && !banner.closest("[hidden]")) window.sightings += 1;
}).observe(document, {subtree: true, childList: true, attributes: true});"""


@pytest.fixture
def shared(make_app: MakeApp) -> Flask:
    """A host behind a shared cache."""
    return make_host(make_app, config={"CONSENT_WIDGET_SHARED_CACHE": True})


def _watching(visitor: Visitor) -> Visitor:
    visitor.page.add_init_script(_WATCH)
    return visitor


def _sightings(page: Page) -> int:
    found: int = page.evaluate("sightings")
    return found


@pytest.mark.parametrize("path", ["/page", "/privacy/en/"], ids=["host", "notice"])
def test_undecided_visitor_is_asked(arrive: Arrive, shared: Flask, path: str) -> None:
    visitor = arrive(path, app=shared)
    expect(visitor.banner).to_be_visible()

    visitor.save(visitor.button("reject_all"))

    expect(visitor.banner).to_be_hidden()
    assert visitor.granted() == [set()]
    assert visitor.page.url == visitor.site.url + path


@pytest.mark.parametrize("action", ["accept_all", "reject_all"])
@pytest.mark.parametrize("path", ["/page", "/privacy/en/"], ids=["host", "notice"])
def test_who_answered_sees_no_banner_not_even_for_a_moment(
    arrive: Arrive, shared: Flask, path: str, action: str
) -> None:
    visitor = _watching(arrive(app=shared))
    visitor.save(visitor.button(action))

    with visitor.page.expect_response("**/privacy/state"):
        visitor.open(path)
    visitor.until("Object.values(consentWidget.state()).every(one => one !== 'undecided')")

    assert _sightings(visitor.page) == 0
    expect(visitor.page.locator(BANNER)).to_be_hidden()


def test_everybody_gets_the_same_bytes(arrive: Arrive, shared: Flask) -> None:
    visitor = arrive(app=shared)
    url = visitor.site.url + "/scripts"
    before = visitor.page.request.get(url)

    visitor.save(visitor.button("accept_all"))
    after = visitor.page.request.get(url)

    assert before.body() == after.body()
    for answer in (before, after):
        assert "cookie" not in answer.headers.get("vary", "").lower()
        assert "private" not in answer.headers.get("cache-control", "")


def test_granted_scripts_run_once_the_server_confirmed_it(arrive: Arrive, shared: Flask) -> None:
    visitor = arrive("/page", app=shared)
    visitor.save(visitor.button("accept_all"))

    visitor.open("/scripts")

    visitor.until("window.ran?.length === 8")
    order = [name for name in visitor.ran() if name != "async"]
    assert order == [
        "late",
        "inline",
        "campaign",
        "handwritten",
        "deferred",
        "module",
        "inline module",
    ]


def test_granted_frames_load(arrive: Arrive, shared: Flask) -> None:
    visitor = arrive("/frames", app=shared)
    expect(visitor.page.locator("[data-consent-widget=frame]")).to_have_count(2)

    visitor.save(visitor.button("accept_all"))
    visitor.page.reload()

    for title in ("Film one", "Film two"):
        film = visitor.page.locator(f"iframe[title='{title}']")
        expect(film.content_frame.get_by_role("heading")).to_have_text("Third party")


def test_forged_mirror_runs_nothing_and_is_asked(arrive: Arrive, shared: Flask) -> None:
    visitor = arrive(None, app=shared)
    forged = "analytics:1.marketing:1.preferences:1"
    visitor.page.context.add_cookies([{"name": "consent_view", "value": forged, "url": visitor.site.url}])

    visitor.open("/scripts")

    expect(visitor.banner).to_be_visible()
    assert visitor.ran() == []
    assert set(visitor.state().values()) == {"undecided"}


def test_unreachable_server_grants_nothing(arrive: Arrive, shared: Flask) -> None:
    """The mirror says yes, but nobody confirms it."""
    visitor = arrive("/page", app=shared)
    visitor.save(visitor.button("accept_all"))
    visitor.page.route("**/privacy/state", lambda route: route.abort())

    with visitor.page.expect_event("requestfailed", lambda request: "/state" in request.url):
        visitor.open("/scripts")
    visitor.call("new Promise(done => setTimeout(done))")

    assert visitor.ran() == []


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_without_scripts_a_link_leads_to_the_preferences(arrive: Arrive, shared: Flask, lang: str) -> None:
    visitor = arrive("/page?here", app=shared, lang=lang, scripts=False)
    expect(visitor.banner).to_be_hidden()

    visitor.page.locator("noscript a[href='/privacy/preferences']").click()
    expect(visitor.page.locator(PREFERENCES)).to_be_visible()
    visitor.tick("analytics")
    visitor.save(visitor.button("save", visitor.preferences))

    assert visitor.page.url == visitor.site.url + "/page?here"
    assert visitor.granted() == [{"analytics"}]


@pytest.mark.parametrize("tells_scripts", [True, False], ids=["header and script", "header alone"])
def test_signal_in_the_browser_refuses_as_the_server_says(
    arrive: Arrive, shared: Flask, tells_scripts: bool
) -> None:
    """Where no script can see the header, nobody but the server knows of it."""
    visitor = _watching(arrive(None, app=with_signal(shared)))
    if tells_scripts:
        visitor.page.add_init_script(
            "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true})"
        )

    visitor.open("/scripts")
    visitor.until("window.consentWidget?.state?.().analytics === 'denied'")

    assert _sightings(visitor.page) == 0
    assert set(visitor.state().values()) == {"denied"}
    assert visitor.ran() == []
    assert visitor.cookies() == {}


def test_choice_made_before_the_server_told_what_it_knows_stands(arrive: Arrive, shared: Flask) -> None:
    """The answer about before must not overtake the choice."""
    visitor = arrive(None, app=shared)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    visitor.page.route("**/privacy/state", hold)
    visitor.open("/page")
    visitor.until("!!document.querySelector('[data-started]')")
    visitor.page.evaluate("window.choice = consentWidget.accept(), 0")

    visitor.until("document.readyState === 'complete'")
    for route in held:
        route.continue_()

    visitor.call("window.choice")
    assert set(visitor.state().values()) == {"granted"}
    expect(visitor.banner).to_be_hidden()
