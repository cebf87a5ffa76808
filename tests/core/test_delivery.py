"""The table of a delivery's states, and what follows from an answer: pure, so tried with everything."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.core.campaign import PauseReason, Policy
from consent_widget.core.delivery import (
    MAX_ATTEMPTS,
    SETTLED,
    Counts,
    Delivery,
    Event,
    Kind,
    State,
    advance,
    sources,
    wait,
)
from consent_widget.core.errors import Conflict
from consent_widget.core.reply import AUTH, CONNECTION, TIMEOUT, TLS, Outcome, Reply, Stage, lost, read_reply
from consent_widget.core.verdict import MAX_LETTERS, MAX_REFUSALS, domain_pause, judge, relay_pause
from tests.factories import NOW


def row(*, attempts: int = 0, campaign_id: int | None = 1, kind: Kind = Kind.CHANGE) -> Delivery:
    return Delivery(
        id=7,
        campaign_id=campaign_id,
        subscription_id=3,
        kind=kind,
        language="vi",
        domain="reader.example",
        state=State.SENDING,
        late=False,
        attempts=attempts,
        at=NOW,
        created_at=NOW,
        owner="worker",
    )


LETTER = row(campaign_id=None, kind=Kind.CONFIRM)


def replies() -> st.SearchStrategy[Reply]:
    """Every answer that a server or the way to it can give."""
    told = st.builds(
        lambda number, words, stage: read_reply(number, words, stage=stage),
        st.sampled_from([250, 421, 450, 451, 452, 454, 500, 535, 550, 552, 553, 554, 571]),
        st.sampled_from(
            ["", "4.7.0 slow", "4.2.2 full", "5.1.1 nobody", "5.1.8 you", "5.7.1 policy", "5.2.2 full"]
        ),
        st.sampled_from(list(Stage)),
    )
    silence = st.builds(
        lambda code, stage: lost(code, "", stage=stage),
        st.sampled_from([CONNECTION, TIMEOUT, TLS, AUTH]),
        st.sampled_from(list(Stage)),
    )
    return told | silence


@given(st.sampled_from(list(State)), st.sampled_from(list(Event)))
def test_each_event_leads_where_the_table_says_or_is_refused(state: State, event: Event) -> None:
    if state in sources(event):
        assert advance(state, event) in State
    else:
        with pytest.raises(Conflict):
            advance(state, event)


def test_an_event_leads_to_one_state_wherever_it_comes_from() -> None:
    """Rows are changed by single statements, so the target must not depend on where each one is."""
    for event in Event:
        assert len({advance(state, event) for state in sources(event)}) == 1


def test_what_may_have_left_is_never_sent_again_by_a_reaper() -> None:
    """Out of ``sending`` only the worker's own word leads back to ``pending``."""
    assert advance(State.SENDING, Event.LOSE) is State.UNKNOWN
    for event in (Event.CLAIM, Event.CANCEL, Event.SUPPRESS, Event.RESEND, Event.REJOIN):
        assert State.SENDING not in sources(event)
    assert State.ACCEPTED not in sources(Event.RESEND)


@given(replies(), st.integers(0, MAX_ATTEMPTS + 2), st.sampled_from([None, *Policy]))
def test_every_answer_settles_a_row_that_is_being_sent(
    reply: Reply, attempts: int, policy: Policy | None
) -> None:
    one = row(attempts=attempts, campaign_id=None if policy is None else 1)

    verdict = judge(one, reply, policy=policy, now=NOW)

    assert State.SENDING in sources(verdict.event)
    assert verdict.at >= NOW
    assert verdict.attempts in (attempts, attempts + 1)
    assert (verdict.event is Event.ACCEPT) == (reply.outcome is Outcome.ACCEPTED)


@given(replies(), st.integers(0, MAX_ATTEMPTS))
def test_only_an_answer_lost_after_the_dot_is_ambiguous(reply: Reply, attempts: int) -> None:
    verdict = judge(row(attempts=attempts), reply, policy=Policy.HOLD, now=NOW)

    assert (verdict.event is Event.LOSE) == (reply.outcome is Outcome.UNKNOWN)


@given(replies(), st.integers(0, MAX_ATTEMPTS))
def test_an_address_is_suppressed_for_its_own_fault_alone(reply: Reply, attempts: int) -> None:
    verdict = judge(row(attempts=attempts), reply, policy=Policy.HOLD, now=NOW)

    if verdict.suppress:
        assert reply.code.startswith("5.1.")
        assert not reply.is_ours


def test_an_unknown_mail_is_held_unless_the_policy_sends_it_again() -> None:
    answer = lost(TIMEOUT, "", stage=Stage.DOT)

    assert judge(row(), answer, policy=Policy.HOLD, now=NOW).event is Event.LOSE
    assert judge(row(), answer, policy=Policy.RESEND_SAME_ID, now=NOW).event is Event.GIVE_BACK
    assert judge(LETTER, answer, policy=None, now=NOW).event is Event.GIVE_BACK
    last = row(attempts=MAX_LETTERS - 1, campaign_id=None, kind=Kind.CONFIRM)
    assert judge(last, answer, policy=None, now=NOW).event is Event.LOSE


def test_a_policy_error_pauses_and_keeps_the_row() -> None:
    verdict = judge(row(), read_reply(550, "5.7.1 refused", stage=Stage.RCPT), policy=Policy.HOLD, now=NOW)

    assert (verdict.pause, verdict.event, verdict.attempts) == (PauseReason.POLICY, Event.GIVE_BACK, 1)


def test_the_row_that_is_always_refused_does_not_pause_a_campaign_for_ever() -> None:
    last = row(attempts=MAX_REFUSALS - 1)

    verdict = judge(last, read_reply(550, "5.7.1 refused", stage=Stage.RCPT), policy=Policy.HOLD, now=NOW)

    assert verdict.event is Event.REFUSE


@pytest.mark.parametrize("code", [AUTH, TLS])
def test_our_own_fault_costs_no_row_a_try(code: str) -> None:
    verdict = judge(row(attempts=2), lost(code, "", stage=Stage.CONNECT), policy=Policy.HOLD, now=NOW)

    assert (verdict.pause, verdict.event, verdict.attempts) == (PauseReason.SETTINGS, Event.GIVE_BACK, 2)


def test_a_relay_that_is_away_costs_no_row_a_try() -> None:
    verdict = judge(row(attempts=3), lost(CONNECTION, "", stage=Stage.CONNECT), policy=Policy.HOLD, now=NOW)

    assert (verdict.relay_down, verdict.event, verdict.attempts, verdict.at) == (
        True,
        Event.GIVE_BACK,
        3,
        NOW,
    )


def test_a_greylisted_mail_is_tried_again_and_given_up_in_the_end() -> None:
    later = read_reply(450, "4.2.0 try later", stage=Stage.RCPT)

    first = judge(row(), later, policy=Policy.HOLD, now=NOW)
    last = judge(row(attempts=MAX_ATTEMPTS - 1), later, policy=Policy.HOLD, now=NOW)

    assert (first.event, first.slow) == (Event.GIVE_BACK, False)
    assert NOW < first.at < NOW + timedelta(minutes=2)
    assert last.event is Event.REFUSE


@given(st.integers(1, 100), st.floats(0, 1))
def test_waiting_grows_and_is_bounded(attempts: int, jitter: float) -> None:
    assert timedelta(0) < wait(attempts, jitter) <= timedelta(hours=7.5)
    assert wait(attempts, 0.5) <= wait(attempts + 1, 0.5)
    assert timedelta(0) < relay_pause(attempts) <= timedelta(minutes=5)
    assert timedelta(0) < domain_pause(attempts) <= timedelta(hours=6)


@given(st.dictionaries(st.sampled_from(list(State)), st.integers(0, 1000)))
def test_a_campaign_is_balanced_when_every_row_is_settled(by_state: dict[State, int]) -> None:
    counts = Counts(by_state=by_state)

    assert counts.rows == counts.settled + counts.open
    assert counts.is_balanced == (sum(counts[state] for state in State if state not in SETTLED) == 0)
