"""A host for processes of their own: ``flask --app tests.tasks.host``, as its folder's ``host.json`` describes it.

``HOST_FOLDER`` names the folder. Its clock begins at NOW and ticks; ``clock.json`` in the folder moves it
for all processes while they run, ``HOST_AHEAD`` one process alone, both in seconds.
"""

import json
import os
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask, session

from consent_widget.tasks import worker
from tests import factories
from tests.mailroom import APPROVER, AUTHOR, MAIL


class SharedClock(factories.Clock):
    """The time that all processes of a folder agree on."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock.json"
        self._ahead = timedelta(seconds=float(os.environ.get("HOST_AHEAD", "0")))
        if not self._file.exists():
            self._write(time.time(), 0.0)
        super().__init__()

    def __call__(self) -> datetime:
        zero, moved = json.loads(self._file.read_text(encoding="ascii"))
        return factories.NOW + timedelta(seconds=time.time() - zero + moved) + self._ahead

    def tick(self, **span: float) -> None:
        """Let the clock of every process jump, back too."""
        zero, moved = json.loads(self._file.read_text(encoding="ascii"))
        self._write(zero, moved + timedelta(**span).total_seconds())

    def _write(self, zero: float, moved: float) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps([zero, moved]), encoding="ascii")
        draft.replace(self._file)


def describe(folder: Path, **settings: Any) -> None:
    """Say what the app in ``folder`` is: names of settings without their prefix, ``look`` of its workers."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "host.json").write_text(json.dumps(settings), encoding="utf-8")


def create_app(folder: Path | None = None) -> Flask:
    """The host in ``folder``, else in HOST_FOLDER."""
    home = folder or Path(os.environ["HOST_FOLDER"])
    settings = json.loads((home / "host.json").read_text(encoding="utf-8"))
    look = settings.pop("look", worker.LOOK)
    if folder is None:  # a process of its own
        worker.LOOK = look
    app = factories.host_app(
        database_url=settings.pop("database_url"),
        clock=SharedClock(home),
        folder=home,
        config=MAIL | {f"CONSENT_WIDGET_{name.upper()}": value for name, value in settings.items()},
        staff_loader=lambda: _STAFF.get(session.get("who", "")),
    )

    @app.get("/sign-in-at-the-host/<who>")
    def sign_in(who: str) -> str:
        session["who"] = who
        return who

    return app


_STAFF = {one.id: one for one in (AUTHOR, APPROVER)}
