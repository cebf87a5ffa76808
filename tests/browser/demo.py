"""The demonstration as its users start it: a parent, a web process and a worker."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy

_ROOT = Path(__file__).parents[2]
#: A busy machine makes tables and four accounts meanwhile.
_SECONDS_TO_START = 120
_SECONDS_TO_SETTLE = 90

#: All that the subscribers' part keeps. Jobs, counts of requests and sessions go on by themselves.
_ALL = "SELECT * FROM cw_{} ORDER BY 1"
_TABLES = ("subscription", "subscription_link", "suppression", "campaign", "delivery")

#: Mails that are not at an end, and campaigns that are not done.
_OPEN = """SELECT (SELECT count(*) FROM cw_delivery WHERE state IN ('pending', 'leased', 'sending'))
    + (SELECT count(*) FROM cw_campaign WHERE state = 'running')"""


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Where the demonstration answers and keeps its data."""

    folder: Path
    port: int
    database_url: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_url(self) -> str:
        return f"http://localhost:{self.port}"

    def password(self, role: str) -> str:
        found: dict[str, str] = json.loads((self.folder / "passwords.json").read_text(encoding="utf-8"))
        return found[f"{role}@demo.example"]

    def kept(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row about subscribers, as the database has them now."""
        with self._engine().connect() as connection:
            return {
                table: [tuple(row) for row in connection.execute(sqlalchemy.text(_ALL.format(table)))]
                for table in _TABLES
            }

    def settled(self) -> dict[str, list[tuple[Any, ...]]]:
        """The same, once the worker has nothing left to do."""
        deadline = time.monotonic() + _SECONDS_TO_SETTLE
        while self._is_busy():
            assert time.monotonic() < deadline, self.kept()
            time.sleep(0.1)
        return self.kept()

    def _is_busy(self) -> bool:
        with self._engine().connect() as connection:
            return bool(connection.execute(sqlalchemy.text(_OPEN)).scalar_one())

    def _engine(self) -> sqlalchemy.Engine:
        return sqlalchemy.create_engine(self.database_url, poolclass=sqlalchemy.NullPool)


@contextlib.contextmanager
def demo(folder: Path, database_url: str | None) -> Iterator[Demo]:
    """``make demo`` on the database at ``database_url``, unless given on its own, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = os.environ | {"DEMO_DIR": str(folder), "PORT": str(port)}
    if database_url:
        environment["CONSENT_WIDGET_DATABASE_URL"] = database_url
    printed = folder / "printed"
    folder.mkdir(parents=True, exist_ok=True)
    with printed.open("wb") as output:
        parent = subprocess.Popen(
            [sys.executable, "-m", "demo_site"], cwd=_ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        _wait_for(parent, printed)
        yield Demo(
            folder=folder,
            port=port,
            database_url=database_url or f"sqlite:///{folder / 'consent.sqlite3'}",
        )
    finally:
        parent.send_signal(signal.SIGINT)
        assert parent.wait(30) == 0, printed.read_text(encoding="utf-8")
    told = printed.read_text(encoding="utf-8").rpartition("Ctrl-C ends it.")[2].splitlines()
    assert [
        one for one in told if one and "over plain http" not in one
    ] == []  # what the processes complained of


def _wait_for(parent: "subprocess.Popen[bytes]", printed: Path) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while "Ctrl-C ends it." not in printed.read_text(encoding="utf-8"):
        ended = parent.poll() is not None or time.monotonic() > deadline
        assert not ended, printed.read_text(encoding="utf-8")
        time.sleep(0.1)
