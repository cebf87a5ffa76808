"""``flask consent worker`` and ``flask consent deliver``, as somebody at a terminal meets them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from mailbox import Maildir
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from consent_widget.core.delivery import LEASE
from consent_widget.core.errors import StoreUnavailable
from consent_widget.core.reply import AUTH, Stage, lost
from consent_widget.services.deployment import Deployment
from consent_widget.services.erasure import erase
from consent_widget.services.setup import upgrade_database
from consent_widget.storage.erasure import unscrubbed
from consent_widget.storage.subscription import find_by_identity
from consent_widget.tasks import periodic
from consent_widget.tasks.periodic import Job
from tests import factories
from tests.conftest import MakeApp
from tests.mailroom import MAIL, Mailroom, Relay
from tests.tasks.crew import ROOT
from tests.tasks.host import create_app, describe

COMMANDS = ("worker", "deliver")


def host(make_app: MakeApp, folder: Path, **config: Any) -> Flask:
    """A site whose mails become files in ``folder``."""
    given = MAIL | {"CONSENT_WIDGET_MAIL_URL": f"maildir:{folder / 'mail'}"} | config
    return make_app(config={name: value for name, value in given.items() if value is not None})


def run(app: Flask, *arguments: str) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=["consent", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def mails(folder: Path) -> list[str]:
    """Who got one, in no order; nobody while the worker is still making its folders."""
    if not all((folder / "mail" / name).is_dir() for name in ("tmp", "new", "cur")):
        return []
    return sorted(str(mail["To"]) for mail in Maildir(folder / "mail", create=False))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("missing", ["MAIL_URL", "MAIL_FROM", "PUBLIC_URL"])
def test_what_mails_need_is_named(make_app: MakeApp, tmp_path: Path, command: str, missing: str) -> None:
    app = host(make_app, tmp_path, **{f"CONSENT_WIDGET_{missing}": None})

    code, output = run(app, command)

    assert code == 1
    assert f"CONSENT_WIDGET_{missing}" in output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_without_tables_is_refused_with_its_cure(
    make_app: MakeApp, tmp_path: Path, command: str
) -> None:
    app = make_app(
        database_url=f"sqlite:///{tmp_path / 'new.db'}",
        config=MAIL | {"CONSENT_WIDGET_MAIL_URL": f"maildir:{tmp_path / 'mail'}"},
    )

    code, output = run(app, command)

    assert code == 1
    assert "flask consent upgrade" in output


def test_what_is_due_is_delivered_once(make_app: MakeApp, tmp_path: Path, clock: factories.Clock) -> None:
    app = host(make_app, tmp_path)
    mailroom = Mailroom(app, clock)
    readers = mailroom.subscribe(7)
    mailroom.announce()

    assert run(app, "deliver", "--limit", "3") == (0, "Mails tried: 3.\n")
    assert len(mails(tmp_path)) == 3
    code, output = run(app, "deliver", "--json")
    assert (code, json.loads(output)) == (0, {"tried": 4})
    assert mails(tmp_path) == sorted(readers)
    assert run(app, "deliver") == (0, "Mails tried: 0.\n")
    assert mailroom.states() == {"accepted": 7}


def announced(app: Flask, clock: factories.Clock, *, readers: int) -> Mailroom:
    mailroom = Mailroom(app, clock)
    mailroom.subscribe(readers)
    mailroom.announce()
    return mailroom


def nobodys_url() -> str:
    """A mail server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        return f"smtp://127.0.0.1:{nobody.getsockname()[1]}"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_mail_server_that_takes_nothing_is_told(
    make_app: MakeApp, tmp_path: Path, clock: factories.Clock, form: tuple[str, ...]
) -> None:
    """Else a newcomer whose MAIL_URL is wrong would see a success."""
    app = host(make_app, tmp_path, CONSENT_WIDGET_MAIL_URL=nobodys_url())
    mailroom = announced(app, clock, readers=1)

    for _ in range(2):
        code, output = run(app, "deliver", *form)

        assert code == 1
        assert "The mail server takes nothing; it is tried again after" in output
        assert "flask consent check" in output
    assert mailroom.states() == {"pending": 1}


def test_an_outage_is_told_although_the_jobs_outlast_its_first_pause(
    make_app: MakeApp, tmp_path: Path, clock: factories.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = host(make_app, tmp_path, CONSENT_WIDGET_MAIL_URL=nobodys_url())
    announced(app, clock, readers=1)
    job = Job(name="long", every=timedelta(hours=1), run=lambda deployment, now: clock.tick(minutes=3))
    monkeypatch.setattr(periodic, "JOBS", (job,))

    code, output = run(app, "deliver")

    assert code == 1
    assert "The mail server takes nothing" in output


def test_a_scrub_that_fails_keeps_nothing_else_from_being_done(
    make_app: MakeApp, tmp_path: Path, clock: factories.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last of all: what the next run is kept from is the scrub alone."""
    app = host(make_app, tmp_path)
    done: list[str] = []

    def run_as(name: str) -> Callable[[Deployment, datetime], object]:
        def run_job(deployment: Deployment, now: datetime) -> None:
            if name == "scrub":
                raise StoreUnavailable("the files are busy")
            done.append(name)

        return run_job

    monkeypatch.setattr(periodic, "JOBS", [replace(one, run=run_as(one.name)) for one in periodic.JOBS])

    assert run(app, "deliver")[0] == 1
    assert done == ["sweep", "purge"]


def test_a_campaign_that_paused_by_itself_is_told(
    make_app: MakeApp, tmp_path: Path, clock: factories.Clock
) -> None:
    app = host(make_app, tmp_path)
    mailroom = announced(app, clock, readers=2)
    refused = lost(AUTH, "535 5.7.8 bad password", stage=Stage.CONNECT)
    mailroom.deliver(Relay(says=lambda recipient, time: refused))

    code, output = run(app, "deliver")

    assert code == 1
    assert "Campaign 1 is paused: settings auth" in output
    assert mailroom.states() == {"pending": 2}


def test_what_somebody_erased_leaves_the_files_within_minutes(
    make_app: MakeApp, tmp_path: Path, clock: factories.Clock
) -> None:
    app = host(make_app, tmp_path)
    mailroom = Mailroom(app, clock)
    (reader,) = mailroom.subscribe(1)
    run(app, "deliver")
    deployment = factories.deployment(app)
    with deployment.database.writing() as connection:
        one = find_by_identity(connection, reader)
        assert one is not None
        erase(deployment, connection, one.id, now=clock())
        assert unscrubbed(connection).erased_at is not None

    clock.tick(minutes=15)
    run(app, "deliver")

    with deployment.database.reading() as connection:
        assert unscrubbed(connection).erased_at is None


def test_a_wrong_call_is_told_from_a_failure(make_app: MakeApp, tmp_path: Path) -> None:
    app = host(make_app, tmp_path)

    assert run(app, "deliver", "--limit", "0")[0] == 2
    assert run(app, "worker", "--connections", "0")[0] == 2


def test_deliver_settles_what_a_killed_worker_left(
    make_app: MakeApp, tmp_path: Path, clock: factories.Clock
) -> None:
    """Where cron sends, nobody else would."""
    app = host(make_app, tmp_path)
    mailroom = Mailroom(app, clock)
    readers = mailroom.subscribe(3)
    mailroom.announce()
    with pytest.raises(_Killed):
        mailroom.deliver(_Killer())
    assert set(mailroom.states()) == {"leased", "sending"}

    clock.tick(seconds=LEASE.total_seconds() + 1)
    code, _ = run(app, "deliver")

    assert code == 0
    assert mailroom.states() == {"accepted": 2, "unknown": 1}
    assert set(mails(tmp_path)) < set(readers)


def test_mails_do_not_wait_for_the_periodic_jobs(
    make_app: MakeApp, tmp_path: Path, clock: factories.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = host(make_app, tmp_path)
    mailroom = Mailroom(app, clock)
    readers = mailroom.subscribe(2)
    mailroom.announce()
    sent_before: list[list[str]] = []
    job = Job(
        name="long", every=timedelta(hours=1), run=lambda deployment, now: sent_before.append(mails(tmp_path))
    )
    monkeypatch.setattr(periodic, "JOBS", (job,))

    code, _ = run(app, "deliver")

    assert code == 0
    assert sent_before == [readers]


class _Killed(BaseException):
    """Nothing that follows runs, as after SIGKILL."""


class _Killer:
    def __call__(self) -> "_Killer":
        return self

    def send(self, message: bytes, *, sender: str, recipient: str) -> Any:
        raise _Killed

    def close(self) -> None:
        pass


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Mailroom]:
    """A site for processes of their own."""
    describe(tmp_path, database_url=database_url, mail_url=f"maildir:{tmp_path / 'mail'}")
    app = create_app(tmp_path)
    deployment = factories.deployment(app)
    upgrade_database(deployment.database)
    factories.import_first(deployment.database)
    clock = deployment.clock
    assert isinstance(clock, factories.Clock)
    yield Mailroom(app, clock)
    factories.close(app)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_worker_hears_of_new_work_and_ends_when_told(
    site: Mailroom, tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "tests.tasks.host", "consent", "worker"],
        cwd=ROOT,
        env=os.environ | {"HOST_FOLDER": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        assert "runs" in process.stderr.readline()
        time.sleep(1.0)  # its first look is over, and it saw nothing
        readers = site.subscribe(5)
        site.announce()  # wakes behind the commit
        began = time.monotonic()
        while not (tmp_path / "mail" / "new").exists() or len(mails(tmp_path)) < 5:
            assert time.monotonic() - began < 9, "sooner than it would look by itself"
            time.sleep(0.05)
        process.send_signal(number)
        began = time.monotonic()

        assert process.wait(30) == 0
        assert time.monotonic() - began < 15
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert mails(tmp_path) == sorted(readers)
    assert site.states() == {"accepted": 5}
