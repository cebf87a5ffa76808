"""The counts of guesses: kept in the database, the same for every worker, and exact when many come at once."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from limits.strategies import FixedWindowRateLimiter

from consent_widget.accounts.guesses import PER_ACCOUNT, own_guess, password_guess
from consent_widget.core.account_keys import AccountKeys
from consent_widget.services.limits import DatabaseStorage
from consent_widget.storage.database import Database
from tests.accounts.conftest import MakeOffice
from tests.accounts.office import EMAIL, PASSWORD, Office, sign_in, signed_in, values_of
from tests.factories import KEY, Clock


@pytest.fixture
def storage(database: Database, clock: Clock) -> DatabaseStorage:
    return DatabaseStorage(database, partial(AccountKeys([KEY]).mark, "guess"), clock)


def test_a_window_counts_ends_and_begins_anew(storage: DatabaseStorage, clock: Clock) -> None:
    assert [storage.incr("a", 60), storage.incr("a", 60, 2), storage.incr("b", 60)] == [1, 3, 1]
    assert storage.get("a") == 3
    assert storage.get_expiry("a") == clock.now.timestamp() + 60

    clock.tick(seconds=60)

    assert storage.get("a") == 0
    assert storage.incr("a", 60) == 1


def test_a_count_is_given_back_and_forgotten(storage: DatabaseStorage) -> None:
    storage.incr("a", 60, 3)
    storage.incr("b", 60)

    assert storage.incr("a", 60, -1) == 2
    storage.clear("a")
    assert (storage.get("a"), storage.get("b")) == (0, 1)
    assert storage.reset() == 1
    assert storage.get("b") == 0


def test_what_has_ended_is_not_kept(storage: DatabaseStorage, database: Database, clock: Clock) -> None:
    for number in range(20):
        storage.incr(f"old {number}", 60)
    clock.tick(minutes=2)

    storage.incr("new", 60)

    assert storage.reset() == 1


def test_many_at_once_get_no_guess_too_many(storage: DatabaseStorage) -> None:
    limiter = FixedWindowRateLimiter(storage)
    guess = own_guess(limiter, "code", 1, "")

    with ThreadPoolExecutor(8) as workers:
        allowed = list(workers.map(lambda _: guess.is_allowed(), range(40)))

    assert sum(allowed) == PER_ACCOUNT.amount


def test_a_storage_that_is_down_says_so(storage: DatabaseStorage, database: Database) -> None:
    assert storage.check()
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE cw_count")

    assert not storage.check()


def test_workers_share_the_counts(make_office: MakeOffice) -> None:
    one, other = make_office(), make_office()
    one.hire()

    answers = [sign_in(office.browser(), password="wrong").status_code for office in (one, other) * 6]

    assert answers == [400] * 10 + [429] * 2


def test_the_right_password_costs_no_guess(office: Office) -> None:
    for _ in range(15):
        assert sign_in(office.browser()).status_code == 303


def test_a_refusal_tells_how_long_to_wait(office: Office, clock: Clock) -> None:
    for _ in range(10):
        sign_in(office.browser(), password="wrong")
    clock.tick(minutes=20)

    answer = sign_in(office.browser(), password=PASSWORD)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == str(40 * 60)


def test_a_stolen_device_cookie_is_of_no_use_without_limit(office: Office) -> None:
    """It opens a count apart, not a door; and for its own account alone."""
    office.hire("other@htek.example", password="thuyền giấy qua cầu vồng")
    browser = signed_in(office)
    browser.delete_cookie("__Host-consent_staff")

    answers = [sign_in(browser, EMAIL, "wrong").status_code for _ in range(12)]
    others = [sign_in(browser, "other@htek.example", "wrong").status_code for _ in range(12)]

    assert answers == [400] * 10 + [429] * 2
    assert others == [400] * 10 + [429] * 2


def test_no_address_stands_in_the_tables(office: Office) -> None:
    sign_in(office.browser("198.51.100.7"), "nobody@htek.example", "wrong")

    stored = "\n".join(values_of(office.app))

    assert "198.51.100" not in stored
    assert "nobody" not in stored


def test_a_known_network_shows_no_sooner_than_an_unknown_account(storage: DatabaseStorage) -> None:
    """Within one network the number of guesses must not tell which accounts sign in from there."""
    limiter = FixedWindowRateLimiter(storage)
    known, unknown = (
        password_guess(limiter, subject, network="n", device=None, knows_network=knows)
        for subject, knows in (("mai", True), ("nobody", False))
    )

    assert [known.is_allowed() for _ in range(12)] == [unknown.is_allowed() for _ in range(12)]
