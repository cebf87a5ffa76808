"""What staff did is read, page by page or whole."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ..core.staff import Staff
from ..storage.audit import Act, read_acts
from ..storage.database import Database, retrying
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


@retrying
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


def row_of(act: Act, names: Mapping[str, Staff]) -> dict[str, Any]:
    """``act`` as it leaves the site: the same columns for each, what else was entered as ``details``."""
    body = dict(act.body)
    staff = str(body.pop("staff", ""))
    row = {
        "index": act.index,
        "at": act.at.astimezone(UTC).isoformat(timespec="seconds"),
        "staff": staff,
        "name": names[staff].name if staff in names else "",
        **{
            name: body.pop(name, None) for name in ("action", "version", "number", "revision", "edition_hash")
        },
    }
    return row | {"details": body}


def say_details(details: Mapping[str, object]) -> str:
    """What else was entered, in one cell."""
    return "; ".join(f"{name}: {one}" for name, one in details.items())
