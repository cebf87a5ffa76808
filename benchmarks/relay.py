"""Mail servers that take whatever they are sent and keep nothing, each in a process of its own.

``bare`` does no more than SMTP demands (RFC 5321): what it costs is the least that any server
costs. ``aiosmtpd`` is a real one in Python. `python -m benchmarks.relay bare` prints its port as a
line, and ends when its standard input does, thus also when whoever started it dies.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.smtp import SMTP

_HELLO = b"250-relay.example\r\n250-8BITMIME\r\n250 SIZE 33554432\r\n"
_DOT = b"\r\n.\r\n"


@contextmanager
def running_relay(kind: str) -> Iterator[int]:
    """The port of 127.0.0.1 on which it listens while the block runs."""
    command = [sys.executable, "-m", "benchmarks.relay", kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.kill()


class _Bare(asyncio.Protocol):
    """One connection; no command is refused."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._held = bytearray()
        self._in_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 relay.example\r\n")

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._held += data
        while True:
            mark = _DOT if self._in_mail else b"\r\n"
            end = self._held.find(mark)
            if end < 0:
                return
            line = self._held[:4].upper()
            del self._held[: end + len(mark)]
            self._transport.write(self._answer(bytes(line)))

    def _answer(self, verb: bytes) -> bytes:
        if self._in_mail:
            self._in_mail = False
            return b"250 2.0.0 Taken\r\n"
        if verb == b"DATA":
            self._in_mail = True
            return b"354 Go on\r\n"
        if verb == b"EHLO":
            return _HELLO
        return b"221 2.0.0 Bye\r\n" if verb == b"QUIT" else b"250 2.0.0 Good\r\n"


class _Taking:
    async def handle_DATA(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802
        return "250 2.0.0 Taken"


def _aiosmtpd() -> asyncio.Protocol:
    return SMTP(_Taking(), hostname="relay.example", loop=asyncio.get_running_loop())


async def _serve(kind: str) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server({"bare": _Bare, "aiosmtpd": _aiosmtpd}[kind], "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
