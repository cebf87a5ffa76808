"""The web process: serves the site until it is told to end or its parent is gone."""

import signal
import sys

from werkzeug.serving import WSGIRequestHandler, make_server

from . import create_app
from .parent import end_with_parent
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
    end_with_parent(server.shutdown)
    server.serve_forever()


if __name__ == "__main__":
    main()
