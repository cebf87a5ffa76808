"""CF: nothing changes without the token of this session's own form, sent from our own page."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.accounts.office import (
    ACCOUNT,
    COOKIE,
    EMAIL,
    PASSWORD,
    SIGN_IN,
    Office,
    signed_in,
    token_of,
    whoami,
)
from tests.factories import Clock, read_page

NEW_PASSWORD = "thuyền giấy qua cầu vồng"

#: Every form of an account that is signed in, with fields that would be taken.
FORMS = {
    ACCOUNT: {"current": PASSWORD, "password": NEW_PASSWORD},
    f"{ACCOUNT}/second-factor": {"current": PASSWORD, "action": "off"},
    "/privacy/admin/sign-out": {},
}


def _none(_office: Office, _browser: FlaskClient) -> list[str]:
    return []


def _empty(_office: Office, _browser: FlaskClient) -> list[str]:
    return [""]


def _made_up(_office: Office, _browser: FlaskClient) -> list[str]:
    return ["0" * 64]


def _of_another_account(office: Office, _browser: FlaskClient) -> list[str]:
    office.hire("other@htek.example")
    return [token_of(signed_in(office, "other@htek.example").get(ACCOUNT))]


def _of_another_session(office: Office, _browser: FlaskClient) -> list[str]:
    return [token_of(signed_in(office).get(ACCOUNT))]


def _of_before_the_sign_in(office: Office, _browser: FlaskClient) -> list[str]:
    return [token_of(office.browser().get(SIGN_IN))]


def _twice(_office: Office, browser: FlaskClient) -> list[str]:
    return [token_of(browser.get(ACCOUNT))] * 2


@pytest.mark.parametrize(
    "tokens",
    [_none, _empty, _made_up, _of_another_account, _of_another_session, _of_before_the_sign_in, _twice],
)
@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_its_token_changes_nothing(
    office: Office, path: str, tokens: Callable[[Office, FlaskClient], list[str]]
) -> None:
    browser = signed_in(office)

    answer = browser.post(path, data=FORMS[path] | {"token": tokens(office, browser)})

    assert answer.status_code == 403
    assert read_page(answer).one(role="alert").text.startswith("Trang này đã mở quá lâu")
    assert whoami(browser) == "Mai"
    assert whoami(signed_in(office)) == "Mai"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=["cross-site", "same-site", "foreign origin", "null origin"],
)
@pytest.mark.parametrize("path", [*FORMS, SIGN_IN])
def test_a_form_of_another_site_changes_nothing(office: Office, path: str, headers: dict[str, str]) -> None:
    browser = signed_in(office)
    token = token_of(browser.get(ACCOUNT))
    fields = {"email": EMAIL, "password": NEW_PASSWORD, "current": PASSWORD, "token": token}

    answer = browser.post(path, data=fields, headers=headers)

    assert answer.status_code == 403
    assert whoami(browser) == "Mai"
    assert whoami(signed_in(office)) == "Mai"


def test_nobody_is_signed_in_as_somebody_else_from_elsewhere(office: Office) -> None:
    """A thief's own form with the thief's own token: the victim's browser has another session, or none."""
    theirs = token_of(office.browser().get(SIGN_IN))
    fields = {"email": EMAIL, "password": PASSWORD, "token": theirs}
    victim = office.browser()

    without_cookie = victim.post(SIGN_IN, data=fields)
    with_cookie = victim.post(SIGN_IN, data=fields)

    assert (without_cookie.status_code, with_cookie.status_code) == (403, 403)
    assert whoami(victim) == ""


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x"])
def test_another_kind_of_body_is_no_form(office: Office, kind: str) -> None:
    browser = office.browser()
    token = token_of(browser.get(SIGN_IN))
    body = f'{{"email": "{EMAIL}", "password": "{PASSWORD}", "token": "{token}"}}'

    answer = browser.post(SIGN_IN, data=body.encode(), content_type=kind)

    assert answer.status_code in (400, 403)
    assert whoami(browser) == ""


def test_a_body_that_is_too_large_is_refused(office: Office) -> None:
    browser = office.browser()
    token = token_of(browser.get(SIGN_IN))

    answer = browser.post(SIGN_IN, data={"email": EMAIL, "password": "x" * 100_000, "token": token})

    assert answer.status_code == 413


@pytest.mark.parametrize("cookie", ["", "x", "é", "x" * 4000, "a.b.c", "' OR 1=1 --"])
def test_a_made_up_session_is_none(office: Office, cookie: str, clock: Clock) -> None:
    browser = office.browser()
    browser.set_cookie(COOKIE, cookie)

    assert browser.get(SIGN_IN).status_code == 200
    assert browser.get(ACCOUNT).status_code == 303
    assert whoami(browser) == ""
