"""Makes worker processes quickly: the imports are done once, each worker is a fork.

``python -m tests.tasks.nursery``: a line on its standard input, the arguments of ``flask consent`` in
JSON, starts a process and prints its number; ``["serve", FD]`` serves the app over the listening socket FD.
It ends, and with it all that it started, when its input does.
"""

import json
import os
import signal
import sys
from typing import NoReturn

from flask import Flask
from flask.cli import ScriptInfo
from werkzeug.serving import make_server

from tests.tasks.host import create_app


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    for line in sys.stdin:
        number = os.fork()
        if number == 0:
            _work(json.loads(line))
        print(number, flush=True)
    os.killpg(0, signal.SIGKILL)


def _work(arguments: list[str]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.close(0)
    app = create_app()
    try:
        if arguments[0] == "serve":
            serve(app, int(arguments[1]))
        app.cli.main(["consent", *arguments], prog_name="flask", obj=ScriptInfo(create_app=lambda: app))
    finally:
        sys.stderr.flush()
        os._exit(0)


def serve(app: Flask, socket: int) -> NoReturn:
    """By threads; the socket belongs to whoever started the nursery, so that it outlives every server."""
    server = make_server("127.0.0.1", 0, app, threaded=True, fd=socket)
    server.serve_forever()
    raise AssertionError("nobody ends it but by a signal")


if __name__ == "__main__":
    main()
