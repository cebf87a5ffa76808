"""A version at work, read and written under its revision, with its line in the audit log."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from ..core.draft import Draft
from ..core.errors import Conflict, InputError, UnknownVersion
from ..core.notice import canonical_text
from ..core.staff import Staff
from ..core.workflow import Event, State, advance
from ..storage import draft as storage
from .deployment import Deployment
from .ledger import append

#: A comment or a reason is longer only by mistake, in characters.
_MAX_WORDS = 2000


def next_state(draft: Draft, event: Event) -> State:
    """The state after an event that leaves a version behind; raises Conflict (``wrong_state``)."""
    state = advance(draft.state, event)
    assert state is not None, event
    return state


def unapproved(draft: Draft) -> Draft:
    return replace(
        draft,
        submitted_by=None,
        submitted_at=None,
        approved_by=None,
        approved_at=None,
        approved_hash=None,
    )


def found(connection: Connection, version_id: int) -> Draft:
    draft = storage.load_draft(connection, version_id)
    if draft is None:
        raise UnknownVersion(f"There is no version with the id {version_id}.")
    return draft


def seen(connection: Connection, version_id: int, revision: int | None) -> Draft:
    """The version, provided that it is still the one at ``revision`` that the caller looked at."""
    draft = found(connection, version_id)
    if revision is not None and draft.revision != revision:
        raise overtaken()
    return draft


def overtaken() -> Conflict:
    return Conflict("revision", "Somebody changed the version meanwhile.")


def write(connection: Connection, draft: Draft, before: Draft) -> Draft:
    saved = replace(draft, revision=before.revision + 1)
    if not storage.update_draft(connection, saved, seen=before.revision):
        raise overtaken()
    return saved


def words_of(given: str, code: str, field: str) -> str:
    if not given.strip():
        raise InputError(code, "Say why, in a sentence.", field)
    words = canonical_text(given, field)
    if len(words) > _MAX_WORDS:
        raise InputError("too_long", f"Longer than {_MAX_WORDS} characters.", field)
    return words


def note_act(
    deployment: Deployment,
    connection: Connection,
    action: str,
    draft: Draft,
    *,
    staff: Staff,
    now: datetime,
    **details: str,
) -> None:
    """One line of the audit log, in the transaction of what it tells."""
    body = {
        "action": action,
        "staff": staff.id,
        "version": draft.id,
        "number": draft.number,
        "revision": draft.revision,
        "edition_hash": draft.edition_hash,
        **{name: value for name, value in details.items() if value},
    }
    append(deployment, connection, kind="audit", body=body, now=now)
