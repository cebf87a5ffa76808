"""What a subscription may become, what answers a sign-up, and what a link is good for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from consent_widget.core.delivery import Kind
from consent_widget.core.errors import Conflict
from consent_widget.core.subscription import (
    CONFIRM_WITHIN,
    Event,
    Link,
    Purpose,
    Standing,
    State,
    Subscription,
    advance,
    answer_request,
    can_undo,
)
from tests.factories import NOW

SUBSCRIPTION = Subscription(
    id=1,
    address="a@good.example",
    address_hash="h" * 64,
    language="vi",
    state=State.PENDING,
    salt="salt",
    created_at=NOW,
    requested_at=NOW,
)


def subscription(state: State = State.PENDING, **values: Any) -> Subscription:
    return replace(SUBSCRIPTION, state=state, **values)


@pytest.mark.parametrize(
    "state, event, after",
    [
        (State.PENDING, Event.CONFIRM, State.CONFIRMED),
        (State.CONFIRMED, Event.UNSUBSCRIBE, State.UNSUBSCRIBED),
        (State.UNSUBSCRIBED, Event.UNDO, State.CONFIRMED),
        (State.UNSUBSCRIBED, Event.REQUEST, State.PENDING),
        (State.PENDING, Event.UNDO, State.CONFIRMED),
        (State.CONFIRMED, Event.SUPPRESS, State.SUPPRESSED),
        (State.SUPPRESSED, Event.RELEASE, State.UNSUBSCRIBED),
    ],
)
def test_an_event_leads_on(state: State, event: Event, after: State) -> None:
    assert advance(state, event) is after


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", [Event.UNSUBSCRIBE, Event.SUPPRESS, Event.REQUEST])
def test_whoever_leaves_suppresses_or_asks_is_never_refused(state: State, event: Event) -> None:
    """Leaving works in any state, a bounce may come at any time, and a sign-up always gets an answer."""
    assert advance(state, event) in State


@pytest.mark.parametrize(
    "state, event",
    [
        (State.UNSUBSCRIBED, Event.CONFIRM),
        (State.SUPPRESSED, Event.CONFIRM),
        (State.SUPPRESSED, Event.UNDO),
        (State.CONFIRMED, Event.RELEASE),
    ],
)
def test_nobody_comes_back_by_the_wrong_way(state: State, event: Event) -> None:
    with pytest.raises(Conflict) as caught:
        advance(state, event)

    assert caught.value.code == "wrong_state"


@pytest.mark.parametrize(
    "state, after, kind",
    [
        (State.PENDING, State.PENDING, Kind.CONFIRM),
        (State.UNSUBSCRIBED, State.PENDING, Kind.CONFIRM),
        (State.CONFIRMED, State.CONFIRMED, Kind.KNOWN),
        (State.SUPPRESSED, State.SUPPRESSED, None),
    ],
)
def test_a_sign_up_is_answered_by_a_letter(state: State, after: State, kind: Kind | None) -> None:
    assert answer_request(subscription(state), may_write=True, told_lately=False) == (after, kind)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("told_lately", [True, False])
def test_without_a_letter_nothing_changes(state: State, told_lately: bool) -> None:
    """Else a stranger could end somebody's chance to undo, and nobody would hear of it."""
    assert answer_request(subscription(state), may_write=False, told_lately=told_lately) == (state, None)


def test_who_is_subscribed_hears_so_once_in_a_while() -> None:
    found = answer_request(subscription(State.CONFIRMED), may_write=True, told_lately=True)

    assert found == (State.CONFIRMED, None)


def test_leaving_can_be_undone_by_who_confirmed_once() -> None:
    assert can_undo(subscription(State.UNSUBSCRIBED, confirmed_at=NOW))
    assert can_undo(subscription(State.PENDING, confirmed_at=NOW))


@pytest.mark.parametrize(
    "one",
    [
        subscription(State.UNSUBSCRIBED),
        subscription(State.PENDING),
        subscription(State.CONFIRMED, confirmed_at=NOW),
        subscription(State.SUPPRESSED, confirmed_at=NOW),
        subscription(State.UNSUBSCRIBED, confirmed_at=NOW, address=None),
    ],
    ids=["never confirmed", "new", "has not left", "suppressed", "erased"],
)
def test_otherwise_there_is_nothing_to_undo(one: Subscription) -> None:
    assert not can_undo(one)


LINK = Link(
    subscription_id=1,
    purpose=Purpose.CONFIRM,
    address=None,
    created_at=NOW,
    expires_at=NOW + CONFIRM_WITHIN,
)


def test_a_link_holds_for_72_hours() -> None:
    assert timedelta(hours=72) == CONFIRM_WITHIN
    last = NOW + CONFIRM_WITHIN - timedelta.resolution

    assert LINK.standing(SUBSCRIPTION, now=last) is Standing.OPEN
    assert LINK.standing(SUBSCRIPTION, now=NOW + CONFIRM_WITHIN) is Standing.EXPIRED


@pytest.mark.parametrize("seconds", [1, 2, 60, 300])
def test_a_clock_that_ran_ahead_does_not_matter(seconds: int) -> None:
    assert LINK.standing(SUBSCRIPTION, now=NOW - timedelta(seconds=seconds)) is Standing.OPEN


@pytest.mark.parametrize(
    "state, standing",
    [
        (State.CONFIRMED, Standing.USED),
        (State.UNSUBSCRIBED, Standing.LEFT),
        (State.PENDING, Standing.LEFT),
        (State.SUPPRESSED, Standing.LEFT),
    ],
)
def test_a_used_link_confirms_nothing_again(state: State, standing: Standing) -> None:
    used = replace(LINK, used_at=NOW)

    assert used.standing(subscription(state), now=NOW) is standing


@pytest.mark.parametrize("state", [state for state in State if state is not State.PENDING])
def test_a_link_confirms_only_what_waits_for_it(state: State) -> None:
    assert LINK.standing(subscription(state), now=NOW) is Standing.EXPIRED


def test_an_address_link_confirms_the_address_that_it_was_sent_to() -> None:
    link = replace(LINK, purpose=Purpose.ADDRESS, address="b@good.example")
    waiting = subscription(State.CONFIRMED, new_address="b@good.example")

    assert link.standing(waiting, now=NOW) is Standing.OPEN
    assert link.standing(replace(waiting, new_address="c@good.example"), now=NOW) is Standing.EXPIRED
    assert link.standing(replace(waiting, new_address=None), now=NOW) is Standing.EXPIRED
    assert link.standing(replace(waiting, state=State.UNSUBSCRIBED), now=NOW) is Standing.EXPIRED
