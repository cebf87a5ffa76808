"""``wake``: tells a worker that there is something to send, and never holds anybody up."""

import logging
import os
from concurrent.futures import Future, ThreadPoolExecutor

from .queue import QueueAway, put_wake

logger = logging.getLogger("consent_widget")


class Waker:
    """Puts wakes into the queue at ``url`` from a thread of its own: a request neither waits nor fails.

    A process that ends waits for the last one, a few seconds at most.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._process: int | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._next: Future[None] | None = None

    def __call__(self) -> None:
        if self._pool is None or self._process != os.getpid():  # threads do not survive a fork
            self._process, self._next = os.getpid(), None
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="consent_widget_wake")
        # One that has not begun yet comes after whatever was committed until now: it does for this call too.
        if self._next is None or self._next.running() or self._next.done():
            try:
                self._next = self._pool.submit(self._put)
            except RuntimeError:  # the interpreter is ending: the sweep finds it
                self._next = None

    def finish(self) -> None:
        """Wait until the last wake is in the queue, or was given up."""
        if self._pool is not None and self._process == os.getpid():
            self._pool.shutdown()
            self._pool = None

    def _put(self) -> None:
        try:
            put_wake(self._url)
        except QueueAway as error:
            logger.warning("The queue of consent_widget is away (%s); the next sweep sends.", error)
