"""The schema's version: what the database has, what this release needs, how to get there."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from . import frozen, ledger

#: Ours alone, so that a host's own Alembic history is not touched.
VERSION_TABLE = "cw_alembic_version"

_MIGRATIONS = Path(__file__).with_name("migrations")

#: What sets each guarded table's triggers. A migration that rebuilds a table (Alembic's batch mode on
#: SQLite) drops them without a word.
_GUARDS = (ledger.guard, frozen.guard)


@cache
def newest() -> str:
    """The revision this release needs."""
    head = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    assert head is not None
    return head


def _file(engine: Engine) -> Path | None:
    """The file of a SQLite database; None for another one or one in memory."""
    name = engine.url.database
    if engine.url.get_backend_name() != "sqlite" or name in (None, "", ":memory:"):
        return None
    return Path(str(name))


def _make_private(file: Path) -> None:
    """Make ``file`` for its owner alone, with the folders above it, where it is missing: it is to hold addresses.

    SQLite gives its -wal and -shm the rights of the database.
    """
    missing = [folder for folder in file.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    if not file.exists():
        file.touch(mode=0o600)


def is_missing(engine: Engine) -> bool:
    """Whether it is a SQLite file that does not exist yet; asking it would make an empty one."""
    file = _file(engine)
    return file is not None and not file.exists()


def current(connection: Connection) -> str | None:
    """The revision the database has; None where nothing was set up yet."""
    return MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE}
    ).get_current_revision()


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest revision, if it has another, and set the guards of its tables."""
    file = _file(engine)
    if file is not None:
        _make_private(file)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.connect() as plain:
        connection = plain.execution_options(consent_widget_writes=True)
        with connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            for guard in _GUARDS:
                guard(connection)
