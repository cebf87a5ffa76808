"""Signing in and out: who gets in, how far, for how long."""

from unicodedata import normalize

import pytest
from werkzeug.test import TestResponse

from consent_widget.core.account import IDLE, LIFETIME, UNFINISHED
from consent_widget.services.setup import upgrade_database
from tests.accounts.conftest import MakeOffice
from tests.accounts.office import (
    COOKIE,
    DEVICE,
    EMAIL,
    PASSWORD,
    SIGN_IN,
    Office,
    post,
    sign_in,
    signed_in,
    token_of,
    values_of,
    whoami,
)
from tests.factories import Clock, read_page, set_cookies


def test_the_right_password_signs_in(stored_office: Office) -> None:
    browser = stored_office.browser()

    answer = sign_in(browser, next="/privacy/admin/audit?page=2")

    assert answer.status_code == 303
    assert answer.location == "/privacy/admin/audit?page=2"
    assert whoami(browser) == "Mai"


def test_the_address_may_be_written_in_capitals(office: Office) -> None:
    assert sign_in(office.browser(), f" {EMAIL.upper()} ").status_code == 303


def test_a_password_counts_the_same_however_its_letters_are_composed(office: Office) -> None:
    decomposed = normalize("NFD", PASSWORD)

    assert decomposed != PASSWORD
    assert sign_in(office.browser(), password=decomposed).status_code == 303


@pytest.mark.parametrize(
    "email, password",
    [
        (EMAIL, "another password"),
        (EMAIL, ""),
        (EMAIL, PASSWORD.upper()),
        (EMAIL, "x" * 10_000),
        (EMAIL, "\x00"),
        ("nobody@htek.example", PASSWORD),
        ("", PASSWORD),
        ("no address", PASSWORD),
        ("\x00@htek.example", PASSWORD),
    ],
)
def test_anything_else_does_not(office: Office, email: str, password: str) -> None:
    browser = office.browser()

    answer = sign_in(browser, email, password)

    assert answer.status_code == 400
    assert read_page(answer).one(role="alert").text.startswith("Địa chỉ email hoặc mật khẩu không đúng.")
    assert whoami(browser) == ""


def test_what_was_typed_as_address_stands_there_again_and_the_password_does_not(office: Office) -> None:
    answer = sign_in(office.browser(), '"><script>', "secret of somebody")

    assert read_page(answer).one("input", name="email")["value"] == '"><script>'
    assert "secret of somebody" not in answer.text


def test_signing_in_begins_a_new_session(office: Office) -> None:
    """A session that somebody planted before is worth nothing after (ASVS 7.2.4)."""
    browser = office.browser()
    browser.get(SIGN_IN)
    before = browser.get_cookie(COOKIE)
    sign_in(browser)
    after = browser.get_cookie(COOKIE)
    assert before is not None
    assert after is not None
    thief = office.browser()
    thief.set_cookie(COOKIE, before.value)

    assert after.value != before.value
    assert whoami(browser) == "Mai"
    assert whoami(thief) == ""


def test_signing_in_again_ends_the_session_there_was(office: Office) -> None:
    browser = signed_in(office)
    token = token_of(browser.get("/privacy/admin/account"))
    old = browser.get_cookie(COOKIE)
    assert old is not None

    browser.post(SIGN_IN, data={"email": EMAIL, "password": PASSWORD, "token": token})

    thief = office.browser()
    thief.set_cookie(COOKIE, old.value)
    assert whoami(browser) == "Mai"
    assert whoami(thief) == ""


def test_signing_out_ends_the_session_on_the_server(stored_office: Office) -> None:
    browser = signed_in(stored_office)
    kept = browser.get_cookie(COOKIE)
    assert kept is not None

    answer = post(browser, "/privacy/admin/sign-out", "/privacy/admin/account")

    assert answer.status_code == 303
    assert browser.get_cookie(COOKIE) is None
    browser.set_cookie(COOKIE, kept.value)
    assert whoami(browser) == ""


def test_a_session_ends_when_nobody_uses_it(office: Office, clock: Clock) -> None:
    browser = signed_in(office)

    clock.now += IDLE / 2
    assert whoami(browser) == "Mai"
    clock.now += IDLE * 0.9
    assert whoami(browser) == "Mai"
    clock.now += IDLE
    assert whoami(browser) == ""


def test_a_session_ends_however_busy_it_is(office: Office, clock: Clock) -> None:
    browser = signed_in(office)
    begun = clock.now

    while clock.now + IDLE * 0.9 < begun + LIFETIME:
        clock.now += IDLE * 0.9
        assert whoami(browser) == "Mai"
    clock.now = begun + LIFETIME

    assert whoami(browser) == ""


def test_the_page_of_who_is_signed_in_leads_on(office: Office) -> None:
    answer = signed_in(office).get(f"{SIGN_IN}?next=/privacy/admin/audit")

    assert (answer.status_code, answer.location) == (303, "/privacy/admin/audit")


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:0"]
)
def test_nobody_is_led_elsewhere(office: Office, target: str) -> None:
    browser = office.browser()
    page = browser.get(SIGN_IN, query_string={"next": target})

    answer = browser.post(
        SIGN_IN, data={"email": EMAIL, "password": PASSWORD, "token": token_of(page), "next": target}
    )

    assert "evil" not in page.text
    assert (answer.status_code, answer.location) == (303, "/privacy/admin/")


def test_cookies_are_for_this_host_and_no_script(office: Office) -> None:
    browser = office.browser()
    first = set_cookies(browser.get(SIGN_IN))
    second = set_cookies(sign_in(browser))

    assert set(first) == {COOKIE}
    assert set(second) == {COOKIE, DEVICE}
    for line in (*first.values(), *second.values()):
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
        assert "Domain" not in line
    assert "Max-Age" not in second[COOKIE]
    assert f"Max-Age={180 * 86400}" in second[DEVICE]


def test_plain_http_has_a_plain_name(office: Office) -> None:
    answer = office.browser().get(SIGN_IN, base_url="http://localhost")

    assert list(set_cookies(answer)) == ["consent_staff"]


def test_the_hosts_own_session_is_not_touched(office: Office) -> None:
    browser = signed_in(office)
    post(browser, "/privacy/admin/sign-out", "/privacy/admin/account")

    assert browser.get_cookie(office.app.config["SESSION_COOKIE_NAME"]) is None


def _answers(office: Office) -> list[TestResponse]:
    browser = office.browser()
    return [
        browser.get(SIGN_IN),
        browser.get("/privacy/admin/sign-in/lost"),
        browser.get("/privacy/admin/account"),
        browser.post(SIGN_IN),
        browser.put(SIGN_IN),
        sign_in(browser, password="wrong"),
        sign_in(browser),
        browser.get("/privacy/admin/account"),
        browser.get("/privacy/admin/sign-in/code"),
        browser.post("/privacy/admin/sign-out"),
    ]


def test_no_answer_is_kept_or_framed(office: Office) -> None:
    for answer in _answers(office):
        assert "no-store" in answer.headers["Cache-Control"]
        if answer.status_code != 405:
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "language, heading", [("vi", "Đăng nhập dành cho nhân viên"), ("en", "Staff sign-in")]
)
def test_the_page_speaks_both_languages(office: Office, language: str, heading: str) -> None:
    page = read_page(office.browser().get(f"{SIGN_IN}?lang={language}"))

    assert page.one("html")["lang"] == language
    assert page.one("h1").text == heading
    assert [label["for"] for label in page.all("label")] == ["email", "password"]


def test_a_one_time_password_is_renewed_before_anything_else(stored_office: Office, clock: Clock) -> None:
    stored_office.hire("new@htek.example", password="once-3f9a-and-never-again", name="Linh", one_time=True)
    browser = stored_office.browser()

    answer = sign_in(browser, "new@htek.example", "once-3f9a-and-never-again", next="/privacy/admin/audit")
    assert answer.location == "/privacy/admin/sign-in/password?next=%2Fprivacy%2Fadmin%2Faudit"
    assert whoami(browser) == ""
    assert browser.get("/privacy/admin/account").location.startswith(SIGN_IN)
    refused = post(browser, answer.location, password="too short")
    assert refused.status_code == 400
    renewed = post(browser, answer.location, password="mưa rào trên mái tôn", next="/privacy/admin/audit")

    assert (renewed.status_code, renewed.location) == (303, "/privacy/admin/audit")
    assert whoami(browser) == "Linh"
    assert (
        sign_in(stored_office.browser(), "new@htek.example", "once-3f9a-and-never-again").status_code == 400
    )
    assert sign_in(stored_office.browser(), "new@htek.example", "mưa rào trên mái tôn").status_code == 303


def test_the_old_one_time_password_does_not_count_as_a_new_one(office: Office) -> None:
    office.hire("new@htek.example", password="once-3f9a-and-never-again", one_time=True)
    browser = office.browser()
    page = sign_in(browser, "new@htek.example", "once-3f9a-and-never-again").location

    assert post(browser, page, password="once-3f9a-and-never-again").status_code == 400
    assert whoami(browser) == ""


def test_a_one_time_password_does_not_wait_for_ever(office: Office, clock: Clock) -> None:
    office.hire("new@htek.example", password="once-3f9a-and-never-again", one_time=True)
    clock.tick(days=3)

    assert sign_in(office.browser(), "new@htek.example", "once-3f9a-and-never-again").status_code == 400


def test_a_half_finished_sign_in_does_not_wait_either(office: Office, clock: Clock) -> None:
    office.hire("new@htek.example", password="once-3f9a-and-never-again", one_time=True)
    browser = office.browser()
    page = sign_in(browser, "new@htek.example", "once-3f9a-and-never-again").location
    clock.now += UNFINISHED

    assert browser.get(page).location.startswith(f"{SIGN_IN}?")


def test_a_key_that_is_removed_takes_its_sessions_along(make_office: MakeOffice) -> None:
    """A fallback still opens them: nobody is signed out by a rotation."""
    old, new = "the old key, at least thirty-two bytes", "the new key, at least thirty-two bytes"
    before = make_office(config={"SECRET_KEY": old})
    before.hire()
    cookie = signed_in(before).get_cookie(COOKIE)
    assert cookie is not None
    rotated = make_office(config={"SECRET_KEY": new, "SECRET_KEY_FALLBACKS": [old]})
    removed = make_office(config={"SECRET_KEY": new})

    names = []
    for office in (before, rotated, removed):
        browser = office.browser()
        browser.set_cookie(COOKIE, cookie.value)
        names.append(whoami(browser))

    assert names == ["Mai", "Mai", ""]


def test_the_tables_hold_nothing_to_sign_in_with(office: Office) -> None:
    browser = signed_in(office, address="198.51.100.7")
    cookies = [browser.get_cookie(name) for name in (COOKIE, DEVICE)]

    stored = "\n".join(values_of(office.app))

    assert EMAIL in stored  # the rows were read
    assert PASSWORD not in stored
    assert "198.51.100.7" not in stored
    for cookie in cookies:
        assert cookie is not None
        assert cookie.value not in stored


def test_the_database_out_of_reach_is_told_and_not_traced(make_office: MakeOffice, sqlite_url: str) -> None:
    office = make_office(sqlite_url)
    upgrade_database(office.database)
    browser = office.browser()
    page = browser.get(SIGN_IN)
    office.database.engine.dispose()
    with office.database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE cw_staff_account")

    answer = browser.post(SIGN_IN, data={"email": EMAIL, "password": PASSWORD, "token": token_of(page)})

    assert answer.status_code == 503
    assert "Traceback" not in answer.text
    assert "cw_staff_account" not in answer.text
