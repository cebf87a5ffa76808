"""Staff sign in with accounts of ours: every page without a finding of axe's, on a phone, without a script."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, Page, expect

from consent_widget.accounts import StaffAccounts
from consent_widget.services.staff import add_staff
from tests import factories
from tests.accounts.office import code, secret_of
from tests.browser.axe import findings
from tests.browser.conftest import Serve
from tests.browser.host import make_host
from tests.browser.visitor import LOCALES

EMAIL, ONE_TIME, PASSWORD = "mai@htek.example", "once-3f9a-and-never-again", "bốn từ chẳng liên quan"
PHONE = {"width": 360, "height": 640}


@pytest.fixture
def host(make_app: Callable[..., Flask], clock: factories.Clock) -> Flask:
    """A host with one author, whose password is a one-time one."""
    accounts = StaffAccounts()
    app = make_host(
        make_app,
        staff_loader=accounts.staff_loader,
        staff_directory=accounts.staff_directory,
        mailer=print,
        public_url="https://htek.example",
    )
    accounts.init_app(app)
    add_staff(
        factories.deployment(app),
        email=EMAIL,
        name="Người soạn thảo",
        roles=("author",),
        password=ONE_TIME,
        one_time=True,
        now=clock(),
    )
    return app


def _is_good(page: Page) -> None:
    assert findings(page) == []
    fits = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert fits, page.url


def _press(page: Page) -> None:
    page.locator("main button").first.click()


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_whole_way_of_an_account(
    host: Flask, serve: Serve, new_context: Callable[..., BrowserContext], clock: factories.Clock, lang: str
) -> None:
    admin = f"{serve(host).url}/privacy/admin"
    # axe itself needs scripts; that the pages need none is the next test's.
    page = new_context(locale=LOCALES[lang], viewport=PHONE).new_page()

    page.goto(f"{admin}/account?lang={lang}")
    expect(page).to_have_url(f"{admin}/sign-in?next=%2Fprivacy%2Fadmin%2Faccount")
    expect(page.locator("#email")).to_be_focused()
    _is_good(page)
    page.fill("#email", EMAIL)
    page.fill("#password", "wrong")
    _press(page)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#email")).to_have_value(EMAIL)
    _is_good(page)

    page.fill("#password", ONE_TIME)
    _press(page)
    page.fill("#password", "password1234")
    _press(page)
    expect(page.get_by_role("alert")).to_be_visible()
    _is_good(page)
    page.fill("#password", PASSWORD)
    _press(page)

    expect(page).to_have_url(f"{admin}/account")
    _is_good(page)
    secret = secret_of(page.locator("code").inner_text())
    page.fill("#code", code(secret, clock()))
    page.fill("#current-second", PASSWORD)
    page.locator("button[value=on]").click()
    expect(page.get_by_role("status")).to_be_visible()
    _is_good(page)

    page.locator("form[action*=sign-out] button").click()
    expect(page.get_by_role("status")).to_be_visible()
    clock.tick(minutes=1)
    page.fill("#email", EMAIL)
    page.fill("#password", PASSWORD)
    _press(page)
    expect(page.locator("#code")).to_be_focused()
    _is_good(page)
    page.fill("#code", code(secret, clock()))
    _press(page)
    expect(page).to_have_url(f"{admin}/")
    expect(page.get_by_role("link", name="Người soạn thảo")).to_be_visible()


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_page_of_a_lost_password(
    host: Flask, serve: Serve, new_context: Callable[..., BrowserContext], lang: str
) -> None:
    page = new_context(locale=LOCALES[lang], viewport=PHONE).new_page()

    page.goto(f"{serve(host).url}/privacy/admin/sign-in")
    page.get_by_role("link", name="mật khẩu" if lang == "vi" else "password").click()
    _is_good(page)
    page.fill("#email", "nobody@htek.example")
    _press(page)

    expect(page.get_by_role("status")).to_be_visible()
    _is_good(page)


def test_no_script_is_needed(host: Flask, serve: Serve, new_context: Callable[..., BrowserContext]) -> None:
    page = new_context(java_script_enabled=False).new_page()
    admin = f"{serve(host).url}/privacy/admin/"
    page.goto(f"{admin}sign-in")
    page.fill("#email", EMAIL)
    page.fill("#password", ONE_TIME)
    _press(page)
    page.fill("#password", PASSWORD)
    _press(page)

    expect(page).to_have_url(admin)
