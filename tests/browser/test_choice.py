"""Refuse, accept, choose, change, withdraw: with scripts and as plain forms, in both languages."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext, expect
from werkzeug.middleware.proxy_fix import ProxyFix

from consent_widget import Cookie
from tests import factories
from tests.browser import chromium
from tests.browser.conftest import Arrive, Serve
from tests.browser.host import MakeApp, broken_record, make_host
from tests.browser.visitor import BANNER, LOCALES, Visitor

#: A page with a query to come back to, exactly.
PLACE = "/page?x=1&y=%C3%A1"

REFUSED = "analytics:0.marketing:0.preferences:0"
ACCEPTED = "analytics:1.marketing:1.preferences:1"
EVERYTHING = {"analytics", "marketing", "preferences"}


@pytest.fixture(params=["vi", "en"])
def lang(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def scripts(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def visitor(arrive: Arrive, lang: str, scripts: bool) -> Visitor:
    """Somebody who has not decided, on a page with a query."""
    return arrive(PLACE, lang=lang, scripts=scripts)


def _is_back(visitor: Visitor) -> None:
    assert visitor.page.url == visitor.site.url + PLACE
    expect(visitor.banner).to_be_hidden()


def test_nothing_is_kept_of_a_visitor_who_did_not_decide(visitor: Visitor) -> None:
    expect(visitor.banner).to_be_visible()
    visitor.page.reload()
    expect(visitor.banner).to_be_visible()

    assert visitor.cookies() == {}
    assert visitor.records() == []


def test_refusing(visitor: Visitor, lang: str, scripts: bool) -> None:
    visitor.save(visitor.button("reject_all"))

    _is_back(visitor)
    assert visitor.view() == REFUSED
    (record,) = visitor.records()
    assert not any(record["decisions"].values())
    assert record["decisions"].keys() == EVERYTHING
    assert record["action"] == "reject_all"
    assert record["subject"] is None
    assert record["mechanism"] == ("script" if scripts else "form")
    assert record["language"] == lang
    assert record["notice"] == 1
    visitor.page.reload()
    expect(visitor.page.locator(BANNER)).to_have_count(0)


def test_accepting(visitor: Visitor) -> None:
    visitor.save(visitor.button("accept_all"))

    _is_back(visitor)
    assert visitor.view() == ACCEPTED
    (record,) = visitor.records()
    assert all(record["decisions"].values())
    assert record["action"] == "accept_all"
    assert record["subject"]
    visitor.page.reload()
    expect(visitor.page.locator(BANNER)).to_have_count(0)


def test_accepting_a_part(visitor: Visitor) -> None:
    visitor.save_in_preferences("analytics", link=visitor.banner.locator("[data-consent=open-preferences]"))

    _is_back(visitor)
    assert visitor.view() == "analytics:1.marketing:0.preferences:0"
    assert visitor.granted() == [{"analytics"}]
    assert visitor.records()[0]["action"] == "save"


def test_saving_without_a_tick_refuses(visitor: Visitor) -> None:
    visitor.save_in_preferences()

    _is_back(visitor)
    assert visitor.view() == REFUSED
    assert visitor.granted() == [set()]


def test_changing_one_s_mind(visitor: Visitor) -> None:
    visitor.save_in_preferences("analytics")

    visitor.open_preferences()
    boxes = visitor.preferences.locator("input[name=category]:checked")
    assert [box.get_attribute("value") for box in boxes.all()] == ["analytics"]
    visitor.tick("marketing", "preferences")
    visitor.save(visitor.button("save", visitor.preferences))

    _is_back(visitor)
    assert visitor.view() == "analytics:0.marketing:1.preferences:1"
    assert visitor.granted() == [{"analytics"}, {"marketing", "preferences"}]
    first, second = visitor.records()
    assert first["subject"] == second["subject"]


def test_withdrawing(visitor: Visitor) -> None:
    visitor.save(visitor.button("accept_all"))
    visitor.open("/cookies")
    assert {"visitor", "layout"} <= visitor.cookies().keys()
    visitor.open(PLACE)

    visitor.open_preferences()
    visitor.save(visitor.button("reject_all", visitor.preferences))

    _is_back(visitor)
    assert visitor.view() == REFUSED
    assert visitor.cookies().keys() == {"consent", "consent_view"}
    assert visitor.granted() == [EVERYTHING, set()]
    first, second = visitor.records()
    assert first["subject"] == second["subject"], "a withdrawal is filed under what it withdraws"


def test_withdrawing_leaves_what_resembles_a_cookie_of_the_category(
    arrive: Arrive, make_app: MakeApp, scripts: bool
) -> None:
    """Cookies that the page itself set: only the script knows their names, or the form sends them along."""
    needed = factories.category(
        "necessary",
        necessary=True,
        cookies=[
            Cookie(name="shop_cart", justification="Keeps what is in the cart."),
            Cookie(pattern="shop_pay_*", justification="Pays for it."),
        ],
    )
    optional = factories.category("marketing", cookies=[Cookie(pattern="shop_*"), Cookie(pattern="sess*")])
    visitor = arrive(app=make_host(make_app, categories=[needed, optional]), scripts=scripts)
    visitor.save(visitor.button("accept_all"))
    names = ("shop_cart", "shop_pay_1", "session", "shop_banner", "sessa")
    visitor.page.context.add_cookies(
        [{"name": name, "value": "1", "url": f"{visitor.site.url}/"} for name in names]
    )

    visitor.open_preferences()
    visitor.save(visitor.button("reject_all", visitor.preferences))

    if scripts:
        visitor.until("!document.cookie.includes('sessa')")
    kept = visitor.cookies().keys() - {"consent", "consent_view"}
    assert kept == {"shop_cart", "shop_pay_1", "session"}


def test_preferences_say_when_and_under_which_version_one_chose(visitor: Visitor, lang: str) -> None:
    visitor.save(visitor.button("accept_all"))
    visitor.open_preferences()

    words = visitor.preferences.inner_text()
    assert "2026" in words
    assert {"vi": "phiên bản 1", "en": "version 1"}[lang] in words


def test_cookies_of_a_choice(arrive: Arrive, scripts: bool) -> None:
    visitor = arrive(scripts=scripts)

    visitor.save(visitor.button("accept_all"))

    cookies = visitor.cookies()
    assert cookies.keys() == {"consent", "consent_view"}
    for cookie in cookies.values():
        assert cookie["path"] == "/"
        assert cookie["sameSite"] == "Lax"
        assert cookie["expires"] - time.time() == pytest.approx(timedelta(days=182).total_seconds(), abs=300)
    assert cookies["consent"]["httpOnly"]
    assert not cookies["consent_view"]["httpOnly"]


def test_cookies_over_https_have_the_host_prefix(arrive: Arrive, make_app: MakeApp, scripts: bool) -> None:
    """The browser takes this machine for secure, so the prefix is the real one; only TLS is left out."""
    app = make_host(make_app)
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    visitor = arrive(app=app, scripts=scripts, extra_http_headers={"X-Forwarded-Proto": "https"})

    visitor.save(visitor.button("accept_all"))

    cookies = visitor.cookies()
    assert cookies.keys() == {"__Host-consent", "__Host-consent_view"}
    assert all(cookie["secure"] for cookie in cookies.values())
    visitor.page.reload()
    expect(visitor.page.locator(BANNER)).to_have_count(0)
    if scripts:
        assert set(visitor.state().values()) == {"granted"}


def test_plain_form_returns_from_a_failed_save(arrive: Arrive, lang: str) -> None:
    """While no decision can be recorded the form comes back as it was filled in, with the reason."""
    visitor = arrive(PLACE, lang=lang, scripts=False)
    visitor.open_preferences()
    visitor.tick("analytics")

    with broken_record(visitor.app), visitor.page.expect_response("**/privacy/preferences") as answer:
        visitor.button("save", visitor.preferences).click()
    expect(visitor.preferences.get_by_role("alert")).to_contain_text({"vi": "Chúng tôi", "en": "We"}[lang])

    assert answer.value.status == 503
    assert visitor.cookies() == {}
    assert visitor.records() == []
    checked = visitor.preferences.locator("input[name=category]:checked")
    assert [box.get_attribute("value") for box in checked.all()] == ["analytics"]

    visitor.save(visitor.button("save", visitor.preferences))
    _is_back(visitor)
    assert visitor.granted() == [{"analytics"}]


@pytest.fixture(scope="module")
def cookieless(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A browser whose owner forbade all cookies, in its own settings."""
    folder = tmp_path_factory.mktemp("cookieless")
    settings = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (folder / "Default").mkdir()
    (folder / "Default" / "Preferences").write_text(json.dumps(settings))
    context = browser.browser_type.launch_persistent_context(folder, **chromium.whole())
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def forgetful(
    cookieless: BrowserContext, make_app: MakeApp, serve: Serve, lang: str, scripts: bool
) -> Iterator[Visitor]:
    """Somebody whose browser keeps no cookie."""
    app = make_host(make_app)
    page = cookieless.new_page()
    page.set_extra_http_headers({"Accept-Language": LOCALES[lang]})
    cookieless.new_cdp_session(page).send("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    visitor = Visitor(page=page, app=app, site=serve(app), lang=lang, scripts=scripts)
    visitor.open(PLACE)
    yield visitor
    page.close()


def _is_told(visitor: Visitor) -> None:
    words = {"vi": "Trình duyệt của bạn", "en": "Your browser"}[visitor.lang]
    if visitor.scripts:
        expect(visitor.page.locator('[data-consent-widget="no-cookie"]')).to_contain_text(words)
    else:
        expect(visitor.banner.get_by_role("alert")).to_contain_text(words)


def test_browser_that_keeps_no_cookie_is_told_so_after_the_banner(forgetful: Visitor) -> None:
    forgetful.save(forgetful.button("reject_all"))

    _is_told(forgetful)
    assert forgetful.cookies() == {}
    assert forgetful.page.url.startswith(forgetful.site.url + PLACE)


def test_browser_that_keeps_no_cookie_is_told_so_after_the_preferences(forgetful: Visitor) -> None:
    forgetful.save_in_preferences("analytics")

    _is_told(forgetful)
    assert forgetful.page.url.startswith(forgetful.site.url + PLACE)


def test_browser_that_keeps_no_cookie_is_asked_again_on_the_next_page(forgetful: Visitor) -> None:
    forgetful.save(forgetful.button("accept_all"))

    forgetful.open("/scripts")

    expect(forgetful.banner).to_be_visible()
    expect(forgetful.page.get_by_role("alert").filter(has_text="Your")).to_have_count(0)


def test_browser_that_keeps_cookies_is_not_told_so(visitor: Visitor) -> None:
    visitor.save(visitor.button("accept_all"))

    expect(visitor.page.locator('[data-consent-widget="no-cookie"]')).to_be_hidden()
    expect(visitor.page.get_by_role("alert").filter(has_text=".")).to_have_count(0)
