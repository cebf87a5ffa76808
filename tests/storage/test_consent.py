"""The record of decisions keeps what was decided, when, and what was shown."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from consent_widget.core.consent import Choice
from consent_widget.storage import consent as storage
from consent_widget.storage.database import Database
from tests.factories import NOW, OPTIONAL, choice, evidence, records

HOUR = timedelta(hours=1)


def insert(
    database: Database, made: Choice, *, subject: str | None = None, at_hour: int = 0, **values: object
) -> int:
    with database.writing() as connection:
        return storage.insert_record(
            connection,
            made,
            subject=subject or made.subject,
            decided_at=NOW + at_hour * HOUR,
            evidence=evidence(**values),
        )


def latest(database: Database, subject: str) -> Choice | None:
    with database.reading() as connection:
        return storage.latest_choice(connection, subject)


def test_a_record_holds_the_whole_decision(database: Database) -> None:
    made = choice({"analytics": True, "marketing": False}, notice=3, decided_at=NOW - HOUR, subject="someone")

    insert(database, made, action="add", mechanism="script", language="en", signal="gpc")

    (row,) = records(database)
    assert {name: row[name] for name in row if name != "id"} == {
        "subject": "someone",
        "decided_at": NOW,
        "choice_since": NOW - HOUR,
        "notice": 3,
        "notice_hash": "n" * 64,
        "language": "en",
        "action": "add",
        "mechanism": "script",
        "signal": "gpc",
        "wording_hash": "w" * 64,
        "decisions": {"analytics": True, "marketing": False},
    }


def test_the_record_says_which_categories_were_named_sensitive(database: Database) -> None:
    insert(database, choice(dict.fromkeys(OPTIONAL, True)), sensitive=frozenset({"analytics", "marketing"}))

    with database.reading() as connection:
        found = {row.category: row.sensitive for row in connection.execute(sa.select(storage.decisions))}
        assert found == {"analytics": True, "marketing": True, "preferences": False}


def test_the_latest_choice_is_what_was_recorded(database: Database) -> None:
    made = choice({"analytics": True, "marketing": False}, notice=2, subject="someone")

    insert(database, made)

    assert latest(database, "someone") == made
    assert latest(database, "someone else") is None


def test_the_latest_choice_is_the_one_that_arrived_last_not_the_one_committed_last(
    database: Database,
) -> None:
    insert(database, choice(dict.fromkeys(OPTIONAL, False)), subject="someone", at_hour=2)
    insert(database, choice(dict.fromkeys(OPTIONAL, True), subject="someone"), at_hour=1)

    found = latest(database, "someone")

    assert found is not None
    assert dict(found.decisions) == dict.fromkeys(OPTIONAL, False)


def test_of_two_at_the_same_instant_the_later_row_counts(database: Database) -> None:
    insert(database, choice({"analytics": True}, subject="someone"))
    insert(database, choice({"analytics": False}), subject="someone")

    found = latest(database, "someone")

    assert found is not None
    assert dict(found.decisions) == {"analytics": False}


def test_a_refusal_filed_under_an_identifier_comes_back_without_it(database: Database) -> None:
    insert(database, choice(dict.fromkeys(OPTIONAL, False)), subject="someone")

    found = latest(database, "someone")

    assert found is not None
    assert found.subject is None


def test_a_choice_about_nothing_is_kept_too(database: Database) -> None:
    insert(database, choice({}), subject="someone")

    assert latest(database, "someone") == choice({})


def test_the_same_words_are_kept_once(database: Database) -> None:
    for hour in range(3):
        insert(database, choice(), at_hour=hour)
    insert(database, choice(), wording="Other words", wording_hash="v" * 64)

    with database.reading() as connection:
        found = connection.execute(sa.select(storage.wordings).order_by(storage.wordings.c.hash)).all()
    assert [(row.hash, row.body, row.language, row.first_used_at) for row in found] == [
        ("v" * 64, "Other words", "vi", NOW),
        ("w" * 64, "Words", "vi", NOW),
    ]
    assert len(records(database)) == 4


def test_two_workers_that_store_the_same_words_at_once_both_succeed(database: Database) -> None:
    """The loser of the race must not lose its record."""
    insert(database, choice())

    with database.writing() as connection:
        # What the second worker does when the words appeared after it had looked.
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.execute(
                sa.insert(storage.wordings).values(
                    hash="w" * 64, language="vi", body="Words", first_used_at=NOW
                )
            )
        storage.insert_record(connection, choice(), subject="someone", decided_at=NOW, evidence=evidence())

    assert len(records(database)) == 2


def test_no_function_changes_or_removes_a_record() -> None:
    """The record is appended only; a test of the room's surface."""
    names = {name for name in vars(storage) if not name.startswith("_")}

    assert not names & {"update", "delete", "update_record", "delete_record"}
