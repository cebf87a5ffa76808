"""``flask consent forget | purge``: what is not to be kept is taken away."""

import json

import click

from ..core.address import clean_address
from ..core.errors import ConsentWidgetError
from ..core.retention import Rule
from ..core.staff import COMMAND_LINE
from ..services.erasure import Forgotten, find, forget, scrub
from ..services.retention import Purged, count_due, purge
from ..services.setup import check_schema
from .group import commands, current_deployment, fail, json_option


@commands.command("forget")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def forget_address(email: str, yes: bool, as_json: bool) -> None:
    """Erase everything about the mailbox EMAIL but its keyed hash.

    Under every spelling, and under every key of SECRET_KEY and SECRET_KEY_FALLBACKS.
    """
    deployment = current_deployment()
    try:
        check_schema(deployment.database)
        address = clean_address(email)
        found = find(deployment, address)
        if not found.is_nothing and not yes:
            click.confirm(f"Erase {_told(found)}? This cannot be undone.", abort=True)
        done = forget(deployment, address, now=deployment.clock(), by=COMMAND_LINE)
        left = scrub(deployment, now=deployment.clock())
    except ConsentWidgetError as error:
        fail(error)
    if as_json:
        click.echo(json.dumps({**vars(done), "left": left}))
        return
    click.echo("There is nothing about this address." if done.is_nothing else f"Erased: {_told(done)}.")
    if not done.is_nothing and deployment.settings.erasure_file is None:
        click.echo(
            "warning: CONSENT_WIDGET_ERASURE_FILE is not set: restoring an older backup brings it back.",
            err=True,
        )
    if left is not None:
        click.echo(f"warning: the files still hold what was deleted: {left}. It is tried again.", err=True)


def _told(what: Forgotten) -> str:
    parts = (
        (what.subscriptions, "subscription", "subscriptions"),
        (what.requests, "request to move a subscription there", "requests to move a subscription there"),
        (what.reports, "report that could not be read", "reports that could not be read"),
    )
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in parts if count)


_RULES = {
    Rule.UNCONFIRMED: "subscriptions that nobody confirmed",
    Rule.LEFT: "addresses of those who left, but for their keyed hash",
    Rule.SUPPRESSED: "addresses to which nothing went any more, but for their keyed hash",
    Rule.LINKS: "links of letters that were not used, addresses in those that were",
    Rule.MOVES: "new addresses that nobody confirmed",
    Rule.LETTERS: "letters",
    Rule.REPORTS: "reports of mails that came back",
    Rule.COUNTS: "counts of requests",
    Rule.DOMAINS: "domains that wanted slower mail",
}


@commands.command("purge")
@click.option("--dry-run", is_flag=True, help="Only tell what would be taken away.")
@json_option
def purge_all(dry_run: bool, as_json: bool) -> None:
    """Take away what has been kept for its time. The worker does it by itself every hour."""
    deployment = current_deployment()
    try:
        check_schema(deployment.database)
        done = (count_due if dry_run else purge)(deployment, now=deployment.clock())
    except ConsentWidgetError as error:
        fail(error)
    if as_json:
        click.echo(json.dumps({"rows": done.rows, "hashes": done.hashes, "left": done.left}))
        return
    click.echo(_purged(done, "Would be taken away" if dry_run else "Taken away"))
    if done.left is not None:
        click.echo(
            f"warning: the files still hold what was deleted: {done.left}. It is tried again.",
            err=True,
        )


def _purged(done: Purged, verb: str) -> str:
    lines = [f"{verb}:"]
    lines += [f"{count}\t{_RULES[rule]}" for rule, count in done.rows.items()]
    lines.append(f"{done.hashes}\tkeyed hashes of an older key, made anew")
    return "\n".join(lines)
