"""``flask consent audit | verify``: what was done, and whether the log of it is whole."""

import json
from itertools import islice
from typing import IO, Any

import click

from ..core.errors import ConsentWidgetError
from ..core.ledger import show_time
from ..core.ledger_check import Problem, Report, check_lines
from ..core.ledger_key import PublicKey, read_pem
from ..services.audit import all_acts, row_of, say_details
from ..services.ledger import adopt, verify
from ..services.setup import check_schema
from .group import commands, current_deployment, fail, json_option, known_staff, one_line


@commands.command("audit")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@json_option
def audit(limit: int, as_json: bool) -> None:
    """Print what staff did, newest first."""
    deployment = current_deployment()
    names = {one.id: one for one in known_staff()}
    try:
        check_schema(deployment.database)
        acts = list(islice(all_acts(deployment.database), limit))
    except ConsentWidgetError as error:
        fail(error)
    rows = [row_of(act, names) for act in acts]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for act, row in zip(acts, rows, strict=True):
        version = f"id {row['version']}" if row["version"] else ""
        number = f", number {row['number']}" if row["number"] else ""
        cells = (
            row["index"],
            act.at.astimezone(deployment.settings.timezone).isoformat(timespec="seconds"),
            row["name"] or row["staff"],
            row["action"] or "",
            version + number,
            say_details(row["details"]),
        )
        click.echo("\t".join(one_line(str(cell)) for cell in cells))


@commands.command("verify")
@click.argument("file", type=click.File("rb"), required=False)
@click.option(
    "--key", "pem", type=click.File("rb"), help="The public keys you trust (PEM); default: our own."
)
@click.option("--adopt", "adopts", is_flag=True, help="Go on with a ledger whose key was dropped.")
@json_option
def verify_log(file: IO[bytes] | None, pem: IO[bytes] | None, adopts: bool, as_json: bool) -> None:
    """Check a published log, FILE, or without one the ledger in the database.

    The first entry that was altered, dropped, moved or added is named. A FILE is checked offline.
    """
    if adopts and (file is not None or pem is None):
        raise click.UsageError("--adopt goes with --key, the public half of the key that was dropped, alone.")
    deployment = current_deployment()
    trusted = trusted_keys(pem.read()) if pem else tuple(key.public for key in deployment.log_keys)
    try:
        if file is None:
            check_schema(deployment.database)
            report = (
                adopt(deployment, trusted, now=deployment.clock()) if adopts else verify(deployment, trusted)
            )
        else:
            report = check_lines(file, trusted)
    except ConsentWidgetError as error:
        fail(error)
    click.echo(json.dumps(_shown(report)) if as_json else _told(report))
    if report.problem:
        raise SystemExit(1)


def trusted_keys(pem: bytes) -> tuple[PublicKey, ...]:
    """The keys in the file of ``--key``; a usage error where it holds none."""
    try:
        return read_pem(pem)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--key") from error


def _shown(report: Report) -> dict[str, Any]:
    head, problem = report.head, report.problem
    return {
        "ok": problem is None,
        "entries": head.size if head else 0,
        "root": head.root if head else None,
        "at": show_time(head.at) if head else None,
        "key": head.key if head else None,
        "problem": vars(problem) if problem else None,
        "notes": report.notes,
    }


def _told(report: Report) -> str:
    head, problem = report.head, report.problem
    if problem is not None:
        told = f"wrong: {told_problem(problem)}"
    elif head is not None:
        told = f"ok: {head.size} entries, root {head.root}, {show_time(head.at)}."
    else:
        told = "ok: 0 entries."
    return "\n".join([told, *(f"note: {one}." for one in report.notes)])


def told_problem(problem: Problem) -> str:
    where = "the head" if problem.entry is None else f"entry {problem.entry}"
    if problem.code == "version":
        entry = "no entry" if problem.entry is None else where
        where = f"version {problem.version} and {entry} of the log"
    line = f" (line {problem.line})" if problem.line else ""
    return f"{where}{line}: {problem.message}."
