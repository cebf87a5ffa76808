"""``flask consent bounces``: mails that came back are read."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import click

from ..core.bounce import Kind
from ..core.errors import ConsentWidgetError
from ..services.bounce import Taken, take_report
from ..services.bounce_files import is_maildir, read_maildir, read_stream
from ..services.deployment import Deployment
from ..services.setup import check_schema
from .group import commands, current_deployment, fail, json_option

_TOLD = {
    Kind.GONE: "there is no such mailbox",
    Kind.POLICY: "the mail server refuses us",
    Kind.REFUSED: "refused for another reason",
    Kind.SOFT: "not possible for now",
    Kind.UNREAD: "could not be read; kept, and shown on the staff pages",
    Kind.FORGED: "for no mail of ours; nothing was changed",
    Kind.ANSWER: "an automatic reply",
    Kind.DELIVERED: "all went well",
    Kind.TWICE: "read before",
}


@commands.command("bounces")
@click.argument("source", metavar="[MAILDIR]", type=click.Path(exists=True, path_type=Path), required=False)
@json_option
def bounces(source: Path | None, as_json: bool) -> None:
    """Read reports of mails that came back: from MAILDIR, or one message or an mbox on standard input.

    Those in MAILDIR/new are moved to MAILDIR/cur with the flag "seen".
    """
    deployment = current_deployment()
    taken: list[Taken] = []
    try:
        check_schema(deployment.database)
        unreadable = _read(deployment, source, taken)
    except ConsentWidgetError as error:
        fail(error)
    click.echo(json.dumps(_printable(taken, unreadable)) if as_json else _told(taken))
    for one in unreadable:
        click.echo(f"cannot be read: {one}", err=True)
    if unreadable:
        raise SystemExit(1)


def _read(deployment: Deployment, source: Path | None, taken: list[Taken]) -> list[str]:
    def take(content: bytes) -> None:
        taken.append(take_report(deployment, content, now=deployment.clock()))

    if source is not None and source.is_dir():
        if not is_maildir(source):
            raise click.UsageError(f"{source} is no maildir: it has no folders new and cur.")
        return list(read_maildir(source, take))
    if source is None:
        if sys.stdin.isatty():
            raise click.UsageError("Name a MAILDIR, or hand a message or an mbox to standard input.")
        return _read_stream(sys.stdin.buffer, take)
    with source.open("rb") as file:
        return _read_stream(file, take)


def _read_stream(stream: BinaryIO, take: Callable[[bytes], None]) -> list[str]:
    for message in read_stream(stream):
        take(message)
    return []


def _printable(taken: list[Taken], unreadable: list[str]) -> dict[str, object]:
    return {
        "reports": len(taken),
        "kinds": dict(Counter(one.kind.value for one in taken)),
        "suppressed": sum(one.suppressed for one in taken),
        "paused": sorted({number for one in taken for number in one.paused}),
        "unreadable": unreadable,
    }


def _told(taken: list[Taken]) -> str:
    kinds = Counter(one.kind for one in taken)
    lines = [f"Messages: {len(taken)}."]
    lines += [f"{kinds[kind]}: {words}." for kind, words in _TOLD.items() if kinds[kind]]
    suppressed = sum(one.suppressed for one in taken)
    if suppressed:
        lines.append(f"Addresses to which nothing goes any more: {suppressed}.")
    paused = sorted({number for one in taken for number in one.paused})
    if paused:
        lines.append(f"Paused campaigns, because we are refused: {', '.join(map(str, paused))}.")
    return "\n".join(lines)
