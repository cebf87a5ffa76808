"""A real SMTP server (aiosmtpd) that takes every mail, notes it, and only then answers 250.

``python -m tests.mail.sink --port 0 --journal FILE [--mails FOLDER] [--delay SECONDS]`` runs it as a
process of its own and prints its port first.
"""

import argparse
import asyncio
import random
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.mail.journal import Journal, Received


class Sink:
    """Where it listens, and what it took."""

    def __init__(self, port: int, journal: Journal) -> None:
        self.port = port
        self.journal = journal

    @property
    def url(self) -> str:
        """For MAIL_URL: this machine, so in clear."""
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def mails(self) -> list[Received]:
        return self.journal.read()


class _Handler:
    """Notes a mail, waits up to ``delay`` seconds at random, and answers: who is killed meanwhile never knows."""

    def __init__(self, journal: Journal, delay: float) -> None:
        self._journal = journal
        self._delay = delay

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.original_content or b""
        self._journal.note(sender=envelope.mail_from or "", recipients=list(envelope.rcpt_tos), raw=raw)
        if self._delay:
            await asyncio.sleep(random.uniform(0, self._delay))
        return "250 2.0.0 Taken"


@contextmanager
def running_sink(folder: Path, *, delay: float = 0.0) -> Iterator[Sink]:
    """A sink in a thread of this process, whose mails are kept in ``folder``."""
    journal = Journal(folder / "journal.jsonl", folder / "mails")
    listening = _listen(0)
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(_serve(listening, journal, delay, stop)))
    thread.start()
    try:
        yield Sink(int(listening.getsockname()[1]), journal)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _serve(listening: socket.socket, journal: Journal, delay: float, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    handler = _Handler(journal, delay)
    open_ones: set[asyncio.Transport] = set()

    class Protocol(SMTP):
        """Remembers its connection, so that none is left open at the end."""

        def connection_made(self, transport: Any) -> None:
            open_ones.add(transport)
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            open_ones.difference_update([one for one in open_ones if one.is_closing()])
            super().connection_lost(error)

    server = await loop.create_server(
        lambda: Protocol(handler, hostname="sink.example", loop=loop, data_size_limit=2**25, timeout=3600),
        sock=listening,
    )
    await stop.wait()
    server.close()
    for one in list(open_ones):
        one.abort()
    # Their handlers are tasks that end now.
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    await asyncio.gather(*others, return_exceptions=True)
    await server.wait_closed()


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(128)
    return listening


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--mails", type=Path)
    parser.add_argument("--delay", type=float, default=0.0, help="answer after up to so many seconds")
    given = parser.parse_args()
    listening = _listen(given.port)
    print(listening.getsockname()[1], flush=True)

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await _serve(listening, Journal(given.journal, given.mails), given.delay, stop)

    asyncio.run(run())


if __name__ == "__main__":
    main()
