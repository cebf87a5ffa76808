"""The worker process: sends mails until it is told to end or its parent is gone."""

import logging
import os
import signal

from flask.cli import ScriptInfo

from . import create_app
from .parent import end_with_parent


def main() -> None:
    # The terminal is the parent's: only what went wrong is told here.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    app = create_app()
    app.cli.main(["consent", "worker"], prog_name="flask", obj=ScriptInfo(create_app=lambda: app))


if __name__ == "__main__":
    main()
