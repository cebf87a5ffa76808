"""What keeps an installation from serving, and the warning about a key promoted in one step."""

from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy import update

from consent_widget.core.signing import fingerprint
from consent_widget.services.campaign import pause, resume
from consent_widget.services.jobs import take
from consent_widget.services.setup import (
    check_key_change,
    note_keys,
    problems,
    unattended_since,
    upgrade_database,
)
from consent_widget.storage.database import Database
from consent_widget.storage.delivery import deliveries
from consent_widget.storage.keys import known_keys
from tests.conftest import MakeApp
from tests.factories import IN_FORCE_SINCE, NOW, deployment
from tests.mailroom import APPROVER, Mailroom, Relay

OLD, NEW = fingerprint("o" * 40), fingerprint("n" * 40)


def test_a_prepared_installation_has_no_problem(app: Flask) -> None:
    assert problems(deployment(app), now=NOW) == []


def test_a_database_without_tables_is_told_with_the_cure(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(database_url=sqlite_url)

    (told,) = problems(deployment(app), now=NOW)

    assert "flask consent upgrade" in told


def test_a_notice_that_is_only_coming_is_told_with_its_date(app: Flask) -> None:
    (told,) = problems(deployment(app), now=NOW - timedelta(days=365))

    assert "version 1 takes effect on" in told


def test_a_missing_notice_is_told_with_the_cure(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(database_url=sqlite_url)
    upgrade_database(deployment(app).database)

    (told,) = problems(deployment(app), now=NOW)

    assert "flask consent import-notice" in told


def test_a_notice_that_is_not_in_force_yet_is_told_with_its_time(app: Flask) -> None:
    (told,) = problems(deployment(app), now=IN_FORCE_SINCE - timedelta(days=365))

    assert "version 1 takes effect on 2026-11-01 02:00 UTC" in told


def test_a_database_that_does_not_answer_is_told_without_its_address(make_app: MakeApp) -> None:
    app = make_app(database_url="postgresql://user:hidden@localhost:1/consent?connect_timeout=1")

    assert problems(deployment(app), now=NOW) == ["The database does not answer."]


def test_the_first_keys_are_remembered_without_a_word(database: Database) -> None:
    assert check_key_change(database, (OLD,), now=NOW) is None

    with database.reading() as connection:
        assert known_keys(connection) == {OLD}


def test_a_key_that_was_a_fallback_first_is_promoted_without_a_word(database: Database) -> None:
    for served_with in ((OLD,), (OLD, NEW)):
        note_keys(database, served_with, now=NOW)

    assert check_key_change(database, (NEW, OLD), now=NOW) is None
    assert check_key_change(database, (NEW,), now=NOW) is None


def test_a_key_promoted_in_one_step_is_warned_of_until_it_serves_with_the_cure(database: Database) -> None:
    note_keys(database, (OLD,), now=NOW)

    warning = check_key_change(database, (NEW, OLD), now=NOW)

    assert warning is not None
    assert "SECRET_KEY_FALLBACKS" in warning
    assert not any(key in warning for key in (OLD, NEW))
    assert check_key_change(database, (NEW, OLD), now=NOW) == warning
    note_keys(database, (NEW, OLD), now=NOW)
    assert check_key_change(database, (NEW, OLD), now=NOW) is None


def test_the_same_key_twice_does_no_harm(database: Database) -> None:
    assert check_key_change(database, (OLD, OLD), now=NOW) is None
    assert check_key_change(database, (OLD, OLD), now=NOW) is None


def test_mails_that_no_worker_comes_for_are_noticed(mailroom: Mailroom) -> None:
    """Before their rows are made, afterwards, and letters as well; not while a worker looks after them."""
    began = mailroom.clock()
    mailroom.subscribe(2)
    mailroom.announce()
    assert since(mailroom) is None

    mailroom.clock.tick(minutes=11)
    assert since(mailroom) == began

    mailroom.deliver(Relay(), limit=1)
    made = mailroom.clock()
    mailroom.clock.tick(minutes=11)
    assert since(mailroom) == made
    assert take(mailroom.deployment, "sweep", timedelta(minutes=1), mailroom.clock())
    assert since(mailroom) is None

    mailroom.clock.tick(minutes=11)
    with mailroom.deployment.database.writing() as connection:
        connection.execute(update(deliveries).values(campaign_id=None))
    assert since(mailroom) == made


def test_what_is_not_due_waits_for_no_worker(mailroom: Mailroom) -> None:
    mailroom.subscribe(2)
    mailroom.announce()
    mailroom.clock.tick(minutes=11)
    campaign = mailroom.campaign()
    pause(mailroom.deployment, campaign.id, reason="", staff=APPROVER, now=mailroom.clock())
    assert since(mailroom) is None

    resume(mailroom.deployment, campaign.id, staff=APPROVER, now=mailroom.clock())
    mailroom.deliver(Relay())
    mailroom.clock.tick(minutes=11)

    assert since(mailroom) is None


def since(mailroom: Mailroom) -> datetime | None:
    return unattended_since(mailroom.deployment, now=mailroom.clock())
