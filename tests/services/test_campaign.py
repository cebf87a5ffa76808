"""Staff steer a campaign: what each button does, whom it refuses, and what the numbers mean."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from consent_widget.core.campaign import PauseReason, Policy, State
from consent_widget.core.delivery import State as Row
from consent_widget.core.errors import Conflict, ConsentWidgetError, Forbidden, UnknownCampaign
from consent_widget.core.staff import Staff
from consent_widget.services import campaign as steering
from consent_widget.services.audience import prepare
from consent_widget.services.audit import all_acts
from consent_widget.services.progress import list_campaigns, load_campaign, progress_of
from consent_widget.services.subscriber_list import list_unknown_mails
from tests.mailroom import ACCEPTED, APPROVER, AUTHOR, LOST, Mailroom, Relay, refusal

AUDITOR = Staff("auditor", "An auditor", frozenset({"auditor"}))

ACTS: dict[str, Callable[[Mailroom, int, Staff], object]] = {
    "pause_campaign": lambda room, number, staff: steering.pause(
        room.deployment, number, reason="Đợi", staff=staff, now=room.clock()
    ),
    "resume_campaign": lambda room, number, staff: steering.resume(
        room.deployment, number, staff=staff, now=room.clock()
    ),
    "set_policy": lambda room, number, staff: steering.set_policy(
        room.deployment, number, Policy.RESEND_SAME_ID, staff=staff, now=room.clock()
    ),
    "resend_unknown": lambda room, number, staff: steering.resend_unknown(
        room.deployment, number, staff=staff, now=room.clock()
    ),
    "retry_failed": lambda room, number, staff: steering.retry_failed(
        room.deployment, number, staff=staff, now=room.clock()
    ),
}


def acts(mailroom: Mailroom) -> list[str]:
    return [str(act.body["action"]) for act in all_acts(mailroom.deployment.database)]


def everything(mailroom: Mailroom) -> object:
    return (list_campaigns(mailroom.deployment), mailroom.rows(), acts(mailroom))


@pytest.mark.parametrize("act", list(ACTS))
@pytest.mark.parametrize("staff", [AUTHOR, AUDITOR])
def test_who_may_not_decide_changes_nothing(mailroom: Mailroom, act: str, staff: Staff) -> None:
    mailroom.subscribe(2)
    mailroom.announce()
    prepare(mailroom.deployment, now=mailroom.clock)
    before = everything(mailroom)

    with pytest.raises(Forbidden):
        ACTS[act](mailroom, mailroom.campaign().id, staff)

    assert everything(mailroom) == before


@pytest.mark.parametrize("act", list(ACTS))
def test_what_is_not_there_cannot_be_changed(mailroom: Mailroom, act: str) -> None:
    with pytest.raises(UnknownCampaign):
        ACTS[act](mailroom, 99, APPROVER)


@pytest.mark.parametrize("act", ["pause_campaign", "resume_campaign", "resend_unknown", "retry_failed"])
def test_a_withdrawn_campaign_stays_as_it_is(mailroom: Mailroom, act: str) -> None:
    draft = mailroom.announce()
    number = mailroom.campaign().id
    mailroom.withdraw(draft)
    before = everything(mailroom)

    with pytest.raises(Conflict):
        ACTS[act](mailroom, number, APPROVER)

    assert everything(mailroom) == before


def test_each_act_is_in_the_audit_log(mailroom: Mailroom) -> None:
    mailroom.subscribe(1)
    mailroom.announce()
    for do in ACTS.values():
        do(mailroom, mailroom.campaign().id, APPROVER)

    assert [one for one in reversed(acts(mailroom)) if one in ACTS] == list(ACTS)


def test_a_pause_is_told_with_its_reason_and_a_resumed_campaign_forgets_it(mailroom: Mailroom) -> None:
    mailroom.announce()
    number = mailroom.campaign().id

    paused = steering.pause(
        mailroom.deployment, number, reason=" Đợi  xem ", staff=APPROVER, now=mailroom.clock()
    )
    resumed = steering.resume(mailroom.deployment, number, staff=APPROVER, now=mailroom.clock())

    assert (paused.state, paused.pause_reason, paused.pause_detail) == (
        State.PAUSED,
        PauseReason.STAFF,
        "Đợi xem",
    )
    assert (resumed.state, resumed.pause_reason, resumed.pause_detail) == (State.RUNNING, "", "")


def test_the_failed_are_tried_once_more_but_for_suppressed_addresses(mailroom: Mailroom) -> None:
    full, gone = mailroom.subscribe(2)
    mailroom.announce()
    answers = {full: refusal(552, "5.2.2 full"), gone: refusal(550, "5.1.1 nobody")}
    mailroom.deliver(Relay(says=lambda recipient, time: answers[recipient]))
    assert mailroom.states() == {"failed": 2}
    relay = Relay()

    steering.retry_failed(mailroom.deployment, mailroom.campaign().id, staff=APPROVER, now=mailroom.clock())
    mailroom.deliver(relay)

    assert relay.taken == [full]
    assert mailroom.states() == {"accepted": 1, "suppressed": 1}


def test_the_numbers_add_up_and_say_how_long_it_takes(mailroom: Mailroom) -> None:
    addresses = mailroom.subscribe(100)
    mailroom.announce()
    answers = {addresses[0]: refusal(552, "5.2.2 full"), addresses[1]: refusal(450, "4.2.0 later")}
    tick = mailroom.clock.tick
    relay = Relay(
        says=lambda recipient, time: answers.get(recipient, ACCEPTED),
        before=lambda recipient: tick(seconds=1),
    )

    mailroom.deliver(relay, limit=62)

    progress = progress_of(mailroom.deployment, mailroom.campaign().id, now=mailroom.clock())
    assert (progress.counts[Row.ACCEPTED], progress.counts[Row.FAILED], progress.counts.open) == (60, 1, 39)
    assert progress.refusals == {"5.2.2": 1}
    assert progress.waiting == {"4.2.0": 1}
    assert progress.rate == pytest.approx(1.0, rel=0.1)
    assert progress.left == timedelta(seconds=39 / progress.rate)
    assert progress.is_in_time


def test_a_campaign_that_is_too_slow_says_so_beforehand(mailroom: Mailroom) -> None:
    mailroom.subscribe(50)
    mailroom.announce()
    relay = Relay(before=lambda recipient: mailroom.clock.tick(days=1))

    mailroom.deliver(relay, limit=1)

    progress = progress_of(mailroom.deployment, mailroom.campaign().id, now=mailroom.clock())
    assert progress.left == timedelta(days=49)
    assert progress.is_in_time is False


def test_the_unknown_are_listed(mailroom: Mailroom) -> None:
    mailroom.subscribe(3)
    mailroom.announce()
    mailroom.deliver(Relay(says=lambda recipient, time: LOST))
    number = mailroom.campaign().id

    listed = list_unknown_mails(mailroom.deployment, number, staff=APPROVER)

    assert [one.id for one in listed] == [one.id for one in mailroom.rows(Row.UNKNOWN)]
    assert len(listed) == 3
    assert list_unknown_mails(mailroom.deployment, number, staff=APPROVER, limit=2) == listed[:2]


@pytest.mark.parametrize("error", [UnknownCampaign])
def test_asking_for_none_is_an_error(mailroom: Mailroom, error: type[ConsentWidgetError]) -> None:
    with pytest.raises(error):
        load_campaign(mailroom.deployment, 7)
