"""Staff write a version: one function a button, each in one transaction with its ledger entry."""

from dataclasses import replace
from datetime import datetime

from ..core.draft import Draft, DraftFields, check_complete
from ..core.errors import InputError
from ..core.language import GOVERNING, LANGUAGES
from ..core.notice import content_hash
from ..core.staff import Staff
from ..core.workflow import Event, advance, check_role
from ..storage import draft as storage
from ..storage.database import retrying
from .deployment import Deployment
from .draft_row import found, next_state, note_act, overtaken, seen, unapproved, words_of, write


def list_drafts(deployment: Deployment) -> list[Draft]:
    """Every version at any stage, newest first.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        return storage.load_drafts(connection)


def load_draft(deployment: Deployment, version_id: int) -> Draft:
    """The version with this id.

    Raises:
        UnknownVersion: there is none.
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        return found(connection, version_id)


@retrying
def create_draft(deployment: Deployment, fields: DraftFields, *, staff: Staff, now: datetime) -> Draft:
    """A new draft with what was filled in so far.

    Raises:
        Forbidden: ``role``.
        InputError: ``unknown_value``.
        StoreUnavailable: nothing was stored.
    """
    check_role(staff, Event.SAVE)
    _check_categories(deployment, fields)
    draft = Draft(
        id=0,
        titles=fields.titles,
        summaries=fields.summaries,
        texts=fields.texts,
        source_hash=content_hash(fields.texts[GOVERNING]) if _is_translated(fields) else None,
        change_class=fields.change_class,
        ask_again=fields.ask_again,
        new=fields.new,
        effective_at=fields.effective_at,
        created_at=now,
        edited_by=staff.id,
        edited_at=now,
    )
    with deployment.database.writing() as connection:
        draft = replace(draft, id=storage.insert_draft(connection, draft))
        note_act(deployment, connection, "create", draft, staff=staff, now=now)
    return draft


@retrying
def save_draft(
    deployment: Deployment,
    version_id: int,
    fields: DraftFields,
    *,
    revision: int,
    staff: Staff,
    now: datetime,
) -> Draft:
    """The draft with what the editor sent; what others had said of the old text is void.

    A translation counts as made from the governing text as it is now when it
    changed in this save, or when the editor says that it fits (``in_step``).

    Raises:
        UnknownVersion, Forbidden (``role``), InputError (``unknown_value``).
        Conflict: ``revision`` (somebody saved meanwhile) or ``wrong_state``; nothing was changed.
        StoreUnavailable: nothing was stored.
    """
    check_role(staff, Event.SAVE)
    _check_categories(deployment, fields)
    with deployment.database.writing() as connection:
        before = seen(connection, version_id, revision)
        state = next_state(before, Event.SAVE)
        translated = any(
            before.texts[language] != fields.texts[language]
            for language in LANGUAGES
            if language != GOVERNING
        )
        fits = _is_translated(fields) and (translated or fields.in_step)
        draft = replace(
            unapproved(before),
            state=state,
            titles=fields.titles,
            summaries=fields.summaries,
            texts=fields.texts,
            source_hash=content_hash(fields.texts[GOVERNING]) if fits else before.source_hash,
            change_class=fields.change_class,
            ask_again=fields.ask_again,
            new=fields.new,
            effective_at=fields.effective_at,
            edited_by=staff.id,
            edited_at=now,
        )
        if (draft.edition_hash, draft.source_hash) == (before.edition_hash, before.source_hash):
            return before
        saved = write(connection, draft, before)
        # A row of saves by one hand is one piece of work; what voids an approval is told each time.
        if (before.state, before.edited_by) != (saved.state, saved.edited_by):
            note_act(deployment, connection, "save", saved, staff=staff, now=now)
    return saved


@retrying
def submit_draft(
    deployment: Deployment, version_id: int, *, revision: int, staff: Staff, now: datetime
) -> Draft:
    """The draft, in review.

    Raises:
        UnknownVersion, Forbidden, Conflict; InputError: see core.draft.check_complete.
        StoreUnavailable: nothing was stored.
    """
    check_role(staff, Event.SUBMIT)
    with deployment.database.writing() as connection:
        before = seen(connection, version_id, revision)
        state = next_state(before, Event.SUBMIT)
        check_complete(before)
        draft = replace(before, state=state, submitted_by=staff.id, submitted_at=now, comment="")
        saved = write(connection, draft, before)
        note_act(deployment, connection, "submit", saved, staff=staff, now=now)
    return saved


@retrying
def return_draft(
    deployment: Deployment, version_id: int, *, revision: int, comment: str, staff: Staff, now: datetime
) -> Draft:
    """The draft, back with its author and with ``comment``.

    Raises:
        UnknownVersion, Forbidden, Conflict; InputError: ``no_comment``.
        StoreUnavailable: nothing was stored.
    """
    check_role(staff, Event.RETURN)
    words = words_of(comment, "no_comment", "reason")
    with deployment.database.writing() as connection:
        before = seen(connection, version_id, revision)
        state = next_state(before, Event.RETURN)
        saved = write(connection, replace(unapproved(before), state=state, comment=words), before)
        note_act(deployment, connection, "return", saved, staff=staff, now=now, comment=words)
    return saved


@retrying
def discard_draft(
    deployment: Deployment, version_id: int, *, revision: int, staff: Staff, now: datetime
) -> None:
    """Remove a version that was never announced; the ledger keeps that it was there.

    Raises:
        UnknownVersion, Forbidden, Conflict.
        StoreUnavailable: nothing was removed.
    """
    check_role(staff, Event.DISCARD)
    with deployment.database.writing() as connection:
        before = seen(connection, version_id, revision)
        advance(before.state, Event.DISCARD)
        if not storage.delete_row(connection, before, seen=before.revision):
            raise overtaken()
        note_act(deployment, connection, "discard", before, staff=staff, now=now)


def _is_translated(fields: DraftFields) -> bool:
    return all(fields.texts[language] for language in LANGUAGES)


def _check_categories(deployment: Deployment, fields: DraftFields) -> None:
    for name in sorted(fields.ask_again):
        if name not in deployment.register.optional:
            known = ", ".join(deployment.register.optional)
            raise InputError("unknown_value", f"ask_again must be out of {known}.", "ask_again")
