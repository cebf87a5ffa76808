"""Several connections at once: each sends on a thread of its own, and all answers come back to one."""

from collections.abc import Iterable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, NamedTuple, TypeVar

from ..core.reply import Reply
from .transport import Transport

T = TypeVar("T")


class _Given(NamedTuple, Generic[T]):
    item: T
    message: bytes
    sender: str
    recipient: str


class Lines(Generic[T]):
    """Used by one thread. What it is given to send bears an ``item`` that comes back with the answer."""

    def __init__(self, transports: Iterable[Transport]) -> None:
        self._done: SimpleQueue[tuple[_Line[T], T, Reply | BaseException]] = SimpleQueue()
        self._all = [_Line(one, self._done) for one in transports]
        self._idle = list(self._all)

    @property
    def count(self) -> int:
        return len(self._all)

    @property
    def idle(self) -> int:
        """How many mails may be handed over at this moment."""
        return len(self._idle)

    @property
    def are_quiet(self) -> bool:
        """No mail is on its way, and every answer was taken."""
        return len(self._idle) == len(self._all)

    @property
    def have_answers(self) -> bool:
        return not self._done.empty()

    def hand_over(self, item: T, message: bytes, *, sender: str, recipient: str) -> None:
        """Send on an idle line; does not wait."""
        self._idle.pop().inbox.put(_Given(item, message, sender, recipient))

    def answers(self, seconds: float | None = None) -> list[tuple[T, Reply]]:
        """The answers that have come, at least one, or none within ``seconds``; a mail must be on its way.

        Raises:
            BaseException: what a transport raised, though it never should.
        """
        found: list[tuple[T, Reply]] = []
        while not found or not self._done.empty():
            try:
                line, item, reply = self._done.get(timeout=None if found else seconds)
            except Empty:
                break
            self._idle.append(line)
            if isinstance(reply, BaseException):
                raise reply
            found.append((item, reply))
        return found

    def close(self) -> None:
        """Wait for what is on its way, then say goodbye on all."""
        for line in self._all:
            line.inbox.put(None)
        for line in self._all:
            line.join()


class _Line(Thread, Generic[T]):
    def __init__(
        self, transport: Transport, done: "SimpleQueue[tuple[_Line[T], T, Reply | BaseException]]"
    ) -> None:
        super().__init__(name="consent_widget_line")
        self.inbox: SimpleQueue[_Given[T] | None] = SimpleQueue()
        self._transport = transport
        self._done = done
        self.start()

    def run(self) -> None:
        try:
            while (given := self.inbox.get()) is not None:
                self._done.put((self, given.item, self._send(given)))
        finally:
            self._transport.close()

    def _send(self, given: _Given[T]) -> Reply | BaseException:
        try:
            return self._transport.send(given.message, sender=given.sender, recipient=given.recipient)
        except BaseException as error:  # noqa: BLE001  # it is raised where the answer is awaited
            return error
