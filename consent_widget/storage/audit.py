"""The entries of the ledger that tell what staff did, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from json import loads
from typing import Any

from sqlalchemy import Connection, select

from ..core.ledger import Kind
from .ledger import ledger


@dataclass(frozen=True, kw_only=True)
class Act:
    """``index`` is the entry's in the ledger; ``body`` as it was entered, without its nonce."""

    index: int
    at: datetime
    body: Mapping[str, Any]


def read_acts(connection: Connection, *, limit: int, before: int | None = None) -> list[Act]:
    """At most ``limit`` acts, those with an index under ``before`` where it is given."""
    chosen = select(ledger.c.index.label("entry"), ledger.c.at, ledger.c.body).where(
        ledger.c.kind == Kind.AUDIT.value
    )
    if before is not None:
        chosen = chosen.where(ledger.c.index < before)
    rows = connection.execute(chosen.order_by(ledger.c.index.desc()).limit(limit))
    return [Act(index=row.entry, at=row.at, body=_body(row.body)) for row in rows]


def _body(stored: str) -> dict[str, Any]:
    """What somebody made unreadable is shown as empty here; `flask consent verify` names it."""
    try:
        body = loads(stored)
    except ValueError:
        return {}
    return {name: value for name, value in body.items() if name != "nonce"} if isinstance(body, dict) else {}
