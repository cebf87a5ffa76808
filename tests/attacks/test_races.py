"""RC: two people, or one person twice, at the same instant: one of them wins and the other is told."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent_widget.core.workflow import State
from consent_widget.services.draft import load_draft
from tests.attacks import newsroom
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.newsroom import (
    draft,
    make_newsroom,
    page_of,
    revision_of,
    signed_in,
    step,
    token_for,
    written,
)
from tests.attacks.target import ALL, Target, at_once, granted_in
from tests.factories import Clock
from tests.volume import volume

#: Of the two hundred rounds; two workers on one database, as in a real deployment.
ROUNDS = volume(6, 200)


@pytest.fixture
def workers(make_target: MakeTarget, database_url: str, clock: Clock) -> Sequence[Target]:
    """Two processes' worth of one site, on each kind of database."""
    return [make_newsroom(make_target, database_url, clock=clock) for _ in range(2)]


def button(
    target: Target, who: str, action: str, version_id: int, **fields: Any
) -> Callable[[], TestResponse]:
    """A form that is filled in and lacks only the press."""
    browser = signed_in(target, who)
    known = {
        "csrf_token": token_for(target, browser, who),
        "revision": revision_of(target, version_id),
        "action": action,
    }

    def press() -> TestResponse:
        return browser.post(page_of(version_id), data=known | fields)

    return press


def approved(target: Target, **fields: Any) -> int:
    version_id = draft(target, **fields)
    step(target, "author", "submit", version_id)
    step(target, "approver", "approve", version_id)
    return version_id


@attack("RC-001")
def test_two_editors_save_one_draft(case: Case, workers: Sequence[Target]) -> None:
    """The other gets 409 with both texts."""
    one, other = workers
    version_id = draft(one)
    for number in range(ROUNDS):
        texts = [f"Round {number} of one", f"Round {number} of the other"]

        answers = at_once(
            button(one, "author", "save", version_id, **written(texts[0])),
            button(other, "officer", "save", version_id, **written(texts[1])),
        )

        assert sorted(answer.status_code for answer in answers) == [303, 409]
        kept = 0 if answers[0].status_code == 303 else 1
        assert load_draft(one.deployment, version_id).texts["vi"].strip() == texts[kept]
        assert all(text in answers[1 - kept].text for text in texts)


@attack("RC-002")
def test_announced_while_somebody_edits(case: Case, workers: Sequence[Target]) -> None:
    """What is announced is what the approver saw, or nothing."""
    one, other = workers
    for number in range(ROUNDS):
        version_id = approved(one, text=f"Seen {number}")
        seen = dict(load_draft(one.deployment, version_id).content_hashes)

        announced, saved = at_once(
            button(one, "approver", "announce", version_id),
            button(other, "officer", "save", version_id, **written(f"Unseen {number}")),
        )

        assert sorted((announced.status_code, saved.status_code)) == [303, 409]
        stored = load_draft(one.deployment, version_id)
        if announced.status_code == 303:
            assert stored.state is State.ANNOUNCED
            assert dict(stored.content_hashes) == seen
        else:
            assert (stored.state, stored.number) == (State.DRAFT, None)
    published = {f"Unseen {number}" for number in range(ROUNDS)}
    for number in newsroom.numbers(one):
        assert one.browser().get(f"/privacy/vi/versions/{number}.md").text.strip() not in published


@attack("RC-003")
def test_announced_eight_times_at_once(case: Case, workers: Sequence[Target]) -> None:
    """A double click, and two announcers: one number, one entry in the log."""
    numbers = 1
    for number in range(ROUNDS // 2):
        version_id = approved(workers[0], text=f"Version {number}")
        presses = [
            button(workers[at % 2], ("approver", "officer")[at // 4], "announce", version_id)
            for at in range(8)
        ]

        answers = at_once(*presses)

        assert sorted(answer.status_code for answer in answers) == [303] + [409] * 7
        numbers += 1
        assert newsroom.numbers(workers[0]) == list(range(numbers, 0, -1))
    log = workers[0].browser().get("/privacy/log.jsonl").text
    assert log.count('"announced"') == numbers - 1


@attack("RC-003")
def test_two_versions_announced_at_once(case: Case, workers: Sequence[Target], clock: Clock) -> None:
    """At most one waits for its date; those without lead time follow each other under numbers of their own."""
    one, other = workers
    for number in range(ROUNDS // 2):
        first, second = approved(one, text=f"A {number}"), approved(one, text=f"B {number}")

        answers = at_once(
            button(one, "approver", "announce", first), button(other, "officer", "announce", second)
        )

        assert [answer.status_code for answer in answers] == [303, 303]
    assert newsroom.numbers(one) == list(range(ROUNDS + 1, 0, -1))

    later = {"change_class": "material", "effective_at": "2027-06-01T00:00"}
    waiting = [approved(one, text=f"Later {at}", **later) for at in range(2)]
    answers = at_once(
        button(one, "approver", "announce", waiting[0]), button(other, "officer", "announce", waiting[1])
    )
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert newsroom.numbers(one) == list(range(ROUNDS + 2, 0, -1))
    assert one.app.test_cli_runner().invoke(args=["consent", "verify"]).exit_code == 0


@attack("RC-011")
def test_version_takes_effect_between_page_and_choice(
    case: Case, workers: Sequence[Target], clock: Clock
) -> None:
    """The choice is for what was shown; what the new version asks anew stays unanswered."""
    one, other = workers
    for number in range(1, ROUNDS):
        effective_at = clock.now + timedelta(seconds=30)
        one.announce(number + 1, effective_at=effective_at, ask_again=["marketing"])
        for target in workers:
            target.deployment.schedule.forget()
        visitors = [one.browser(), other.browser()]
        for visitor in visitors:
            page = visitor.get("/privacy/preferences").text
            assert f'name="notice" value="{number}"' in page
        clock.now = effective_at

        answers = at_once(*(_accept(visitor, number) for visitor in visitors))

        assert [answer.status_code for answer in answers] == [303, 303]
        assert one.recorded()[-2:] == [(ALL, number), (ALL, number)]
        for visitor in visitors:
            state = visitor.get("/privacy/state")
            assert granted_in(state) == ALL - {"marketing"}
            assert not (state.json or {})["decided"]
        clock.now += timedelta(days=1)


def _accept(visitor: FlaskClient, notice: int) -> Callable[[], TestResponse]:
    return lambda: visitor.post("/privacy/preferences", data={"action": "accept_all", "notice": str(notice)})
