"""Who is told of a version: everybody confirmed, once, whatever happens while the rows are made."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from consent_widget.core import campaign as campaigns
from consent_widget.core.campaign import Kind, PauseReason, State
from consent_widget.core.delivery import State as Row
from consent_widget.core.errors import Conflict, InputError
from consent_widget.core.notice import ChangeClass
from consent_widget.services import audience, journal
from consent_widget.services.audience import join_campaigns, leave_campaigns, prepare
from consent_widget.services.progress import list_campaigns, progress_of
from tests.factories import NOW
from tests.mailroom import LOST, Mailroom, Relay


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven readers make three chunks."""
    monkeypatch.setattr(audience, "CHUNK", 3)


def prepared(mailroom: Mailroom) -> int:
    return prepare(mailroom.deployment, now=mailroom.clock)


def test_an_important_version_makes_a_campaign_in_the_same_commit(mailroom: Mailroom) -> None:
    draft = mailroom.announce()

    campaign = mailroom.campaign()
    assert (campaign.version_id, campaign.number, campaign.kind) == (draft.id, 2, Kind.CHANGE)
    assert (campaign.state, campaign.closes_at) == (State.RUNNING, draft.effective_at)
    assert campaign.mail_domain == "demo.example"


def test_nobody_is_told_of_an_editorial_version(mailroom: Mailroom) -> None:
    mailroom.subscribe(2)

    mailroom.announce(change_class=ChangeClass.EDITORIAL, reason="Chỉ sửa chữ")

    assert list_campaigns(mailroom.deployment) == []


def test_a_refused_announcement_makes_no_campaign(mailroom: Mailroom) -> None:
    with pytest.raises(InputError):
        mailroom.announce(effective_at=NOW + timedelta(days=3))

    assert list_campaigns(mailroom.deployment) == []


def test_everybody_confirmed_gets_one_row(mailroom: Mailroom) -> None:
    mailroom.subscribe(7)
    for state in ("pending", "unsubscribed", "suppressed"):
        mailroom.subscribe(1, state=state)
    mailroom.announce()

    assert prepared(mailroom) == 7
    assert prepared(mailroom) == 0
    campaign = mailroom.campaign()
    assert (campaign.candidates, campaign.excluded, campaign.prepared_at) == (7, 0, NOW)
    assert mailroom.states() == {"pending": 7}


def test_making_rows_goes_on_where_it_was_killed(mailroom: Mailroom) -> None:
    mailroom.subscribe(7)
    mailroom.announce()
    calls = iter([False, True, True, True])

    made = prepare(mailroom.deployment, now=mailroom.clock, stop=lambda: next(calls))

    assert made == 3
    assert mailroom.campaign().prepared_at is None
    assert prepared(mailroom) == 4
    assert mailroom.campaign().candidates == 7


def test_who_leaves_before_their_row_is_made_is_counted_as_excluded(mailroom: Mailroom) -> None:
    first, *_ = mailroom.subscribe(7)
    mailroom.announce()
    mailroom.change([first], state="unsubscribed", ended_at=NOW + timedelta(seconds=1))

    prepared(mailroom)

    campaign = mailroom.campaign()
    assert (campaign.candidates, campaign.excluded) == (7, 1)
    assert campaign.candidates == len(mailroom.rows()) + campaign.excluded


def test_who_confirms_afterwards_is_told_once_and_counted_apart(mailroom: Mailroom) -> None:
    mailroom.subscribe(2)
    mailroom.announce()
    prepared(mailroom)
    (late,) = mailroom.subscribe(1, at=mailroom.clock())
    for _ in range(2):
        with mailroom.deployment.database.writing() as connection:
            join_campaigns(mailroom.deployment, connection, mailroom.ids([late])[0], now=mailroom.clock())

    assert [one.late for one in mailroom.rows()] == [False, False, True]
    campaign = mailroom.campaign()
    assert campaign.candidates == 2


def test_a_late_joiner_reopens_a_campaign_that_was_done(mailroom: Mailroom) -> None:
    mailroom.subscribe(1)
    mailroom.announce()
    relay = Relay()
    mailroom.deliver(relay)
    assert mailroom.campaign().state is State.DONE
    (late,) = mailroom.subscribe(1, at=mailroom.clock())
    with mailroom.deployment.database.writing() as connection:
        join_campaigns(mailroom.deployment, connection, mailroom.ids([late])[0], now=mailroom.clock())

    assert mailroom.campaign().state is State.RUNNING
    mailroom.deliver(relay)
    assert relay.taken[-1] == late
    assert mailroom.campaign().state is State.DONE


def test_who_confirms_after_the_effective_date_is_not_told_any_more(mailroom: Mailroom) -> None:
    mailroom.announce()
    prepared(mailroom)
    mailroom.clock.tick(days=20)
    (late,) = mailroom.subscribe(1, at=mailroom.clock())
    with mailroom.deployment.database.writing() as connection:
        join_campaigns(mailroom.deployment, connection, mailroom.ids([late])[0], now=mailroom.clock())

    assert mailroom.rows() == []


def test_who_leaves_gets_nothing_and_who_comes_back_is_told_after_all(mailroom: Mailroom) -> None:
    (reader,) = mailroom.subscribe(1)
    (number,) = mailroom.ids([reader])
    mailroom.announce()
    prepared(mailroom)
    with mailroom.deployment.database.writing() as connection:
        leave_campaigns(connection, number, now=mailroom.clock())
    assert mailroom.states() == {"cancelled": 1}

    with mailroom.deployment.database.writing() as connection:
        join_campaigns(mailroom.deployment, connection, number, now=mailroom.clock())

    assert mailroom.states() == {"pending": 1}


def test_who_was_told_is_not_told_again_for_leaving_and_coming_back(mailroom: Mailroom) -> None:
    (reader,) = mailroom.subscribe(1)
    (number,) = mailroom.ids([reader])
    mailroom.announce()
    relay = Relay()
    mailroom.deliver(relay)
    with mailroom.deployment.database.writing() as connection:
        leave_campaigns(connection, number, now=mailroom.clock())
        join_campaigns(mailroom.deployment, connection, number, now=mailroom.clock())

    mailroom.deliver(relay)

    assert relay.taken == [reader]


# Withdrawal


def test_a_withdrawal_cancels_what_was_not_sent_and_corrects_exactly_what_was(mailroom: Mailroom) -> None:
    told = mailroom.subscribe(3)
    untold = mailroom.subscribe(3)
    draft = mailroom.announce()
    relay = Relay()
    mailroom.deliver(relay, limit=3)
    assert relay.taken == told

    mailroom.withdraw(draft)

    change, correction = reversed(list_campaigns(mailroom.deployment))
    assert change.state is State.WITHDRAWN
    counts = progress_of(mailroom.deployment, change.id, now=mailroom.clock()).counts
    assert counts[Row.CANCELLED] == len(untold)
    assert (correction.kind, correction.corrects) == (Kind.CORRECTION, change.id)
    mailroom.deliver(relay)
    assert relay.taken == told + told
    assert mailroom.campaign().state is State.DONE


def test_whose_mail_is_unknown_hears_of_the_correction_too(mailroom: Mailroom) -> None:
    (reader,) = mailroom.subscribe(1)
    draft = mailroom.announce()
    mailroom.deliver(Relay(says=lambda recipient, time: LOST))
    mailroom.withdraw(draft)
    relay = Relay()

    mailroom.deliver(relay)

    assert relay.taken == [reader]


def test_a_mail_on_its_way_while_its_version_is_withdrawn_is_corrected_once_it_is_known(
    mailroom: Mailroom,
) -> None:
    (reader,) = mailroom.subscribe(1)
    draft = mailroom.announce()
    relay = Relay(before=lambda recipient: mailroom.withdraw(draft) if not relay.taken else None)

    mailroom.deliver(relay)
    mailroom.deliver(relay)

    assert relay.taken == [reader, reader]
    assert [one.state for one in list_campaigns(mailroom.deployment)] == [State.DONE, State.WITHDRAWN]


def test_an_editorial_version_is_withdrawn_without_a_word(mailroom: Mailroom) -> None:
    draft = mailroom.announce(change_class=ChangeClass.EDITORIAL, reason="Chỉ sửa chữ")

    mailroom.withdraw(draft)

    assert list_campaigns(mailroom.deployment) == []


# The gate counts the sending time


def test_the_gate_counts_what_sending_takes(mailroom: Mailroom) -> None:
    mailroom.subscribe(1000)
    just_enough = NOW + timedelta(days=15)
    planned = timedelta(seconds=1000 / campaigns.PLANNED_RATE)

    with pytest.raises(InputError) as caught:
        mailroom.announce(effective_at=just_enough + planned - timedelta(seconds=1))

    assert caught.value.code == "too_early"
    mailroom.announce(effective_at=just_enough + planned)


def test_a_second_announcement_while_one_is_pending_makes_no_campaign(mailroom: Mailroom) -> None:
    mailroom.announce()

    with pytest.raises(Conflict):
        mailroom.announce("Lời khác")

    assert len(list_campaigns(mailroom.deployment)) == 1


def test_a_restored_database_sends_nothing_again_by_itself(
    mailroom: Mailroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal knows a campaign of this number that the database does not."""
    settings = replace(mailroom.deployment.settings, erasure_file=str(tmp_path / "journal"))
    monkeypatch.setattr(
        mailroom.app.extensions["consent_widget"],
        "deployment",
        replace(mailroom.deployment, settings=settings),
    )
    journal.note_sent(mailroom.deployment, audience.journal_name(2, Kind.CHANGE), 3)
    mailroom.subscribe(2)

    mailroom.announce()

    campaign = mailroom.campaign()
    assert (campaign.state, campaign.pause_reason) == (State.PAUSED, PauseReason.RESTORED)
    relay = Relay()
    mailroom.deliver(relay)
    assert relay.taken == []
