"""AU, OR: the sign-in of staff withstands guesses, stolen and planted sessions, and leads nowhere else."""

import random
import statistics
from collections.abc import Callable
from time import perf_counter
from urllib.parse import unquote

import pytest
from flask.testing import FlaskClient

from consent_widget.core.account import IDLE, LIFETIME
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.staff import (
    ACCOUNT,
    COOKIE,
    EMAIL,
    PASSWORD,
    SIGN_IN,
    browser_at,
    hire,
    is_signed_in,
    sign_in,
    token,
    value_of,
)
from tests.attacks.target import Target
from tests.attacks.threats import stays_here
from tests.factories import Clock

#: The documented numbers (docs/how-to/staff-sign-in.md).
PER_ACCOUNT, PER_NETWORK, IN_ALL = 10, 50, 100


@pytest.fixture
def staffed(make_target: MakeTarget, sqlite_url: str, clock: Clock) -> Target:
    """A site with one account."""
    target = make_target(sqlite_url, clock=clock, has_accounts=True)
    hire(target)
    return target


@attack("AU-005")
def test_session_planted_before_the_sign_in(case: Case, staffed: Target) -> None:
    browser, thief = browser_at(staffed), browser_at(staffed)
    for planted in (token(browser) and value_of(browser), "chosen-by-the-thief"):
        browser.set_cookie(COOKIE, planted)
        thief.set_cookie(COOKIE, planted)
        assert sign_in(browser).status_code == 303
        assert is_signed_in(browser)
        assert value_of(browser) != planted
        assert not is_signed_in(thief)
        browser.delete_cookie(COOKIE)


@attack("AU-006")
def test_session_kept_over_the_sign_out(case: Case, staffed: Target) -> None:
    browser = browser_at(staffed)
    sign_in(browser)
    kept = value_of(browser)

    browser.post("/privacy/admin/sign-out", data={"token": token(browser, ACCOUNT)})
    browser.set_cookie(COOKIE, kept)

    assert not is_signed_in(browser)


@attack("AU-007")
@pytest.mark.parametrize("by", ["the owner", "who runs the site"])
def test_session_of_before_the_password_changed(case: Case, by: str, staffed: Target) -> None:
    one, other = browser_at(staffed), browser_at(staffed)
    sign_in(one)
    sign_in(other)

    if by == "the owner":
        answer = one.post(
            ACCOUNT,
            data={
                "token": token(one, ACCOUNT),
                "current": PASSWORD,
                "password": "một mật khẩu hoàn toàn khác",
            },
        )
        assert answer.status_code == 303
        assert is_signed_in(one)
    else:
        runner = staffed.app.test_cli_runner()
        assert runner.invoke(args=["consent", "staff", "reset", EMAIL]).exit_code == 0
        assert not is_signed_in(one)

    assert not is_signed_in(other)


@attack("AU-010")
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "absolute"])
def test_session_that_goes_on_too_long(case: Case, busy: bool, staffed: Target, clock: Clock) -> None:
    browser = browser_at(staffed)
    sign_in(browser)
    ends_at = clock.now + (LIFETIME if busy else IDLE)
    while busy and clock.now + IDLE * 0.9 < ends_at:
        clock.now += IDLE * 0.9
        assert is_signed_in(browser)

    clock.now = ends_at

    assert not is_signed_in(browser)


def _guess(browser: FlaskClient, known: str, email: str, address: str, **headers: str) -> int:
    """One wrong password; the token is not fetched anew each time."""
    return browser.post(
        SIGN_IN,
        data={"email": email, "password": "a wrong password", "token": known},
        environ_overrides={"REMOTE_ADDR": address},
        headers=headers,
    ).status_code


@attack("AU-011")
def test_guesses_for_one_account(case: Case, staffed: Target, clock: Clock) -> None:
    """A sample of the ten thousand: after the first ten each is refused without a look at the password."""
    owner = browser_at(staffed, "192.0.2.1")
    sign_in(owner)
    thief = browser_at(staffed, "203.0.113.1")
    known = token(thief)

    begun = perf_counter()
    one = [
        _guess(thief, known, EMAIL, "203.0.113.1", **{"X-Forwarded-For": f"198.51.100.{n % 250}"})
        for n in range(200)
    ]
    many = [_guess(thief, known, EMAIL, f"198.51.{n // 250}.{n % 250}") for n in range(500)]
    took = perf_counter() - begun

    assert one == [400] * PER_ACCOUNT + [429] * (200 - PER_ACCOUNT)
    assert many == [429] * 500
    assert took < 60  # a refused guess costs no hash
    # The owner still gets in from the known network, on the known device anywhere, and elsewhere later.
    assert sign_in(browser_at(staffed, "192.0.2.1")).status_code == 303
    owner.environ_base["REMOTE_ADDR"] = "203.0.113.1"
    owner.delete_cookie(COOKIE)
    assert sign_in(owner).status_code == 303
    assert sign_in(browser_at(staffed, "198.51.7.7")).status_code == 429
    clock.tick(hours=1, seconds=1)
    assert sign_in(browser_at(staffed, "198.51.7.7")).status_code == 303


@attack("AU-012")
def test_one_guess_for_each_of_many_accounts(case: Case, staffed: Target, clock: Clock) -> None:
    owner = browser_at(staffed, "192.0.2.1")
    sign_in(owner)
    owner.delete_cookie(COOKIE)
    thief = browser_at(staffed)
    known = token(thief)

    one = [_guess(thief, known, f"one{n}@example.com", "203.0.113.1") for n in range(PER_NETWORK + 5)]
    clock.tick(minutes=11)
    many = [_guess(thief, known, f"many{n}@example.com", f"198.51.100.{n}") for n in range(IN_ALL + 20)]

    assert one == [400] * PER_NETWORK + [429] * 5
    assert many == [400] * IN_ALL + [429] * 20
    assert sign_in(owner).status_code == 303


@attack("AU-013")
def test_known_and_unknown_accounts_look_alike(case: Case, staffed: Target, clock: Clock) -> None:
    """The same words and headers; a median within five milliseconds, or times that nobody can tell apart."""
    browser = browser_at(staffed, "203.0.113.1")
    known = token(browser)
    emails = [f"known{n}@example.com" for n in range(60)]
    for email in emails:
        hire(staffed, email)
    emails += [f"unknown{n}@example.com" for n in range(60)]
    random.Random(13).shuffle(emails)  # the same order on every machine
    times: dict[str, list[float]] = {"k": [], "u": []}
    answers = set()

    for number, email in enumerate(emails):
        if number % 40 == 0:
            clock.tick(hours=1, seconds=1)  # else the network would be stopped
        begun = perf_counter()
        answer = browser.post(SIGN_IN, data={"email": email, "password": "wrong", "token": known})
        times[email[0]].append(perf_counter() - begun)
        headers = sorted(set(answer.headers) - {("Content-Length", answer.headers["Content-Length"])})
        answers.add((answer.status_code, answer.text.replace(email, "@"), str(headers)))

    assert len(answers) == 1
    apart = abs(statistics.median(times["k"]) - statistics.median(times["u"]))
    assert apart < 0.005 or _deviation(times["k"], times["u"]) < 2.58  # p > 0.01


def _deviation(some: list[float], others: list[float]) -> float:
    """Mann and Whitney's U in standard deviations from what chance gives (normal approximation)."""
    larger = sum(one > other for one in some for other in others)
    pairs, number = len(some) * len(others), len(some) + len(others)
    return float(abs(larger - pairs / 2) / (pairs * (number + 1) / 12) ** 0.5)


def test_the_deviation_tells_what_is_apart() -> None:
    assert _deviation([1.0, 3.0, 5.0, 7.0], [2.0, 4.0, 6.0, 8.0]) < 1
    assert _deviation([n / 10 for n in range(20)], [n / 10 + 1 for n in range(20)]) > 2.58


Follow = Callable[[FlaskClient, str], str | None]


def _after_sign_in(browser: FlaskClient, target: str) -> str | None:
    return sign_in(browser, next=target).location


def _after_sign_in_by_query(browser: FlaskClient, target: str) -> str | None:
    data = {"email": EMAIL, "password": PASSWORD, "token": token(browser)}
    return browser.post(SIGN_IN, data=data, query_string={"next": target}).location


def _while_signed_in(browser: FlaskClient, target: str) -> str | None:
    sign_in(browser)
    return browser.get(SIGN_IN, query_string={"next": target}).location


def _by_referrer(browser: FlaskClient, target: str) -> str | None:
    data = {"email": EMAIL, "password": PASSWORD, "token": token(browser)}
    header = target.encode("utf-8", "replace").decode("latin-1").replace("\r", "").replace("\n", "")
    return browser.post(SIGN_IN, data=data, headers={"Referer": header}).location


def _after_a_choice(browser: FlaskClient, target: str) -> str | None:
    return browser.post("/privacy/preferences", data={"action": "reject_all", "next": target}).location


def _after_sign_out(browser: FlaskClient, target: str) -> str | None:
    sign_in(browser)
    data = {"token": token(browser, ACCOUNT), "next": target}
    return browser.post("/privacy/admin/sign-out", data=data, query_string={"next": target}).location


@attack("OR-001", "OR-002", "OR-003", "OR-005", "OR-006", "OR-007", "OR-012")
@pytest.mark.parametrize(
    "follow",
    [
        _after_sign_in,
        _after_sign_in_by_query,
        _while_signed_in,
        _by_referrer,
        _after_a_choice,
        _after_sign_out,
    ],
)
def test_target_elsewhere(case: Case, follow: Follow, staffed: Target) -> None:
    for payload in case.payloads:
        location = follow(browser_at(staffed), payload.replace("{host}", "localhost"))

        assert location is not None
        assert stays_here(location), (payload, location)


@attack("OR-014")
def test_language_switch_on_a_path_that_begins_with_two_slashes(case: Case, staffed: Target) -> None:
    browser = browser_at(staffed)
    for path in (
        case.payload,
        f"/{SIGN_IN}",
        f"//evil.example/..%2f..{SIGN_IN}",
        f"{SIGN_IN}?next={case.payload}",
    ):
        answer = browser.get(path)

        assert answer.status_code < 500
        assert not answer.location or stays_here(answer.location)
        assert 'href="//' not in answer.text
        assert "//evil" not in unquote(answer.text)
