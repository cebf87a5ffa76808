"""Write anew what held personal data, so that no byte of what was deleted is left in the files."""

import time

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError

#: The tables that hold, or held, something of a mailbox.
_TABLES = ("cw_subscription", "cw_subscription_link", "cw_delivery", "cw_bounce", "cw_mail_domain")

#: A checkpoint waits for readers so often, with the busy timeout each time.
_TRIES = 3


def scrub(engine: Engine) -> str | None:
    """Rewrite the tables; None when nothing is left, else what keeps that from being so.

    SQLite: VACUUM with secure_delete, then the write-ahead log is emptied. PostgreSQL: VACUUM FULL of
    the tables with their indexes; its own write-ahead log is the server's to recycle.
    """
    if engine.dialect.name == "sqlite":
        return _scrub_sqlite(engine)
    return _scrub_postgresql(engine)


def _scrub_sqlite(engine: Engine) -> str | None:
    plain = engine.raw_connection()
    try:
        cursor = plain.cursor()
        cursor.execute("PRAGMA secure_delete=ON")
        try:
            cursor.execute("VACUUM")
        except engine.dialect.loaded_dbapi.OperationalError as error:
            return f"SQLite could not rewrite the file ({error})"
        for turn in range(_TRIES):
            time.sleep(turn / 10)
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            row = cursor.fetchone()
            if row is None or not row[0]:  # its first column says whether somebody was in the way
                return None
        return "SQLite's write-ahead log (-wal) could not be emptied: another connection reads from it"
    finally:
        plain.close()


def _scrub_postgresql(engine: Engine) -> str | None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()  # its settings are of no use to others
        connection.exec_driver_sql(f"SET lock_timeout = {_LOCK_MS}")
        try:
            for table in _TABLES:
                connection.exec_driver_sql(f"VACUUM (FULL) {table}")
        except (OperationalError, DBAPIError) as error:
            return f"PostgreSQL did not rewrite the tables ({type(error.orig).__name__})"
    return None


#: So long VACUUM FULL waits for a lock before it lets the others go on.
_LOCK_MS = 1000
