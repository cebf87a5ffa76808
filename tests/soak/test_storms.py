"""Everything goes wrong at once, for long: the mail server in every way, kills, clocks, locks, a full disk, crashes.

Under ``hold`` nobody is lost and nobody gets two mails, and every number of the product is the server's.
"""

import random
import resource
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from consent_widget.core.campaign import State
from consent_widget.services import campaign as steering
from tests import postgresql
from tests.mailroom import APPROVER
from tests.postgresql import OwnServer
from tests.tasks.crew import Post, mail_server, post, reckon

WORKERS = 3
READERS = 2000
ACTIONS = 60

#: Each at random, but the same for the same reader and try.
FAULTS = (
    "greeting:421 4.3.2 Not now:0.05",
    "ehlo:drop:0.02",
    "mail:451 4.3.0 Wait:0.02",
    "rcpt:450 4.2.1 Busy:0.1",
    "rcpt:451 4.7.1 Greylisted:0.03",
    "rcpt:550 5.1.1 No such user:0.02",
    "rcpt:drop:0.02",
    "data:451 4.3.0 Wait:0.02",
    "body:drop=200:0.03",
    "dot:452 4.3.1 Full:0.03",
    "dot:554 5.6.0 Refused:0.01",
    "dot:drop:0.02",
)

Action = Callable[[Post, random.Random], object]


def kill(site: Post, draw: random.Random) -> None:
    site.crew.kill(draw.choice(site.crew.working))
    site.crew.start()


def end_all(site: Post, draw: random.Random) -> None:
    assert site.crew.end() < 35
    site.crew.start(WORKERS)


def jump(site: Post, draw: random.Random) -> None:
    site.clock.tick(seconds=draw.choice([-86400, -3600, -60, -1, 1, 60, 3600, 86400]))


def lock_sqlite(file: str) -> Action:
    def lock(site: Post, draw: random.Random) -> None:
        """Longer than a writer waits."""
        with closing(sqlite3.connect(file, isolation_level=None, timeout=60)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(draw.uniform(0.2, 7))
            other.execute("ROLLBACK")

    return lock


def lock_postgresql(url: str) -> Action:
    def lock(site: Post, draw: random.Random) -> None:
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE cw_delivery IN ACCESS EXCLUSIVE MODE")
            time.sleep(draw.uniform(0.2, 7))
            other.rollback()

    return lock


def hang_up(url: str) -> Action:
    def hang(site: Post, draw: random.Random) -> None:
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    return hang


def crash(server: OwnServer) -> Action:
    def fall(site: Post, draw: random.Random) -> None:
        server.crash()
        time.sleep(draw.uniform(0, 3))
        server.start()

    return fall


def fill_disk(file: str) -> Action:
    """No file of the workers may grow any more, as on a full disk, for a while."""

    def fill(site: Post, draw: random.Random) -> None:
        room = Path(f"{file}-wal")
        size = room.stat().st_size if room.exists() else 0
        workers = list(site.crew.working)
        for number in workers:
            resource.prlimit(number, resource.RLIMIT_FSIZE, (size + 4096, resource.RLIM_INFINITY))
        time.sleep(draw.uniform(0.5, 4))
        for number in workers:
            resource.prlimit(number, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    return fill


def storm(site: Post, actions: tuple[Action, ...], *, seed: int) -> int:
    """Let one action follow the other while mails leave; how many kills there were."""
    draw = random.Random(seed)
    kills = 0
    site.crew.start(WORKERS)
    for number in range(ACTIONS):
        moment = READERS * 0.9 * number / ACTIONS
        site.until(lambda: site.taken() >= moment or rest(site), seconds=300)  # noqa: B023
        action = draw.choice(actions)
        kills += action is kill
        action(site, draw)
    site.until(lambda: rest(site), seconds=900)
    site.crew.end()
    return kills


def rest(site: Post) -> bool:
    """Whether all is settled; a campaign that paused by itself is resumed, as staff would."""
    if site.is_done():
        return True
    campaign = site.mailroom.campaign()
    if campaign.state is State.PAUSED:
        steering.resume(site.mailroom.deployment, campaign.id, staff=APPROVER, now=site.clock())
    return False


def weather(url: str) -> dict[str, tuple[Action, ...]]:
    if url.startswith("sqlite"):
        file = str(make_url(url).database)
        lock, more = lock_sqlite(file), (fill_disk(file),)
    else:
        plain = url.replace("+psycopg", "")
        lock, more = lock_postgresql(plain), (hang_up(plain),)
    return {
        "kills": (kill,),
        "ends": (end_all, kill),
        "clocks": (jump, kill),
        "locks": (lock, kill),
        "losses": (*more, kill),
        "all": (kill, kill, end_all, jump, lock, *more),
    }


@pytest.mark.parametrize("kind", ["kills", "ends", "clocks", "locks", "losses", "all"])
def test_a_storm_loses_nothing_and_doubles_nothing(kind: str, database_url: str, tmp_path: Path) -> None:
    faults = [word for fault in FAULTS for word in ("--fault", fault)]
    with (
        mail_server(tmp_path, "scripted", *faults) as (mail_url, journal),
        post(tmp_path, database_url, mail_url=mail_url, journal=journal, readers=READERS) as site,
    ):
        kills = storm(site, weather(database_url)[kind], seed=len(kind))
        found = reckon(site)

    assert found.is_flawless, found
    # A killed worker leaves a doubt for each of its two connections, the server one for each mail it dropped.
    assert found.unknown <= kills * WORKERS + READERS * 0.08


def test_a_database_server_that_crashes_again_and_again(tmp_path: Path) -> None:
    faults = [word for fault in FAULTS for word in ("--fault", fault)]
    with postgresql.crashable() as server, mail_server(tmp_path, "scripted", *faults) as (mail_url, journal):
        url = server.url.render_as_string(hide_password=False)
        with post(tmp_path, url, mail_url=mail_url, journal=journal, readers=READERS) as site:
            kills = storm(site, (crash(server), kill), seed=20)
            found = reckon(site)

    assert found.is_flawless, found
    assert found.unknown <= (kills + ACTIONS) * WORKERS * 2 + READERS * 0.08
