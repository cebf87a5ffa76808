"""What the demonstration reads from the environment: where it lives, on which port, at what time."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from flask import Config

#: Viet Nam keeps no summer time; an offset needs no time zone database.
VIETNAM = timezone(timedelta(hours=7))


class DemoError(Exception):
    """The demonstration cannot start; the message is one line that names the cure."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``directory`` holds key and database, ``start`` is where the clock starts (None: the real time)."""

    directory: Path
    port: int
    start: datetime | None

    @property
    def mail(self) -> Path:
        """The maildir: the demonstration sends nothing farther."""
        return self.directory / "mail"

    @property
    def site(self) -> str:
        """The origin of the site itself."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def second_host(self) -> str:
        """The Host of the third parties: the same server under another name is another origin."""
        return f"localhost:{self.port}"

    @property
    def second_origin(self) -> str:
        return f"http://{self.second_host}"


def read_settings() -> Settings:
    """The settings in DEMO_DIR, PORT and DEMO_NOW.

    Raises:
        DemoError: a value cannot be used.
    """
    directory = Path(os.environ.get("DEMO_DIR") or ".demo").resolve()
    return Settings(directory=directory, port=_port(), start=_start())


def product_settings() -> dict[str, object]:
    """The CONSENT_WIDGET_* variables; values are JSON, anything else is taken as text."""
    found = Config(os.curdir)
    found.from_prefixed_env("CONSENT_WIDGET")
    return {f"CONSENT_WIDGET_{key}": value for key, value in found.items()}


def ticking_clock(start: datetime | None) -> Callable[[], datetime]:
    """A clock that shows ``start`` now and ticks on; the real time without a start."""
    if start is None:
        return lambda: datetime.now(UTC)
    ahead = start - datetime.now(UTC)
    return lambda: datetime.now(UTC) + ahead


def secret_key(directory: Path) -> str:
    """The key in ``directory``, made on first use and readable by the owner alone."""
    path = directory / "secret-key"
    with suppress(FileExistsError):
        # Born with its mode: nobody else can read it, not for a moment.
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
    return path.read_text(encoding="ascii")


def _port() -> int:
    value = os.environ.get("PORT") or "5000"
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise DemoError(f"PORT={value} is no port number; use one from 1 to 65535.")
    return int(value)


def _start() -> datetime | None:
    value = os.environ.get("DEMO_NOW")
    if not value:
        return None
    try:
        start = datetime.fromisoformat(value)
    except ValueError:
        raise DemoError(
            f"DEMO_NOW={value} is no ISO date and time; write it like 2027-01-31T09:00:00+07:00."
        ) from None
    return start if start.tzinfo else start.replace(tzinfo=VIETNAM)
