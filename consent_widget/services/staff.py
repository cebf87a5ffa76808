"""Accounts as those who run the site keep them: `flask consent staff ...`."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from ..core.account import ONE_TIME, canonical_email
from ..core.errors import InputError
from ..core.staff import COMMAND_LINE, ROLES
from ..storage import account as storage
from ..storage.account import Account
from ..storage.database import Database, retrying
from .account import hash_password
from .deployment import Deployment
from .ledger import append


@retrying
def add_staff(
    deployment: Deployment,
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
    with deployment.database.writing() as connection:
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
        added = storage.account_by_email(connection, address)
        assert added is not None
        _note(deployment, connection, "staff_add", added, now=now)
    return account_of(deployment.database, address)


@retrying
def reset_staff(
    deployment: Deployment, email: str, *, password: str, one_time: bool, second_factor: bool, now: datetime
) -> Account:
    """A new password for an account, which is open again; its sessions end, and its known devices are forgotten.

    With ``second_factor`` that one is removed as well: the telephone is lost.

    Raises:
        InputError: there is no such account, or the password is no good.
    """
    account = account_of(deployment.database, email)
    changes: dict[str, object] = {
        "password_hash": hash_password(password, account.email, account.name),
        "password_until": now + ONE_TIME if one_time else None,
        "lost_mark": None,
        "lost_until": None,
        "closed_at": None,
    }
    if second_factor:
        changes |= {"second_factor": None, "second_factor_step": None}
    with deployment.database.writing() as connection:
        storage.change_account(connection, account.id, **changes)
        storage.end_sessions(connection, account_id=account.id)
        storage.forget_known(connection, account.id)
        _note(deployment, connection, "staff_reset", account, now=now)
    return account_of(deployment.database, email)


@retrying
def close_staff(deployment: Deployment, email: str, *, now: datetime) -> Account:
    """Nobody signs in with this account any more; its name stays for the audit log.

    Raises:
        InputError: there is no such account.
    """
    account = account_of(deployment.database, email)
    with deployment.database.writing() as connection:
        storage.change_account(connection, account.id, closed_at=now)
        storage.end_sessions(connection, account_id=account.id)
        _note(deployment, connection, "staff_close", account, now=now)
    return account_of(deployment.database, email)


def _note(
    deployment: Deployment, connection: Connection, action: str, account: Account, *, now: datetime
) -> None:
    """One line of the audit log, in the transaction of what it tells; the account by its id alone."""
    body = {
        "action": action,
        "staff": COMMAND_LINE,
        "account": str(account.id),
        "roles": sorted(account.roles),
    }
    append(deployment, connection, kind="audit", body=body, now=now)


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
