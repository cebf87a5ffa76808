"""``flask consent upgrade | check``: is this installation fit to serve?"""

import json
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import click
from flask import current_app

from ..config import PREFIX, Settings
from ..core.errors import ConsentWidgetError, JournalUnavailable
from ..mail.connection import Timeouts
from ..mail.url import is_this_machine, probe
from ..services.deployment import Deployment
from ..services.journal import read
from ..services.ledger import verify
from ..services.setup import check_key_change, has_subscriptions, unattended_since, upgrade_database
from .group import commands, current_deployment, fail, json_option
from .log import told_problem

#: Somebody waits before a terminal for the mail server's greeting.
_PROBE = Timeouts(connect=5, command=10)


@commands.command("upgrade")
def upgrade() -> None:
    """Bring the database to the schema of this release."""
    try:
        click.echo(f"The database is at schema {upgrade_database(current_deployment().database)}.")
    except ConsentWidgetError as error:
        fail(error)


def _is_at_home(settings: Settings) -> bool:
    """While a site is written and in the demonstration: no browser of another machine gets there."""
    host = urlsplit(settings.public_url or "").hostname or ""
    return current_app.debug or current_app.testing or is_this_machine(host)


def _journal_problems(deployment: Deployment) -> list[str]:
    """What is in the way of a journal that is there; to make one is left to those who will write to it."""
    name = deployment.settings.erasure_file
    if name is None or not Path(name).exists():
        return []
    try:
        read(deployment)
    except JournalUnavailable as error:
        return [str(error)]
    return []


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


def _worker_warnings(deployment: Deployment, now: datetime) -> list[str]:
    since = unattended_since(deployment, now=now)
    if since is None:
        return []
    told = f"Mails have been waiting since {since:%Y-%m-%d %H:%M} UTC and no worker runs: "
    return [f"{told}start `flask consent worker`, or let cron run `flask consent deliver`."]


@commands.command("check")
@json_option
def check(as_json: bool) -> None:
    """Look for what would keep the site from working: settings, keys, schema, notice, log, mail."""
    deployment = current_deployment()
    now = deployment.clock()
    wrong = current_app.extensions["consent_widget"].problems()
    warnings = []
    if not wrong:
        problem = verify(deployment, [key.public for key in deployment.log_keys]).problem
        wrong += [f"`flask consent verify` finds {told_problem(problem)}"] if problem else []
        changed = check_key_change(deployment.database, deployment.fingerprints, now=now)
        warnings += [changed] if changed else []
        if deployment.settings.erasure_file is None and has_subscriptions(deployment.database):
            warnings.append(f"{PREFIX}ERASURE_FILE is not set: a restored backup brings back who was erased.")
        warnings += _worker_warnings(deployment, now)
    wrong += _journal_problems(deployment)
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
            mail = deployment.settings.mail_url is not None
            click.echo(f"ok: settings, keys, schema, notice{', log and mail' if mail else ' and log'}.")
    if wrong:
        raise SystemExit(1)
