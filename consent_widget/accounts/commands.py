"""``flask consent staff ...``: who runs the site keeps the accounts."""

import json
import secrets
import sys
from typing import NoReturn

import click
from flask import current_app
from flask.cli import with_appcontext

from ..core.account import ONE_TIME
from ..core.errors import ConsentWidgetError
from ..core.staff import ROLES
from ..services.deployment import Deployment
from ..services.setup import check_schema
from ..services.staff import add_staff, close_staff, list_staff, reset_staff
from ..storage.account import Account
from .browser import EXTENSION

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_ask_option = click.option(
    "--ask",
    is_flag=True,
    help="Ask for the password, or read it from a pipe, instead of making a one-time one.",
)


@click.group("staff")
def staff() -> None:
    """Accounts of staff, where the host has no sign-in of its own."""


def _deployment() -> Deployment:
    if EXTENSION not in current_app.extensions:
        raise click.ClickException(
            "This app has no StaffAccounts: its staff sign in as its staff_loader says, and are kept there."
        )
    deployment: Deployment = current_app.extensions["consent_widget"].deployment
    try:
        check_schema(deployment.database)
    except ConsentWidgetError as error:
        _fail(error)
    return deployment


def _fail(error: Exception) -> NoReturn:
    raise click.ClickException(str(error)) from error


@staff.command("add")
@click.argument("email")
@click.option("--name", required=True, help="As colleagues know them; stands in the audit log.")
@click.option(
    "--role", "roles", multiple=True, required=True, type=click.Choice(sorted(ROLES)), help="Once or more."
)
@_ask_option
@_json_option
@with_appcontext
def add(email: str, name: str, roles: tuple[str, ...], ask: bool, as_json: bool) -> None:
    """Add an account; prints a one-time password."""
    deployment = _deployment()
    password = _password(ask)
    try:
        account = add_staff(
            deployment,
            email=email,
            name=name,
            roles=roles,
            password=password,
            one_time=not ask,
            now=deployment.clock(),
        )
    except ConsentWidgetError as error:
        _fail(error)
    _tell(account, None if ask else password, as_json)


@staff.command("reset")
@click.argument("email")
@click.option("--second-factor", is_flag=True, help="Remove the second factor too.")
@_ask_option
@_json_option
@with_appcontext
def reset(email: str, second_factor: bool, ask: bool, as_json: bool) -> None:
    """Give an account a new password, and open it again; prints a one-time password.

    Its sessions end, wherever they are.
    """
    deployment = _deployment()
    password = _password(ask)
    try:
        account = reset_staff(
            deployment,
            email,
            password=password,
            one_time=not ask,
            second_factor=second_factor,
            now=deployment.clock(),
        )
    except ConsentWidgetError as error:
        _fail(error)
    _tell(account, None if ask else password, as_json)


@staff.command("close")
@click.argument("email")
@_json_option
@with_appcontext
def close(email: str, as_json: bool) -> None:
    """Close an account: nobody signs in with it; its name stays in the audit log."""
    deployment = _deployment()
    try:
        account = close_staff(deployment, email, now=deployment.clock())
    except ConsentWidgetError as error:
        _fail(error)
    _tell(account, None, as_json)


@staff.command("list")
@_json_option
@with_appcontext
def list_(as_json: bool) -> None:
    """List the accounts."""
    try:
        found = list_staff(_deployment().database)
    except ConsentWidgetError as error:
        _fail(error)
    if as_json:
        click.echo(json.dumps([_printable(one) for one in found]))
        return
    for one in found:
        click.echo(f"{one.id}\t{one.email}\t{one.name}\t{','.join(sorted(one.roles))}\t{_state(one)}")


def _password(ask: bool) -> str:
    if not ask:
        # 96 bits, easily copied: it is used once.
        return "-".join(secrets.token_hex(3) for _ in range(4))
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _tell(account: Account, password: str | None, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_printable(account) | ({"password": password} if password else {})))
        return
    click.echo(f"{account.email}: {', '.join(sorted(account.roles))}, {_state(account)}.")
    if password:
        click.echo(f"One-time password: {password}")
        click.echo(f"It works for {ONE_TIME.days} days and is replaced at the first sign-in.")


def _state(account: Account) -> str:
    return "closed" if account.closed_at else "open"


def _printable(account: Account) -> dict[str, object]:
    return {
        "id": str(account.id),
        "email": account.email,
        "name": account.name,
        "roles": sorted(account.roles),
        "state": _state(account),
        "second_factor": account.second_factor is not None,
    }
