"""The worker goes on whatever goes away, and ends when it is told to."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from consent_widget.core.errors import SchemaError, StoreUnavailable
from consent_widget.tasks import worker
from consent_widget.tasks.queue import put_wake
from consent_widget.tasks.worker import Pauses, Worker


class Work:
    """What a worker is given to do: counts, and fails as told."""

    def __init__(self) -> None:
        self.sent = self.swept = self.prepared = self.released = 0
        self.fails: dict[str, Exception] = {}
        self.holds_on = threading.Event()
        self.holds_on.set()

    def prepare(self) -> None:
        self.prepared += 1
        self._fail("prepare")

    def send(self, stop: Callable[[], bool]) -> None:
        self.sent += 1
        self._fail("send")
        while not stop() and not self.holds_on.is_set():
            time.sleep(0.01)

    def release(self) -> None:
        self.released += 1

    def sweep(self) -> None:
        self.swept += 1
        self._fail("sweep")

    def _fail(self, name: str) -> None:
        if name in self.fails:
            raise self.fails[name]


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become hundredths."""
    for name, seconds in {
        "LOOK": 0.1,
        "TICK": 0.05,
        "LONGEST_PAUSE": 0.08,
        "PATIENCE": 0.5,
        "_SOON": 0.2,
    }.items():
        monkeypatch.setattr(worker, name, seconds)


@contextmanager
def running(work: Work, queue_url: str | None = None) -> Iterator[Callable[[], bool]]:
    """A worker at work in a thread; call the value to end it: whether it ended in order."""
    told = threading.Event()
    ended: list[bool] = []
    made = Worker(
        prepare=work.prepare, send=work.send, jobs=work.sweep, release=work.release, queue_url=queue_url
    )
    thread = threading.Thread(target=lambda: ended.append(made.run(told.is_set)))
    thread.start()

    def end() -> bool:
        told.set()
        thread.join(20)
        return ended[0]

    try:
        yield end
    finally:
        told.set()
        work.holds_on.set()
        thread.join(20)


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.005)


def test_it_sends_at_its_start_and_looks_by_itself(work: Work) -> None:
    with running(work) as end:
        wait_for(lambda: work.sent >= 3 and work.swept >= 3)

        assert end()
    assert work.prepared == 1


def test_a_wake_is_followed_at_once(work: Work, monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    monkeypatch.setattr(worker, "LOOK", 3600.0)
    with running(work, sqlite_url):
        wait_for(lambda: work.sent == 1)
        began = time.monotonic()
        put_wake(sqlite_url)
        wait_for(lambda: work.sent == 2)

        assert time.monotonic() - began < 2.0


def test_wakes_that_come_during_a_run_are_one_more_run(
    work: Work, monkeypatch: pytest.MonkeyPatch, sqlite_url: str
) -> None:
    monkeypatch.setattr(worker, "LOOK", 3600.0)
    work.holds_on.clear()
    with running(work, sqlite_url):
        wait_for(lambda: work.sent == 1)
        for _ in range(3):
            put_wake(sqlite_url)
            time.sleep(0.6)
        work.holds_on.set()
        wait_for(lambda: work.sent == 2)
        time.sleep(0.7)

        assert work.sent == 2


def test_a_long_run_holds_up_no_periodic_job(work: Work) -> None:
    work.holds_on.clear()
    with running(work) as end:
        wait_for(lambda: work.sent == 1 and work.swept >= 4)

        assert end()


def test_a_queue_that_is_away_leaves_the_looking(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    with running(work, "postgresql://nobody:hidden@127.0.0.1:1/nothing") as end:
        wait_for(lambda: work.sent >= 4 and work.swept >= 4)

        assert end()
    assert caplog.text.count("Cannot hear the queue") == 1, "it is told once, not each second"
    assert "hidden" not in caplog.text


@pytest.mark.parametrize("step", ["prepare", "send", "sweep"])
def test_a_database_that_is_away_is_waited_for(
    work: Work, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    work.fails[step] = StoreUnavailable("the database did not answer (OperationalError)")
    counted = {"prepare": "prepared", "send": "sent", "sweep": "swept"}[step]
    caplog.set_level("INFO", logger="consent_widget.worker")
    with running(work) as end:
        wait_for(lambda: getattr(work, counted) >= 3)
        work.fails.clear()
        before = (work.sent, work.swept)
        wait_for(lambda: work.sent > before[0] + 1 and work.swept > before[1] + 1)

        assert end()
    assert caplog.text.count("the database did not answer") == 1
    assert "It works again" in caplog.text


def test_an_error_of_ours_ends_nothing_and_its_message_is_not_told(
    work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    """A message may hold an address."""
    work.fails["send"] = ValueError("reader@example.com")
    with running(work) as end:
        wait_for(lambda: work.sent >= 3)

        assert end()
    assert "ValueError at test_worker.py:" in caplog.text
    assert "reader@" not in caplog.text


def test_a_set_up_that_cannot_be_served_ends_it(work: Work) -> None:
    work.fails["prepare"] = SchemaError("The database has no tables yet.")

    with pytest.raises(SchemaError):
        Worker(
            prepare=work.prepare, send=work.send, jobs=work.sweep, release=work.release, queue_url=None
        ).run(bool)


def test_it_can_be_ended_while_the_database_is_away(work: Work) -> None:
    work.fails["prepare"] = StoreUnavailable("away")
    with running(work) as end:
        wait_for(lambda: work.prepared)

        assert end()
    assert work.sent == 0


def test_an_answer_that_never_comes_is_not_waited_for(work: Work) -> None:
    """A relay may scan a mail for two minutes; a worker that is to end has half of one."""
    answer, told = threading.Event(), threading.Event()
    made = Worker(
        prepare=work.prepare,
        send=lambda stop: answer.wait(),
        jobs=work.sweep,
        release=work.release,
        queue_url=None,
    )
    threading.Timer(0.2, told.set).start()
    began = time.monotonic()

    in_order = made.run(told.is_set)
    took = time.monotonic() - began
    answer.set()

    assert not in_order
    assert took < 2.0
    assert work.released == 1, "others need not wait for it"


def test_pauses_grow_to_a_limit_that_holds_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """KL-008: a database that is back is asked within ten seconds, however long it was away."""
    monkeypatch.setattr(worker, "LONGEST_PAUSE", 8.0)
    pauses = Pauses("send")
    lengths = []

    def fail() -> None:
        raise StoreUnavailable("away")

    for _ in range(2000):
        assert not pauses.survive(fail)
        lengths.append(pauses.length)

    assert lengths[:5] == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert max(lengths) < 10.0
    assert pauses.survive(lambda: None)
    assert not pauses.survive(fail)
    assert pauses.length == 1.0
