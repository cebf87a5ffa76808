"""The record of decisions: appended, never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from ..core.consent import Choice
from .database import UtcDateTime, metadata

_Id = BigInteger().with_variant(Integer, "sqlite")

#: What visitors were shown when they decided, each wording stored once by its hash.
wordings = Table(
    "cw_consent_wording",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("language", String(8), nullable=False),
    Column("body", Text, nullable=False),
    Column("first_used_at", UtcDateTime, nullable=False),
)

records = Table(
    "cw_consent_record",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("subject", String(32)),
    Column("decided_at", UtcDateTime, nullable=False),
    Column("choice_since", UtcDateTime, nullable=False),
    Column("notice", Integer, nullable=False),
    Column("notice_hash", String(64)),
    Column("language", String(8), nullable=False),
    Column("action", String(16), nullable=False),
    Column("mechanism", String(32), nullable=False),
    Column("signal", String(8)),
    Column("wording_hash", String(64), ForeignKey("cw_consent_wording.hash"), nullable=False),
    Index("ix_cw_consent_record_subject", "subject", "decided_at", "id"),
)

decisions = Table(
    "cw_consent_decision",
    metadata,
    Column("record_id", _Id, ForeignKey("cw_consent_record.id"), primary_key=True),
    Column("category", String(32), primary_key=True),
    Column("granted", Boolean, nullable=False),
    Column("sensitive", Boolean, nullable=False),
)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Under which circumstances a decision was made.

    ``mechanism`` is how it reached us (``form`` or ``script``); ``notice_hash``
    the hash of the notice text in ``language``; ``wording`` the HTML of banner
    and preferences as an undecided visitor reads them, ``wording_hash`` the
    SHA-256 of its UTF-8 bytes.
    """

    action: str
    mechanism: str
    language: str
    signal: str | None
    notice_hash: str | None
    wording: str
    wording_hash: str
    sensitive: frozenset[str]


def insert_record(
    connection: Connection, choice: Choice, *, subject: str | None, decided_at: datetime, evidence: Evidence
) -> int:
    """Append one record with a row per category; the record's id.

    ``subject`` may name the visitor even where ``choice`` does not: a refusal
    after an acceptance is filed under the acceptance, the cookie forgets it.
    """
    _keep_wording(connection, evidence, decided_at)
    record_id = connection.execute(
        insert(records).values(
            subject=subject,
            decided_at=decided_at,
            choice_since=choice.decided_at,
            notice=choice.notice,
            notice_hash=evidence.notice_hash,
            language=evidence.language,
            action=evidence.action,
            mechanism=evidence.mechanism,
            signal=evidence.signal,
            wording_hash=evidence.wording_hash,
        )
    ).inserted_primary_key[0]  # type: ignore[index]
    if choice.decisions:
        connection.execute(
            insert(decisions),
            [
                {
                    "record_id": record_id,
                    "category": name,
                    "granted": granted,
                    "sensitive": name in evidence.sensitive,
                }
                for name, granted in choice.decisions.items()
            ],
        )
    return int(record_id)


def _keep_wording(connection: Connection, evidence: Evidence, now: datetime) -> None:
    known = connection.execute(
        select(wordings.c.hash).where(wordings.c.hash == evidence.wording_hash)
    ).scalar()
    if known is not None:
        return
    try:
        with connection.begin_nested():
            connection.execute(
                insert(wordings).values(
                    hash=evidence.wording_hash,
                    language=evidence.language,
                    body=evidence.wording,
                    first_used_at=now,
                )
            )
    except IntegrityError:
        return  # another worker stored the same words a moment ago


def lock_subject(connection: Connection, subject: str) -> None:
    """Let decisions of one visitor follow each other until the transaction ends.

    SQLite has one writer at a time anyway; PostgreSQL takes an advisory lock.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(subject, 0))))


def last_decided_at(connection: Connection, subject: str) -> datetime | None:
    """When the last decision on record for ``subject`` arrived; None where there is none."""
    found: datetime | None = connection.execute(
        select(records.c.decided_at)
        .where(records.c.subject == subject)
        .order_by(records.c.decided_at.desc())
        .limit(1)
    ).scalar()
    return found


def latest_choice(connection: Connection, subject: str) -> Choice | None:
    """The last choice recorded for ``subject``, by the time of the request, not of the commit.

    A withdrawal that arrived after an acceptance wins even where the slower
    acceptance was committed last.
    """
    row = connection.execute(
        select(records.c.id, records.c.choice_since, records.c.notice)
        .where(records.c.subject == subject)
        .order_by(records.c.decided_at.desc(), records.c.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    found: Mapping[str, bool] = {
        one.category: one.granted
        for one in connection.execute(
            select(decisions.c.category, decisions.c.granted).where(decisions.c.record_id == row.id)
        )
    }
    return Choice(
        decisions=found,
        notice=row.notice,
        decided_at=row.choice_since,
        subject=subject if any(found.values()) else None,
    )
