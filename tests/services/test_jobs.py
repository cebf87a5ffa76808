"""Periodic jobs: one of all workers runs each, whatever their clocks do."""

import threading
from datetime import timedelta

import pytest

from consent_widget.services.jobs import take
from tests.factories import Clock
from tests.mailroom import Mailroom

HOUR = timedelta(hours=1)


def is_taken(mailroom: Mailroom, *, name: str = "sweep", ahead: timedelta = timedelta(0)) -> bool:
    return take(mailroom.deployment, name, HOUR, mailroom.clock() + ahead)


def test_the_first_who_asks_runs_it_and_nobody_else(mailroom: Mailroom) -> None:
    assert is_taken(mailroom)

    assert not is_taken(mailroom)
    assert is_taken(mailroom, name="purge"), "each job has a time of its own"


def test_it_is_due_again_when_its_time_is_over(mailroom: Mailroom, clock: Clock) -> None:
    assert is_taken(mailroom)

    clock.tick(minutes=59, seconds=59)
    assert not is_taken(mailroom)
    clock.tick(seconds=1)
    assert is_taken(mailroom)
    assert not is_taken(mailroom)


def test_sixteen_workers_who_ask_at_once_run_it_once(mailroom: Mailroom) -> None:
    for _ in range(5):
        at_once = threading.Barrier(16)
        won: list[bool] = []

        def ask(at_once: threading.Barrier = at_once, won: list[bool] = won) -> None:
            at_once.wait()
            won.append(is_taken(mailroom))

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(won) == [False] * 15 + [True]
        mailroom.clock.tick(hours=1)


@pytest.mark.parametrize("span", [{"hours": 1}, {"days": 1}, {"days": 400}])
def test_a_clock_that_was_set_back_holds_it_up_for_no_longer_than_its_span(
    mailroom: Mailroom, clock: Clock, span: dict[str, float]
) -> None:
    """TM-001: otherwise nothing would be swept until the old time is reached again."""
    clock.tick(**span)
    assert is_taken(mailroom)
    clock.tick(**{name: -value for name, value in span.items()})

    assert is_taken(mailroom)
    assert not is_taken(mailroom)


def test_workers_whose_clocks_differ_by_minutes_run_an_hourly_job_once(mailroom: Mailroom) -> None:
    """TM-003: two hosts, five minutes apart."""
    assert is_taken(mailroom, ahead=timedelta(minutes=5))

    assert not is_taken(mailroom)
    assert not is_taken(mailroom, ahead=timedelta(minutes=5))
    assert is_taken(mailroom, ahead=timedelta(minutes=65))
