"""Scripts and frames that wait for a consent, and cookies that go with it."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Arrive
from tests.browser.host import MakeApp, Policy, make_host
from tests.browser.visitor import Visitor, is_save, third_party_requests

#: In the order of the document; those that are deferred after the others, as while a page is parsed.
ANALYTICS = ["late", "inline", "handwritten", "deferred", "module", "inline module"]


def _wait_for_scripts(visitor: Visitor, *expected: str) -> list[str]:
    """What ran without the asynchronous script, which may come at any time; once it is ``expected``."""
    visitor.until(f"window.ran?.length > {len(expected)}")
    ran = visitor.ran()
    assert ran.count("async") == 1
    return [name for name in ran if name != "async"]


def test_before_a_choice_nothing_is_asked_of_a_third_party(arrive: Arrive) -> None:
    visitor = arrive(None)
    requests = third_party_requests(visitor.page, visitor.site)

    visitor.open("/scripts")
    visitor.until("!!window.consentWidget?.granted")
    visitor.open("/frames")
    expect(visitor.page.locator("[data-consent-widget=frame]")).to_have_count(2)

    assert requests == []


@pytest.mark.parametrize("policy", [Policy.NONE, Policy.NONCE])
def test_accepted_scripts_run_once_in_their_order(arrive: Arrive, make_app: MakeApp, policy: Policy) -> None:
    visitor = arrive("/scripts", app=make_host(make_app, policy))

    visitor.save_in_preferences("analytics")

    assert _wait_for_scripts(visitor, *ANALYTICS) == ANALYTICS
    # Another save finds nothing left to run but the other category's.
    visitor.save_in_preferences("analytics", "marketing")
    visitor.until("ran.includes('campaign')")
    assert sorted(visitor.ran()) == sorted([*ANALYTICS, "async", "campaign"])


@pytest.mark.parametrize("policy", [Policy.NONE, Policy.NONCE])
def test_next_page_has_them_live(arrive: Arrive, make_app: MakeApp, policy: Policy) -> None:
    visitor = arrive("/page", app=make_host(make_app, policy))
    visitor.save_in_preferences("analytics")

    visitor.open("/scripts")

    ran = _wait_for_scripts(visitor, *ANALYTICS)
    assert sorted(ran) == sorted(ANALYTICS)
    # The hand-written one has to be revived; the others are the browser's own business.
    printed = [name for name in ran if name not in ("handwritten", "inline module", "deferred", "module")]
    assert printed == ["late", "inline"]
    assert "campaign" not in ran
    expect(visitor.page.locator('script[type="text/plain"][data-category=analytics]')).to_have_count(0)
    expect(visitor.page.locator('script[type="text/plain"][data-category=marketing]')).to_have_count(1)


def test_attributes_of_a_revived_script_are_kept(arrive: Arrive) -> None:
    visitor = arrive("/scripts")

    visitor.save(visitor.button("accept_all"))
    visitor.until("window.ran?.includes('module') && ran.includes('inline')")

    late = visitor.page.locator("#late")
    expect(late).to_have_class("counter")
    expect(late).to_have_attribute("data-site", "7")
    expect(late).to_have_attribute("data-category", "analytics")
    expect(late).to_have_attribute("crossorigin", "anonymous")
    expect(late).to_have_attribute("referrerpolicy", "no-referrer")
    expect(late).to_have_attribute("src", f"{visitor.site.other_url}/third/script/late.js?late")
    expect(late).not_to_have_attribute("type", "text/plain")
    expect(visitor.page.locator('script[src*="module.js"]')).to_have_attribute("type", "module")
    expect(visitor.page.locator('script[data-service="counter"]')).to_have_count(1)


def test_script_that_is_not_to_be_had_stops_none_after_it(arrive: Arrive) -> None:
    visitor = arrive("/scripts")
    visitor.page.route("**/late.js*", lambda route: route.abort())

    visitor.save_in_preferences("analytics")

    assert _wait_for_scripts(visitor, *ANALYTICS[1:]) == ANALYTICS[1:]


def test_script_that_throws_stops_none_after_it(arrive: Arrive) -> None:
    visitor = arrive("/scripts")
    visitor.page.route("**/late.js*", lambda route: route.fulfill(body="throw new Error('theirs')"))

    visitor.save_in_preferences("analytics")

    assert _wait_for_scripts(visitor, *ANALYTICS[1:]) == ANALYTICS[1:]


_ADD_SCRIPT = """url => {
    const added = document.createElement("script");
    added.type = "text/plain";
    added.dataset.category = "analytics";
    added.dataset.src = url;
    document.body.append(added);
}"""


@pytest.mark.parametrize("reload", [False, True], ids=["same page", "next page"])
def test_script_added_later_waits_and_runs(arrive: Arrive, reload: bool) -> None:
    visitor = arrive()
    url = f"{visitor.site.other_url}/third/script/added.js"
    requests = third_party_requests(visitor.page, visitor.site)

    visitor.page.evaluate(_ADD_SCRIPT, url)
    assert visitor.ran() == []
    assert requests == []
    visitor.save_in_preferences("analytics")
    visitor.until("window.ran?.length === 1")
    if reload:
        visitor.page.reload()
        assert visitor.ran() == []
    visitor.page.evaluate(_ADD_SCRIPT, url + "?again")

    visitor.until(f"window.ran?.length === {1 if reload else 2}")


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_blocked_frames_have_a_placeholder_that_asks(arrive: Arrive, lang: str) -> None:
    visitor = arrive(None, lang=lang)
    requests = third_party_requests(visitor.page, visitor.site)

    visitor.open("/frames")

    places = visitor.page.locator("[data-consent-widget=frame]")
    expect(places).to_have_count(2)
    marketing = {"vi": "Tiếp thị", "en": "Marketing"}[lang]
    for place in places.all():
        expect(place).to_contain_text(marketing)
        expect(place.get_by_role("button", name=marketing)).to_be_visible()
        expect(place.locator("a")).to_have_attribute("href", f"/privacy/{lang}/")
    expect(visitor.page.frame_locator("iframe").first.locator("h1")).to_have_count(0)
    assert requests == []


@pytest.mark.parametrize("at, title", [(0, "Film one"), (1, "Film two")], ids=["printed", "hand-written"])
def test_placeholder_grants_its_category_alone(arrive: Arrive, at: int, title: str) -> None:
    visitor = arrive("/frames")
    places = visitor.page.locator("[data-consent-widget=frame]")
    expect(places).to_have_count(2)
    # Chromium itself may drop the focus when the frame's document comes from another process.
    visitor.page.evaluate(
        "() => addEventListener('focusin', event => { window.focused = event.target.title; })"
    )

    visitor.save(places.nth(at).get_by_role("button"))

    for film in ("Film one", "Film two"):
        frame = visitor.page.locator(f"iframe[title='{film}']")
        expect(frame.content_frame.get_by_role("heading")).to_have_text("Third party")
    expect(places).to_have_count(0)
    assert visitor.state() == {"analytics": "undecided", "marketing": "granted", "preferences": "undecided"}
    assert visitor.view() == "marketing:1"
    (record,) = visitor.records()
    assert record["decisions"] == {"marketing": True}
    expect(visitor.banner).to_be_visible()
    visitor.until(f"window.focused === '{title}'")


def test_placeholder_says_so_when_the_save_fails(arrive: Arrive) -> None:
    visitor = arrive("/frames")
    visitor.page.route("**/privacy/preferences", lambda route: route.abort())
    place = visitor.page.locator("[data-consent-widget=frame]").first
    button = place.get_by_role("button")

    button.click()

    expect(place.get_by_role("alert")).to_contain_text("could not be saved")
    expect(button).to_be_focused()
    expect(visitor.page.locator("iframe[src]")).to_have_count(0)
    assert visitor.records() == []


def test_placeholder_is_a_plain_form(arrive: Arrive) -> None:
    visitor = arrive("/frames?here", scripts=False)
    place = visitor.page.locator("[data-consent-widget=frame]")
    expect(place).to_have_count(1)

    visitor.save(place.get_by_role("button"))

    assert visitor.page.url == visitor.site.url + "/frames?here"
    film = visitor.page.locator("iframe[title='Film one']")
    expect(film.content_frame.get_by_role("heading")).to_have_text("Third party")
    expect(visitor.banner).to_be_visible()
    assert [record["decisions"] for record in visitor.records()] == [{"marketing": True}]


def test_withdrawal_empties_the_frames(arrive: Arrive) -> None:
    visitor = arrive("/frames")
    visitor.save(visitor.button("accept_all"))
    visitor.page.reload()
    film = visitor.page.locator("iframe[title='Film one']")
    expect(film.content_frame.get_by_role("heading")).to_have_text("Third party")
    requests = third_party_requests(visitor.page, visitor.site)

    visitor.open_preferences()
    visitor.save(visitor.button("reject_all", visitor.preferences))

    expect(visitor.page.locator("[data-consent-widget=frame]")).to_have_count(2)
    expect(visitor.page.locator("iframe[src]")).to_have_count(0)
    expect(film.content_frame.get_by_role("heading")).to_have_count(0)
    assert requests == []


def test_frame_added_later_waits_and_loads(arrive: Arrive) -> None:
    visitor = arrive()
    requests = third_party_requests(visitor.page, visitor.site)

    visitor.page.evaluate(
        """url => {
            const frame = document.createElement("iframe");
            Object.assign(frame, {title: "Added"});
            frame.dataset.category = "marketing";
            frame.dataset.src = url;
            document.querySelector("main").prepend(frame);
        }""",
        f"{visitor.site.other_url}/third/frame",
    )
    place = visitor.page.locator("[data-consent-widget=frame]")
    expect(place).to_be_visible()
    assert requests == []
    visitor.save(place.get_by_role("button"))

    film = visitor.page.locator("iframe[title='Added']")
    expect(film.content_frame.get_by_role("heading")).to_have_text("Third party")


def test_frame_never_runs_a_script_address(arrive: Arrive) -> None:
    visitor = arrive()
    visitor.save(visitor.button("accept_all"))

    visitor.page.evaluate(
        """() => {
            const frame = document.createElement("iframe");
            frame.title = "Bad";
            frame.dataset.category = "marketing";
            frame.dataset.src = "javascript:parent.ran = ['bad']";
            document.querySelector("main").prepend(frame);
        }"""
    )
    # One more round through the observer and the frames.
    visitor.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")

    assert visitor.ran() == []
    assert not visitor.page.locator("iframe[title=Bad]").get_attribute("src")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_withdrawal_removes_cookies_that_scripts_see_and_those_they_do_not(
    arrive: Arrive, scripts: bool
) -> None:
    visitor = arrive(scripts=scripts)
    visitor.save(visitor.button("accept_all"))
    visitor.open("/cookies")
    url = visitor.site.url
    visitor.page.context.add_cookies(
        [
            {"name": "_ga_1", "value": "1", "url": url},
            {"name": "_ga_2", "value": "2", "domain": "127.0.0.1", "path": "/", "httpOnly": True},
            {"name": "own", "value": "kept", "url": url},
        ]
    )
    shop = {cookie["name"] for cookie in visitor.page.context.cookies(url + "/shop")}
    assert {"visitor", "campaign", "layout", "_ga_1", "_ga_2", "own"} <= shop

    visitor.save_in_preferences("preferences")

    left = {cookie["name"] for cookie in visitor.page.context.cookies()}
    assert left == {"consent", "consent_view", "layout", "own"}


def test_cookies_at_odd_places_are_removed_where_a_script_can(arrive: Arrive) -> None:
    """A third party's script may have set them on any path down to this page."""
    visitor = arrive("/page")
    visitor.save(visitor.button("accept_all"))
    visitor.page.evaluate("document.cookie = 'visitor=1; path=/page'")
    visitor.page.evaluate("document.cookie = '_ga_9=1; path=/'")
    assert {"visitor", "_ga_9"} <= {cookie["name"] for cookie in visitor.page.context.cookies()}

    visitor.open_preferences()
    visitor.save(visitor.button("reject_all", visitor.preferences))

    visitor.until("!/visitor|_ga_9/.test(document.cookie)")


def test_refused_cookies_are_never_stored(arrive: Arrive) -> None:
    visitor = arrive("/cookies")
    assert visitor.cookies() == {}

    visitor.save_in_preferences("analytics")
    visitor.open("/cookies")

    assert visitor.cookies().keys() == {"consent", "consent_view", "visitor"}


def test_revival_waits_for_the_whole_document(arrive: Arrive) -> None:
    """A decided visitor's page with a hand-written script before and after a slow, printed one."""
    visitor = arrive("/page")
    with visitor.page.expect_response(is_save):
        visitor.button("accept_all").click()
    expect(visitor.banner).to_be_hidden()

    visitor.open("/scripts")

    visitor.until("window.ran?.length === 8")
    ran = visitor.ran()
    assert ran.index("late") < ran.index("inline") < ran.index("campaign")


@pytest.mark.parametrize("title", ["Film one", "Film two"])
def test_record_names_the_language_of_the_placeholder(arrive: Arrive, make_app: MakeApp, title: str) -> None:
    """Not the page's: its words are the ones that were agreed to."""
    app = make_host(make_app, locale_selector=lambda: "vi")
    app.context_processor(lambda: {"lang": "en"})
    visitor = arrive("/frames", app=app)

    place = visitor.page.locator("[data-consent-widget=frame]").filter(
        has=visitor.page.locator(f"iframe[title='{title}']")
    )
    visitor.save(place.get_by_role("button"))

    (record,) = visitor.records()
    assert record["language"] == "vi"
