"""The databases that mails are sent from, as durable as in production, and hosts with many subscriptions on them."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import text

from consent_widget.services.jobs import take
from consent_widget.services.setup import upgrade_database
from consent_widget.tasks.periodic import JOBS
from tests import factories, postgresql
from tests.mailroom import Mailroom
from tests.tasks.host import create_app, describe

#: Gives the URL of a new, empty database.
NewDatabase = Callable[[], str]

_NUMBERS = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count) SELECT n FROM s",
    "postgresql": "SELECT n FROM generate_series(1, :count) AS n",
}

_SUBSCRIPTIONS = """
    INSERT INTO cw_subscription (address, identity, address_hash, domain, language, state, salt, created_at,
        requested_at, confirmed_at, reason, bounce_score)
    SELECT 'reader' || n || '@reader.example', 'reader' || n || '@reader.example', 'hash of the reader ' || n,
        'reader.example', 'vi', 'confirmed', 'a salt of 22 characters', '2026-11-30 00:00:00.000000',
        '2026-11-30 00:00:00.000000', '2026-11-30 00:00:00.000000', '', 0
    FROM ({numbers}) AS numbers
"""


@contextmanager
def stores(folder: Path) -> Iterator[dict[str, NewDatabase]]:
    """By name, what makes databases. A commit is on the disk when it returns, unlike in the tests.

    Raises:
        PostgreSQLMissing: there is no server.
    """
    with ExitStack() as stack:
        # The path of a Unix socket may have 103 characters at most (macOS).
        home = tempfile.TemporaryDirectory(prefix="cw-pg-", dir="/tmp", ignore_cleanup_errors=True)
        server = postgresql.OwnServer(Path(stack.enter_context(home)))
        stack.callback(server.close)
        server.start()
        made: list[str] = []

        def in_file() -> str:
            made.append("")
            return f"sqlite:///{folder / f'{len(made)}.sqlite'}"

        def on_server() -> str:
            made.append("")
            url = stack.enter_context(postgresql.database(server.url, f"bench{len(made)}"))
            return url.render_as_string(hide_password=False)

        yield {"SQLite": in_file, "PostgreSQL": on_server}


def make_host(folder: Path, url: str, *, port: int) -> Mailroom:
    """A host with version 1 in force, whose mail server listens at ``port``; workers find it in ``folder``."""
    describe(folder, database_url=url, mail_url=f"smtp://127.0.0.1:{port}")
    app = create_app(folder)
    deployment = factories.deployment(app)
    upgrade_database(deployment.database)
    factories.import_first(deployment.database)
    return Mailroom(app, deployment.clock)  # type: ignore[arg-type]


def subscribe(mailroom: Mailroom, count: int) -> None:
    """So many confirmed subscriptions, made by one statement."""
    database = mailroom.deployment.database
    numbers = _NUMBERS[database.engine.dialect.name]
    with database.writing() as connection:
        connection.execute(text(_SUBSCRIPTIONS.format(numbers=numbers)), {"count": count})
    _look(mailroom)
    for job in JOBS:
        # An hour's cleaning is not what is measured, and the hashes above are none of these keys.
        take(mailroom.deployment, job.name, job.every, mailroom.clock())


def announce(mailroom: Mailroom) -> None:
    """The demonstration's notice again, a paragraph longer: a mail as it will be."""
    notice = (factories.NOTICES / "1.vi.md").read_text(encoding="utf-8").partition("\n---\n")[2]
    mailroom.announce(f"{notice}\n\nMột đoạn mới về thời hạn lưu giữ.")


def _look(mailroom: Mailroom) -> None:
    """Let PostgreSQL know what stands in its tables, as it would after a minute."""
    engine = mailroom.deployment.database.engine
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE cw_subscription"))
