"""Staff work on a version: one function a button, each in one transaction with its ledger entry."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from ..core.draft import Draft, DraftFields, check_complete, check_four_eyes
from ..core.errors import Conflict, InputError, UnknownVersion
from ..core.language import GOVERNING, LANGUAGES
from ..core.lead import Lead, check_gate, reasons_needed
from ..core.notice import canonical_text, content_hash
from ..core.staff import Staff
from ..core.workflow import Event, State, advance, check_role
from ..storage import draft as storage
from ..storage.notice import load_schedule, load_text
from .audience import lead_of, start_campaign, withdraw_campaign
from .deployment import Deployment
from .ledger import append

#: A comment or a reason is longer only by mistake, in characters.
_MAX_WORDS = 2000


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
        return _found(connection, version_id)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What the publication gate will say: the ``earliest`` date, ``reasons`` that want a second person's
    words, the texts in force ``before`` by language, ``pending`` the number that stands in the way or None.
    """

    earliest: datetime
    reasons: tuple[str, ...]
    before: Mapping[str, str]
    pending: int | None


def ask_gate(deployment: Deployment, draft: Draft, *, now: datetime) -> Gate:
    """What announcing ``draft`` at ``now`` would meet; nothing is changed.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        before, pending = _in_force(connection, now)
        lead = lead_of(deployment, connection)
    return Gate(
        earliest=lead.earliest(draft.change_class, now),
        reasons=reasons_needed(draft, before=before, lead=lead, now=now),
        before=before,
        pending=pending,
    )


def lead_for(deployment: Deployment) -> Lead:
    """The lead times of this deployment; they count what mails to today's subscribers take.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    with deployment.database.reading() as connection:
        return lead_of(deployment, connection)


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
        _note(deployment, connection, "create", draft, staff=staff, now=now)
    return draft


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
        before = _seen(connection, version_id, revision)
        state = _next(before, Event.SAVE)
        translated = any(
            before.texts[language] != fields.texts[language]
            for language in LANGUAGES
            if language != GOVERNING
        )
        fits = _is_translated(fields) and (translated or fields.in_step)
        draft = replace(
            _unapproved(before),
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
        saved = _write(connection, draft, before)
        # A row of saves by one hand is one piece of work; what voids an approval is told each time.
        if (before.state, before.edited_by) != (saved.state, saved.edited_by):
            _note(deployment, connection, "save", saved, staff=staff, now=now)
    return saved


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
        before = _seen(connection, version_id, revision)
        state = _next(before, Event.SUBMIT)
        check_complete(before)
        draft = replace(before, state=state, submitted_by=staff.id, submitted_at=now, comment="")
        saved = _write(connection, draft, before)
        _note(deployment, connection, "submit", saved, staff=staff, now=now)
    return saved


def return_draft(
    deployment: Deployment, version_id: int, *, revision: int, comment: str, staff: Staff, now: datetime
) -> Draft:
    """The draft, back with its author and with ``comment``.

    Raises:
        UnknownVersion, Forbidden, Conflict; InputError: ``no_comment``.
        StoreUnavailable: nothing was stored.
    """
    check_role(staff, Event.RETURN)
    words = _words(comment, "no_comment", "reason")
    with deployment.database.writing() as connection:
        before = _seen(connection, version_id, revision)
        state = _next(before, Event.RETURN)
        saved = _write(connection, replace(_unapproved(before), state=state, comment=words), before)
        _note(deployment, connection, "return", saved, staff=staff, now=now, comment=words)
    return saved


def approve_draft(
    deployment: Deployment,
    version_id: int,
    *,
    revision: int,
    staff: Staff,
    now: datetime,
    effective_at: datetime | None = None,
) -> Draft:
    """The draft, approved as it stands, or for ``effective_at`` where one is given.

    Raises:
        UnknownVersion, Conflict; Forbidden: ``role`` or ``four_eyes``.
        InputError: see core.draft.check_complete.
        StoreUnavailable: nothing was stored.
    """
    check_role(staff, Event.APPROVE)
    with deployment.database.writing() as connection:
        before = _seen(connection, version_id, revision)
        draft = _approved(before, staff=staff, now=now, effective_at=effective_at)
        saved = _write(connection, draft, before)
        _note(deployment, connection, "approve", saved, staff=staff, now=now)
    return saved


def announce_draft(
    deployment: Deployment,
    version_id: int,
    *,
    revision: int | None,
    staff: Staff,
    now: datetime,
    effective_at: datetime | None = None,
    reason: str = "",
    outright: bool = False,
    via: str = "",
) -> Draft:
    """The version, announced under its number: from here on its text is frozen.

    ``effective_at`` other than the approved date is approved by whoever
    announces, who is a second person anyway. ``outright`` approves and
    announces in one step, for scripts; ``revision`` None takes the newest. ``via``
    is what ``staff`` announces by where it is not the button.

    Raises:
        UnknownVersion; Forbidden: ``role`` or ``four_eyes``.
        Conflict: ``revision``, ``wrong_state``, ``approval_void``, or ``one_pending``: another
            version is announced and not yet in force.
        InputError: see core.draft.check_complete and core.lead.check_gate.
        StoreUnavailable: nothing was stored.
    """
    check_role(staff, Event.ANNOUNCE)
    words = canonical_text(reason, "reason") if reason.strip() else ""
    with deployment.database.writing() as connection:
        storage.lock_numbers(connection)
        before = _seen(connection, version_id, revision)
        draft = before
        if outright and draft.state in (State.DRAFT, State.IN_REVIEW):
            draft = _approved(replace(draft, state=State.IN_REVIEW), staff=staff, now=now, effective_at=None)
        state = _next(draft, Event.ANNOUNCE)
        check_four_eyes(draft, staff)
        if effective_at is not None and effective_at != draft.effective_at:
            draft = _approved(
                replace(draft, state=State.IN_REVIEW), staff=staff, now=now, effective_at=effective_at
            )
        if draft.approved_hash != draft.edition_hash:
            raise Conflict("approval_void", "What was approved is not what stands here.")
        in_force, pending = _in_force(connection, now)
        if pending is not None:
            raise Conflict("one_pending", f"Version {pending} is announced and not yet in force.")
        lead = lead_of(deployment, connection)
        check_gate(draft, before=in_force, lead=lead, now=now, reason=words)
        overrides = reasons_needed(draft, before=in_force, lead=lead, now=now)
        draft = replace(
            draft,
            state=state,
            number=storage.next_number(connection),
            effective_at=draft.effective_at or now,
            announced_by=staff.id,
            announced_at=now,
            # What needs no reason is told none: the words would stand on the version's page for good.
            reason=words if overrides else "",
            overrides=overrides,
        )
        # A date left open was approved as "when it is announced", which is now known.
        saved = _write(connection, replace(draft, approved_hash=draft.edition_hash), before)
        publish(deployment, connection, saved, now=now)
        told = start_campaign(deployment, connection, saved, now=now)
        _note(deployment, connection, "announce", saved, staff=staff, now=now, reason=saved.reason, via=via)
    deployment.schedule.forget()
    if told is not None:
        deployment.wake()
    return saved


def withdraw_version(
    deployment: Deployment, version_id: int, *, revision: int, reason: str, staff: Staff, now: datetime
) -> Draft:
    """The announced version, withdrawn before its effect; its text stays readable.

    Raises:
        UnknownVersion, Forbidden; Conflict: ``revision``, ``wrong_state``, or ``in_force``: it is too late.
        InputError: ``no_reason``.
        StoreUnavailable: nothing was stored.
    """
    check_role(staff, Event.WITHDRAW)
    words = _words(reason, "no_reason", "reason")
    with deployment.database.writing() as connection:
        before = _seen(connection, version_id, revision)
        state = _next(before, Event.WITHDRAW)
        if before.effective_at is not None and before.effective_at <= now:
            raise Conflict("in_force", "The version is in force; a change is a new version.")
        draft = replace(
            before,
            state=state,
            withdrawn_by=staff.id,
            withdrawn_at=now,
            withdrawal_reason=words,
        )
        saved = _write(connection, draft, before)
        body = {"event": "withdrawn", "number": saved.number, "reason": words}
        append(deployment, connection, kind="version", body=body, now=now)
        correction = withdraw_campaign(deployment, connection, saved.id, now=now)
        _note(deployment, connection, "withdraw", saved, staff=staff, now=now, reason=words)
    deployment.schedule.forget()
    if correction is not None:
        deployment.wake()
    return saved


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
        before = _seen(connection, version_id, revision)
        advance(before.state, Event.DISCARD)
        if not storage.delete_row(connection, before, seen=before.revision):
            raise _overtaken()
        _note(deployment, connection, "discard", before, staff=staff, now=now)


def publish(deployment: Deployment, connection: Connection, draft: Draft, *, now: datetime) -> None:
    """Append an announced version to the log, whole: in the transaction that announces it."""
    body = {
        "event": "announced",
        "number": draft.number,
        "titles": dict(draft.titles),
        "summaries": dict(draft.summaries),
        "texts": dict(draft.texts),
        "content_hashes": dict(draft.content_hashes),
        "source_hash": draft.source_hash,
        "class": draft.change_class.value,
        "ask_again": sorted(draft.ask_again),
        "new": sorted(draft.new),
        "effective_at": draft.effective_at.isoformat() if draft.effective_at else None,
        "reason": draft.reason,
        "overrides": list(draft.overrides),
    }
    append(deployment, connection, kind="version", body=body, now=now)


def _next(draft: Draft, event: Event) -> State:
    """The state after an event that leaves a version behind; raises Conflict (``wrong_state``)."""
    state = advance(draft.state, event)
    assert state is not None, event
    return state


def _approved(draft: Draft, *, staff: Staff, now: datetime, effective_at: datetime | None) -> Draft:
    state = _next(draft, Event.APPROVE)
    check_four_eyes(draft, staff)
    draft = replace(draft, effective_at=effective_at or draft.effective_at)
    check_complete(draft)
    return replace(
        draft,
        state=state,
        approved_by=staff.id,
        approved_at=now,
        approved_hash=draft.edition_hash,
    )


def _unapproved(draft: Draft) -> Draft:
    return replace(
        draft,
        submitted_by=None,
        submitted_at=None,
        approved_by=None,
        approved_at=None,
        approved_hash=None,
    )


def _found(connection: Connection, version_id: int) -> Draft:
    draft = storage.load_draft(connection, version_id)
    if draft is None:
        raise UnknownVersion(f"There is no version with the id {version_id}.")
    return draft


def _seen(connection: Connection, version_id: int, revision: int | None) -> Draft:
    """The version, provided that it is still the one at ``revision`` that the caller looked at."""
    draft = _found(connection, version_id)
    if revision is not None and draft.revision != revision:
        raise _overtaken()
    return draft


def _overtaken() -> Conflict:
    return Conflict("revision", "Somebody changed the version meanwhile.")


def _write(connection: Connection, draft: Draft, before: Draft) -> Draft:
    saved = replace(draft, revision=before.revision + 1)
    if not storage.update_draft(connection, saved, seen=before.revision):
        raise _overtaken()
    return saved


def _in_force(connection: Connection, now: datetime) -> tuple[dict[str, str], int | None]:
    """The texts in force by language, and the number of the version that is announced for later."""
    schedule = load_schedule(connection)
    version, coming = schedule.in_force(now), schedule.coming(now)
    found = {}
    for language in LANGUAGES if version else ():
        text = load_text(connection, number=version.number, language=language) if version else None
        if text is not None:
            found[language] = text.markdown
    return found, coming.number if coming else None


def _is_translated(fields: DraftFields) -> bool:
    return all(fields.texts[language] for language in LANGUAGES)


def _check_categories(deployment: Deployment, fields: DraftFields) -> None:
    for name in sorted(fields.ask_again):
        if name not in deployment.register.optional:
            known = ", ".join(deployment.register.optional)
            raise InputError("unknown_value", f"ask_again must be out of {known}.", "ask_again")


def _words(given: str, code: str, field: str) -> str:
    if not given.strip():
        raise InputError(code, "Say why, in a sentence.", field)
    words = canonical_text(given, field)
    if len(words) > _MAX_WORDS:
        raise InputError("too_long", f"Longer than {_MAX_WORDS} characters.", field)
    return words


def _note(
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
