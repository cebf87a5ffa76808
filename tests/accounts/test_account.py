"""One's own account: the password, the second factor, the session that goes on."""

import pytest
from flask_login import LoginManager
from flask_wtf import CSRFProtect

from consent_widget.services.staff import account_of
from tests.accounts.conftest import MakeOffice
from tests.accounts.office import (
    ACCOUNT,
    COOKIE,
    EMAIL,
    PASSWORD,
    SIGN_IN,
    Office,
    code,
    post,
    sign_in,
    signed_in,
    token_of,
    turn_on_second_factor,
    values_of,
    whoami,
)
from tests.factories import Clock, read_page

NEW_PASSWORD = "thuyền giấy qua cầu vồng"


def test_a_new_password_ends_every_other_session(stored_office: Office) -> None:
    here, elsewhere = signed_in(stored_office), signed_in(stored_office, address="192.0.2.2")
    old = here.get_cookie(COOKIE)
    assert old is not None

    answer = post(here, ACCOUNT, current=PASSWORD, password=NEW_PASSWORD)

    assert (answer.status_code, answer.location) == (303, f"{ACCOUNT}?done=password")
    assert whoami(here) == "Mai"
    assert whoami(elsewhere) == ""
    elsewhere.set_cookie(COOKIE, old.value)
    assert whoami(elsewhere) == ""
    assert sign_in(stored_office.browser()).status_code == 400
    assert sign_in(stored_office.browser(), password=NEW_PASSWORD).status_code == 303


@pytest.mark.parametrize(
    "password, words",
    [
        ("short", "Mật khẩu quá ngắn."),
        ("x" * 257, "Mật khẩu quá dài."),
        ("123456789012", "Mật khẩu này dễ đoán."),
        ("qwertyuiop12", "Mật khẩu này dễ đoán."),
        ("password1234", "Mật khẩu này dễ đoán."),
        ("aaaaaaaaaaaaaaaa", "Mật khẩu này dễ đoán."),
        (EMAIL, "Mật khẩu này dễ đoán."),
        (PASSWORD, "Đây là mật khẩu bạn đang dùng."),
    ],
)
def test_a_poor_password_is_refused_with_the_reason(office: Office, password: str, words: str) -> None:
    browser = signed_in(office)

    answer = post(browser, ACCOUNT, current=PASSWORD, password=password)

    page = read_page(answer)
    assert answer.status_code == 400
    assert page.one(role="alert").text.startswith(words)
    assert "aria-invalid" in page.one("input", id="password")
    assert sign_in(office.browser()).status_code == 303


def test_the_current_password_is_asked_for(office: Office) -> None:
    browser = signed_in(office)

    answer = post(browser, ACCOUNT, current="not this one", password=NEW_PASSWORD)

    assert answer.status_code == 400
    assert sign_in(office.browser()).status_code == 303


def test_a_stolen_session_does_not_guess_the_current_password_for_long(office: Office) -> None:
    browser = signed_in(office)

    answers = [
        post(browser, ACCOUNT, current=f"guess {n}", password=NEW_PASSWORD).status_code for n in range(12)
    ]

    assert answers == [400] * 10 + [429] * 2


def test_the_second_factor_is_asked_for_once_it_is_on(stored_office: Office, clock: Clock) -> None:
    owner = signed_in(stored_office)
    secret = turn_on_second_factor(owner, clock)
    clock.tick(seconds=60)
    browser = stored_office.browser()

    asked = sign_in(browser, next="/privacy/admin/audit")
    assert asked.location == "/privacy/admin/sign-in/code?next=%2Fprivacy%2Fadmin%2Faudit"
    assert whoami(browser) == ""
    entered = post(browser, asked.location, code=code(secret, clock()), next="/privacy/admin/audit")

    assert (entered.status_code, entered.location) == (303, "/privacy/admin/audit")
    assert whoami(browser) == "Mai"
    assert whoami(owner) == "Mai"


def test_each_step_is_a_session_of_its_own(office: Office, clock: Clock) -> None:
    """Who saw the cookie before the code was entered gains nothing by it."""
    secret = turn_on_second_factor(signed_in(office), clock)
    clock.tick(seconds=60)
    browser, thief = office.browser(), office.browser()
    page = sign_in(browser).location
    before = browser.get_cookie(COOKIE)
    assert before is not None
    thief.set_cookie(COOKIE, before.value)

    post(browser, page, code=code(secret, clock()))

    assert whoami(browser) == "Mai"
    assert whoami(thief) == ""


@pytest.mark.parametrize("sent", ["", "000000", "12345", "abcdef", "１２３４５６", "1" * 5000])
def test_a_wrong_code_does_not_let_in(office: Office, clock: Clock, sent: str) -> None:
    secret = turn_on_second_factor(signed_in(office), clock)
    clock.tick(seconds=60)
    assert sent != code(secret, clock())
    browser = office.browser()

    answer = post(browser, sign_in(browser).location, code=sent)

    assert answer.status_code == 400
    assert read_page(answer).one(role="alert").text.startswith("Mã này không đúng")
    assert whoami(browser) == ""


def test_a_code_works_once(office: Office, clock: Clock) -> None:
    """Who looked over the shoulder is too late (RFC 6238 section 5.2)."""
    secret = turn_on_second_factor(signed_in(office), clock)
    clock.tick(seconds=60)
    first, second = office.browser(), office.browser()
    pages = [sign_in(browser).location for browser in (first, second)]
    shown = code(secret, clock())

    assert post(first, pages[0], code=shown).status_code == 303
    assert post(second, pages[1], code=shown).status_code == 400


@pytest.mark.parametrize("seconds, status", [(-30, 303), (0, 303), (30, 303), (-90, 400), (90, 400)])
def test_the_clock_of_the_telephone_may_differ_a_little(
    office: Office, clock: Clock, seconds: int, status: int
) -> None:
    secret = turn_on_second_factor(signed_in(office), clock)
    clock.tick(minutes=5)
    browser = office.browser()
    page = sign_in(browser).location
    shown = code(secret, clock())

    clock.tick(seconds=-seconds)

    assert post(browser, page, code=shown).status_code == status


def test_codes_are_not_guessed_for_long(office: Office, clock: Clock) -> None:
    """The thief of a password is stopped; the owner's own device still gets in."""
    owner = signed_in(office)
    secret = turn_on_second_factor(owner, clock)
    clock.tick(seconds=60)
    thief = office.browser("203.0.113.9")
    page = sign_in(thief).location

    answers = [post(thief, page, code=f"{n:06}") for n in range(12)]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) <= 3600
    post(owner, "/privacy/admin/sign-out", ACCOUNT)
    assert post(owner, sign_in(owner).location, code=code(secret, clock())).status_code == 303


def test_the_second_factor_is_turned_off_with_the_password(stored_office: Office, clock: Clock) -> None:
    browser = signed_in(stored_office)
    turn_on_second_factor(browser, clock)

    refused = post(browser, f"{ACCOUNT}/second-factor", ACCOUNT, current="guess", action="off")
    turned_off = post(browser, f"{ACCOUNT}/second-factor", ACCOUNT, current=PASSWORD, action="off")

    assert (refused.status_code, turned_off.status_code) == (400, 303)
    assert sign_in(stored_office.browser()).location == "/privacy/admin/"


def test_a_secret_is_not_brought_along(office: Office, clock: Clock) -> None:
    """Neither one of another account nor one that was shown an hour ago."""
    office.hire("other@htek.example", password=NEW_PASSWORD)
    other = read_page(signed_in(office, "other@htek.example", NEW_PASSWORD).get(ACCOUNT))
    browser = signed_in(office)
    own = read_page(browser.get(ACCOUNT))

    def turn_on(sealed: str) -> int:
        fields = {"sealed": sealed, "code": "123456", "current": PASSWORD, "action": "on"}
        return post(browser, f"{ACCOUNT}/second-factor", ACCOUNT, **fields).status_code

    assert turn_on(other.one("input", name="sealed")["value"]) == 403
    assert turn_on("made up") == 403
    assert turn_on("") == 403
    assert turn_on(own.one("input", name="sealed")["value"]) == 400  # but the code is wrong
    clock.tick(minutes=11)
    assert turn_on(own.one("input", name="sealed")["value"]) == 403
    assert account_of(office.database, EMAIL).second_factor is None


def test_the_secret_is_sealed_where_it_is_stored(office: Office, clock: Clock) -> None:
    secret = turn_on_second_factor(signed_in(office), clock)

    assert repr(secret) not in "\n".join(values_of(office.app))
    sealed = account_of(office.database, EMAIL).second_factor
    assert sealed is not None
    assert sealed.startswith("gAAAA")  # a Fernet token


@pytest.mark.parametrize("path", [ACCOUNT, f"{ACCOUNT}/second-factor"])
def test_nobody_signed_out_changes_anything(office: Office, path: str) -> None:
    browser = office.browser()
    token = token_of(browser.get(SIGN_IN))

    answer = browser.post(path, data={"token": token, "current": PASSWORD, "password": NEW_PASSWORD})

    assert answer.status_code == 303
    assert answer.location.startswith(SIGN_IN)
    assert sign_in(office.browser()).status_code == 303


@pytest.mark.parametrize("roles, sees_log", [({"author"}, False), ({"approver"}, True), ({"auditor"}, True)])
def test_the_account_stands_among_the_staffs_pages(office: Office, roles: set[str], sees_log: bool) -> None:
    office.hire(email="an@htek.example", roles=roles)
    browser = office.browser()
    sign_in(browser, email="an@htek.example")

    page = read_page(browser.get(f"{ACCOUNT}?lang=en"))

    assert page.one("h1").text == "Your account"
    assert [one.text for one in page.one("nav", aria_label="Staff pages").all("a")][:1] == ["Versions"]
    hrefs = [one["href"] for one in page.all("a")]
    assert ("/privacy/admin/audit" in hrefs) == sees_log
    assert "?lang=vi" in hrefs
    assert "/privacy/admin/" in [one["href"] for one in page.all("a") if one.text == "Back to the versions"]
    assert len(page.all("form", action="/privacy/admin/sign-out")) == 1


def test_the_menu_of_the_staffs_pages_shows_who_is_signed_in(office: Office) -> None:
    @office.app.get("/page")
    def page() -> str:
        return str(office.app.jinja_env.globals["consent_account_menu"]())  # type: ignore[operator]

    browser = signed_in(office)
    menu = read_page(browser.get("/page"))

    assert menu.one("a", href=ACCOUNT).text == "Mai"
    assert office.browser().get("/page").text == ""
    form = menu.one("form", action="/privacy/admin/sign-out")
    browser.post("/privacy/admin/sign-out", data={"token": form.one("input", name="token")["value"]})
    assert whoami(browser) == ""


def test_a_host_with_flask_login_and_csrf_protection_keeps_its_own(make_office: MakeOffice) -> None:
    office = make_office()
    office.hire()
    manager = LoginManager(office.app)
    manager.user_loader(lambda _: None)
    CSRFProtect(office.app)

    browser = signed_in(office)

    assert office.app.login_manager is manager  # type: ignore[attr-defined]  # Flask-Login's own
    assert post(browser, ACCOUNT, current=PASSWORD, password=NEW_PASSWORD).status_code == 303
