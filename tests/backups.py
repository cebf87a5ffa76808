"""Real copies of a database, to be restored later: what a backup of last night is."""

import contextlib
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import sqlalchemy
from psycopg import sql

from consent_widget.storage.database import Database

#: Copies a database as it is now; the URL of the copy, which is an old backup from then on.
Copy = Callable[[Database], str]


@contextlib.contextmanager
def copies(folder: Path) -> Iterator[Copy]:
    """Makes copies that are gone afterwards."""
    made: list[tuple[sqlalchemy.URL, str]] = []

    def copy(database: Database) -> str:
        url = database.engine.url
        name = f"backup_{uuid.uuid4().hex}"
        if database.engine.dialect.name == "sqlite":
            target = folder / f"{name}.sqlite"
            with (
                contextlib.closing(sqlite3.connect(str(url.database))) as source,
                contextlib.closing(sqlite3.connect(target)) as backup,
            ):
                source.backup(backup)
            return f"sqlite:///{target}"
        database.engine.dispose()
        _run(
            url,
            sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {name}").format(
                name=sql.Literal(url.database)
            ),
            sql.SQL("CREATE DATABASE {name} TEMPLATE {old}").format(
                name=sql.Identifier(name), old=sql.Identifier(str(url.database))
            ),
        )
        made.append((url, name))
        return url.set(database=name).render_as_string(hide_password=False)

    try:
        yield copy
    finally:
        for url, name in made:
            _run(url, sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(name=sql.Identifier(name)))


def _run(url: sqlalchemy.URL, *statements: sql.Composed) -> None:
    plain = url.set(drivername="postgresql", database="postgres")
    with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as connection:
        for one in statements:
            connection.execute(one)
