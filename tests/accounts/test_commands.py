"""``flask consent staff``: accounts are made, renewed and closed by who runs the site."""

import json

import pytest

from consent_widget import ConsentWidgetError
from consent_widget.accounts import StaffAccounts
from consent_widget.services.audit import list_acts
from tests.accounts.conftest import MakeOffice
from tests.accounts.office import (
    EMAIL,
    PASSWORD,
    Office,
    sign_in,
    signed_in,
    turn_on_second_factor,
    whoami,
)
from tests.conftest import MakeApp
from tests.factories import Clock, plain_app


def test_add_prints_a_password_that_works_once(stored_office: Office) -> None:
    code, told = stored_office.run(
        "add", "linh@htek.example", "--name", "Linh", "--role", "author", "--role", "officer", "--json"
    )

    account = json.loads(told)
    assert code == 0
    assert account["roles"] == ["author", "officer"]
    answer = sign_in(stored_office.browser(), "linh@htek.example", account["password"])
    assert answer.location.startswith("/privacy/admin/sign-in/password")


def test_add_in_words(office: Office) -> None:
    code, told = office.run("add", "linh@htek.example", "--name", "Linh", "--role", "auditor")

    assert code == 0
    assert told.startswith("linh@htek.example: auditor, open.\nOne-time password: ")


def test_ask_reads_the_password_and_prints_none(office: Office) -> None:
    code, told = office.run(
        "add", "linh@htek.example", "--name", "Linh", "--role", "author", "--ask", given=f"{PASSWORD}\n"
    )

    assert code == 0
    assert PASSWORD not in told
    assert sign_in(office.browser(), "linh@htek.example").location == "/privacy/admin/"


@pytest.mark.parametrize(
    "arguments, given, code, words",
    [
        ((EMAIL, "--name", "Mai", "--role", "author"), "", 1, "an account with this address already"),
        (("MAI@htek.example", "--name", "Mai", "--role", "author"), "", 1, "already"),
        (("no address", "--name", "Mai", "--role", "author"), "", 1, "name@example.com"),
        (("a@b.example", "--name", " ", "--role", "author"), "", 1, "1 to 200 characters"),
        (("a@b.example", "--name", "A", "--role", "author", "--ask"), "short\n", 1, "at least 12"),
        (("a@b.example", "--name", "A", "--role", "owner"), "", 2, "owner"),
        (("a@b.example", "--name", "A"), "", 2, "--role"),
    ],
)
def test_what_cannot_be_added_is_told(
    office: Office, arguments: tuple[str, ...], given: str, code: int, words: str
) -> None:
    found, told = office.run("add", *arguments, given=given)

    assert found == code
    assert words in told
    assert "Traceback" not in told
    assert json.loads(office.run("list", "--json")[1])[1:] == []


def test_reset_ends_sessions_and_the_old_password(stored_office: Office) -> None:
    browser = signed_in(stored_office)

    code, told = stored_office.run("reset", EMAIL, "--json")

    assert code == 0
    assert whoami(browser) == ""
    assert sign_in(stored_office.browser()).status_code == 400
    assert sign_in(stored_office.browser(), password=json.loads(told)["password"]).status_code == 303


def test_reset_removes_the_second_factor_where_told(office: Office, clock: Clock) -> None:
    turn_on_second_factor(signed_in(office), clock)

    kept = json.loads(office.run("reset", EMAIL, "--json")[1])
    removed = json.loads(office.run("reset", EMAIL, "--second-factor", "--json")[1])

    assert (kept["second_factor"], removed["second_factor"]) == (True, False)


def test_a_closed_account_signs_in_nobody_and_keeps_its_name(stored_office: Office) -> None:
    browser = signed_in(stored_office)

    code, told = stored_office.run("close", EMAIL, "--json")

    assert (code, json.loads(told)["state"]) == (0, "closed")
    assert whoami(browser) == ""
    assert sign_in(stored_office.browser()).status_code == 400
    with stored_office.app.app_context():
        (mai,) = stored_office.accounts.staff_directory()
    assert (mai.name, mai.roles) == ("Mai", frozenset())
    assert stored_office.run("reset", EMAIL, "--ask", given=f"{PASSWORD}\n")[0] == 0
    assert sign_in(stored_office.browser()).status_code == 303


def test_what_is_done_to_accounts_stands_in_the_audit_log_without_an_address(stored_office: Office) -> None:
    stored_office.run("reset", EMAIL)
    stored_office.run("close", EMAIL)

    acts = list_acts(stored_office.database, limit=10)
    assert [one.body["action"] for one in acts] == ["staff_close", "staff_reset", "staff_add"]
    assert {one.body["account"] for one in acts} == {"1"}
    assert EMAIL not in str(acts)


def test_an_account_that_cannot_be_added_leaves_no_entry(stored_office: Office) -> None:
    before = list_acts(stored_office.database, limit=10)

    code, _ = stored_office.run("add", EMAIL, "--name", "Mai", "--role", "author")

    assert code == 1
    assert list_acts(stored_office.database, limit=10) == before


def test_list_tells_all_and_no_hash(office: Office) -> None:
    assert office.run("list")[1] == f"1\t{EMAIL}\tMai\tauthor\topen\n"
    (account,) = json.loads(office.run("list", "--json")[1])

    assert set(account) == {"id", "email", "name", "roles", "state", "second_factor"}


@pytest.mark.parametrize("command", ["reset", "close"])
def test_an_unknown_account_is_told(office: Office, command: str) -> None:
    code, told = office.run(command, "nobody@htek.example")

    assert code == 1
    assert "no account" in told


def test_a_database_without_tables_names_the_cure(make_office: MakeOffice, sqlite_url: str) -> None:
    code, told = make_office(sqlite_url).run("list")

    assert code == 1
    assert "flask consent upgrade" in told


def test_a_host_with_a_sign_in_of_its_own_is_told_so(office: Office, make_app: MakeApp) -> None:
    result = make_app().test_cli_runner().invoke(args=["consent", "staff", "list"])

    assert result.exit_code == 1
    assert "staff_loader" in result.output


def test_the_order_of_the_set_up_is_told(
    office: Office, make_app: MakeApp, tmp_path_factory: pytest.TempPathFactory
) -> None:
    accounts = StaffAccounts()
    app = make_app(staff_loader=accounts.staff_loader)

    with pytest.raises(ConsentWidgetError, match="init_app"), app.test_request_context():
        accounts.staff_loader()
    with pytest.raises(ConsentWidgetError, match="ConsentWidget of the app first"):
        accounts.init_app(plain_app(folder=tmp_path_factory.mktemp("plain")))
    with pytest.raises(ConsentWidgetError, match="already"):
        office.accounts.init_app(office.app)
