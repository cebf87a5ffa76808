"""``flask consent backup``: a copy of the database, made while the site runs."""

import json
from pathlib import Path

import click

from ..core.errors import ConsentWidgetError
from ..services.backup import back_up
from ..services.setup import check_schema
from .group import commands, current_deployment, fail, json_option
from .log import told_problem


@commands.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def backup(file: Path, as_json: bool) -> None:
    """Copy the database to FILE, and check the copy. Nothing is written over."""
    deployment = current_deployment()
    try:
        check_schema(deployment.database)
        done = back_up(deployment, file)
    except ConsentWidgetError as error:
        fail(error)
    problem = done.report.problem
    if as_json:
        shown = {
            "file": str(done.path),
            "bytes": done.size,
            "ledger": told_problem(problem) if problem else None,
        }
        click.echo(json.dumps(shown))
    else:
        click.echo(f"{done.path}: {done.size} bytes, readable for its owner alone. It holds personal data.")
        if problem is None:
            click.echo("ok: the copy is whole, and the log in it is good.")
        else:
            click.echo(f"wrong: in the log of the copy, {told_problem(problem)}")
    if problem is not None:
        raise SystemExit(1)
