"""What the notice costs the server, against a bare Flask view that returns the same bytes.

Both are served by Werkzeug's server, and the CPU time of the thread that
serves is taken, HTTP and sockets included: its inverse is how many requests a
second one thread can answer. The client's share is left out: requests wait in
the sockets before the clock starts, answers are read after it stopped.
"""

import gc
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import thread_time

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from consent_widget.core.notice import ChangeClass
from tests.factories import counted_statements, deployment, edition, store_edition

from .figures import Figure, ratio
from .site import Kind, make_site

_ROUNDS = 120
_BATCH = 10
_VERSIONS = 1000
_PATH = "/privacy/vi/"


def measure_notice(folder: Path) -> list[Figure]:
    site = make_site(Kind.NO_NONCE, folder / "notice")
    first = site.test_client().get(_PATH)
    bare = make_site(Kind.BARE, folder / "bytes")
    bare.add_url_rule(_PATH, "notice", lambda: first.data)
    ours, theirs = _serve(site), _serve(bare)
    try:
        again = _request(_PATH, f"If-None-Match: {first.headers['ETag']}")
        whole = _request(_PATH)
        for server, request, status, length in (
            (ours, whole, b"200", len(first.data)),
            (theirs, whole, b"200", len(first.data)),
            (ours, again, b"304", 0),
        ):
            _check(server, request, status, length)
        pairs, unchanged = [], []
        gc.collect()
        for _ in range(_ROUNDS):
            cost = _cost(ours, whole)
            pairs.append((cost, _cost(theirs, whole)))
            unchanged.append((_cost(ours, again), cost))
    finally:
        ours.server_close()
        theirs.server_close()
    return [
        # 80 % of the requests per second is 1.25 times the time for each.
        ratio("notice page against a bare view of the same bytes", pairs, limit=1.25, unit="µs"),
        ratio("304 against the whole notice page", unchanged, limit=1.0, unit="µs"),
        _history(site),
    ]


def _history(site: Flask) -> Figure:
    """The history of a thousand versions, read and written for the first time."""
    start = datetime.now(UTC) - timedelta(days=1)
    with deployment(site).database.writing() as connection:
        for number in range(2, _VERSIONS + 1):
            store_edition(
                connection,
                edition(f"Version {number}", change_class=ChangeClass.EDITORIAL),
                now=start,
                number=number,
                effective_at=start + timedelta(seconds=number),
            )
    deployment(site).schedule.forget()
    client = site.test_client()
    with counted_statements(deployment(site).database.engine) as statements:
        first = _milliseconds(lambda: client.get("/privacy/vi/versions"))
    again = _milliseconds(lambda: client.get("/privacy/vi/versions"))
    return Figure(
        name="database queries for the history of 1,000 versions",
        value=sum(one.startswith("SELECT") for one in statements),
        unit="queries",
        limit=1,
        detail=f"{first:.0f} ms the first time, {again:.1f} ms from then on",
    )


def _milliseconds(act: Callable[[], object]) -> float:
    start = thread_time()
    act()
    return (thread_time() - start) * 1e3


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def _serve(app: Flask) -> BaseWSGIServer:
    return make_server("127.0.0.1", 0, app, threaded=False, request_handler=_Quiet)


def _request(path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def _cost(server: BaseWSGIServer, request: bytes) -> float:
    """Microseconds of the serving thread for each of a batch of requests that wait already."""
    clients = [_send(server, request) for _ in range(_BATCH)]
    start = thread_time()
    for _ in clients:
        server.handle_request()
    cost = (thread_time() - start) / len(clients) * 1e6
    for client in clients:
        client.close()
    return cost


def _send(server: BaseWSGIServer, request: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.server_port))
    client.sendall(request)
    return client


def _check(server: BaseWSGIServer, request: bytes, status: bytes, length: int) -> None:
    """An answer that is not the expected one would make the figures lies."""
    with _send(server, request) as client:
        server.handle_request()
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split(b" ", 2)[1] != status or len(body) != length:
        raise RuntimeError(f"the server answered {head[:40]!r} with {len(body)} bytes")
