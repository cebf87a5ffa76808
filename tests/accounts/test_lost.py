"""A lost password: a link by mail, for whoever has the mailbox."""

import re

from tests.accounts.conftest import MakeOffice
from tests.accounts.office import (
    EMAIL,
    PASSWORD,
    SIGN_IN,
    Office,
    code,
    post,
    sign_in,
    signed_in,
    turn_on_second_factor,
    whoami,
)
from tests.factories import Clock, read_page

LOST = "/privacy/admin/sign-in/lost"
NEW_PASSWORD = "thuyền giấy qua cầu vồng"


def link(office: Office) -> str:
    """The path of the link in the newest mail."""
    found = re.search(r"https://htek\.example(/\S+)", office.mails[-1].get_content())
    assert found
    return found[1]


def test_the_link_sets_a_new_password_once(stored_office: Office) -> None:
    elsewhere = signed_in(stored_office)
    browser = stored_office.browser()

    asked = post(browser, LOST, email=EMAIL)
    (mail,) = stored_office.mails
    path = link(stored_office)
    opened = browser.get(path)
    changed = post(browser, path, password=NEW_PASSWORD)

    assert asked.status_code == 202
    assert (mail["To"], mail["Subject"]) == (EMAIL, "Mật khẩu mới cho HTEK")
    assert opened.status_code == 200
    assert opened.headers["Referrer-Policy"] == "strict-origin"
    assert (changed.status_code, changed.location) == (303, f"{SIGN_IN}?done=password")
    assert whoami(browser) == ""
    assert whoami(elsewhere) == ""
    assert sign_in(stored_office.browser(), password=NEW_PASSWORD).status_code == 303
    assert post(browser, path, LOST, password=PASSWORD).status_code == 410


def test_the_link_does_not_pass_the_second_factor(office: Office, clock: Clock) -> None:
    secret = turn_on_second_factor(signed_in(office), clock)
    clock.tick(minutes=1)
    browser = office.browser()
    post(browser, LOST, email=EMAIL)
    post(browser, link(office), password=NEW_PASSWORD)

    asked = sign_in(browser, password=NEW_PASSWORD)

    assert asked.location.startswith("/privacy/admin/sign-in/code")
    assert post(browser, asked.location, code=code(secret, clock())).status_code == 303


def test_an_unknown_address_is_answered_alike_and_gets_no_mail(office: Office) -> None:
    browser = office.browser()

    known, unknown = (post(browser, LOST, email=email) for email in (EMAIL, "nobody@htek.example"))

    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    assert [mail["To"] for mail in office.mails] == [EMAIL]


def test_what_is_typed_gets_into_no_header(office: Office) -> None:
    post(office.browser(), LOST, email=f"{EMAIL}\r\nBcc: evil@evil.example")

    assert office.mails == []


def test_the_link_names_our_own_address_whatever_host_was_asked(office: Office) -> None:
    browser = office.browser()
    evil = {"base_url": "https://evil.example"}
    token = read_page(browser.get(LOST, **evil)).one("input", name="token")["value"]
    browser.post(LOST, data={"email": EMAIL, "token": token}, buffered=True, **evil)

    assert link(office)
    assert "evil" not in office.mails[0].as_string()


def test_a_mailbox_is_not_flooded(office: Office, clock: Clock) -> None:
    for _ in range(6):
        assert post(office.browser(), LOST, email=EMAIL).status_code == 202
    assert len(office.mails) == 3

    clock.tick(hours=1, seconds=1)
    post(office.browser(), LOST, email=EMAIL)
    assert len(office.mails) == 4


def test_a_network_asks_so_often(office: Office) -> None:
    browser = office.browser()
    answers = [post(browser, LOST, email=f"n{n}@htek.example").status_code for n in range(52)]

    assert answers == [202] * 50 + [429] * 2


def test_a_link_is_too_old_after_an_hour(office: Office, clock: Clock) -> None:
    post(office.browser(), LOST, email=EMAIL)
    clock.tick(hours=1)

    answer = office.browser().get(link(office))

    assert answer.status_code == 410
    assert read_page(answer).one(role="alert").text.startswith("Liên kết này đã được sử dụng")


def test_an_invented_link_sets_nothing(office: Office) -> None:
    assert office.browser().get(f"{LOST}/invented").status_code == 410
    assert post(office.browser(), f"{LOST}/invented", LOST, password=NEW_PASSWORD).status_code == 410


def test_without_mailer_the_page_says_who_helps(make_office: MakeOffice) -> None:
    office = make_office(mailer=None)
    browser = office.browser()

    assert not read_page(browser.get(SIGN_IN)).all("a", href=f"{LOST}?lang=vi")
    assert "mật khẩu dùng một lần" in browser.get(LOST).text
    assert browser.get(f"{LOST}/invented").status_code == 404


def test_a_mailer_that_fails_does_not_show_in_the_answer(make_office: MakeOffice) -> None:
    def fail(_: object) -> None:
        raise OSError("connection refused")

    office = make_office(mailer=fail)
    office.hire()

    assert post(office.browser(), LOST, email=EMAIL).status_code == 202
