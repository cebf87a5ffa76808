"""A worker that is told to end while the mail server says nothing: within half a minute, and without a lie."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from consent_widget.core.delivery import State
from tests.tasks.crew import ROOT, mail_server, post


def test_an_answer_that_does_not_come_leaves_a_doubt_and_no_more(database_url: str, tmp_path: Path) -> None:
    """KL-010: what was not begun goes back at once, the mail that may have been taken is unknown later."""
    with (
        mail_server(tmp_path, "scripted", "--fault", "dot:hang:1") as (mail_url, journal),
        post(tmp_path, database_url, mail_url=mail_url, journal=journal, readers=40) as site,
    ):
        worker = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "flask",
                "--app",
                "tests.tasks.host",
                "consent",
                "worker",
                "--connections",
                "2",
            ],
            cwd=ROOT,
            env=os.environ | {"HOST_FOLDER": str(tmp_path)},
            stderr=subprocess.DEVNULL,
        )
        site.until(lambda: site.taken() == 2, seconds=30, stall=60)
        worker.send_signal(signal.SIGTERM)
        began = time.monotonic()

        assert worker.wait(40) == 1
        assert time.monotonic() - began < 30
        assert site.mailroom.states() == {"sending": 2, "pending": 38}

        site.let_leases_end()
        assert len(site.mailroom.rows(State.UNKNOWN)) == 2
