"""Small disks that can be filled and write-protected, for databases that live on them."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, event

SIZE = 4 * 1024 * 1024


@dataclass
class Disk:
    """4 MiB for ``path``: a file system of its own where the machine lets us make one (``is_own``).

    Elsewhere SQLite itself is told how large its file may become, and not to write: it
    answers with the same errors, though no file system has a part in it.
    """

    path: Path
    is_own: bool

    def fill(self, engine: Engine) -> None:
        """Leave no byte free."""
        if not self.is_own:
            _tell(engine, "max_page_count=1")  # no lower than what is there
            return
        with (self.path / "filler").open("wb", buffering=0) as file:
            for size in (65536, 512, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * size)

    def free(self, engine: Engine) -> None:
        if not self.is_own:
            _tell(engine, "max_page_count=1073741823")
            return
        (self.path / "filler").unlink()

    def protect(self, engine: Engine) -> None:
        """Refuse every write."""
        if self.is_own:
            _mount("-o", "remount,ro", str(self.path))
        else:
            _tell(engine, "query_only=ON")

    def release(self, engine: Engine) -> None:
        if self.is_own:
            _mount("-o", "remount,rw", str(self.path))
        else:
            _tell(engine, "query_only=OFF")


def _tell(engine: Engine, pragma: str) -> None:
    """To connections that are made from here on."""
    engine.dispose()

    def obey(connection: object, _record: object) -> None:
        connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]  # sqlite3's

    event.listen(engine, "connect", obey)


def _mount(*arguments: str) -> bool:
    if os.geteuid():
        return False
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[Disk]:
    """An empty disk at ``path``."""
    path.mkdir()
    is_own = _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(path))
    try:
        yield Disk(path, is_own)
    finally:
        if is_own:
            subprocess.run(["umount", "-l", str(path)], check=True)
