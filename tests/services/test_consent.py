"""A decision is on record before anybody can say so, and the record is the truth."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
import sqlalchemy as sa

from consent_widget.core.consent import Action, Choice, Decision, Wish
from consent_widget.core.errors import InputError, StoreUnavailable
from consent_widget.services.consent import Outcome, record_decision, recorded_choice
from consent_widget.services.setup import upgrade_database
from consent_widget.storage.database import Database, open_engine
from tests.factories import NOW, OPTIONAL, choice, evidence, records, register, schedule, version

ACCEPT = Wish(action=Action.ACCEPT_ALL)
REJECT = Wish(action=Action.REJECT_ALL)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def record(
    database: Database,
    wish: Wish,
    presented: Choice | None = None,
    *,
    now: datetime = NOW,
    new_id: str = "first-visitor",
    **circumstances: Any,
) -> Outcome:
    usual: dict[str, Any] = {"register": register(), "schedule": schedule(), "signal": None}
    return record_decision(
        database,
        wish,
        presented=presented,
        now=now,
        new_id=new_id,
        evidence=evidence(action=wish.action.value),
        **usual | circumstances,
    )


def all_granted(consent_choice: Choice) -> bool:
    return dict(consent_choice.decisions) == dict.fromkeys(OPTIONAL, True)


def test_a_decision_is_committed_before_the_cookie_can_be_sent(database: Database) -> None:
    outcome = record(database, ACCEPT)

    other = Database(open_engine(database.engine.url.render_as_string(hide_password=False)))
    (row,) = records(other)
    other.engine.dispose()
    assert row["subject"] == outcome.choice.subject == "first-visitor"
    assert row["decisions"] == dict(outcome.choice.decisions) == dict.fromkeys(OPTIONAL, True)
    assert outcome.consent.decided
    assert outcome.withdrawn == frozenset()


def test_a_first_refusal_is_recorded_without_identifier(database: Database) -> None:
    outcome = record(database, REJECT)

    (row,) = records(database)
    assert row["subject"] is None
    assert outcome.choice.subject is None
    assert row["decisions"] == dict.fromkeys(OPTIONAL, False)


def test_a_withdrawal_is_filed_under_the_acceptance_and_the_cookie_forgets_it(database: Database) -> None:
    accepted = record(database, ACCEPT).choice

    outcome = record(database, REJECT, accepted, now=NOW + HOUR, new_id="unused")

    assert [row["subject"] for row in records(database)] == ["first-visitor", "first-visitor"]
    assert outcome.choice.subject is None
    assert outcome.withdrawn == set(OPTIONAL)


@pytest.mark.parametrize(
    "wish, code",
    [
        pytest.param(
            Wish(action=Action.SAVE, categories=frozenset({"analytic"})), "unknown_category", id="category"
        ),
        pytest.param(Wish(action=Action.ACCEPT_ALL, notice=7), "unknown_notice", id="notice"),
        pytest.param(Wish(action=Action.ADD), "missing_category", id="add nothing"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_and_nothing_is_stored(
    database: Database, wish: Wish, code: str
) -> None:
    with pytest.raises(InputError) as refused:
        record(database, wish)

    assert refused.value.code == code
    assert records(database) == []


@contextmanager
def failing(database: Database, beginning: str) -> Iterator[None]:
    """The database itself refuses every statement that starts like this, as a full disk would."""

    def refuse(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(beginning):
            raise sa.exc.OperationalError(statement, {}, Exception("disk full"))

    sa.event.listen(database.engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", refuse)


@pytest.mark.parametrize("table", ["cw_consent_wording", "cw_consent_record", "cw_consent_decision"])
def test_a_store_that_fails_midway_has_stored_nothing(database: Database, table: str) -> None:
    with failing(database, f"INSERT INTO {table}"), pytest.raises(StoreUnavailable):
        record(database, ACCEPT)

    assert records(database) == []
    with database.reading() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM cw_consent_wording")).scalar_one() == 0


def test_a_commit_that_fails_has_stored_nothing(database: Database) -> None:
    def refuse(_connection: Any) -> None:
        raise sa.exc.OperationalError("COMMIT", {}, Exception("connection lost"))

    sa.event.listen(database.engine, "commit", refuse)
    with pytest.raises(StoreUnavailable):
        record(database, ACCEPT)
    sa.event.remove(database.engine, "commit", refuse)

    assert records(database) == []


def test_tables_that_are_gone_are_one_error(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE cw_consent_decision"))

    with pytest.raises(StoreUnavailable):
        record(database, ACCEPT)


def test_a_locked_sqlite_file_is_waited_for_and_then_one_error(sqlite_url: str) -> None:
    database = Database(open_engine(sqlite_url + "?timeout=0"))
    upgrade_database(database)
    other = Database(open_engine(sqlite_url))

    with other.writing():
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=10")
        with pytest.raises(StoreUnavailable):
            record(database, ACCEPT)

    assert records(database) == []
    for one in (database, other):
        one.engine.dispose()


# The record is the truth


def test_the_recorded_choice_of_a_genuine_cookie_is_itself(database: Database) -> None:
    accepted = record(database, ACCEPT).choice

    assert recorded_choice(database, accepted) == accepted


def test_a_replayed_older_cookie_is_found_out(database: Database) -> None:
    accepted = record(database, ACCEPT).choice
    refused = record(database, REJECT, accepted, now=NOW + HOUR).choice

    found = recorded_choice(database, accepted)

    assert found == refused
    assert found is not None
    assert not found.grants


def test_a_replayed_older_cookie_cannot_be_added_to(database: Database) -> None:
    accepted = record(database, ACCEPT).choice
    record(database, REJECT, accepted, now=NOW + HOUR)
    add = Wish(action=Action.ADD, categories=frozenset({"preferences"}))

    outcome = record(database, add, accepted, now=NOW + 2 * HOUR)

    assert dict(outcome.choice.decisions) == {"preferences": True, "analytics": False, "marketing": False}


def test_a_grant_that_is_not_on_record_is_none(database: Database) -> None:
    """A database restored from a backup: nobody could prove the consent (Decree 356/2025 Art. 6)."""
    assert recorded_choice(database, choice(subject="never-recorded")) is None


def test_a_refusal_stands_without_a_record(database: Database) -> None:
    refusal = choice(dict.fromkeys(OPTIONAL, False))

    assert recorded_choice(database, refusal) == refusal
    assert recorded_choice(database, None) is None


def test_a_store_that_is_down_is_no_answer(database: Database) -> None:
    with failing(database, "SELECT"), pytest.raises(StoreUnavailable):
        recorded_choice(database, choice())


def test_a_withdrawal_wins_over_a_slower_earlier_acceptance(database: Database) -> None:
    """Two tabs: the acceptance was clicked first, and is committed last."""
    add = Wish(action=Action.ADD, categories=frozenset({"marketing"}))
    begun = record(database, Wish(action=Action.SAVE, categories=frozenset({"analytics"}))).choice
    record(database, REJECT, begun, now=NOW + 2 * HOUR)

    late = record(database, add, begun, now=NOW + HOUR)

    assert not late.choice.grants
    assert late.choice.subject is None
    assert not late.consent.granted("marketing")
    assert late.withdrawn == {"analytics"}
    found = recorded_choice(database, begun)
    assert found is not None
    assert not found.grants
    assert len(records(database)) == 3


def test_decisions_of_one_visitor_at_once_end_with_the_one_that_arrived_last(database: Database) -> None:
    begun = record(database, ACCEPT).choice
    barrier = Barrier(6)
    outcomes: dict[int, Outcome] = {}

    def decide(hour: int) -> None:
        barrier.wait()
        outcomes[hour] = record(database, REJECT if hour == 6 else ACCEPT, begun, now=NOW + hour * HOUR)

    threads = [Thread(target=decide, args=(hour,)) for hour in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outcomes) == 6
    assert len(records(database)) == 7
    found = recorded_choice(database, begun)
    assert found is not None
    assert not found.grants
    assert not outcomes[6].choice.grants


def test_visitors_do_not_disturb_each_other(database: Database) -> None:
    one = record(database, ACCEPT, new_id="one").choice
    two = record(database, ACCEPT, new_id="two").choice

    record(database, REJECT, one, now=NOW + HOUR)

    assert recorded_choice(database, two) == two


def test_an_expired_choice_that_is_renewed_keeps_its_history_together(database: Database) -> None:
    accepted = record(database, ACCEPT).choice

    renewed = record(database, ACCEPT, accepted, now=NOW + 183 * DAY, new_id="second-visitor")

    assert renewed.choice.decided_at == NOW + 183 * DAY
    assert renewed.consent.decided
    assert [row["subject"] for row in records(database)] == ["first-visitor", "second-visitor"]
    assert recorded_choice(database, renewed.choice) == renewed.choice


def test_add_records_the_time_of_the_older_decisions(database: Database) -> None:
    begun = record(database, Wish(action=Action.SAVE, categories=frozenset({"analytics"}))).choice
    add = Wish(action=Action.ADD, categories=frozenset({"marketing"}))

    outcome = record(database, add, begun, now=NOW + 100 * DAY)

    row = records(database)[-1]
    assert (row["decided_at"], row["choice_since"]) == (NOW + 100 * DAY, NOW)
    assert outcome.choice.decided_at == NOW
    assert recorded_choice(database, outcome.choice) == outcome.choice


def test_the_signal_and_the_words_go_on_record(database: Database) -> None:
    record(database, ACCEPT, signal="gpc")

    (row,) = records(database)
    assert row["wording_hash"] == "w" * 64
    assert (row["action"], row["notice"]) == ("accept_all", 1)


def test_agreeing_to_an_older_version_is_recorded_as_such_and_asked_again(database: Database) -> None:
    versions = schedule(version(1), version(2, effective_at=NOW, ask_again=["analytics"]))

    outcome = record(database, Wish(action=Action.ACCEPT_ALL, notice=1), schedule=versions)

    assert records(database)[0]["notice"] == 1
    assert outcome.consent.decision("analytics") is Decision.UNDECIDED
    assert outcome.consent.decision("marketing") is Decision.GRANTED
