"""What a campaign to very many costs: the making of its rows, and the memory of a worker that sends it.

The rows are made by a worker process; the same rows are put by one plain statement into a table with
the same columns and indexes, before and after, and the mean of the two is what it is compared with.
Meanwhile somebody else writes a little every few milliseconds, and how long that waits is noted.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median
from threading import Event, Thread
from time import perf_counter, sleep

from sqlalchemy import Index, MetaData, Table, insert, literal, select, update

from consent_widget.core.delivery import State
from consent_widget.storage.database import Database
from consent_widget.storage.delivery import count_states, deliveries
from consent_widget.storage.subscription import subscriptions
from tests.factories import NOW, close
from tests.mailroom import Mailroom

from .figures import Figure
from .stores import NewDatabase, announce, make_host, subscribe

_ROWS = 1_000_000
_FEW = 10_000
_MAILS = 300
_PAUSE = 0.005


def measure_audience(store: str, new_database: NewDatabase, folder: Path, *, port: int) -> list[Figure]:
    """Mails go to a server that listens at ``port``."""
    _, few = _run(_host(folder / "few", new_database(), port, _FEW), folder / "few")
    mailroom = _host(folder / "many", new_database(), port, _ROWS)
    database = mailroom.deployment.database
    before = _plainly(database, "before")
    with _writing(mailroom) as waits:
        ours, many = _run(mailroom, folder / "many", between=waits.stop)
    plain = [before, _plainly(database, "after")]
    close(mailroom.app)
    return [
        Figure(
            name=f"{_ROWS:,} rows of a campaign against one INSERT, {store}",
            value=round(ours / mean(plain), 2),
            unit="times",
            limit=3,
            detail=f"{ours:.1f} s against {plain[0]:.1f} and {plain[1]:.1f}",
        ),
        Figure(
            name=f"longest that a write waited meanwhile, {store}",
            value=round(max(waits.seconds), 3),
            unit="s",
            limit=1,
            detail=f"median {median(waits.seconds) * 1000:.1f} ms of {len(waits.seconds)}",
        ),
        Figure(
            name=f"memory of a worker, {_ROWS:,} rows against {_FEW:,}, {store}",
            value=round(many / few, 3),
            unit="times",
            limit=1.1,
            detail=f"{many / 1024:.1f} MiB against {few / 1024:.1f}",
        ),
    ]


def _host(folder: Path, url: str, port: int, count: int) -> Mailroom:
    mailroom = make_host(folder, url, port=port)
    subscribe(mailroom, count)
    announce(mailroom)
    return mailroom


class _Waits:
    """A thread that writes a little, again and again."""

    def __init__(self, mailroom: Mailroom) -> None:
        self.seconds: list[float] = []
        self._database = mailroom.deployment.database
        self._is_over = Event()
        self._thread = Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        while not self._is_over.is_set():
            start = perf_counter()
            with self._database.writing() as connection:
                one = update(subscriptions).where(subscriptions.c.id == 1 + len(self.seconds) % 1000)
                connection.execute(one.values(bounce_score=0.0))
            self.seconds.append(perf_counter() - start)
            sleep(_PAUSE)

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()


@contextmanager
def _writing(mailroom: Mailroom) -> Iterator[_Waits]:
    waits = _Waits(mailroom)
    try:
        yield waits
    finally:
        waits.stop()


def _run(mailroom: Mailroom, folder: Path, between: Callable[[], object] = bool) -> tuple[float, int]:
    """The seconds that the rows took, and the kilobytes that the worker had at most."""
    command = [sys.executable, "-m", "benchmarks.worker", str(folder), str(_MAILS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        process.stdin.write("go\n")
        process.stdin.flush()
        seconds = float(process.stdout.readline())
        between()
        peak = int(process.stdout.read().splitlines()[-1])
    with mailroom.deployment.database.reading() as connection:
        counts = count_states(connection, mailroom.campaign().id)
    if counts[State.ACCEPTED] != _MAILS:
        raise RuntimeError("the worker did not send the mails that it was to be measured with")
    return seconds, peak


def _plainly(database: Database, name: str) -> float:
    """The seconds that one plain statement takes for the rows of the campaign."""
    twin = _twin(name)
    twin.metadata.create_all(database.engine)
    values = {
        "campaign_id": literal(1),
        "subscription_id": subscriptions.c.id,
        "kind": literal("change"),
        "language": subscriptions.c.language,
        "domain": subscriptions.c.domain,
        "state": literal("pending"),
        "late": literal(False),
        "attempts": literal(0),
        "at": literal(NOW, deliveries.c.at.type),
        "created_at": literal(NOW, deliveries.c.at.type),
        "code": literal(""),
    }
    start = perf_counter()
    with database.writing() as connection:
        connection.execute(insert(twin).from_select(list(values), select(*values.values())))
    return perf_counter() - start


def _twin(name: str) -> Table:
    """A table like ours under another name, with its indexes."""
    twin = Table(f"bench_{name}", MetaData(), *(column._copy() for column in deliveries.columns))
    for one in deliveries.indexes:
        Index(
            f"{name}_{one.name}",
            *(twin.c[column.name] for column in one.columns),
            unique=one.unique,
            sqlite_where=one.dialect_options["sqlite"].get("where"),
            postgresql_where=one.dialect_options["postgresql"].get("where"),
        )
    return twin
