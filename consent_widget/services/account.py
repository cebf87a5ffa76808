"""Staff sign in, change what they sign in with, and sign out. For hosts without a sign-in of their own."""

from dataclasses import dataclass
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from ..core.account import (
    KNOWN,
    LIFETIME,
    LOST,
    Step,
    canonical_email,
    canonical_password,
    check_length,
    has_ended,
    next_step,
)
from ..core.account_keys import AccountKeys
from ..core.errors import InputError
from ..core.second_factor import used_step
from ..storage import account as storage
from ..storage.account import Account, Session
from ..storage.database import Database, retrying

#: Argon2id with 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet): several at once fit a small server.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)

#: Verified where there is no account, so that nobody can tell by the time. No password has it.
_NOBODYS = _HASHER.hash("nobody's")

#: Out of 0 to 4: 3 withstands ten billion guesses (zxcvbn).
_LEAST_SCORE = 3

#: zxcvbn takes its time with long texts, and what follows only makes them harder to guess.
_LOOKED_AT = 72


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """What the browser has shown: the marks under which it may be known, today's first."""

    device: tuple[str, ...]
    network: tuple[str, ...]


def hash_password(password: str, *words: str) -> str:
    """The hash of a new password, once it is a good one. ``words``: what a guesser knows of its owner.

    Raises:
        InputError: it is too short, too long or easily guessed.
    """
    password = canonical_password(password)
    check_length(password)
    inputs = ["consent", "widget", "privacy", *(part for word in words for part in word.lower().split("@"))]
    whole = password.lower() in {word.lower() for word in words}
    if whole or zxcvbn(password[:_LOOKED_AT], user_inputs=inputs)["score"] < _LEAST_SCORE:
        raise InputError("guessable_password", "The password is easily guessed.", "password")
    return _HASHER.hash(password)


def verify_password(account: Account | None, password: str, *, now: datetime) -> bool:
    """Whether it is the account's; takes as long for an account that is not there."""
    try:
        _HASHER.verify(account.password_hash if account else _NOBODYS, canonical_password(password))
    except (VerificationError, InvalidHashError, InputError):
        return False
    if account is None or account.closed_at is not None:
        return False
    return account.password_until is None or now < account.password_until


def find_account(database: Database, email: str) -> Account | None:
    try:
        address = canonical_email(email)
    except InputError:
        address = ""
    with database.reading() as connection:
        return storage.account_by_email(connection, address)


def is_known(
    database: Database, account: Account | None, bearer: Bearer, *, now: datetime
) -> tuple[bool, bool]:
    """Whether the account has signed in from this device, and from this network."""
    account_id = account.id if account else 0
    with database.reading() as connection:
        device, network = (
            storage.is_known(connection, account_id, marks, since=now - KNOWN)
            for marks in (bearer.device, bearer.network)
        )
    return device, network


@retrying
def begin_session(database: Database, account: Account, *, mark: str, now: datetime) -> Step:
    """Start a session for an account whose password was right; how far it has come."""
    step = next_step(
        None,
        has_second_factor=account.second_factor is not None,
        must_renew=account.password_until is not None,
    )
    with database.writing() as connection:
        storage.end_sessions(connection, started_before=now - LIFETIME)
        storage.add_session(connection, mark=mark, account_id=account.id, step=step, now=now)
    return step


@retrying
def advance_session(database: Database, session: Session, *, mark: str, now: datetime) -> Step:
    """The session goes on one step under a new ``mark``; the old one ends (ASVS 7.2.4)."""
    account = session.account
    step = next_step(
        Step(session.step), has_second_factor=True, must_renew=account.password_until is not None
    )
    with database.writing() as connection:
        storage.end_sessions(connection, marks=[session.mark])
        storage.add_session(connection, mark=mark, account_id=account.id, step=step, now=now)
    return step


@retrying
def remember(database: Database, account: Account, bearer: Bearer, *, now: datetime) -> None:
    """From here on the account is known on this device and in this network."""
    marks = [bearer.device[0], bearer.network[0]]
    with database.writing() as connection:
        storage.remember_known(connection, account.id, marks, now=now, since=now - KNOWN)


def current_session(database: Database, marks: tuple[str, ...], *, now: datetime) -> Session | None:
    """The session of ``marks`` if it has not ended; notes once a minute that it is used."""
    with database.reading() as connection:
        found = storage.find_session(connection, marks)
    if found is None or found.account.closed_at is not None:
        return None
    if has_ended(Step(found.step), started_at=found.started_at, seen_at=found.seen_at, now=now):
        return None
    if (now - found.seen_at).total_seconds() >= 60:
        with database.writing() as connection:
            storage.touch_session(connection, found.mark, now=now)
    return found


@retrying
def end_session(database: Database, marks: tuple[str, ...]) -> None:
    """Sign out: the cookie is worthless from here on, whoever kept it."""
    with database.writing() as connection:
        storage.end_sessions(connection, marks=marks)


@retrying
def check_code(database: Database, keys: AccountKeys, account: Account, code: str, *, now: datetime) -> bool:
    """Whether ``code`` is the second factor's just now; it is used up by that."""
    secret = keys.open(account.second_factor or "", now=now)
    if secret is None:
        return False
    step = used_step(secret, code, now=now, last_step=account.second_factor_step)
    if step is None:
        return False
    with database.writing() as connection:
        fresh = storage.use_step(connection, account.id, step)
        # By today's key: an older one may be dropped.
        storage.change_account(connection, account.id, second_factor=keys.seal(secret, now=now))
    return fresh


@retrying
def change_password(database: Database, account: Account, password: str) -> None:
    """Set a password of the owner's choice. Every session ends, the owner's own too.

    Raises:
        InputError: it is no good password, or the one there was.
    """
    hashed = hash_password(password, account.email, account.name)
    if _is_the_old_one(account, password):
        raise InputError("same_password", "The new password is the old one.", "password")
    with database.writing() as connection:
        storage.change_account(
            connection, account.id, password_hash=hashed, password_until=None, lost_mark=None, lost_until=None
        )
        storage.end_sessions(connection, account_id=account.id)


def _is_the_old_one(account: Account, password: str) -> bool:
    try:
        return _HASHER.verify(account.password_hash, canonical_password(password))
    except (VerificationError, InvalidHashError):
        return False


@retrying
def turn_on_second_factor(
    database: Database, keys: AccountKeys, account: Account, *, secret: bytes, code: str, now: datetime
) -> bool:
    """Ask for a code at every sign-in from now on, if ``code`` shows that the app works. Other sessions stay."""
    step = used_step(secret, code, now=now, last_step=None)
    if step is None:
        return False
    with database.writing() as connection:
        storage.change_account(
            connection, account.id, second_factor=keys.seal(secret, now=now), second_factor_step=step
        )
    return True


@retrying
def turn_off_second_factor(database: Database, account: Account) -> None:
    with database.writing() as connection:
        storage.change_account(connection, account.id, second_factor=None, second_factor_step=None)


@retrying
def lose_password(database: Database, email: str, *, mark: str, now: datetime) -> Account | None:
    """Let the link of ``mark`` set a new password for an hour; None where there is no open account."""
    account = find_account(database, email)
    if account is None or account.closed_at is not None:
        return None
    with database.writing() as connection:
        storage.change_account(connection, account.id, lost_mark=mark, lost_until=now + LOST)
    return account


def account_of_link(database: Database, marks: tuple[str, ...], *, now: datetime) -> Account | None:
    """Whose password the link of ``marks`` may set; None where it is unknown, used or too old."""
    with database.reading() as connection:
        found = storage.account_by_lost_mark(connection, marks)
    if found is None or found.closed_at is not None or found.lost_until is None or now >= found.lost_until:
        return None
    return found
