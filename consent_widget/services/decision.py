"""Staff decide about a version: approve, announce, withdraw; each in one transaction with its ledger entry."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from ..core.draft import Draft, check_complete, check_four_eyes
from ..core.errors import Conflict
from ..core.language import LANGUAGES
from ..core.lead import Lead, check_gate, reasons_needed
from ..core.notice import canonical_text
from ..core.staff import Staff
from ..core.workflow import Event, State, check_role
from ..storage import draft as storage
from ..storage.database import retrying
from ..storage.notice import load_schedule, load_text
from .audience import lead_of, start_campaign, withdraw_campaign
from .deployment import Deployment
from .draft_row import next_state, note_act, seen, words_of, write
from .ledger import append


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


@retrying
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
        before = seen(connection, version_id, revision)
        draft = _approved(before, staff=staff, now=now, effective_at=effective_at)
        saved = write(connection, draft, before)
        note_act(deployment, connection, "approve", saved, staff=staff, now=now)
    return saved


@retrying
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
        before = seen(connection, version_id, revision)
        draft = before
        if outright and draft.state in (State.DRAFT, State.IN_REVIEW):
            draft = _approved(replace(draft, state=State.IN_REVIEW), staff=staff, now=now, effective_at=None)
        state = next_state(draft, Event.ANNOUNCE)
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
        saved = write(connection, replace(draft, approved_hash=draft.edition_hash), before)
        publish(deployment, connection, saved, now=now)
        told = start_campaign(deployment, connection, saved, now=now)
        note_act(
            deployment, connection, "announce", saved, staff=staff, now=now, reason=saved.reason, via=via
        )
    deployment.schedule.forget()
    if told is not None:
        deployment.wake()
    return saved


@retrying
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
    words = words_of(reason, "no_reason", "reason")
    with deployment.database.writing() as connection:
        before = seen(connection, version_id, revision)
        state = next_state(before, Event.WITHDRAW)
        if before.effective_at is not None and before.effective_at <= now:
            raise Conflict("in_force", "The version is in force; a change is a new version.")
        draft = replace(
            before,
            state=state,
            withdrawn_by=staff.id,
            withdrawn_at=now,
            withdrawal_reason=words,
        )
        saved = write(connection, draft, before)
        body = {"event": "withdrawn", "number": saved.number, "reason": words}
        append(deployment, connection, kind="version", body=body, now=now)
        correction = withdraw_campaign(deployment, connection, saved.id, now=now)
        note_act(deployment, connection, "withdraw", saved, staff=staff, now=now, reason=words)
    deployment.schedule.forget()
    if correction is not None:
        deployment.wake()
    return saved


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


def _approved(draft: Draft, *, staff: Staff, now: datetime, effective_at: datetime | None) -> Draft:
    state = next_state(draft, Event.APPROVE)
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
