"""The web process: serves the site until it is told to end or its parent is gone."""

import os
import signal
import sys
import threading
import time

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from . import create_app
from .settings import read_settings


class QuietRequestHandler(WSGIRequestHandler):
    """Logs errors, not every request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def main() -> None:
    # The parent hears Ctrl-C as well and ends this process in its own order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    server = make_server(
        "127.0.0.1", read_settings().port, create_app(), threaded=True, request_handler=QuietRequestHandler
    )
    threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    server.serve_forever()


def _end_with_parent(server: BaseWSGIServer) -> None:
    """End the server when its parent was killed and could not say so."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    server.shutdown()


if __name__ == "__main__":
    main()
