"""`window.consentWidget`: what pages can ask and do, what they are told, and what nobody can talk it into."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import factories
from tests.browser import chromium
from tests.browser.conftest import Arrive, Serve
from tests.browser.host import MakeApp, broken_record, make_host
from tests.browser.visitor import BANNER, DIALOG, SETTINGS, Visitor

UNDECIDED = {"analytics": "undecided", "marketing": "undecided", "preferences": "undecided"}
GRANTED = dict.fromkeys(UNDECIDED, "granted")
DENIED = dict.fromkeys(UNDECIDED, "denied")

#: Writes down every event from the first script on.
_LISTEN = """window.told = [];
for (const event of ["ready", "decided", "changed", "withdrawn"]) {
    document.addEventListener(`consent-widget:${event}`, ({detail}) =>
        told.push([event, {...detail.categories}, [...detail.changed].sort(), detail.notice]));
}"""


def _listening(arrive: Arrive, path: str = "/") -> Visitor:
    visitor = arrive(None)
    visitor.page.add_init_script(_LISTEN)
    visitor.open(path)
    return visitor


def _told(visitor: Visitor) -> list[Any]:
    """The events since the last time."""
    found: list[Any] = visitor.page.evaluate("told.splice(0)")
    return found


def test_page_is_told_of_each_decision(arrive: Arrive) -> None:
    visitor = _listening(arrive)
    visitor.until("told.length")
    assert _told(visitor) == [["ready", UNDECIDED, [], 1]]

    visitor.save_in_preferences("analytics")
    part = DENIED | {"analytics": "granted"}
    everything = sorted(UNDECIDED)
    assert _told(visitor) == [["decided", part, everything, 1], ["changed", part, everything, 1]]

    visitor.save_in_preferences("analytics")
    assert _told(visitor) == [["decided", part, [], 1]], "decided once more, but nothing changed"

    visitor.save_in_preferences("marketing")
    other = DENIED | {"marketing": "granted"}
    assert _told(visitor) == [
        ["decided", other, ["analytics", "marketing"], 1],
        ["changed", other, ["analytics", "marketing"], 1],
        ["withdrawn", other, ["analytics"], 1],
    ]

    visitor.page.reload()
    visitor.until("told.length")
    assert _told(visitor) == [["ready", other, [], 1]]


def test_failed_save_tells_nothing(arrive: Arrive) -> None:
    visitor = _listening(arrive)
    visitor.until("told.length")
    _told(visitor)

    with broken_record(visitor.app):
        failed = visitor.call("consentWidget.accept().then(() => 'saved', () => 'failed')")

    assert failed == "failed"
    assert _told(visitor) == []
    assert visitor.state() == UNDECIDED
    expect(visitor.banner).to_be_visible()


def test_events_bubble_to_the_document_and_cannot_be_forged_into_a_grant(arrive: Arrive) -> None:
    visitor = arrive("/scripts")

    visitor.page.evaluate(
        """() => document.dispatchEvent(new CustomEvent("consent-widget:changed",
            {detail: {categories: {analytics: "granted"}, changed: ["analytics"], notice: 1}}))"""
    )

    assert visitor.state() == UNDECIDED
    assert visitor.ran() == []


def test_late_listener_gets_the_state_at_once_and_then_each_change(arrive: Arrive) -> None:
    visitor = arrive()

    now = visitor.page.evaluate(
        """() => {
            window.heard = [];
            consentWidget.onChange(({categories, changed, notice}) =>
                heard.push([{...categories}, [...changed].sort(), notice]));
            return heard.length;
        }"""
    )
    visitor.call("consentWidget.reject()")

    assert now == 1
    assert visitor.page.evaluate("heard") == [[UNDECIDED, [], 1], [DENIED, sorted(UNDECIDED), 1]]


def test_state_is_there_without_waiting(arrive: Arrive) -> None:
    visitor = arrive()

    found = visitor.page.evaluate(
        """() => [{...consentWidget.state()}, consentWidget.granted("analytics"), consentWidget.granted("nonsense"),
            consentWidget.granted("constructor"), consentWidget.granted("__proto__")]"""
    )

    assert found == [UNDECIDED, False, False, False, False]


def test_accepting_some_leaves_the_others_as_they_are(arrive: Arrive) -> None:
    visitor = arrive()

    visitor.call("consentWidget.accept(['analytics'])")

    assert visitor.state() == UNDECIDED | {"analytics": "granted"}
    assert visitor.view() == "analytics:1"
    assert [record["decisions"] for record in visitor.records()] == [{"analytics": True}]
    expect(visitor.banner).to_be_visible()
    visitor.page.reload()
    assert visitor.state() == UNDECIDED | {"analytics": "granted"}
    expect(visitor.banner).to_be_visible()


def test_accepting_and_rejecting_all(arrive: Arrive) -> None:
    visitor = arrive()

    visitor.call("consentWidget.accept()")
    assert visitor.state() == GRANTED
    expect(visitor.banner).to_be_hidden()
    visitor.call("consentWidget.reject()")

    assert visitor.state() == DENIED
    assert visitor.granted() == [set(UNDECIDED), set()]


def test_quick_clicks_are_saved_one_after_the_other(arrive: Arrive) -> None:
    """The last one wins, in the page and on record."""
    visitor = arrive()

    visitor.call(
        "Promise.all([consentWidget.accept(), consentWidget.reject(), consentWidget.accept(['analytics'])])"
    )

    assert visitor.state() == DENIED | {"analytics": "granted"}
    assert visitor.granted() == [set(UNDECIDED), set(), {"analytics"}]


@pytest.mark.parametrize(
    "action, state", [("accept-all", GRANTED), ("reject-all", DENIED)], ids=["accept", "reject"]
)
@pytest.mark.parametrize("decided", [False, True], ids=["undecided", "decided"])
def test_host_s_own_buttons_decide(arrive: Arrive, action: str, state: dict[str, str], decided: bool) -> None:
    visitor = arrive()
    if decided:
        visitor.call("consentWidget.accept(['marketing']).then(() => consentWidget.reject())")
        visitor.page.reload()
    visitor.page.locator("#own-button").evaluate("(one, action) => { one.dataset.consent = action; }", action)

    visitor.page.locator("#own-button").click()

    visitor.until(f"consentWidget.state().analytics === '{state['analytics']}'")
    assert visitor.state() == state
    expect(visitor.page.locator(BANNER)).to_be_hidden()


def _forge(visitor: Visitor, view: str) -> None:
    visitor.page.context.add_cookies([{"name": "consent_view", "value": view, "url": visitor.site.url}])


FORGED = "analytics:1.marketing:1.preferences:1"


def test_forged_mirror_grants_an_undecided_visitor_nothing(arrive: Arrive) -> None:
    visitor = arrive(None)
    _forge(visitor, FORGED)

    visitor.open("/scripts")
    expect(visitor.banner).to_be_visible()
    # A first answer of the server's settles it.
    visitor.call("fetch('/privacy/state').then(answer => answer.text())")

    assert visitor.state() == UNDECIDED
    assert visitor.ran() == []
    expect(visitor.banner).to_be_visible()
    assert visitor.records() == []


def test_forged_mirror_undoes_no_refusal(arrive: Arrive) -> None:
    visitor = arrive()
    visitor.save(visitor.button("reject_all"))
    _forge(visitor, FORGED)
    state = []
    visitor.page.on("response", lambda answer: state.append(answer) if "/state" in answer.url else None)

    visitor.open("/scripts")
    visitor.until("!!window.consentWidget?.granted")
    visitor.call("fetch('/privacy/state').then(answer => answer.text())")

    assert visitor.state() == DENIED
    assert visitor.ran() == []


def test_forged_mirror_during_a_page_view_grants_nothing(arrive: Arrive) -> None:
    visitor = arrive("/scripts")

    visitor.page.evaluate(f"document.cookie = 'consent_view={FORGED}; path=/'")
    visitor.page.evaluate("document.body.append(document.createElement('p'))")
    visitor.call("new Promise(done => setTimeout(done))")

    assert visitor.state() == UNDECIDED
    assert visitor.ran() == []


def test_mirror_can_lower_what_was_granted(arrive: Arrive) -> None:
    """Whoever takes a consent back in another tab is heard in this one."""
    visitor = arrive()
    visitor.save(visitor.button("accept_all"))

    visitor.page.evaluate("document.cookie = 'consent_view=analytics:0.marketing:1.preferences:1; path=/'")

    assert visitor.state() == GRANTED | {"analytics": "denied"}
    visitor.open("/scripts")
    visitor.until("window.ran?.includes('campaign')")
    assert visitor.ran() == ["campaign"]


def test_withdrawal_in_another_tab_holds_in_this_one(arrive: Arrive) -> None:
    visitor = arrive()
    visitor.save(visitor.button("accept_all"))
    other = visitor.page.context.new_page()
    other.goto(visitor.site.url)
    other.evaluate("consentWidget.reject()")

    assert visitor.state() == DENIED


def test_page_that_hides_names_from_the_script_breaks_nothing(arrive: Arrive) -> None:
    """DOM clobbering: elements named after properties that the script reads."""
    visitor = arrive("/scripts")
    visitor.page.evaluate(
        """() => {
            const main = document.querySelector("main");
            const names = ["cookie", "body", "documentElement", "createElement", "querySelector", "readyState"];
            main.append(...names.map(name => Object.assign(document.createElement("img"), {name})));
            Object.prototype.state = "analytics:1";
        }"""
    )
    assert visitor.state() == UNDECIDED

    visitor.save_in_preferences("marketing")

    assert visitor.state() == DENIED | {"marketing": "granted"}
    assert "handwritten" not in visitor.ran()


def test_second_tag_starts_nothing_twice(arrive: Arrive) -> None:
    visitor = arrive()

    visitor.call(
        """new Promise(done => {
            const tag = document.querySelector("script[data-consent-widget]");
            const second = document.createElement("script");
            for (const {name, value} of tag.attributes) second.setAttribute(name, value);
            second.onload = done;
            document.head.append(second);
        })"""
    )
    visitor.save_in_preferences("analytics")

    assert visitor.granted() == [{"analytics"}]
    assert visitor.page.evaluate("saved") == 1


def _ours(page: Page) -> list[str]:
    """Grows by the name of each of our built files that is asked for, without its hash."""
    seen: list[str] = []

    def note(url: str) -> None:
        if "/privacy/assets/" in url:
            name, _, ending = url.rpartition("/")[2].split(".")
            seen.append(f"{name}.{ending}")

    page.on("request", lambda request: note(request.url))
    return seen


def test_decided_visitor_gets_the_small_script_and_the_rest_on_demand(arrive: Arrive) -> None:
    visitor = arrive()
    visitor.save(visitor.button("accept_all"))
    files = _ours(visitor.page)

    visitor.page.reload()
    visitor.until("!!window.consentWidget?.granted")

    assert files == ["loader.js"]
    assert visitor.state() == GRANTED
    assert visitor.page.evaluate("consentWidget.granted('analytics')") is True
    expect(visitor.page.locator("[data-consent-widget]:not(script)")).to_have_count(0)
    visitor.call("consentWidget.open()")
    expect(visitor.page.locator(DIALOG)).to_be_visible()
    assert "consent.js" in files


def test_everything_can_be_done_from_a_decided_page(arrive: Arrive) -> None:
    visitor = arrive()
    visitor.save(visitor.button("accept_all"))
    visitor.page.reload()

    visitor.call("consentWidget.reject()")
    assert visitor.state() == DENIED
    visitor.page.reload()
    visitor.call("consentWidget.accept(['analytics'])")
    assert visitor.state() == DENIED | {"analytics": "granted"}
    visitor.page.reload()
    visitor.save_in_preferences("marketing")

    assert visitor.granted() == [set(UNDECIDED), set(), {"analytics"}, {"marketing"}]


def test_decided_page_hears_of_changes_too(arrive: Arrive) -> None:
    visitor = arrive()
    visitor.save(visitor.button("reject_all"))
    visitor.page.add_init_script(_LISTEN)
    visitor.page.reload()
    visitor.until("told.length")
    visitor.page.evaluate(
        "(window.heard = [], consentWidget.onChange(({categories}) => heard.push(categories.analytics)))"
    )

    visitor.call("consentWidget.accept(['analytics'])")

    part = DENIED | {"analytics": "granted"}
    assert _told(visitor) == [
        ["ready", DENIED, [], 1],
        ["decided", part, ["analytics"], 1],
        ["changed", part, ["analytics"], 1],
    ]
    assert visitor.page.evaluate("heard") == ["denied", "granted"]


def test_decided_page_without_the_rest_leads_to_the_preferences_page(arrive: Arrive) -> None:
    visitor = arrive()
    visitor.save(visitor.button("reject_all"))
    visitor.page.reload()
    visitor.page.route("**/consent.*.js", lambda route: route.abort())

    visitor.page.locator(SETTINGS).click()

    expect(visitor.page).to_have_url(visitor.site.url + "/privacy/preferences")


@pytest.fixture(scope="module")
def remembering(browser: Browser) -> Iterator[Browser]:
    """A Chromium that keeps pages in its back/forward cache, which Playwright turns off."""
    with browser.browser_type.launch(
        **chromium.whole(), ignore_default_args=["--disable-back-forward-cache"]
    ) as made:
        yield made


@pytest.mark.parametrize("decided_before", [False, True], ids=["undecided", "decided"])
def test_page_back_from_the_history_learns_what_was_decided_since(
    remembering: Browser, make_app: MakeApp, serve: Serve, decided_before: bool
) -> None:
    app = make_host(make_app)
    page = remembering.new_context(locale="en-GB").new_page()
    visitor = Visitor(page=page, app=app, site=serve(app))
    visitor.open("/page")
    if decided_before:
        visitor.save(visitor.button("accept_all"))
    visitor.open("/scripts")
    if decided_before:
        visitor.until("window.ran?.includes('handwritten')")
    page.evaluate("window.isSamePage = true")
    visitor.open("/page")
    visitor.call(f"consentWidget.{'reject' if decided_before else 'accept'}()")

    page.evaluate("history.back()")
    page.wait_for_url("**/scripts", wait_until="commit")
    visitor.until("window.isSamePage")

    expect(page.locator(BANNER)).to_be_hidden()
    if decided_before:
        assert visitor.state() == DENIED
    else:
        visitor.until("window.ran?.includes('handwritten')")
        assert visitor.state() == GRANTED
    page.context.close()


def test_small_script_s_page_back_from_the_history_blocks_what_was_withdrawn_since(
    remembering: Browser, make_app: MakeApp, serve: Serve
) -> None:
    app = make_host(make_app)
    page = remembering.new_context(locale="en-GB").new_page()
    visitor = Visitor(page=page, app=app, site=serve(app))
    page.add_init_script(_LISTEN)
    visitor.open("/page")
    visitor.save(visitor.button("accept_all"))
    files = _ours(page)
    visitor.open("/page?again")
    visitor.until("told.length")
    # As `consent_iframe` prints it for who agreed.
    page.evaluate(
        """src => document.querySelector("main").append(Object.assign(
            document.createElement("iframe"), {src, title: "Film"}))""",
        f"{visitor.site.other_url}/third/frame",
    )
    page.evaluate("document.querySelector('iframe').dataset.category = 'marketing'")
    # What is still loading is not kept.
    expect(page.frame_locator("iframe").get_by_role("heading")).to_be_visible()
    page.evaluate("window.isSamePage = true")
    assert files == ["loader.js"], "this page has the small script alone"
    visitor.open("/page")
    visitor.call("consentWidget.reject()")

    page.evaluate("history.back()")
    page.wait_for_url("**/page?again", wait_until="commit")
    visitor.until("window.isSamePage")

    expect(page.locator("iframe[data-category=marketing][data-src]:not([src])")).to_have_count(1)
    expect(page.locator("[data-consent-widget=frame]").get_by_role("button")).to_be_visible()
    assert visitor.state() == DENIED
    everything = sorted(UNDECIDED)
    assert _told(visitor) == [
        ["ready", GRANTED, [], 1],
        ["changed", DENIED, everything, 1],
        ["withdrawn", DENIED, everything, 1],
    ]
    page.context.close()


def test_forgotten_cookies_ask_again_after_the_next_page(arrive: Arrive) -> None:
    visitor = arrive()
    visitor.save(visitor.button("accept_all"))

    visitor.page.context.clear_cookies()
    visitor.open("/scripts")

    expect(visitor.banner).to_be_visible()
    assert visitor.state() == UNDECIDED
    assert visitor.ran() == []


def test_sealed_choice_alone_is_a_choice(arrive: Arrive) -> None:
    """Without its mirror, as a browser that caps cookies set by scripts might leave it."""
    visitor = arrive()
    visitor.save(visitor.button("accept_all"))

    visitor.page.context.clear_cookies(name="consent_view")
    visitor.open("/scripts")

    visitor.until("window.ran?.includes('campaign')")
    assert visitor.state() == GRANTED
    expect(visitor.page.locator(BANNER)).to_have_count(0)
    assert factories.count_records(visitor.app) == 1
