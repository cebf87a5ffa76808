"""``flask consent ...``: the commands of no other door."""

import json
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, NoReturn, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import click
from flask import current_app
from flask.cli import AppGroup

from .config import PREFIX, Settings
from .core.errors import ConsentWidgetError, NoticeError
from .core.ledger import show_time
from .core.ledger_check import Problem, Report, check_lines
from .core.ledger_key import PublicKey, read_pem
from .core.staff import COMMAND_LINE, Staff
from .mail.connection import Timeouts
from .mail.url import is_this_machine, probe
from .services.audit import all_acts, row_of, say_details
from .services.deployment import Deployment
from .services.draft import announce_draft, publish
from .services.ledger import adopt, verify
from .services.notice import import_notices, list_versions
from .services.setup import check_key_change, check_schema, upgrade_database

commands = AppGroup("consent", help="Privacy notices and cookie consent.")

#: Somebody waits before a terminal for the mail server's greeting.
_PROBE = Timeouts(connect=5, command=10)

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _deployment() -> Deployment:
    deployment: Deployment = current_app.extensions["consent_widget"].deployment
    return deployment


def _fail(error: Exception) -> NoReturn:
    raise click.ClickException(str(error)) from error


@commands.command("upgrade")
def upgrade() -> None:
    """Bring the database to the schema of this release."""
    try:
        click.echo(f"The database is at schema {upgrade_database(_deployment().database)}.")
    except ConsentWidgetError as error:
        _fail(error)


@commands.command("import-notice")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--effective", metavar="ISO", help="When version 1 takes effect (ISO 8601); default: now.")
@click.option("--announce", is_flag=True, help="Announce version 1 at once.")
@_json_option
def import_notice(folder: Path, effective: str | None, announce: bool, as_json: bool) -> None:
    """Import N.vi.md and N.en.md from FOLDER.

    Version 1 is announced with --announce; later versions become drafts.
    """
    if effective and not announce:
        raise click.UsageError("--effective goes with --announce; a draft has its date in the files.")
    deployment = _deployment()
    zone = deployment.settings.timezone
    now = deployment.clock()
    try:
        check_schema(deployment.database)
        done = import_notices(
            deployment.database,
            folder,
            now=now,
            announced=lambda connection, draft: publish(deployment, connection, draft, now=now),
            categories=deployment.register.optional,
            parse_time=lambda value: _time(value, zone),
            effective_at=_time(effective, zone) if effective else None,
            announce=announce,
        )
    except ConsentWidgetError as error:
        _fail(error)
    deployment.schedule.forget()
    if as_json:
        click.echo(json.dumps([_printable(one) for one in done]))
        return
    for one in done:
        when = f", in force from {one.effective_at.astimezone(zone).isoformat()}" if one.effective_at else ""
        click.echo(f"Version {one.number}: {one.state}{when}.")


def _time(value: object, zone: ZoneInfo) -> datetime:
    """An ISO 8601 time; one without offset is in the deployment's zone."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise NoticeError("effective date", f"{str(value)[:40]!r} is no ISO 8601 time.") from error
    return found if found.tzinfo else found.replace(tzinfo=zone)


@commands.command("versions")
@_json_option
def versions(as_json: bool) -> None:
    """List the notice versions and drafts."""
    try:
        check_schema(_deployment().database)
        found = list_versions(_deployment().database, now=_deployment().clock())
    except ConsentWidgetError as error:
        _fail(error)
    if as_json:
        click.echo(json.dumps([_printable(one) for one in found]))
        return
    for one in found:
        when = (
            one.effective_at.astimezone(_deployment().settings.timezone).isoformat()
            if one.effective_at
            else "-"
        )
        click.echo(f"{one.id}\t{one.number or '-'}\t{one.state}\t{one.change_class}\t{when}")


@commands.command("announce")
@click.argument("version_id", metavar="ID", type=int)
@click.option("--effective", metavar="ISO", required=True, help="When it takes effect (ISO 8601).")
@click.option("--as", "email", metavar="EMAIL", required=True, help="Who approves and announces.")
@click.option("--reason", default="", help="Why the lead time, or an editorial class, is overridden.")
@_json_option
def announce(version_id: int, effective: str, email: str, reason: str, as_json: bool) -> None:
    """Approve and announce the draft ID (see `versions --json`) and print its number.

    Four eyes hold: EMAIL is of another person than the one who edited it last.
    """
    deployment = _deployment()
    try:
        check_schema(deployment.database)
        done = announce_draft(
            deployment,
            version_id,
            revision=None,
            staff=_staff(email),
            now=deployment.clock(),
            effective_at=_time(effective, deployment.settings.timezone),
            reason=reason,
            outright=True,
            via=COMMAND_LINE,
        )
    except ConsentWidgetError as error:
        _fail(error)
    click.echo(json.dumps({"id": done.id, "number": done.number}) if as_json else str(done.number))


def _staff(email: str) -> Staff:
    for one in _known_staff():
        if one.email and one.email.lower() == email.lower():
            return one
    raise click.ClickException(f"There is no member of staff with the address {email}.")


def _known_staff() -> Iterable[Staff]:
    directory = current_app.extensions["consent_widget"].staff_directory
    return cast(Iterable[Staff], directory() if directory else ())


def _printable(value: Any) -> dict[str, Any]:
    return {
        name: item.isoformat() if isinstance(item, datetime) else item for name, item in vars(value).items()
    }


@commands.command("audit")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@_json_option
def audit(limit: int, as_json: bool) -> None:
    """Print what staff did, newest first."""
    deployment = _deployment()
    names = {one.id: one for one in _known_staff()}
    try:
        check_schema(deployment.database)
        acts = list(islice(all_acts(deployment.database), limit))
    except ConsentWidgetError as error:
        _fail(error)
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
        click.echo("\t".join(_one_line(str(cell)) for cell in cells))


def _one_line(text: str) -> str:
    """``text`` without what would move a terminal's cursor or turn its writing round."""
    return "".join(char if char.isprintable() else " " for char in text)


@commands.command("verify")
@click.argument("file", type=click.File("rb"), required=False)
@click.option(
    "--key", "pem", type=click.File("rb"), help="The public keys you trust (PEM); default: our own."
)
@click.option("--adopt", "adopts", is_flag=True, help="Go on with a ledger whose key was dropped.")
@_json_option
def verify_log(file: IO[bytes] | None, pem: IO[bytes] | None, adopts: bool, as_json: bool) -> None:
    """Check a published log, FILE, or without one the ledger in the database.

    The first entry that was altered, dropped, moved or added is named. A FILE is checked offline.
    """
    if adopts and (file is not None or pem is None):
        raise click.UsageError("--adopt goes with --key, the public half of the key that was dropped, alone.")
    deployment = _deployment()
    trusted = _trusted(pem.read()) if pem else tuple(key.public for key in deployment.log_keys)
    try:
        if file is None:
            check_schema(deployment.database)
            report = (
                adopt(deployment, trusted, now=deployment.clock()) if adopts else verify(deployment, trusted)
            )
        else:
            report = check_lines(file, trusted)
    except ConsentWidgetError as error:
        _fail(error)
    click.echo(json.dumps(_shown(report)) if as_json else _told(report))
    if report.problem:
        raise SystemExit(1)


def _trusted(pem: bytes) -> tuple[PublicKey, ...]:
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
        told = f"wrong: {_told_problem(problem)}"
    elif head is not None:
        told = f"ok: {head.size} entries, root {head.root}, {show_time(head.at)}."
    else:
        told = "ok: 0 entries."
    return "\n".join([told, *(f"note: {one}." for one in report.notes)])


def _told_problem(problem: Problem) -> str:
    where = "the head" if problem.entry is None else f"entry {problem.entry}"
    if problem.code == "version":
        entry = "no entry" if problem.entry is None else where
        where = f"version {problem.version} and {entry} of the log"
    line = f" (line {problem.line})" if problem.line else ""
    return f"{where}{line}: {problem.message}."


def _is_at_home(settings: Settings) -> bool:
    """While a site is written and in the demonstration: no browser of another machine gets there."""
    host = urlsplit(settings.public_url or "").hostname or ""
    return current_app.debug or current_app.testing or is_this_machine(host)


def _mail_problems(settings: Settings) -> list[str]:
    """What the mail server of MAIL_URL answers, where it does not want us."""
    reply = probe(settings.mail_url, _PROBE) if settings.mail_url else None
    return [f"CONSENT_WIDGET_MAIL_URL: no mail can be sent ({reply.code}: {reply.text})"] if reply else []


def _mail_warnings(settings: Settings) -> list[str]:
    if settings.mail_url is None:
        return ["CONSENT_WIDGET_MAIL_URL is not set: no mail can be sent."]
    return [
        f"{PREFIX}{name.upper()} is not set: no mail can be sent, it names {what}."
        for name, what in (("mail_from", "the sender"), ("public_url", "the address in every link"))
        if getattr(settings, name) is None
    ]


@commands.command("check")
@_json_option
def check(as_json: bool) -> None:
    """Look for what would keep the site from working: settings, keys, schema, notice, log, mail."""
    deployment = _deployment()
    now = deployment.clock()
    wrong = current_app.extensions["consent_widget"].problems()
    warnings = []
    if not wrong:
        problem = verify(deployment, [key.public for key in deployment.log_keys]).problem
        wrong += [f"`flask consent verify` finds {_told_problem(problem)}"] if problem else []
        changed = check_key_change(deployment.database, deployment.fingerprints, now=now)
        warnings += [changed] if changed else []
    wrong += _mail_problems(deployment.settings)
    warnings += _mail_warnings(deployment.settings)
    if (deployment.settings.public_url or "").startswith("http:"):
        told = "CONSENT_WIDGET_PUBLIC_URL is http: anybody on the way reads cookies and links, "
        told += "and no mailbox unsubscribes by one click (RFC 8058); give its https address."
        (warnings if _is_at_home(deployment.settings) else wrong).append(told)
    if as_json:
        click.echo(json.dumps({"ok": not wrong, "problems": wrong, "warnings": warnings}))
    else:
        for line in wrong:
            click.echo(f"wrong: {line}")
        for line in warnings:
            click.echo(f"warning: {line}")
        if not wrong:
            click.echo("ok: settings, keys, schema, notice and log.")
    if wrong:
        raise SystemExit(1)
