"""Queues wake: they lose nothing, since nothing stands in them, and nobody waits for one."""

import logging
import os
import pickle
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from fakeredis import TcpFakeServer
from redis import Redis
from sqlalchemy import make_url

from consent_widget.core.errors import SettingError
from consent_widget.tasks.queue import QueueAway, Wakes, put_wake, queue_of
from consent_widget.tasks.wake import Waker
from tests import factories

NOBODY = "postgresql://postgres@127.0.0.1:1/nothing"


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A server that speaks Redis's protocol over a real socket; TEST_REDIS_URL names a real one, whose data goes."""
    if given := os.environ.get("TEST_REDIS_URL"):
        with Redis.from_url(given) as real:
            real.flushdb()
        yield given
        return
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"redis://127.0.0.1:{server.server_address[1]}/0"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql), "redis"])
def queue_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A queue of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'below' / 'queue.db'}"
    url = str(request.getfixturevalue(f"{request.param}_url"))
    return queue_of(None, make_url(url)) or "" if request.param == "postgresql" else url


def test_a_wake_is_heard_once(queue_url: str) -> None:
    wakes = Wakes(queue_url)

    assert not wakes.take()
    put_wake(queue_url)
    assert wakes.take()
    assert not wakes.take()

    wakes.close()


def test_many_wakes_are_one(queue_url: str) -> None:
    wakes = Wakes(queue_url)
    for _ in range(6):
        put_wake(queue_url)

    assert wakes.take()
    assert not wakes.take()

    wakes.close()


def test_who_waits_hears_a_wake_within_a_second(queue_url: str) -> None:
    heard: list[float] = []

    def hear() -> None:
        wakes = Wakes(queue_url)
        while not wakes.take():
            pass
        heard.append(time.monotonic())
        wakes.close()

    thread = threading.Thread(target=hear)
    thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    put_wake(queue_url)
    thread.join()

    assert heard[0] - began < 1.5


def test_what_stands_in_a_queue_is_never_run(tmp_path: Path) -> None:
    """Huey's own tasks are pickled: whoever writes to the queue could name any function."""
    file = tmp_path / "queue.db"
    url = f"sqlite:///{file}"
    put_wake(url)
    canary = tmp_path / "canary"

    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (canary,)  # type: ignore[return-value]  # what an attacker would write

    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE task SET data = ?", (pickle.dumps(Payload()),))
    connection.close()
    wakes = Wakes(url)

    assert wakes.take(), "it wakes, and that is all that it does"
    assert not canary.exists()
    wakes.close()


def test_a_queue_that_was_removed_comes_back_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KL-009: the file is gone; the worker opens the new one within a minute."""
    file = tmp_path / "queue.db"
    url = f"sqlite:///{file}"
    wakes = Wakes(url)
    assert not wakes.take()
    for one in tmp_path.glob("queue.db*"):
        one.unlink()

    put_wake(url)
    monkeypatch.setattr("consent_widget.tasks.queue._OPEN_ANEW", 0.0)

    assert wakes.take()
    wakes.close()


def test_a_database_server_that_hangs_up_is_connected_to_again(postgresql_url: str) -> None:
    url = str(queue_of(None, make_url(postgresql_url)))
    wakes = Wakes(url)
    assert not wakes.take()
    with psycopg.connect(postgresql_url.replace("+psycopg", ""), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    with pytest.raises(QueueAway):
        wakes.take()
    put_wake(url)
    assert wakes.take()

    wakes.close()


def test_a_queue_that_is_away_says_so_without_its_password(caplog: pytest.LogCaptureFixture) -> None:
    url = NOBODY.replace("postgres@", "postgres:hidden@")

    with pytest.raises(QueueAway) as raised:
        put_wake(url)
    with pytest.raises(QueueAway):
        Wakes(url).take()

    assert "hidden" not in str(raised.value) + caplog.text


def test_nobody_waits_for_a_queue_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """A blocked queue file: a request that wakes is answered at once, and its process goes on."""
    wake = Waker(NOBODY)
    began = time.monotonic()

    with caplog.at_level(logging.WARNING, logger="consent_widget"):
        for _ in range(1000):
            wake()
        took = time.monotonic() - began
        _wait_for(lambda: "the next sweep sends" in caplog.text)

    assert took < 0.5


def test_a_locked_queue_file_holds_nobody_up(tmp_path: Path) -> None:
    file = tmp_path / "queue.db"
    url = f"sqlite:///{file}"
    put_wake(url)
    wakes = Wakes(url)
    assert wakes.take()
    locked = sqlite3.connect(file, isolation_level=None)
    locked.execute("BEGIN EXCLUSIVE")
    wake = Waker(url)
    began = time.monotonic()
    wake()
    took = time.monotonic() - began
    locked.execute("ROLLBACK")
    locked.close()

    assert took < 0.1
    _wait_for(wakes.take)
    wakes.close()


def test_wakes_of_many_requests_reach_the_queue(tmp_path: Path) -> None:
    """Whatever was committed before the last of them is looked at afterwards: none is lost between two."""
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    wakes, wake = Wakes(url), Waker(url)
    heard = 0
    for _ in range(6):
        for _ in range(50):
            wake()
        _wait_for(wakes.take)
        heard += 1

    assert heard == 6
    wakes.close()


def test_the_queue_lies_beside_the_database_unless_it_is_named() -> None:
    assert (
        queue_of(None, make_url("sqlite:////srv/site/consent.db")) == "sqlite:////srv/site/consent.queue.db"
    )
    assert (
        queue_of(None, make_url("postgresql+psycopg://me:secret@db/site")) == "postgresql://me:secret@db/site"
    )
    assert queue_of(None, make_url("sqlite://")) is None
    assert queue_of("redis://cache/1", make_url("sqlite://")) == "redis://cache/1"


@pytest.mark.parametrize(
    "url", ["amqp://host/", "sqlite:", "sqlite://", "sqlite:///:memory:", "postgresql:", "redis", "", 7]
)
def test_an_address_that_names_no_queue_stops_the_start(tmp_path: Path, url: object) -> None:
    with pytest.raises(SettingError, match="CONSENT_WIDGET_QUEUE_URL"):
        factories.host_app(
            database_url="sqlite://",
            clock=factories.Clock(),
            folder=tmp_path,
            config={"CONSENT_WIDGET_QUEUE_URL": url},
        )


def _wait_for(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.01)
