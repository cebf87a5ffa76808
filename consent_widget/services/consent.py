"""A visitor decides; the record is the truth wherever it is asked."""

from dataclasses import dataclass
from datetime import datetime

from ..core.category import Register
from ..core.consent import Choice, Consent, Wish, decide, holds, withdrawn
from ..core.notice import Schedule
from ..storage.consent import Evidence, insert_record, latest_choice, lock_subject
from ..storage.database import Database


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """``choice`` is what the cookie must say now, ``withdrawn`` what it no longer grants."""

    choice: Choice
    consent: Consent
    withdrawn: frozenset[str]


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
    overtake each other end with the one that arrived last.

    Raises:
        InputError: an unknown category or notice version; nothing is stored.
        StoreUnavailable: nothing was stored.
    """
    known_as = presented.subject if presented else None
    with database.writing() as connection:
        recorded = presented
        if known_as:
            lock_subject(connection, known_as)
            recorded = latest_choice(connection, known_as)
        before = holds(recorded, register=register, schedule=schedule, now=now, signal=signal)
        choice = decide(wish, before=before, register=register, schedule=schedule, now=now, new_id=new_id)
        insert_record(
            connection, choice, subject=choice.subject or known_as, decided_at=now, evidence=evidence
        )
        if known_as:
            latest = latest_choice(connection, known_as)
            if latest is not None and choice.subject in (None, known_as):
                choice = latest
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
    if presented is None or presented.subject is None:
        return presented
    with database.reading() as connection:
        return latest_choice(connection, presented.subject)
