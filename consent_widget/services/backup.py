"""A copy of the database that can be restored, made while the site runs.

SQLite: by its own online backup, of one instant, checked before it gets its name.
PostgreSQL: by ``pg_dump``, which is the server's own way.
"""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Engine

from ..core.errors import BackupError
from ..core.ledger_check import Report
from ..storage.database import Database, open_engine
from .deployment import Deployment
from .ledger import verify

#: So many pages are copied at once.
_PAGES = 2000


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A finished copy. ``report`` is of the ledger in it; with a problem in it the copy is kept all the same."""

    path: Path
    size: int
    report: Report


def back_up(deployment: Deployment, path: Path) -> Backup:
    """Copy the database to ``path``, which does not exist yet; readable for its owner alone.

    Raises:
        BackupError: there is no copy.
        StoreUnavailable: the database did not answer; there is no copy.
    """
    if path.exists() or path.is_symlink():
        raise BackupError(f"{path} exists. Name another file: no backup is written over.")
    engine = deployment.database.engine
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    except OSError as error:
        raise BackupError(f"{path.parent} cannot be written to ({error.strerror}).") from error
    os.close(descriptor)
    unfinished = Path(name)
    try:
        if engine.dialect.name == "sqlite":
            report = _copy_sqlite(deployment, unfinished)
        else:
            _dump_postgresql(engine, unfinished, path)
            report = verify(deployment, [key.public for key in deployment.log_keys])
        _finish(unfinished, path)
    except OSError as error:
        raise BackupError(f"The copy could not be written ({error.strerror}).") from error
    finally:
        for one in path.parent.glob(f"{unfinished.name}*"):
            one.unlink(missing_ok=True)
    return Backup(path=path, size=path.stat().st_size, report=report)


def _copy_sqlite(deployment: Deployment, target: Path) -> Report:
    database = deployment.database
    with database.failing_as_one():
        plain = database.engine.raw_connection()
    try:
        source = plain.driver_connection
        assert isinstance(source, sqlite3.Connection)
        with closing(sqlite3.connect(target)) as copy:
            _copy(source, copy)
            found = copy.execute("PRAGMA integrity_check").fetchall()
            broken = copy.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.Error as error:
        raise BackupError(f"SQLite could not make the copy ({error}).") from error
    finally:
        plain.close()
    if found != [("ok",)] or broken:
        raise BackupError(
            f"The database is damaged: {str((found or broken)[0][0])[:200]}. No backup was made."
        )
    engine = open_engine(f"sqlite:///{target}")
    try:
        report = verify(
            replace(deployment, database=Database(engine)), [key.public for key in deployment.log_keys]
        )
    finally:
        engine.dispose()
    with closing(sqlite3.connect(target)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, whole in itself
    return report


def _copy(source: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """All of one instant: in WAL mode others go on writing while one reads what was there at the beginning.

    Without WAL each step sees what is there then, and SQLite begins anew where somebody wrote in between.
    """
    is_wal = source.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    if is_wal:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
    try:
        source.backup(copy, pages=_PAGES, sleep=0.01)
    finally:
        if is_wal:
            source.execute("ROLLBACK")


def _dump_postgresql(engine: Engine, target: Path, path: Path) -> None:
    url = engine.url.set(drivername="postgresql", password=None)
    command = ["pg_dump", "--format=custom", "--no-password", f"--dbname={url.render_as_string()}"]
    program = shutil.which("pg_dump")
    by_hand = f"Run where it is: {' '.join(command)} --file={path}"
    if program is None:
        raise BackupError(f"pg_dump is not in PATH. {by_hand}")
    password = {"PGPASSWORD": str(engine.url.password)} if engine.url.password else {}
    done = subprocess.run(  # noqa: S603  # no shell, and no word of a stranger
        [program, *command[1:], f"--file={target}"],
        env=os.environ | password,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise BackupError(
            f"pg_dump made no backup: {said[0][:300]}. It must be as new as the server. {by_hand}"
        )


def _finish(unfinished: Path, path: Path) -> None:
    """On disk, then under its name at once; what came there meanwhile is not written over."""
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    try:
        path.hardlink_to(unfinished)
    except FileExistsError:
        raise BackupError(f"{path} exists by now. Name another file: no backup is written over.") from None
    except OSError:  # a file system without hard links
        unfinished.rename(path)
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
