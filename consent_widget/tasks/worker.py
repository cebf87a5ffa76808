"""The worker: one process that sends what is due and keeps the periodic jobs.

Three threads that share nothing but two events: one hears the queue, one keeps the time, one sends.
So a queue that is away costs a few seconds' delay and no more, and a long campaign holds up no job.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from traceback import extract_tb

from ..core.errors import StartupError, StoreUnavailable
from .queue import QueueAway, Wakes

logger = logging.getLogger("consent_widget.worker")

#: A worker that nobody woke looks for itself so often, in seconds: for mails whose next try is due.
LOOK = 10.0

#: How often it asks whether a periodic job is due, in seconds.
TICK = 5.0

#: A worker that is told to end waits so long for the mail it is at, in seconds; then it ends without the answer.
PATIENCE = 20.0

#: After so many seconds of these it gives back what it holds, so that others need not wait for it.
_SOON = 2.0

#: After failures it tries again after 1, 2, 4 ... seconds, at the longest after so many.
LONGEST_PAUSE = 8.0


class Worker:
    """Runs until it is told to end, whatever goes away meanwhile.

    Args:
        prepare: what must have been done before the first mail; tried until it succeeds.
        send: sends until nothing is due, or until its argument says to stop.
        jobs: runs the periodic jobs that are due.
        release: gives back what was claimed and not sent.
        queue_url: where wakes come from; None: it looks for itself alone.
    """

    def __init__(
        self,
        *,
        prepare: Callable[[], object],
        send: Callable[[Callable[[], bool]], object],
        jobs: Callable[[], object],
        release: Callable[[], object],
        queue_url: str | None,
    ) -> None:
        self._prepare, self._send, self._jobs, self._release = prepare, send, jobs, release
        self._queue_url = queue_url
        self._stop, self._woken = Event(), Event()

    def run(self, is_told_to_end: Callable[[], bool]) -> bool:
        """Work until then; whether it ended in order, and not in the middle of a mail.

        Raises:
            StartupError: the set-up cannot be served.
        """
        pauses = Pauses("prepare")
        while not pauses.survive(self._prepare):
            if _slept(pauses.length, is_told_to_end):
                return True
        threads = [Thread(target=one, daemon=True) for one in (self._send_all, self._keep_time, self._hear)]
        self._woken.set()
        for thread in threads:
            thread.start()
        while all(thread.is_alive() for thread in threads) and not is_told_to_end():
            time.sleep(0.1)
        in_order = is_told_to_end()
        self._stop.set()
        self._woken.set()
        if not _joined(threads, _SOON):
            Pauses("give back what was not sent").survive(self._release)
            in_order &= _joined(threads, PATIENCE - _SOON)
        return in_order

    def _send_all(self) -> None:
        pauses = Pauses("send")
        while not self._stop.is_set():
            self._woken.wait(LOOK)
            self._woken.clear()  # whatever calls from now on gets a look of its own
            if not pauses.survive(lambda: self._send(self._stop.is_set)):
                self._stop.wait(pauses.length)
                self._woken.set()

    def _keep_time(self) -> None:
        pauses = Pauses("run the periodic jobs")
        while not self._stop.is_set():
            done = pauses.survive(self._jobs)
            self._stop.wait(TICK if done else pauses.length)

    def _hear(self) -> None:
        if self._queue_url is None:
            self._stop.wait()
            return
        wakes, pauses = Wakes(self._queue_url), Pauses("hear the queue")

        def listen() -> None:
            if wakes.take():
                self._woken.set()

        while not self._stop.is_set():
            if not pauses.survive(listen):
                self._stop.wait(pauses.length)
        wakes.close()


class Pauses:
    """Goes on after a failure: tells of the first one and of the end, and waits longer each time."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failures = 0

    @property
    def length(self) -> float:
        """How long to wait now, in seconds."""
        return min(LONGEST_PAUSE, 2.0 ** min(self._failures - 1, 10))

    def survive(self, step: Callable[[], object]) -> bool:
        """Whether ``step`` succeeded.

        Raises:
            StartupError: as ``step`` raised it: trying again would not help.
        """
        try:
            step()
        except StartupError:
            raise
        except (StoreUnavailable, QueueAway) as error:
            self._tell(str(error))
            return False
        except Exception as error:  # noqa: BLE001  # an error of ours must not end all sending
            self._tell(_whereabouts(error))
            return False
        if self._failures:
            logger.info("It works again: %s.", self._what)
        self._failures = 0
        return True

    def _tell(self, reason: str) -> None:
        if not self._failures:
            logger.error("Cannot %s: %s. It is tried again until it works.", self._what, reason)
        self._failures += 1


def _joined(threads: list[Thread], seconds: float) -> bool:
    """Whether all of them ended within so long."""
    ends = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def _whereabouts(error: Exception) -> str:
    """What and where, without the message: it could hold an address."""
    frame = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def _slept(seconds: float, is_told_to_end: Callable[[], bool]) -> bool:
    """Sleep so long; True, and at once, when told to end."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if is_told_to_end():
            return True
        time.sleep(0.1)
    return False
