"""An SMTP server that misbehaves as told, on a raw socket.

A *script* is asked at every stage and gives what to do there; None goes on as a good server would.
``python -m tests.mail.scripted --port 0 --journal FILE --fault rcpt:"450 4.2.1 Busy":0.2`` runs one as a
process, with faults at random but the same for the same seed.
"""

import argparse
import hashlib
import re
import signal
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.mail.journal import Journal, Received

#: In the order in which they come; ``body`` is between 354 and the final dot.
STAGES = ("greeting", "ehlo", "starttls", "handshake", "auth", "mail", "rcpt", "data", "body", "dot")

_HANG_SECONDS = 30.0

_END = b"\r\n.\r\n"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Where a connection stands. ``nth`` counts from 1 how often this recipient (else: anybody) came so far."""

    stage: str
    recipient: str
    nth: int
    connection: int


@dataclass(frozen=True)
class Say:
    """Answer with this line instead; afterwards hang up, if ``close``, or go on as if nothing were, if ``goes_on``.

    At ``body`` it is said before the mail, which is then read and not taken.
    """

    line: str
    close: bool = False
    goes_on: bool = False


@dataclass(frozen=True)
class Drop:
    """Hang up; at ``body`` after so many bytes of the mail."""

    after: int = 0


@dataclass(frozen=True)
class Hang:
    """Keep the connection and say nothing."""


Script = Callable[[Moment], Say | Drop | Hang | None]


def always(stage: str, action: Say | Drop | Hang) -> Script:
    """The same at each ``stage``."""
    return lambda moment: action if moment.stage == stage else None


def first(times: int, stage: str, action: Say | Drop | Hang) -> Script:
    """So often for each recipient, then no more."""
    return lambda moment: action if moment.stage == stage and moment.nth <= times else None


def at_random(faults: list[tuple[str, Say | Drop | Hang, float]], seed: int) -> Script:
    """Each of ``faults`` at its stage with its probability; by recipient and try, not by time."""

    def script(moment: Moment) -> Say | Drop | Hang | None:
        for number, (stage, action, rate) in enumerate(faults):
            name = f"{seed} {number} {moment.recipient or moment.connection} {moment.nth}"
            drawn = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
            if stage == moment.stage and drawn < rate:
                return action
        return None

    return script


def no_fault(moment: Moment) -> None:
    """A good server."""


@dataclass
class ScriptedServer:
    """Listens from its making to ``close``. ``accepted`` are the mails to which a 250 was due.

    ``received`` are all bytes of each connection as they came, in clear or decrypted; ``clear`` those that
    came in clear. ``speaks_tls``: ``starttls``, ``implicit`` or nothing.
    """

    journal: Journal
    script: Script = no_fault
    offers: tuple[str, ...] = ("SIZE 33554432", "8BITMIME")
    speaks_tls: str = ""
    context: ssl.SSLContext | None = None
    port: int = 0
    received: list[bytearray] = field(default_factory=list)
    clear: list[bytearray] = field(default_factory=list)
    commands: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(("127.0.0.1", self.port))
        self._listening.listen(128)
        self.port = int(self._listening.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def accepted(self) -> list[Received]:
        return self.journal.read()

    @property
    def connections(self) -> int:
        return len(self.received)

    def close(self) -> None:
        """Hang up everywhere."""
        self._closing.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._acceptor.join()
        with self._lock:
            left = list(self._sockets)
        for one in left:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def hang_up(self) -> None:
        """End every connection, as a server does with idle ones; go on listening."""
        with self._lock:
            left = list(self._sockets)
        for one in left:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sockets.add(connection)
                self.received.append(bytearray())
                self.clear.append(bytearray())
                number = len(self.received)
            thread = threading.Thread(target=self._talk, args=(connection, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _talk(self, connection: socket.socket, number: int) -> None:
        talk = _Talk(self, connection, number)
        try:
            talk.run()
        except (OSError, EOFError, _Over):
            pass
        finally:
            with self._lock:
                self._sockets.discard(connection)
            talk.socket.close()
            connection.close()

    def ask(self, stage: str, recipient: str, connection: int) -> Say | Drop | Hang | None:
        with self._lock:
            self._seen[stage, recipient] += 1
            nth = self._seen[stage, recipient]
            self.commands[stage] += 1
        return self.script(Moment(stage=stage, recipient=recipient, nth=nth, connection=connection))

    def wait(self) -> None:
        """Say nothing until it is closed, or for long."""
        self._closing.wait(_HANG_SECONDS)


class _Over(Exception):
    """This connection is at its end."""


class _Talk:
    """One connection."""

    def __init__(self, server: ScriptedServer, connection: socket.socket, number: int) -> None:
        self.server = server
        self.socket = connection
        self.number = number
        self.buffer = bytearray()
        self.is_secret = False
        self.sender = ""
        self.recipients: list[str] = []

    def run(self) -> None:
        if self.server.speaks_tls == "implicit":
            self._shake_hands()
        self._answer("greeting", "220 scripted.example ESMTP")
        verbs: dict[bytes, Callable[[bytes], object]] = {
            b"EHLO": lambda line: self._answer("ehlo", *self._offers()),
            b"HELO": lambda line: self._answer("helo", "250 scripted.example"),
            b"STARTTLS": self._start_tls,
            b"AUTH": lambda line: self._answer("auth", "235 2.7.0 Welcome"),
            b"MAIL": self._mail,
            b"RCPT": self._recipient,
            b"DATA": self._data,
            b"RSET": self._reset,
            b"QUIT": self._quit,
        }
        while True:
            line = self._line()
            verb = line.partition(b" ")[0].upper()
            verbs.get(verb, self._wonder)(line)

    def _start_tls(self, line: bytes) -> None:
        if self._answer("starttls", "220 2.0.0 Go ahead"):
            self._shake_hands()

    def _mail(self, line: bytes) -> None:
        self.sender, self.recipients = _mailbox(line), []
        self._answer("mail", "250 2.1.0 Ok")

    def _reset(self, line: bytes) -> None:
        self.recipients = []
        self._answer("rset", "250 2.0.0 Ok")

    def _wonder(self, line: bytes) -> None:
        self._answer("other", "500 5.5.1 Unknown")

    def _quit(self, line: bytes) -> None:
        self._answer("quit", "221 2.0.0 Bye")
        raise _Over

    def _recipient(self, line: bytes) -> None:
        mailbox = _mailbox(line)
        if self._answer("rcpt", "250 2.1.5 Ok", recipient=mailbox):
            self.recipients.append(mailbox)

    def _data(self, line: bytes) -> None:
        recipient = self.recipients[0] if self.recipients else ""
        if not self._answer("data", "354 Go on", recipient=recipient):
            return
        action = self.server.ask("body", recipient, self.number)
        if isinstance(action, Drop):
            self._read_exactly(action.after)
            raise _Over
        if action is not None:
            self._act(action)
            self._until_dot()
            return
        raw = self._until_dot()
        todo = self.server.ask("dot", recipient, self.number)
        if not isinstance(todo, Say):
            # It is taken, whatever the client hears of it.
            self.server.journal.note(sender=self.sender, recipients=self.recipients, raw=raw)
        self.recipients = []
        if todo is not None:
            self._act(todo)
        else:
            self._say("250 2.0.0 Taken")

    def _answer(self, stage: str, *lines: str, recipient: str = "") -> bool:
        """Whether it went as a good server's would."""
        action = self.server.ask(stage, recipient, self.number)
        if action is not None:
            self._act(action)
            return isinstance(action, Say) and action.goes_on
        self._say(*lines)
        return True

    def _act(self, action: Say | Drop | Hang) -> None:
        if isinstance(action, Hang):
            self.server.wait()
            raise _Over
        if isinstance(action, Drop):
            raise _Over
        self._say(action.line)
        if action.close:
            raise _Over

    def _offers(self) -> list[str]:
        offers = [*self.server.offers]
        if self.server.speaks_tls == "starttls" and not self.is_secret:
            offers.append("STARTTLS")
        words = ["scripted.example", *offers]
        return [f"250-{one}" for one in words[:-1]] + [f"250 {words[-1]}"]

    def _shake_hands(self) -> None:
        action = self.server.ask("handshake", "", self.number)
        if action is not None:
            self._act(action)
        assert self.server.context is not None
        self.socket = self.server.context.wrap_socket(self.socket, server_side=True)
        self.is_secret = True
        self.buffer.clear()

    def _say(self, *lines: str) -> None:
        self.socket.sendall("".join(f"{one}\r\n" for one in lines).encode("utf-8", "surrogateescape"))

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self.server.received[self.number - 1] += data
        if not self.is_secret:
            self.server.clear[self.number - 1] += data
        self.buffer += data

    def _line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            self._more()
        line, _, rest = self.buffer.partition(b"\r\n")
        self.buffer = rest
        return bytes(line)

    def _read_exactly(self, count: int) -> None:
        """Take ``count`` bytes of the mail, if it has so many, and leave the rest in the socket."""
        while len(self.buffer) < count and not self.buffer.endswith(b"\r\n.\r\n"):
            data = self.socket.recv(count - len(self.buffer))
            if not data:
                raise EOFError
            self.buffer += data

    def _until_dot(self) -> bytes:
        """The mail, dots unstuffed."""
        self.buffer[:0] = b"\r\n"  # A mail may be the final dot alone.
        seen = 0
        while (end := self.buffer.find(_END, max(0, seen - len(_END)))) < 0:
            seen = len(self.buffer)
            self._more()
        raw = bytes(self.buffer[: end + 2])
        del self.buffer[: end + len(_END)]
        return raw.replace(b"\r\n..", b"\r\n.")[2:]


def _mailbox(line: bytes) -> str:
    found = re.search(rb"<([^>]*)>", line)
    return found[1].decode("utf-8", "replace") if found else ""


@contextmanager
def scripted(folder: Path, script: Script = no_fault, **options: object) -> Iterator[ScriptedServer]:
    """A scripted server in threads of this process; the mails it took are kept in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "journal.jsonl", folder / "mails")
    server = ScriptedServer(journal, script, **options)  # type: ignore[arg-type]  # ScriptedServer's own
    try:
        yield server
    finally:
        server.close()


def read_fault(text: str) -> tuple[str, Say | Drop | Hang, float]:
    """``stage:what:rate``; what is ``drop``, ``drop=BYTES``, ``hang`` or the line of a reply."""
    stage, _, rest = text.partition(":")
    what, _, rate = rest.rpartition(":")
    if stage not in STAGES:
        raise argparse.ArgumentTypeError(f"{stage!r} is none of {', '.join(STAGES)}")
    if what == "hang":
        return stage, Hang(), float(rate)
    if what.startswith("drop"):
        return stage, Drop(int(what.partition("=")[2] or 0)), float(rate)
    return stage, Say(what, close=what.startswith("421")), float(rate)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--mails", type=Path)
    parser.add_argument("--fault", type=read_fault, action="append", default=[], metavar="STAGE:WHAT:RATE")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    over = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        over.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    script = at_random(given.fault, given.seed)
    server = ScriptedServer(Journal(given.journal, given.mails), script, port=given.port)
    print(server.port, flush=True)
    over.wait()
    server.close()


if __name__ == "__main__":
    main()
