"""A real server on a real socket, for bytes that no client library would send."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPMessage, HTTPResponse
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.attacks.target import granted_by


class _Silent(WSGIRequestHandler):
    """Thousands of broken requests are no news."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back; ``status`` is 0 where the server hung up without a word."""

    status: int
    headers: HTTPMessage
    text: str

    @property
    def granted(self) -> frozenset[str]:
        return granted_by(self.headers.get_all("Set-Cookie", []), self.text)


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A listening server; ``host`` is what its Host header should say."""

    port: int

    @property
    def host(self) -> bytes:
        return b"127.0.0.1:%d" % self.port

    def get(self, path: bytes, *lines: bytes, host: bytes | None = None) -> Answer:
        """A GET with these raw header lines."""
        head = [b"GET %s HTTP/1.1" % path, b"Host: " + (self.host if host is None else host), *lines]
        return self.send(b"\r\n".join([*head, b"Connection: close", b"", b""]))

    def send(self, raw: bytes) -> Answer:
        """Send exactly these bytes and read one answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(raw)
            response = HTTPResponse(connection)
            try:
                response.begin()
                return Answer(
                    status=response.status,
                    headers=response.headers,
                    text=response.read().decode("utf-8", "replace"),
                )
            except (BadStatusLine, ConnectionResetError):
                return Answer(status=0, headers=HTTPMessage(), text="")
            finally:
                response.close()


@contextlib.contextmanager
def served(app: Flask) -> Iterator[Wire]:
    """Serve ``app`` by threads over plain http as long as the block runs."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Wire(port=server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
