"""A member of staff of the site under attack, who signs in with an account of ours."""

import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent_widget.services.staff import add_staff
from tests.attacks.target import Target

SIGN_IN = "/privacy/admin/sign-in"
ACCOUNT = "/privacy/admin/account"
EMAIL, PASSWORD = "linh@example.com", "hoa gạo bên sông Hồng"
COOKIE, DEVICE = "__Host-consent_staff", "__Host-consent_device"


def hire(target: Target, email: str = EMAIL, password: str = PASSWORD) -> None:
    add_staff(
        target.deployment,
        email=email,
        name="Linh",
        roles=("author",),
        password=password,
        one_time=False,
        now=target.deployment.clock(),
    )


def browser_at(target: Target, address: str = "192.0.2.1") -> FlaskClient:
    """A browser at this network address."""
    browser = target.browser()
    browser.environ_base["REMOTE_ADDR"] = address
    return browser


def token(browser: FlaskClient, page: str = SIGN_IN) -> str:
    found = re.search(r'name="token" value="(\w+)"', browser.get(page).text)
    assert found
    return found[1]


def sign_in(
    browser: FlaskClient, email: str = EMAIL, password: str = PASSWORD, **fields: str
) -> TestResponse:
    return browser.post(
        SIGN_IN, data={"email": email, "password": password, "token": token(browser)} | fields
    )


def is_signed_in(browser: FlaskClient) -> bool:
    return browser.get(ACCOUNT).status_code == 200


def value_of(browser: FlaskClient, name: str = COOKIE) -> str:
    cookie = browser.get_cookie(name)
    assert cookie is not None
    return cookie.value
