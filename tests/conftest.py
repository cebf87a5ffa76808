"""What every room's tests share: databases, and the order in which the tests run."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy
from flask import Flask, has_app_context
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

from consent_widget.services.setup import upgrade_database
from consent_widget.storage.database import Database, open_engine
from tests import factories, postgresql
from tests.mailroom import MAIL, Mailroom

# Repeatable: the same examples on every machine, and no deadline for a busy one to miss.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")


class _Compiled(BytecodeCache):
    """Templates compiled once for all apps of this process: each test makes its own app, of the same templates.

    Jinja compares the source, so a template that a test replaces is compiled anew.
    """

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


Flask.jinja_options = {"bytecode_cache": _Compiled()}


def _compiled_once(compile_builder: Callable[..., Any]) -> Callable[..., Any]:
    """Functions that build the addresses of rules, likewise: of the same rule they are the same."""
    kept: dict[object, Any] = {}

    def compile_or_find(rule: Rule, append_unknown: bool = True) -> Any:
        key = (rule.rule, append_unknown, tuple(rule._trace), repr(rule.defaults))
        if key not in kept:
            kept[key] = compile_builder(rule, append_unknown)
        return kept[key]

    return compile_or_find


Rule._compile_builder = _compiled_once(Rule._compile_builder)  # type: ignore[method-assign]

# A mistake in a rule shows within a second, one in a page within a minute.
_ORDER = [
    "core",
    "render",
    "services",
    "storage",
    "translations",
    "web",
    "cli",
    "demo_site",
    "browser",
    "packaging",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The fast rooms first, each in its files' own order; what needs a browser is marked."""

    def room(item: pytest.Item) -> str:
        return item.path.relative_to(Path(__file__).parent).parts[0]

    def rank(item: pytest.Item) -> int:
        return _ORDER.index(room(item)) if room(item) in _ORDER else _ORDER.index("web")

    items.sort(key=rank)
    for item in items:
        if room(item) == "browser":
            item.add_marker(pytest.mark.browser)


#: See the fixture ``make_app``.
MakeApp = Callable[..., Flask]


@pytest.fixture(scope="session")
def postgresql_database() -> Iterator[sqlalchemy.URL]:
    """This test process's own database; its server starts at the first use and stops with the process."""
    with (
        postgresql.server() as maintenance,
        postgresql.database(maintenance, f"consent_widget_test_{uuid.uuid4().hex}") as url,
    ):
        yield url


@pytest.fixture
def postgresql_url(postgresql_database: sqlalchemy.URL) -> str:
    """A fresh, empty PostgreSQL database, for tests that ask about PostgreSQL alone."""
    postgresql.empty(postgresql_database)
    return postgresql_database.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def _tables() -> postgresql.Tables:
    return postgresql.Tables()


@pytest.fixture
def migrated_postgresql_url(
    postgresql_url: str, postgresql_database: sqlalchemy.URL, _tables: postgresql.Tables
) -> str:
    """A PostgreSQL database with our tables and nothing in them."""
    _tables.make(postgresql_database, lambda engine: upgrade_database(Database(engine)))
    return postgresql_url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet, for tests that ask about SQLite alone."""
    return f"sqlite:///{tmp_path / 'consent.sqlite'}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, empty database of each kind, one after the other."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of each kind with our tables in it, one after the other."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_database")
        return
    made = Database(open_engine(request.getfixturevalue("migrated_postgresql_url")))
    yield made
    made.engine.dispose()


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "consent.sqlite"
    made = Database(open_engine(f"sqlite:///{path}"))
    upgrade_database(made)
    made.engine.dispose()  # the last connection writes the log back into the file
    return path


@pytest.fixture
def sqlite_database(_migrated_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    """SQLite with our tables, for tests whose subject is not the database."""
    made = Database(open_engine(factories.copy_database(_migrated_sqlite, tmp_path / "sqlite")))
    yield made
    made.engine.dispose()


@pytest.fixture(scope="session")
def prepared_sqlite(_migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with our tables and version 1 in force: copied, it saves each test the migration."""
    folder = tmp_path_factory.mktemp("prepared")
    made = Database(open_engine(factories.copy_database(_migrated_sqlite, folder)))
    factories.import_first(made)
    made.engine.dispose()
    return folder / "consent.sqlite"


@pytest.fixture
def prepared_url(prepared_sqlite: Path, tmp_path: Path) -> str:
    """A prepared database of one's own, for tests that make their app themselves."""
    return factories.copy_database(prepared_sqlite, tmp_path / "prepared")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind with our tables and nothing in them."""
    if request.param == "sqlite":
        return factories.copy_database(request.getfixturevalue("_migrated_sqlite"), tmp_path / "migrated")
    return str(request.getfixturevalue("migrated_postgresql_url"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def in_force_url(request: pytest.FixtureRequest) -> str:
    """A database of each kind with our tables and version 1 in force."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("prepared_url"))
    url = str(request.getfixturevalue("migrated_postgresql_url"))
    made = Database(open_engine(url))
    factories.import_first(made)
    made.engine.dispose()
    return url


@pytest.fixture
def clock() -> factories.Clock:
    return factories.Clock()


@pytest.fixture
def make_app(prepared_sqlite: Path, clock: factories.Clock, tmp_path: Path) -> Iterator[MakeApp]:
    """Makes hosts with the widget, each on its own prepared database unless one is given."""
    made: list[Flask] = []

    def make(*, database_url: str | None = None, **options: Any) -> Flask:
        folder = tmp_path / f"app{len(made)}"
        url = database_url or factories.copy_database(prepared_sqlite, folder)
        app = factories.host_app(database_url=url, clock=clock, folder=folder, **options)
        made.append(app)
        return app

    yield make
    for app in made:
        factories.close(app)


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """A host whose notice is in force and whose visitors have not decided yet."""
    return make_app()


@pytest.fixture
def mailroom(make_app: MakeApp, in_force_url: str, clock: factories.Clock) -> Mailroom:
    """A host that can send mail, version 1 in force, on a database of each kind."""
    return Mailroom(make_app(database_url=in_force_url, config=MAIL), clock)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(autouse=True)
def _no_leaked_context() -> Iterator[None]:
    """A test that leaves an app context behind would lend it to the next one."""
    yield
    assert not has_app_context(), "an app context was left behind"
