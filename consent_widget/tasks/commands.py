"""``flask consent worker`` and ``flask consent deliver``: the processes that send."""

import json
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import click
from flask import current_app
from flask.cli import with_appcontext

from ..config import PREFIX
from ..core.campaign import PauseReason, State
from ..core.errors import ConsentWidgetError, SettingError
from ..mail.transport import Transport
from ..mail.url import open_transport
from ..services.deployment import Deployment
from ..services.letters import letterhead_of
from ..services.pace import relay_off_until
from ..services.progress import list_campaigns
from ..services.replay import replay
from ..services.sending import CONNECTIONS, deliver
from ..services.setup import check_schema
from ..services.upkeep import release, sweep
from .periodic import run_due
from .queue import queue_of
from .worker import Worker

logger = logging.getLogger("consent_widget.worker")

_connections_option = click.option(
    "--connections",
    type=click.IntRange(min=1, max=64),
    default=CONNECTIONS,
    show_default=True,
    help="How many connections to the relay are kept open.",
)


@click.command("worker")
@_connections_option
@with_appcontext
def worker(connections: int) -> None:
    """Send mails until ended by SIGTERM or Ctrl-C, and keep the periodic jobs.

    Run one or more, on one machine or several.
    """
    deployment = _deployment()
    _speak()
    try:
        transports, owner = _transports(deployment), _owner()
        made = Worker(
            prepare=lambda: _prepare(deployment),
            send=lambda stop: deliver(
                deployment, transports, owner=owner, stop=stop, connections=connections
            ),
            jobs=lambda: run_due(deployment),
            release=lambda: release(deployment, owner),
            queue_url=queue_of(deployment.settings.queue_url, deployment.database.engine.url),
        )
        with _told_to_end() as is_told_to_end:
            logger.info("Worker %s runs; SIGTERM or Ctrl-C ends it.", owner)
            in_order = made.run(is_told_to_end)
    except ConsentWidgetError as error:
        _fail(error)
    if not in_order:
        # A thread waits for an answer that may take minutes; its row will be shown as unknown.
        logger.warning("Worker %s ends without the answer to a mail.", owner)
        logging.shutdown()
        sys.stdout.flush()
        os._exit(1)


@click.command("deliver")
@click.option("--limit", type=click.IntRange(min=1), help="Try at most so many mails.")
@_connections_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
def deliver_once(limit: int | None, connections: int, as_json: bool) -> None:
    """Send what is due, then end: for cron, where no worker runs."""
    deployment = _deployment()
    try:
        transports = _transports(deployment)
        _prepare(deployment)
        with _told_to_end() as is_told_to_end:
            tried = deliver(
                deployment,
                transports,
                owner=_owner(),
                stop=is_told_to_end,
                limit=limit,
                connections=connections,
            )
        troubles = _troubles(deployment)
        # Behind the mails: after a change of keys the purge alone may take minutes.
        run_due(deployment)
    except ConsentWidgetError as error:
        _fail(error)
    click.echo(json.dumps({"tried": tried}) if as_json else f"Mails tried: {tried}.")
    if troubles:
        raise click.ClickException(" ".join(troubles))


def _troubles(deployment: Deployment) -> list[str]:
    """What keeps mails from leaving, in sentences: cron mails them to whoever runs the site."""
    found = [
        f"Campaign {one.id} is paused: {one.pause_reason} {one.pause_detail}".rstrip() + "."
        for one in list_campaigns(deployment)
        if one.state is State.PAUSED and one.pause_reason != PauseReason.STAFF
    ]
    off_until = relay_off_until(deployment, now=deployment.clock())
    if off_until is not None:
        found.append(
            f"The mail server takes nothing; it is tried again after {off_until:%H:%M:%S} UTC. "
            "`flask consent check` says what is wrong."
        )
    return found


COMMANDS = (worker, deliver_once)


def _deployment() -> Deployment:
    deployment: Deployment = current_app.extensions["consent_widget"].deployment
    return deployment


def _fail(error: Exception) -> NoReturn:
    raise click.ClickException(str(error)) from error


def _speak() -> None:
    """To standard error, unless the host has set up its logs."""
    if not logging.getLogger().handlers:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("consent_widget").setLevel(logging.INFO)


def _transports(deployment: Deployment) -> Callable[[], Transport]:
    """What makes connections, once all that mails need is set.

    Raises:
        SettingError: names what is missing.
    """
    url = deployment.settings.mail_url
    if url is None:
        raise SettingError(f"{PREFIX}MAIL_URL", "is needed to send mail, like smtp://user:password@host:587.")
    letterhead_of(deployment)
    try:
        return open_transport(url)
    except ValueError as error:
        raise SettingError(f"{PREFIX}MAIL_URL", f"{error}.") from error


def _prepare(deployment: Deployment) -> None:
    """Before the first mail: what a restored backup forgot is done again, what died workers hold is settled.

    Raises:
        SchemaError: run `flask consent upgrade`.
        StoreUnavailable: the database did not answer, or ERASURE_FILE cannot be read.
    """
    check_schema(deployment.database)
    replay(deployment, now=deployment.clock())
    sweep(deployment, now=deployment.clock())


def _owner() -> str:
    """Names this process in the rows that it holds; nobody else ever bears the name."""
    return f"{socket.gethostname()[:12]}.{os.getpid()}.{secrets.token_hex(4)}"


@contextmanager
def _told_to_end() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM or SIGINT has come; a second one ends the process at once."""
    told: list[int] = []

    def hear(number: int, _frame: object) -> None:
        told.append(number)
        signal.signal(number, signal.SIG_DFL)

    # Both by name: a shell that starts this in the background has Ctrl-C ignored.
    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(told)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
