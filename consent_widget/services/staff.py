"""Accounts as those who run the site keep them: `flask consent staff ...`."""

from collections.abc import Collection
from datetime import datetime

from ..core.account import ONE_TIME, canonical_email
from ..core.errors import InputError
from ..core.staff import ROLES
from ..storage import account as storage
from ..storage.account import Account
from ..storage.database import Database
from .account import hash_password


def add_staff(
    database: Database,
    *,
    email: str,
    name: str,
    roles: Collection[str],
    password: str,
    one_time: bool,
    now: datetime,
) -> Account:
    """A new account; a ``one_time`` password must be renewed at the first sign-in, within three days.

    Raises:
        InputError: the address is none or has an account, a role is unknown, or the password is no good.
    """
    address, called = canonical_email(email), name.strip()
    if not called or len(called) > 200:
        raise InputError("bad_name", "The name must have 1 to 200 characters.", "name")
    unknown = set(roles) - ROLES
    if unknown or not roles:
        raise InputError("unknown_role", f"The roles must be out of {', '.join(sorted(ROLES))}.", "roles")
    hashed = hash_password(password, address, called)
    with database.writing() as connection:
        if storage.account_by_email(connection, address) is not None:
            raise InputError("known_email", "There is an account with this address already.", "email")
        storage.add_account(
            connection,
            email=address,
            name=called,
            roles=set(roles),
            password_hash=hashed,
            password_until=now + ONE_TIME if one_time else None,
            created_at=now,
        )
    return account_of(database, address)


def reset_staff(
    database: Database, email: str, *, password: str, one_time: bool, second_factor: bool, now: datetime
) -> Account:
    """A new password for an account, which is open again; its sessions end, and its known devices are forgotten.

    With ``second_factor`` that one is removed as well: the telephone is lost.

    Raises:
        InputError: there is no such account, or the password is no good.
    """
    account = account_of(database, email)
    changes: dict[str, object] = {
        "password_hash": hash_password(password, account.email, account.name),
        "password_until": now + ONE_TIME if one_time else None,
        "lost_mark": None,
        "lost_until": None,
        "closed_at": None,
    }
    if second_factor:
        changes |= {"second_factor": None, "second_factor_step": None}
    with database.writing() as connection:
        storage.change_account(connection, account.id, **changes)
        storage.end_sessions(connection, account_id=account.id)
        storage.forget_known(connection, account.id)
    return account_of(database, email)


def close_staff(database: Database, email: str, *, now: datetime) -> Account:
    """Nobody signs in with this account any more; its name stays for the audit log.

    Raises:
        InputError: there is no such account.
    """
    account = account_of(database, email)
    with database.writing() as connection:
        storage.change_account(connection, account.id, closed_at=now)
        storage.end_sessions(connection, account_id=account.id)
    return account_of(database, email)


def list_staff(database: Database) -> list[Account]:
    """Every account, the closed ones too, oldest first."""
    with database.reading() as connection:
        return storage.list_accounts(connection)


def account_of(database: Database, email: str) -> Account:
    """Raises InputError: there is no account with this address."""
    with database.reading() as connection:
        found = storage.account_by_email(connection, canonical_email(email))
    if found is None:
        raise InputError("unknown_email", "There is no account with this address.", "email")
    return found
