"""KL, TM: workers are killed, their database and their queue too, and clocks jump; nothing is lost or sent twice.

Workers, mail server and databases are processes of their own.
"""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fakeredis import TcpFakeServer

from consent_widget.core.campaign import State as Running
from consent_widget.core.delivery import State
from consent_widget.core.reply import Reply
from consent_widget.services.deployment import Deployment
from consent_widget.services.sending import deliver
from consent_widget.services.upkeep import sweep
from tests import postgresql
from tests.attacks.cases import Case, attack
from tests.mailroom import ACCEPTED, Mailroom, Relay, refusal
from tests.tasks.crew import Post, mail_server, post, reckon
from tests.volume import IS_SOAK, volume

WORKERS = 3
READERS = volume(300, 2000)
KILLS = volume(8, 30)

#: Where it is not the number that counts.
FEW = volume(120, 2000)

#: Mails a second are few where each is waited for: a hundredth of a second on the average.
DELAY = ("--delay", "0.02")


def check(site: Post, *, unknown: int = 0) -> None:
    """What the product says is what the server wrote down."""
    found = reckon(site)
    assert found.is_flawless, found
    assert found.unknown <= unknown
    mails = site.journal.read()
    assert len({mail.message_id for mail in mails}) == len(mails)


@attack("KL-001")
@pytest.mark.parametrize("seed", range(volume(1, 3)))
def test_killed_workers_lose_nothing_and_send_nothing_twice(
    case: Case, database_url: str, tmp_path: Path, seed: int
) -> None:
    """The server notes a mail, waits, and only then says 250: a worker killed meanwhile never hears it."""
    with (
        mail_server(tmp_path, "sink", *DELAY) as (mail_url, journal),
        post(tmp_path, database_url, mail_url=mail_url, journal=journal, readers=READERS) as site,
    ):
        site.crew.start(WORKERS)
        killed = site.kill_at_random(KILLS, rows=READERS, seed=seed, seconds=volume(120, 300))
        site.until(site.is_done, seconds=120)
        site.crew.end()

        check(site, unknown=KILLS * WORKERS)

    assert killed == KILLS


@attack("KL-008")
def test_database_server_crashes_under_the_workers(case: Case, tmp_path: Path) -> None:
    """They wait for it and go on within ten seconds; what was answered is written down afterwards."""
    crashes = volume(2, 20)
    with (
        postgresql.crashable() as server,
        mail_server(tmp_path, "sink", *DELAY) as (mail_url, journal),
        post(
            tmp_path,
            server.url.render_as_string(hide_password=False),
            mail_url=mail_url,
            journal=journal,
            readers=FEW,
        ) as site,
    ):
        site.crew.start(WORKERS)
        for number in range(crashes):
            moment = FEW * (number + 0.5) / (crashes + 1)
            site.until(lambda: site.taken() >= moment, seconds=120)  # noqa: B023
            server.crash()
            time.sleep(0.3)
            server.start()
            again, began = site.taken(), time.monotonic()
            site.until(lambda: site.taken() > again, seconds=30, stall=60)  # noqa: B023
            assert time.monotonic() - began < 10
        site.until(site.is_done, seconds=120)
        site.crew.end()

        # A commit whose answer was lost may have fenced a mail for each connection: it was never sent.
        check(site, unknown=crashes * WORKERS * 2)


#: How the queue is lost, beside which database; each waits for a worker to look by itself.
LOSSES = [("emptied", "postgresql"), ("removed", "sqlite")]
MORE_LOSSES = [
    ("emptied", "sqlite"),
    ("removed", "postgresql"),
    ("stopped", "postgresql"),
    ("stopped", "sqlite"),
]


@attack("KL-009")
@pytest.mark.parametrize("kind, database", LOSSES + (MORE_LOSSES if IS_SOAK else []))
def test_queue_is_lost(
    case: Case, kind: str, database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Every wake is lost, and then the queue: the rows are found all the same."""
    database_url = str(request.getfixturevalue(f"{database}_url"))
    redis = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    serving = threading.Thread(target=redis.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    serving.start()
    file = tmp_path / "queue.db"
    queue_url = f"redis://127.0.0.1:{redis.server_address[1]}/0" if kind == "stopped" else f"sqlite:///{file}"
    with (
        mail_server(tmp_path, "sink") as (mail_url, journal),
        post(
            tmp_path,
            database_url,
            mail_url=mail_url,
            journal=journal,
            readers=0,
            look=2.0,
            queue_url=queue_url,
        ) as site,
    ):
        site.crew.start(2)
        site.until(site.is_done, seconds=30)  # nobody was there to be told
        if kind == "stopped":
            redis.shutdown()
            redis.server_close()
        with losing(file, whole=kind == "removed"):
            site.clock.tick(days=301)
            readers = site.mailroom.subscribe(40)
            site.mailroom.announce("Lời thứ ba")
            site.until(lambda: site.is_done() and site.taken() == 40, seconds=40, stall=60)
        site.crew.end()

        check_newest(site, readers)
    serving.join(5)


def check_newest(site: Post, readers: list[str]) -> None:
    assert Counter(one for mail in site.journal.read() for one in mail.recipients) == Counter(readers)
    assert site.mailroom.states() == {"accepted": len(readers)}


@contextmanager
def losing(file: Path, *, whole: bool) -> Iterator[None]:
    """Whatever stands in the queue's file is lost at once, as long as the block lasts."""
    stop = threading.Event()

    def lose() -> None:
        while not stop.wait(0.01):
            if whole:
                for one in file.parent.glob(f"{file.name}*"):
                    one.unlink(missing_ok=True)
            elif file.exists():
                # It is being made, or somebody writes: the next time.
                with suppress(sqlite3.Error), closing(sqlite3.connect(file, isolation_level=None)) as queue:
                    queue.execute("DELETE FROM task")

    thread = threading.Thread(target=lose)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@attack("KL-010")
def test_workers_that_are_told_to_end(case: Case, database_url: str, tmp_path: Path) -> None:
    """In the middle of sending: what is on its way arrives, the rest is given back, in a few seconds."""
    ends = volume(2, 20)
    with (
        mail_server(tmp_path, "sink", *DELAY) as (mail_url, journal),
        post(tmp_path, database_url, mail_url=mail_url, journal=journal, readers=FEW) as site,
    ):
        for number in range(ends):
            site.crew.start(WORKERS)
            moment = FEW * (number + 0.5) / (ends + 1)
            site.until(lambda: site.taken() >= moment, seconds=120)  # noqa: B023

            took = site.crew.end()

            assert took < 30
            held = site.mailroom.rows(State.LEASED, State.SENDING)
            assert held == [], "nothing waits for a lease to end"
        site.crew.start(WORKERS)
        site.until(site.is_done, seconds=120, stall=120)
        site.crew.end()

        check(site)


JUMPS = [
    *(-timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days")),
    timedelta(hours=1),
    *(timedelta(**{unit: 1}) for unit in ("minutes", "days") if IS_SOAK),
]


@attack("TM-001")
@pytest.mark.parametrize("span", JUMPS, ids=str)
def test_clock_jumps_while_mails_leave(case: Case, span: timedelta, mailroom: Mailroom) -> None:
    """In the middle of a mail, with leases held and some put off: each reader gets one mail."""
    readers = mailroom.subscribe(60)
    mailroom.announce()
    jumps = iter([None] * 20 + [span])

    def jump(_reader: str) -> None:
        by = next(jumps, None)
        mailroom.clock.now += by or timedelta(0)

    def says(reader: str, time: int) -> Reply:
        return refusal(450, "4.2.1 Busy") if time == 1 and reader.startswith("reader1") else ACCEPTED

    relay = Relay(before=jump, says=says)
    began = mailroom.clock()
    while mailroom.campaign().state is not Running.DONE:
        assert mailroom.clock() < began + timedelta(days=3), mailroom.states()
        sweep(mailroom.deployment, now=mailroom.clock())
        mailroom.deliver(relay, connections=1)
        mailroom.clock.tick(minutes=45)

    assert Counter(relay.taken) == Counter(readers)
    assert mailroom.states() == {"accepted": 60}


@attack("TM-003")
def test_workers_whose_clocks_differ(case: Case, mailroom: Mailroom) -> None:
    """Two hosts five minutes apart: to the one the other's leases are over at once; no reader gets two mails."""
    readers = mailroom.subscribe(volume(200, 2000))
    mailroom.announce()
    relay = Relay()
    behind = mailroom.deployment
    ahead = replace(behind, clock=lambda: mailroom.clock() + timedelta(minutes=5))
    stop = threading.Event()

    def sweep_on() -> None:
        while not stop.wait(0.005):
            sweep(ahead, now=ahead.clock())

    def work(deployment: Deployment, owner: str) -> Callable[[], int]:
        return lambda: deliver(deployment, relay, owner=owner, connections=1, sleep=lambda seconds: None)

    threads = [
        threading.Thread(target=sweep_on),
        threading.Thread(target=work(behind, "behind")),
        threading.Thread(target=work(ahead, "ahead")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    stop.set()
    threads[0].join()
    mailroom.clock.tick(hours=1)
    sweep(behind, now=mailroom.clock())
    mailroom.deliver(relay)

    assert Counter(relay.taken) == Counter(readers)
    assert mailroom.states() == {"accepted": len(readers)}
