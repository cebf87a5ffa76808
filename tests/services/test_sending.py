"""Mails leave: each fenced before, settled after; nothing lost, nothing twice, on both databases."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, select
from sqlalchemy.exc import OperationalError

from consent_widget.core.campaign import PauseReason, Policy, State
from consent_widget.core.delivery import CLAIM, LEASE, Event
from consent_widget.core.delivery import State as Row
from consent_widget.core.errors import SettingError, StoreUnavailable
from consent_widget.core.links import UNSUBSCRIBE, token_hash
from consent_widget.core.reply import AUTH, TIMEOUT, Reply, Stage, lost
from consent_widget.core.subscription import State as Subscribed
from consent_widget.services import campaign as steering
from consent_widget.services.audience import join_campaigns, leave_campaigns, prepare
from consent_widget.services.sending import deliver
from consent_widget.services.sign_up import ask_new_address, request_subscription
from consent_widget.services.subscription import confirm
from consent_widget.services.upkeep import reap, sweep
from consent_widget.storage.campaign import measured_rate
from consent_widget.storage.database import Kept
from consent_widget.storage.delivery import deliveries
from consent_widget.storage.subscription import links, load_subscription, suppressed_for
from tests.conftest import MakeApp
from tests.factories import deployment
from tests.mailroom import ACCEPTED, APPROVER, DOWN, LOST, MAIL, Mailroom, Relay, refusal


def test_everybody_gets_one_mail_and_the_campaign_is_done(mailroom: Mailroom) -> None:
    addresses = mailroom.subscribe(60)
    mailroom.announce()
    relay = Relay()

    tried = mailroom.deliver(relay, connections=3)

    assert tried == 60
    assert sorted(relay.taken) == sorted(addresses)
    assert mailroom.states() == {"accepted": 60}
    campaign = mailroom.campaign()
    assert (campaign.state, campaign.started_at, campaign.finished_at) == (
        State.DONE,
        mailroom.clock(),
        mailroom.clock(),
    )
    assert mailroom.deliver(relay) == 0


def test_each_mail_is_of_its_recipient_alone(mailroom: Mailroom) -> None:
    addresses = mailroom.subscribe(20) + mailroom.subscribe(5, language="en")
    mailroom.announce()
    relay = Relay()

    mailroom.deliver(relay, connections=3)

    links = mailroom.deployment.links
    for address, number in zip(addresses, mailroom.ids(addresses), strict=True):
        (mail,) = relay.mails[address]
        token = links.seal(UNSUBSCRIBE, number, f"salt of {address}"[:32]).encode()
        assert mail.count(token) >= 1
        assert f"\r\nTo: {address}\r\n".encode() in mail
        assert not any(other.encode() in mail for other in addresses if not address.startswith(other[:7]))


def test_a_mail_sent_again_is_the_same_mail(mailroom: Mailroom) -> None:
    (reader,) = mailroom.subscribe(1)
    mailroom.announce()
    relay = Relay(says=lambda recipient, time: LOST if time == 1 else ACCEPTED)
    mailroom.deliver(relay)
    steering.resend_unknown(mailroom.deployment, mailroom.campaign().id, staff=APPROVER, now=mailroom.clock())
    mailroom.clock.tick(minutes=5)

    mailroom.deliver(relay, owner="another")

    first, second = relay.mails[reader]
    assert first == second


def test_a_limit_stops_and_what_was_claimed_is_there_for_the_next(mailroom: Mailroom) -> None:
    mailroom.subscribe(10)
    mailroom.announce()
    relay = Relay()

    assert mailroom.deliver(relay, limit=4) == 4
    assert mailroom.states() == {"accepted": 4, "pending": 6}
    assert mailroom.deliver(relay) == 6
    assert len(set(relay.taken)) == 10


def test_a_worker_told_to_stop_gives_back_what_it_has_not_begun(mailroom: Mailroom) -> None:
    mailroom.subscribe(10)
    mailroom.announce()
    relay = Relay()

    mailroom.deliver(relay, stop=lambda: len(relay.taken) >= 3)

    assert mailroom.states() == {"accepted": 3, "pending": 7}


def test_two_workers_share_the_rows(mailroom: Mailroom) -> None:
    """The second claims while the first is in the middle of a mail."""
    mailroom.subscribe(120)
    mailroom.announce()
    second = Relay()
    started: list[str] = []

    def in_between(recipient: str) -> None:
        if not started:
            started.append(recipient)
            mailroom.deliver(second, owner="second")

    first = Relay(before=in_between)
    mailroom.deliver(first, owner="first")

    assert second.taken
    assert not set(first.taken) & set(second.taken)
    assert len(first.taken) + len(second.taken) == 120


@pytest.mark.parametrize("state", ["unsubscribed", "suppressed", "pending"])
def test_whoever_left_since_the_claim_gets_nothing(mailroom: Mailroom, state: str) -> None:
    first, second = mailroom.subscribe(2)
    mailroom.announce()
    relay = Relay(before=lambda recipient: mailroom.change([second], state=state))

    mailroom.deliver(relay)

    assert relay.taken == [first]
    expected = "suppressed" if state == "suppressed" else "cancelled"
    assert mailroom.states() == {"accepted": 1, expected: 1}
    assert mailroom.campaign().state is State.DONE


def test_a_pause_bites_at_the_next_mail_and_nothing_is_lost(mailroom: Mailroom) -> None:
    mailroom.subscribe(5)
    mailroom.announce()
    number = mailroom.campaign().id

    def in_between(recipient: str) -> None:
        if not relay.taken:
            steering.pause(mailroom.deployment, number, reason="Đợi", staff=APPROVER, now=mailroom.clock())

    relay = Relay(before=in_between)
    mailroom.deliver(relay)

    assert mailroom.states() == {"accepted": 1, "pending": 4}
    steering.resume(mailroom.deployment, number, staff=APPROVER, now=mailroom.clock())
    mailroom.deliver(relay)
    assert len(set(relay.taken)) == len(relay.taken) == 5


def test_somebody_who_left_while_their_mail_was_on_its_way_stays_accepted(mailroom: Mailroom) -> None:
    (reader,) = mailroom.subscribe(1)
    (number,) = mailroom.ids([reader])
    mailroom.announce()

    def leave(recipient: str) -> None:
        with mailroom.deployment.database.writing() as connection:
            leave_campaigns(connection, number, now=mailroom.clock())

    relay = Relay(before=leave)
    mailroom.deliver(relay)

    assert mailroom.states() == {"accepted": 1}


# What servers answer


def test_greylisting_delays_one_mail_and_no_other(mailroom: Mailroom) -> None:
    addresses = mailroom.subscribe(5)
    mailroom.announce()
    grey = addresses[2]
    later = refusal(450, "4.2.0 come back")
    relay = Relay(says=lambda recipient, time: later if recipient == grey and time < 3 else ACCEPTED)

    mailroom.deliver(relay)
    assert mailroom.states() == {"accepted": 4, "pending": 1}
    for _ in range(2):
        mailroom.clock.tick(minutes=5)
        mailroom.deliver(relay)

    assert mailroom.states() == {"accepted": 5}
    assert relay.tries[grey] == 3


def test_a_mailbox_that_does_not_exist_is_suppressed(mailroom: Mailroom) -> None:
    _, bad = mailroom.subscribe(2)
    mailroom.announce()
    relay = Relay(says=lambda recipient, time: refusal(550, "5.1.1 nobody") if recipient == bad else ACCEPTED)

    mailroom.deliver(relay)
    mailroom.clock.tick(days=3)
    mailroom.deliver(relay)

    assert mailroom.states() == {"accepted": 1, "failed": 1}
    assert relay.tries[bad] == 1
    with mailroom.deployment.database.reading() as connection:
        assert suppressed_for(connection, mailroom.deployment.pseudonyms.every(bad)) == "bounce"
    assert mailroom.campaign().state is State.DONE


def test_a_policy_refusal_pauses_the_campaign_and_says_why(mailroom: Mailroom) -> None:
    mailroom.subscribe(5)
    mailroom.announce()
    relay = Relay(says=lambda recipient, time: refusal(550, "5.7.1 You are on a list"))

    mailroom.deliver(relay)

    campaign = mailroom.campaign()
    assert (campaign.state, campaign.pause_reason) == (State.PAUSED, PauseReason.POLICY)
    assert "You are on a list" in campaign.pause_detail
    assert sum(relay.tries.values()) == 1
    assert mailroom.states() == {"pending": 5}


def test_content_refused_for_all_pauses_and_resumes_without_loss(mailroom: Mailroom) -> None:
    addresses = mailroom.subscribe(30)
    mailroom.announce()
    mended: list[bool] = []
    refused = refusal(554, "5.6.0 content refused", Stage.DOT)
    relay = Relay(says=lambda recipient, time: ACCEPTED if mended else refused)

    mailroom.deliver(relay)

    campaign = mailroom.campaign()
    assert (campaign.state, campaign.pause_reason) == (State.PAUSED, PauseReason.REFUSED)
    assert sum(relay.tries.values()) <= 3
    mended.append(True)
    steering.resume(mailroom.deployment, campaign.id, staff=APPROVER, now=mailroom.clock())
    mailroom.clock.tick(minutes=5)
    mailroom.deliver(relay)
    assert sorted(relay.taken) == sorted(addresses)
    assert mailroom.states() == {"accepted": 30}


def test_a_relay_that_is_away_is_asked_ever_less_often_and_no_mail_fails(
    mailroom: Mailroom, caplog: pytest.LogCaptureFixture
) -> None:
    addresses = mailroom.subscribe(10)
    mailroom.announce()
    back: list[bool] = []
    relay = Relay(says=lambda recipient, time: ACCEPTED if back else DOWN)
    caplog.set_level("INFO")

    for _ in range(60):
        mailroom.deliver(relay)
        mailroom.clock.tick(minutes=1)

    asked = sum(relay.tries.values())
    assert 5 < asked < 40
    assert mailroom.states() == {"pending": 10}
    back.append(True)
    mailroom.clock.tick(minutes=5)
    mailroom.deliver(relay)
    assert sorted(relay.taken) == sorted(addresses)
    told = [(one.levelname, one.getMessage()) for one in caplog.records if "mail server" in one.getMessage()]
    assert told == [
        ("ERROR", f"The mail server takes nothing: {DOWN.code}. It is tried again until it does."),
        ("INFO", "It works again: the mail server."),
    ]


def test_an_outage_is_told_once_although_its_commit_failed_before(
    mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mailroom.subscribe(2)
    mailroom.announce()
    relay = Relay(says=lambda recipient, time: DOWN)
    breaking(monkeypatch, when=lambda: bool(relay.tries), times=2)

    mailroom.deliver(relay)

    told = [one.getMessage() for one in caplog.records if "mail server" in one.getMessage()]
    assert len(told) == 1


def test_whoever_resumes_hears_that_it_works_again(
    mailroom: Mailroom, caplog: pytest.LogCaptureFixture
) -> None:
    mailroom.subscribe(2)
    mailroom.announce()
    mailroom.deliver(Relay(says=lambda recipient, time: DOWN))
    number = mailroom.campaign().id
    steering.pause(mailroom.deployment, number, reason="", staff=APPROVER, now=mailroom.clock())
    caplog.set_level("INFO")

    steering.resume(mailroom.deployment, number, staff=APPROVER, now=mailroom.clock())
    mailroom.deliver(Relay())

    assert mailroom.states() == {"accepted": 2}
    assert [one.getMessage() for one in caplog.records].count("It works again: the mail server.") == 1


def test_our_own_fault_pauses_and_no_address_is_blamed(mailroom: Mailroom) -> None:
    mailroom.subscribe(3)
    mailroom.announce()
    relay = Relay(says=lambda recipient, time: lost(AUTH, "535 5.7.8 bad password", stage=Stage.CONNECT))

    mailroom.deliver(relay)

    campaign = mailroom.campaign()
    assert (campaign.state, campaign.pause_reason) == (State.PAUSED, PauseReason.SETTINGS)
    assert mailroom.states() == {"pending": 3}
    assert all(one.attempts == 0 for one in mailroom.rows())


def test_a_domain_that_asks_for_it_is_left_alone_and_the_others_are_not(mailroom: Mailroom) -> None:
    slow = mailroom.subscribe(20, domain="slow.example")
    fast = mailroom.subscribe(20, domain="fast.example")
    mailroom.announce()
    busy: list[bool] = [True]

    def says(recipient: str, time: int) -> Reply:
        return refusal(451, "4.7.1 too fast") if recipient in slow and busy else ACCEPTED

    relay = Relay(says=says)
    mailroom.deliver(relay)

    assert sorted(relay.taken) == sorted(fast)
    assert sum(relay.tries.get(one, 0) for one in slow) < len(slow)
    busy.clear()
    mailroom.clock.tick(hours=1)
    mailroom.deliver(relay)
    assert sorted(relay.taken) == sorted(slow + fast)


def test_a_lost_answer_is_unknown_and_not_sent_again_by_itself(mailroom: Mailroom) -> None:
    mailroom.subscribe(1)
    mailroom.announce()
    relay = Relay(says=lambda recipient, time: lost(TIMEOUT, "", stage=Stage.DOT))

    mailroom.deliver(relay)
    mailroom.clock.tick(days=1)
    sweep(mailroom.deployment, now=mailroom.clock())
    mailroom.deliver(relay)

    assert mailroom.states() == {"unknown": 1}
    assert sum(relay.tries.values()) == 1
    assert mailroom.campaign().state is State.DONE


def test_the_policy_may_send_the_unknown_again(mailroom: Mailroom) -> None:
    mailroom.subscribe(1)
    mailroom.announce()
    steering.set_policy(
        mailroom.deployment,
        mailroom.campaign().id,
        Policy.RESEND_SAME_ID,
        staff=APPROVER,
        now=mailroom.clock(),
    )
    relay = Relay(says=lambda recipient, time: LOST if time == 1 else ACCEPTED)

    mailroom.deliver(relay)
    mailroom.clock.tick(minutes=5)
    mailroom.deliver(relay)

    assert mailroom.states() == {"accepted": 1}
    assert sum(relay.tries.values()) == 2


def test_a_database_that_goes_away_at_a_claim_leaves_no_answer_unwritten(mailroom: Mailroom) -> None:
    """The next rows are claimed while mails are on their way."""
    mailroom.subscribe(CLAIM + 10)
    mailroom.announce()
    engine = mailroom.deployment.database.engine
    claims: list[int] = []

    def fail(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("WITH due") and mailroom.states().get("sending"):
            claims.append(mailroom.states()["sending"])
            if len(claims) == 1:
                raise OperationalError("", {}, Exception())

    event.listen(engine, "before_cursor_execute", fail)
    relay = Relay()
    mailroom.deliver(relay)

    assert claims
    assert mailroom.states() == {"accepted": CLAIM + 10}
    assert len(relay.taken) == len(set(relay.taken)) == CLAIM + 10


# Workers that die


class Killed(BaseException):
    """What a kill -9 looks like from within: nothing after it runs."""


def test_a_worker_killed_while_sending_leaves_one_unknown_and_the_rest_to_others(mailroom: Mailroom) -> None:
    mailroom.subscribe(10)
    mailroom.announce()

    def die(recipient: str) -> None:
        if len(relay.taken) == 3:
            raise Killed

    relay = Relay(before=die)
    with pytest.raises(Killed):
        mailroom.deliver(relay)

    assert mailroom.states() == {"accepted": 2, "sending": 2, "leased": 6} or mailroom.states() == {
        "accepted": 3,
        "sending": 1,
        "leased": 6,
    }
    mailroom.clock.now += LEASE
    assert reap(mailroom.deployment, now=mailroom.clock()) == 7
    other = Relay()
    mailroom.deliver(other)
    assert mailroom.states() == {"accepted": 9, "unknown": 1}
    assert not set(relay.taken) & set(other.taken)


def test_a_slow_worker_still_tells_what_became_of_its_mail(mailroom: Mailroom) -> None:
    """Its lease ran out while the server thought it over; somebody else reaped the row."""
    mailroom.subscribe(1)
    mailroom.announce()

    def think(recipient: str) -> None:
        mailroom.clock.now += LEASE
        reap(mailroom.deployment, now=mailroom.clock())
        assert mailroom.states() == {"unknown": 1}

    mailroom.deliver(Relay(before=think))

    assert mailroom.states() == {"accepted": 1}


def test_a_lease_that_ran_out_before_the_fence_sends_nothing(mailroom: Mailroom) -> None:
    mailroom.subscribe(2)
    mailroom.announce()
    other = Relay()

    def think(recipient: str) -> None:
        if not other.taken:
            mailroom.clock.now += LEASE
            reap(mailroom.deployment, now=mailroom.clock())
            mailroom.deliver(other, owner="other")

    slow = Relay(before=think)
    mailroom.deliver(slow)

    assert len(slow.taken) == len(other.taken) == 1
    assert slow.taken != other.taken


def test_without_a_sender_nothing_is_claimed(make_app: MakeApp) -> None:
    app = make_app(config={name: value for name, value in MAIL.items() if "FROM" not in name})
    with pytest.raises(SettingError, match="MAIL_FROM"):
        deliver(deployment(app), Relay(), owner="worker")


def test_time_set_back_sends_nothing_twice(mailroom: Mailroom) -> None:
    addresses = mailroom.subscribe(10)
    mailroom.announce()
    relay = Relay()
    mailroom.deliver(relay, limit=5)
    mailroom.clock.now -= timedelta(days=1)

    mailroom.deliver(relay)
    mailroom.clock.now += timedelta(days=1)
    mailroom.deliver(relay)

    assert sorted(relay.taken) == sorted(addresses)
    assert [one.state for one in mailroom.rows()] == [Row.ACCEPTED] * 10


# Letters


def ask(mailroom: Mailroom, address: str, language: str = "vi") -> None:
    request_subscription(
        mailroom.deployment,
        address,
        language,
        network="203.0.113.7",
        now=mailroom.clock(),
        salt=mailroom.deployment.new_id(),
    )


def tokens_in(mail: bytes) -> list[str]:
    text = message_from_bytes(mail, policy=default)
    body = text.get_body(("plain",))
    assert body is not None
    return re.findall(r"/privacy/confirm/([\w-]+)", body.get_content())


def test_a_sign_up_is_confirmed_by_the_link_that_only_its_mail_holds(mailroom: Mailroom) -> None:
    ask(mailroom, "lan@reader.example")
    relay = Relay()

    mailroom.deliver(relay)

    (mail,) = relay.mails["lan@reader.example"]
    (token,) = set(tokens_in(mail))
    with mailroom.deployment.database.reading() as connection:
        stored = connection.execute(select(links.c.hash)).scalars().all()
    assert stored == [token_hash(token)]
    confirm(mailroom.deployment, token, now=mailroom.clock())
    mailroom.announce()
    mailroom.deliver(relay)
    assert relay.taken == ["lan@reader.example"] * 2


def test_letters_go_before_a_campaign(mailroom: Mailroom) -> None:
    mailroom.subscribe(3)
    mailroom.announce()
    ask(mailroom, "lan@reader.example")
    relay = Relay()

    mailroom.deliver(relay)

    assert relay.taken[0] == "lan@reader.example"


def test_a_letter_whose_answer_was_lost_is_sent_again_with_another_link(mailroom: Mailroom) -> None:
    ask(mailroom, "lan@reader.example")
    relay = Relay(says=lambda recipient, time: LOST if time == 1 else ACCEPTED)
    mailroom.deliver(relay)
    mailroom.clock.tick(minutes=5)

    mailroom.deliver(relay)

    first, second = (tokens_in(mail)[0] for mail in relay.mails["lan@reader.example"])
    assert first != second
    confirm(mailroom.deployment, second, now=mailroom.clock())


def test_a_new_address_that_does_not_exist_costs_nobody_their_subscription(mailroom: Mailroom) -> None:
    (reader,) = mailroom.subscribe(1)
    (number,) = mailroom.ids([reader])
    ask_new_address(mailroom.deployment, number, "gone@reader.example", now=mailroom.clock())
    relay = Relay(says=lambda recipient, time: refusal(550, "5.1.1 nobody"))

    mailroom.deliver(relay)

    assert list(relay.tries) == ["gone@reader.example"]
    with mailroom.deployment.database.reading() as connection:
        found = load_subscription(connection, number)
    assert found is not None
    assert (found.state, found.address, found.new_address) == (Subscribed.CONFIRMED, reader, None)


def test_a_sign_up_for_a_mailbox_that_does_not_exist_is_suppressed(mailroom: Mailroom) -> None:
    ask(mailroom, "gone@reader.example")

    mailroom.deliver(Relay(says=lambda recipient, time: refusal(550, "5.1.1 nobody")))
    ask(mailroom, "gone@reader.example")
    relay = Relay()
    mailroom.deliver(relay)

    assert relay.taken == []


# What a review found


def sweep_at_length(mailroom: Mailroom, relay: Relay) -> None:
    """Give whatever waits its time."""
    for _ in range(3):
        mailroom.clock.tick(hours=8)
        sweep(mailroom.deployment, now=mailroom.clock())
        mailroom.deliver(relay)


def test_a_refusal_that_comes_after_the_campaign_was_done_is_tried_again(mailroom: Mailroom) -> None:
    """Its lease ran out, its row was unknown and the campaign done; then the server said: later."""
    (reader,) = mailroom.subscribe(1)
    mailroom.announce()

    def think(recipient: str) -> None:
        if len(relay.tries) == 0:
            mailroom.clock.now += LEASE
            sweep(mailroom.deployment, now=mailroom.clock())
            assert mailroom.campaign().state is State.DONE

    relay = Relay(
        before=think, says=lambda recipient, time: refusal(450, "4.2.0 later") if time == 1 else ACCEPTED
    )
    mailroom.deliver(relay)
    sweep_at_length(mailroom, relay)

    assert relay.taken == [reader]
    assert mailroom.states() == {"accepted": 1}
    assert mailroom.campaign().state is State.DONE


def test_a_refusal_that_comes_after_the_withdrawal_leaves_nothing_open(mailroom: Mailroom) -> None:
    mailroom.subscribe(1)
    draft = mailroom.announce()
    relay = Relay(
        before=lambda recipient: mailroom.withdraw(draft),
        says=lambda recipient, time: refusal(450, "4.2.0 later"),
    )
    mailroom.deliver(relay)
    sweep_at_length(mailroom, Relay())

    assert mailroom.states() == {"cancelled": 1}


def test_a_relay_that_is_busy_before_the_recipient_fails_no_mail(mailroom: Mailroom) -> None:
    addresses = mailroom.subscribe(5)
    mailroom.announce()
    free: list[bool] = []
    busy = refusal(452, "4.3.1 busy", Stage.MAIL)
    relay = Relay(says=lambda recipient, time: ACCEPTED if free else busy)
    for _ in range(24 * 2):
        mailroom.deliver(relay)
        mailroom.clock.tick(minutes=30)

    assert 24 <= sum(relay.tries.values()) <= 24 * 2
    free.append(True)
    mailroom.deliver(relay)
    assert sorted(relay.taken) == sorted(addresses)


def test_one_refusal_and_a_database_that_is_away_pause_nothing(
    mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is settled three times, as the commit failed twice; it is one refusal all the same."""
    mailroom.subscribe(5)
    mailroom.announce()
    refused = refusal(554, "5.6.0 no", Stage.DOT)
    relay = Relay(says=lambda recipient, time: refused if sum(relay.tries.values()) == 1 else ACCEPTED)
    breaking(monkeypatch, when=lambda: bool(relay.tries), times=2)

    mailroom.deliver(relay)

    assert mailroom.campaign().state is not State.PAUSED
    assert mailroom.states() == {"accepted": 4, "pending": 1}


def breaking(
    monkeypatch: pytest.MonkeyPatch, *, when: Callable[[], bool], times: int, after: bool = False
) -> None:
    """Let commits of a worker fail: before they are done, or ``after``, when only the answer is lost."""
    whole = Kept.writing
    left = [times]

    @contextmanager
    def writing(kept: Kept) -> Iterator[Connection]:
        breaks = left[0] > 0 and when()
        left[0] -= breaks
        with whole(kept) as connection:
            yield connection
            if breaks and not after:
                raise StoreUnavailable("before the commit")
        if breaks:
            kept.close()
            raise StoreUnavailable("after the commit")

    monkeypatch.setattr(Kept, "writing", writing)


def test_a_commit_whose_answer_was_lost_costs_no_mail(
    mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = mailroom.subscribe(3)
    mailroom.announce()
    relay = Relay()
    breaking(monkeypatch, when=lambda: True, times=1, after=True)

    mailroom.deliver(relay)

    assert sorted(relay.taken) == sorted(addresses)
    assert mailroom.states() == {"accepted": 3}


def test_a_refusal_of_an_address_that_was_left_meanwhile_blames_not_the_new_one(mailroom: Mailroom) -> None:
    (reader,) = mailroom.subscribe(1)
    (number,) = mailroom.ids([reader])
    mailroom.announce()
    relay = Relay(
        before=lambda recipient: mailroom.change(
            [reader], address="new@reader.example", identity="new@reader.example"
        ),
        says=lambda recipient, time: refusal(550, "5.1.1 nobody"),
    )

    mailroom.deliver(relay)

    with mailroom.deployment.database.reading() as connection:
        found = load_subscription(connection, number)
    assert found is not None
    assert found.state is Subscribed.CONFIRMED


def test_a_row_that_cannot_be_written_costs_no_other(mailroom: Mailroom) -> None:
    first, *others = mailroom.subscribe(6)
    mailroom.change([first], address="no address at all")
    mailroom.announce()
    relay = Relay()

    mailroom.deliver(relay)

    assert sorted(relay.taken) == sorted(others)
    assert mailroom.states() == {"accepted": 5, "failed": 1}


def test_a_clock_that_was_weeks_ahead_holds_nothing_up_once_it_is_right(mailroom: Mailroom) -> None:
    addresses = mailroom.subscribe(3)
    mailroom.announce()
    mailroom.clock.tick(days=15)

    def die(recipient: str) -> None:
        raise Killed

    with pytest.raises(Killed):
        mailroom.deliver(Relay(before=die))
    mailroom.deliver(Relay(says=lambda recipient, time: DOWN))
    mailroom.clock.tick(days=-15)
    relay = Relay()

    sweep(mailroom.deployment, now=mailroom.clock())
    mailroom.deliver(relay)

    assert len(relay.taken) == 2
    assert mailroom.states() == {"accepted": 2, "unknown": 1}
    assert set(relay.taken) < set(addresses)


def test_many_mails_of_a_slow_domain_are_put_off_in_short_commits(mailroom: Mailroom) -> None:
    mailroom.subscribe(300, domain="slow.example")
    (other,) = mailroom.subscribe(1)
    mailroom.announce()
    relay = Relay(
        says=lambda recipient, time: ACCEPTED if recipient == other else refusal(451, "4.7.1 slowly")
    )

    mailroom.deliver(relay)

    assert relay.taken == [other]
    assert sum(relay.tries.values()) < 10
    assert mailroom.states() == {"accepted": 1, "pending": 300}


def test_a_late_joiner_does_not_make_the_next_campaign_look_slow(mailroom: Mailroom) -> None:
    mailroom.subscribe(200)
    mailroom.announce()
    relay = Relay(before=lambda recipient: mailroom.clock.tick(seconds=0.5))
    mailroom.deliver(relay)
    with mailroom.deployment.database.reading() as connection:
        before = measured_rate(connection)
    mailroom.clock.tick(days=10)
    (late,) = mailroom.subscribe(1, at=mailroom.clock())
    with mailroom.deployment.database.writing() as connection:
        join_campaigns(mailroom.deployment, connection, mailroom.ids([late])[0], now=mailroom.clock())
    mailroom.deliver(relay)

    with mailroom.deployment.database.reading() as connection:
        assert measured_rate(connection) == before
    assert relay.taken[-1] == late


def test_the_id_of_a_delivery_is_given_once(mailroom: Mailroom) -> None:
    """A mail that comes back late would be taken for another one's."""
    ask(mailroom, "lan@reader.example")
    (first,) = mailroom.rows()
    with mailroom.deployment.database.writing() as connection:
        connection.execute(delete(deliveries))
    ask(mailroom, "minh@reader.example")

    assert mailroom.rows()[0].id > first.id


def test_who_was_suppressed_by_mistake_and_came_back_is_told(mailroom: Mailroom) -> None:
    (reader,) = mailroom.subscribe(1)
    (number,) = mailroom.ids([reader])
    mailroom.announce()
    mailroom.deliver(Relay(), stop=lambda: True)
    prepare(mailroom.deployment, now=mailroom.clock)
    with mailroom.deployment.database.writing() as connection:
        leave_campaigns(connection, number, now=mailroom.clock(), event=Event.SUPPRESS, code="suppressed")
    assert mailroom.states() == {"suppressed": 1}
    with mailroom.deployment.database.writing() as connection:
        join_campaigns(mailroom.deployment, connection, number, now=mailroom.clock())
    relay = Relay()

    mailroom.deliver(relay)

    assert relay.taken == [reader]
