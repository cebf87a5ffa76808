"""``flask consent forget``: a mailbox is taken out of everything."""

import json

import click

from ..core.address import clean_address
from ..core.errors import ConsentWidgetError
from ..core.staff import COMMAND_LINE
from ..services.erasure import Forgotten, find, forget, scrub
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
        left = scrub(deployment)
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
        click.echo(
            f"warning: the files still hold what was deleted: {left}. The next purge tries again.", err=True
        )


def _told(what: Forgotten) -> str:
    parts = (
        (what.subscriptions, "subscription", "subscriptions"),
        (what.requests, "request to move a subscription there", "requests to move a subscription there"),
        (what.reports, "report that could not be read", "reports that could not be read"),
    )
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in parts if count)
