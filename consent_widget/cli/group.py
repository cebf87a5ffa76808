"""The group that every command is in, and what all of them need."""

from collections.abc import Iterable
from typing import NoReturn, cast

import click
from flask import current_app
from flask.cli import AppGroup

from ..core.staff import Staff
from ..services.deployment import Deployment

commands = AppGroup("consent", help="Privacy notices and cookie consent.")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def current_deployment() -> Deployment:
    found: Deployment = current_app.extensions["consent_widget"].deployment
    return found


def fail(error: Exception) -> NoReturn:
    raise click.ClickException(str(error)) from error


def known_staff() -> Iterable[Staff]:
    directory = current_app.extensions["consent_widget"].staff_directory
    return cast(Iterable[Staff], directory() if directory else ())


def one_line(text: str) -> str:
    """``text`` without what would move a terminal's cursor or turn its writing round."""
    return "".join(char if char.isprintable() else " " for char in text)
