"""The three hosts on free ports of 127.0.0.1, in a process of their own.

`python -m benchmarks.serve FOLDER` prints the ports as one line of JSON. It
ends when its standard input does, thus also when whoever started it dies, and
after ten minutes in any case.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from .site import Kind, make_site

_SECONDS_AT_MOST = 600


@contextmanager
def serving(folder: Path) -> Iterator[dict[Kind, str]]:
    """The addresses of the hosts while the block runs; their data lies in ``folder``."""
    command = [sys.executable, "-m", "benchmarks.serve", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("the hosts did not start; what they printed stands above")
            yield {Kind(kind): f"http://127.0.0.1:{port}" for kind, port in json.loads(line).items()}
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


class _Handler(WSGIRequestHandler):
    """Keeps connections open, as servers on the net do, and says nothing."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def main() -> None:
    folder = Path(sys.argv[1])
    ports: dict[str, int] = {}
    for kind in Kind:
        site = make_site(kind, folder / kind.name.lower())
        server = make_server("127.0.0.1", 0, site, threaded=True, request_handler=_Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ports[kind] = server.server_port
    print(json.dumps(ports), flush=True)
    threading.Timer(_SECONDS_AT_MOST, os._exit, [1]).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
