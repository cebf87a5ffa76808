"""What staff did is read, page by page or whole."""

from collections.abc import Iterator
from datetime import datetime

from ..core.staff import Staff
from ..storage.audit import Act, read_acts
from ..storage.database import Database
from .deployment import Deployment
from .ledger import append

#: So many acts are read at a time where all are wanted.
_BATCH = 500


def list_acts(database: Database, *, limit: int, before: int | None = None) -> list[Act]:
    """The newest acts of staff, or the newest of those before an entry of the ledger.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with database.reading() as connection:
        return read_acts(connection, limit=limit, before=before)


def note_export(deployment: Deployment, *, staff: Staff, form: str, now: datetime) -> None:
    """Enter that ``staff`` took the audit log away (Decree 356/2025: access is noted).

    Raises:
        LedgerError: the ledger was altered; the log may be looked at all the same.
        StoreUnavailable: nothing was entered.
    """
    body = {"action": "export", "staff": staff.id, "format": form}
    with deployment.database.writing() as connection:
        append(deployment, connection, kind="audit", body=body, now=now)


def all_acts(database: Database) -> Iterator[Act]:
    """Every act, newest first; a few at a time, so that a slow reader holds no transaction open.

    Raises:
        StoreUnavailable: the database did not answer; the row of acts is cut off then.
    """
    before = None
    while batch := list_acts(database, limit=_BATCH, before=before):
        yield from batch
        before = batch[-1].index
