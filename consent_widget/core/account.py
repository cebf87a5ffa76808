"""The rules of our own staff sign-in: passwords, the steps of a sign-in, how long a session lives.

For hosts that have no sign-in of their own; the others never come here.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from unicodedata import normalize

from .errors import InputError

#: In characters (ASVS 6.2.1, 6.2.9); no rule about kinds of characters (NIST SP 800-63B section 3.1.1.2).
MIN_PASSWORD, MAX_PASSWORD = 12, 256

#: A session ends after so long without a request, and after so long at all (ASVS 7.3.1, 7.3.2).
IDLE, LIFETIME = timedelta(minutes=30), timedelta(hours=12)

#: So long a half-finished sign-in waits for the code or the new password.
UNFINISHED = timedelta(minutes=10)

#: So long a one-time password and a link to a lost password may be used.
ONE_TIME, LOST = timedelta(days=3), timedelta(hours=1)

#: So long a device or a network counts as known to an account after it was last used to sign in.
KNOWN = timedelta(days=180)


class Step(StrEnum):
    """How far a session has come; only the last one is signed in."""

    CODE = "code"
    PASSWORD = "password"  # noqa: S105  # the step in which a new one is chosen
    SIGNED_IN = "signed_in"


def next_step(done: Step | None, *, has_second_factor: bool, must_renew: bool) -> Step:
    """What comes after ``done`` (None: the password was right)."""
    steps: Mapping[Step, bool] = {
        Step.CODE: has_second_factor,
        Step.PASSWORD: must_renew,
        Step.SIGNED_IN: True,
    }
    order = list(steps)
    rest = order if done is None else order[order.index(done) + 1 :]
    return next((step for step in rest if steps[step]), Step.SIGNED_IN)


def has_ended(step: Step, *, started_at: datetime, seen_at: datetime, now: datetime) -> bool:
    """Whether a session is over by its age or because nobody used it."""
    if step is not Step.SIGNED_IN:
        return now >= started_at + UNFINISHED
    return now >= started_at + LIFETIME or now >= seen_at + IDLE


def canonical_password(password: str) -> str:
    """The same text for the same keys, whichever way a device composes ``ế`` (NIST SP 800-63B section 3.1.1.2).

    Raises:
        InputError: it holds what no keyboard sends.
    """
    try:
        password.encode()
    except UnicodeEncodeError as error:
        raise InputError("bad_password", "The password holds a lone surrogate.", "password") from error
    return normalize("NFKC", password)


def check_length(password: str) -> None:
    """Raises InputError: ``password`` is too short or too long."""
    if len(password) < MIN_PASSWORD:
        raise InputError("short_password", f"A password has at least {MIN_PASSWORD} characters.", "password")
    if len(password) > MAX_PASSWORD:
        raise InputError("long_password", f"A password has at most {MAX_PASSWORD} characters.", "password")


def canonical_email(email: str) -> str:
    """The address as accounts are found by: NFC, lower case, without blanks around it.

    Raises:
        InputError: it is no address.
    """
    found = normalize("NFC", email).strip().lower()
    local, _, domain = found.rpartition("@")
    odd = any(char.isspace() or not char.isprintable() for char in found)
    if not local or not domain or "@" in local or odd or len(found) > 254:
        raise InputError("bad_email", "The address must look like name@example.com.", "email")
    return found
