"""The rules of our own staff sign-in, from values alone."""

from datetime import timedelta

import pytest

from consent_widget.core.account import (
    IDLE,
    LIFETIME,
    UNFINISHED,
    Step,
    canonical_email,
    canonical_password,
    check_length,
    has_ended,
    next_step,
)
from consent_widget.core.account_keys import AccountKeys
from consent_widget.core.errors import InputError
from consent_widget.core.second_factor import app_address, readable, used_step
from tests.factories import NOW

#: RFC 6238 appendix B: the secret of its SHA-1 column, and six of its eight digits.
SECRET = b"12345678901234567890"
OLD, NEW = "an old key", "a new key"


@pytest.mark.parametrize(
    "done, has_second_factor, must_renew, step",
    [
        (None, False, False, Step.SIGNED_IN),
        (None, True, False, Step.CODE),
        (None, False, True, Step.PASSWORD),
        (None, True, True, Step.CODE),
        (Step.CODE, True, True, Step.PASSWORD),
        (Step.CODE, True, False, Step.SIGNED_IN),
        (Step.PASSWORD, True, True, Step.SIGNED_IN),
        (Step.SIGNED_IN, True, True, Step.SIGNED_IN),
    ],
)
def test_the_steps_of_a_sign_in(
    done: Step | None, has_second_factor: bool, must_renew: bool, step: Step
) -> None:
    assert next_step(done, has_second_factor=has_second_factor, must_renew=must_renew) is step


@pytest.mark.parametrize(
    "step, age, idle, ended",
    [
        (Step.SIGNED_IN, LIFETIME - timedelta(seconds=1), timedelta(0), False),
        (Step.SIGNED_IN, LIFETIME, timedelta(0), True),
        (Step.SIGNED_IN, IDLE, IDLE - timedelta(seconds=1), False),
        (Step.SIGNED_IN, IDLE, IDLE, True),
        (Step.CODE, UNFINISHED - timedelta(seconds=1), timedelta(0), False),
        (Step.CODE, UNFINISHED, timedelta(0), True),
        (Step.PASSWORD, UNFINISHED, timedelta(0), True),
    ],
)
def test_when_a_session_is_over(step: Step, age: timedelta, idle: timedelta, ended: bool) -> None:
    assert has_ended(step, started_at=NOW - age, seen_at=NOW - idle, now=NOW) is ended


@pytest.mark.parametrize("length, fits", [(11, False), (12, True), (256, True), (257, False)])
def test_a_password_has_twelve_characters_and_may_be_long(length: int, fits: bool) -> None:
    if fits:
        check_length("x" * length)
        return
    with pytest.raises(InputError, match="characters"):
        check_length("x" * length)


def test_a_password_is_the_same_text_however_it_is_composed() -> None:
    assert canonical_password("mật khẩu") == canonical_password("mật khẩu")
    with pytest.raises(InputError, match="surrogate"):
        canonical_password("\ud800")


@pytest.mark.parametrize(
    "email",
    ["", "@", "a@", "@b", "a b@c.example", "a@b@c.example", "a\x00@b.example", "a" * 250 + "@b.example"],
)
def test_an_address_that_is_none(email: str) -> None:
    with pytest.raises(InputError, match=r"name@example\.com"):
        canonical_email(email)


@pytest.mark.parametrize(
    "seconds, code", [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    """RFC 6238 appendix B, its eight digits without the first two."""
    now = NOW.fromtimestamp(seconds, NOW.tzinfo)

    assert used_step(SECRET, code, now=now, last_step=None) == seconds // 30
    assert used_step(SECRET, code, now=now, last_step=seconds // 30) is None
    assert used_step(SECRET, f"{code[:3]} {code[3:]}", now=now, last_step=None) == seconds // 30


def test_the_secret_is_shown_as_apps_take_it() -> None:
    assert readable(SECRET) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
    assert app_address(SECRET, email="mai@htek.example", issuer="HTEK").startswith("otpauth://totp/HTEK:mai")


def test_a_mark_tells_nothing_and_survives_a_rotation() -> None:
    before, rotated, removed = AccountKeys([OLD]), AccountKeys([NEW, OLD]), AccountKeys([NEW])
    mark = before.mark("session", "value")

    assert "value" not in mark
    assert mark != before.mark("device", "value")
    assert rotated.is_mark(mark, "session", "value")
    assert not removed.is_mark(mark, "session", "value")
    assert not rotated.is_mark("", "session", "value")
    assert not rotated.is_mark("é\ud800", "session", "value")


def test_a_seal_is_opened_by_who_has_the_key_and_in_time() -> None:
    sealed = AccountKeys([OLD]).seal(b"secret", now=NOW)

    assert b"secret" not in sealed.encode()
    assert AccountKeys([NEW, OLD]).open(sealed, now=NOW) == b"secret"
    assert AccountKeys([NEW]).open(sealed, now=NOW) is None
    assert AccountKeys([OLD]).open("made up \ud800", now=NOW) is None
    hour = timedelta(hours=1)
    assert AccountKeys([OLD]).open(sealed, now=NOW + hour, longest=hour) == b"secret"
    assert AccountKeys([OLD]).open(sealed, now=NOW + 2 * hour, longest=hour) is None
