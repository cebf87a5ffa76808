"""Is this installation fit to serve? Asked at start-up, by `flask consent check` and by /health."""

from datetime import datetime, timedelta

from ..core.campaign import State
from ..core.errors import SchemaError, StoreUnavailable
from ..storage import schema
from ..storage.campaign import load_campaigns
from ..storage.database import Database
from ..storage.delivery import oldest_due
from ..storage.job import taken_at
from ..storage.keys import known_keys, remember_keys
from ..storage.subscription import count_subscriptions
from .deployment import Deployment

#: A worker looks for mails every minute, cron every few minutes.
_LATE = timedelta(minutes=10)

CURE = "Run `flask consent upgrade`."


def upgrade_database(database: Database) -> str:
    """Bring the database to the newest schema; the revision it has then.

    Raises:
        StoreUnavailable: it did not answer or refused; nothing was changed.
    """
    try:
        with database.failing_as_one():
            schema.upgrade(database.engine)
    except OSError as error:
        raise StoreUnavailable(
            f"the folder of the database file cannot be made ({type(error).__name__})"
        ) from error
    return schema.newest()


def check_schema(database: Database) -> None:
    """Refuse a database that is not at the newest schema.

    Raises:
        SchemaError: it is empty, older or newer; names the cure.
        StoreUnavailable: it did not answer.
    """
    found = None
    if not schema.is_missing(database.engine):
        with database.reading() as connection:
            found = schema.current(connection)
    needed = schema.newest()
    if found is None:
        raise SchemaError(f"The database of consent_widget has no tables yet. {CURE}")
    if found != needed:
        raise SchemaError(
            f"The database of consent_widget is at schema {found}, this release needs {needed}. {CURE}"
        )


def problems(deployment: Deployment, *, now: datetime) -> list[str]:
    """What keeps this installation from serving, in words without secrets; empty if nothing."""
    try:
        check_schema(deployment.database)
    except SchemaError as error:
        return [str(error)]
    except StoreUnavailable:
        return ["The database does not answer."]
    schedule = deployment.schedule.at(now)
    if schedule.in_force(now) is not None:
        return []
    coming = schedule.coming(now)
    if coming is not None:
        when = f"{coming.effective_at:%Y-%m-%d %H:%M} UTC"
        return [f"No notice is in force yet; version {coming.number} takes effect on {when}."]
    return ["No notice is in force. Import one with `flask consent import-notice DIR --announce`."]


def note_keys(database: Database, fingerprints: tuple[str, ...], *, now: datetime) -> None:
    """Remember which keys a worker that serves can open; for :func:`check_key_change`.

    Raises:
        StoreUnavailable: nothing was remembered.
    """
    with database.reading() as connection:
        known = known_keys(connection)
    if not known.issuperset(fingerprints):
        with database.writing() as connection:
            remember_keys(connection, fingerprints, now=now)


def check_key_change(database: Database, fingerprints: tuple[str, ...], *, now: datetime) -> str | None:
    """A warning where the signing key is being promoted in one step; None where all is well.

    A worker that still runs with the old list cannot open what the new key
    signs. A key that was in SECRET_KEY_FALLBACKS first is known by the workers.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with database.reading() as connection:
        known = known_keys(connection)
    if not known:
        note_keys(database, fingerprints, now=now)
    if not known or fingerprints[0] in known:
        return None
    return (
        "No worker has been serving with this SECRET_KEY: those that still run do not know it. "
        "Put a new key into SECRET_KEY_FALLBACKS first, restart every worker, then make it SECRET_KEY."
    )


def has_subscriptions(database: Database) -> bool:
    """Whether there is anybody to be written to, or was.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with database.reading() as connection:
        return bool(count_subscriptions(connection))


def unattended_since(deployment: Deployment, *, now: datetime) -> datetime | None:
    """Since when a mail waits that no worker comes for; None where all is well.

    A great campaign keeps its last mails waiting for hours although workers run: those are not
    left alone unless the sweep is late as well, which every worker keeps going.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        swept_at = taken_at(connection, "sweep")
        if swept_at is not None and now - swept_at <= _LATE:
            return None
        running = load_campaigns(connection, states=(State.RUNNING,))
        waiting = [one.created_at for one in running if one.prepared_at is None]
        due = oldest_due(connection, (None, *(one.id for one in running)), now=now)
    since = min([*waiting, *([due] if due else [])], default=now)
    return since if now - since > _LATE else None
