"""A visitor decides; the record is the truth wherever it is asked."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from ..core.category import Register
from ..core.consent import Choice, Consent, Wish, decide, holds, most_restrictive, withdrawn
from ..core.notice import Schedule
from ..storage.consent import (
    Evidence,
    insert_record,
    last_decided_at,
    latest_choice,
    lock_subject,
)
from ..storage.database import Database, retrying


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """``choice`` is what the cookie must say now, ``withdrawn`` what it no longer grants."""

    choice: Choice
    consent: Consent
    withdrawn: frozenset[str]


@retrying
def record_decision(
    database: Database,
    wish: Wish,
    *,
    presented: Choice | None,
    register: Register,
    schedule: Schedule,
    signal: str | None,
    now: datetime,
    new_id: str,
    evidence: Evidence,
) -> Outcome:
    """Record what the visitor wishes and return what holds from here on.

    ``presented`` is the choice in the visitor's cookie. The record is committed
    when this returns, so the caller may send the cookie. Two decisions that
    overtake each other end with the one that arrived last, also where a clock was
    set back in between.

    Raises:
        InputError: an unknown category or notice version; nothing is stored.
        StoreUnavailable: nothing was stored.
    """
    known_as = presented.subject if presented else None
    with database.writing() as connection:
        if known_as:
            lock_subject(connection, known_as)
        recorded = _on_record(connection, presented)
        before = holds(recorded, register=register, schedule=schedule, now=now, signal=signal)
        choice = decide(wish, before=before, register=register, schedule=schedule, now=now, new_id=new_id)
        arrived_at, overtaken = now, False
        last = last_decided_at(connection, known_as) if known_as else None
        if presented and last is not None and last > now:
            # A cookie that is not older than this request was sealed by a clock ahead of ours:
            # whoever presents it had decided before, so this decision is the later one all the same.
            overtaken = presented.decided_at < now
            arrived_at = now if overtaken else last + timedelta.resolution
        subject = known_as if overtaken else choice.subject or known_as
        insert_record(connection, choice, subject=subject, decided_at=arrived_at, evidence=evidence)
        if overtaken and known_as:
            # Under a new identifier it would escape the later decision that was faster.
            choice = latest_choice(connection, known_as) or choice
    consent = holds(choice, register=register, schedule=schedule, now=now, signal=signal)
    return Outcome(choice=choice, consent=consent, withdrawn=withdrawn(presented, choice))


def recorded_choice(database: Database, presented: Choice | None) -> Choice | None:
    """The choice that counts for whoever presents ``presented``: the last one on record.

    A cookie that grants carries an identifier; an older one sent again is
    found out here. A grant that is not on record is none, as nobody could
    prove it (Decree 356/2025 Art. 6). A refusal has no identifier and stands.

    Raises:
        StoreUnavailable: the record could not be asked.
    """
    if presented is None or not any(one.subject for one in presented.doubles or (presented,)):
        return presented
    with database.reading() as connection:
        return _on_record(connection, presented)


def _on_record(connection: Connection, presented: Choice | None) -> Choice | None:
    """The choice on record; several cookies are all looked up, and what one of them denies stays denied.

    What they have in common goes by none of their identifiers: behind each stands a wider choice.
    """
    if presented is None:
        return None
    found = (
        latest_choice(connection, one.subject) if one.subject else one
        for one in presented.doubles or (presented,)
    )
    choice = most_restrictive(one for one in found if one is not None)
    return replace(choice, subject=None) if choice and presented.doubles else choice
