"""``flask consent import-notice | versions | announce``."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from ..core.errors import ConsentWidgetError, NoticeError
from ..core.staff import COMMAND_LINE, Staff
from ..services.decision import announce_draft, publish
from ..services.notice import import_notices, list_versions
from ..services.setup import check_schema
from .group import commands, current_deployment, fail, json_option, known_staff


@commands.command("import-notice")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--effective", metavar="ISO", help="When version 1 takes effect (ISO 8601); default: now.")
@click.option("--announce", is_flag=True, help="Announce version 1 at once.")
@json_option
def import_notice(folder: Path, effective: str | None, announce: bool, as_json: bool) -> None:
    """Import N.vi.md and N.en.md from FOLDER.

    Version 1 is announced with --announce; later versions become drafts.
    """
    if effective and not announce:
        raise click.UsageError("--effective goes with --announce; a draft has its date in the files.")
    deployment = current_deployment()
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
        fail(error)
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
@json_option
def versions(as_json: bool) -> None:
    """List the notice versions and drafts."""
    try:
        check_schema(current_deployment().database)
        found = list_versions(current_deployment().database, now=current_deployment().clock())
    except ConsentWidgetError as error:
        fail(error)
    if as_json:
        click.echo(json.dumps([_printable(one) for one in found]))
        return
    for one in found:
        when = (
            one.effective_at.astimezone(current_deployment().settings.timezone).isoformat()
            if one.effective_at
            else "-"
        )
        click.echo(f"{one.id}\t{one.number or '-'}\t{one.state}\t{one.change_class}\t{when}")


@commands.command("announce")
@click.argument("version_id", metavar="ID", type=int)
@click.option("--effective", metavar="ISO", required=True, help="When it takes effect (ISO 8601).")
@click.option("--as", "email", metavar="EMAIL", required=True, help="Who approves and announces.")
@click.option("--reason", default="", help="Why the lead time, or an editorial class, is overridden.")
@json_option
def announce(version_id: int, effective: str, email: str, reason: str, as_json: bool) -> None:
    """Approve and announce the draft ID (see `versions --json`) and print its number.

    Four eyes hold: EMAIL is of another person than the one who edited it last.
    """
    deployment = current_deployment()
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
        fail(error)
    click.echo(json.dumps({"id": done.id, "number": done.number}) if as_json else str(done.number))


def _staff(email: str) -> Staff:
    for one in known_staff():
        if one.email and one.email.lower() == email.lower():
            return one
    raise click.ClickException(f"There is no member of staff with the address {email}.")


def _printable(value: Any) -> dict[str, Any]:
    return {
        name: item.isoformat() if isinstance(item, datetime) else item for name, item in vars(value).items()
    }
