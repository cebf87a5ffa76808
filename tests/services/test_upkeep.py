"""What is done once at the effective date, and what a sweep mends."""

from dataclasses import replace

from consent_widget.core.campaign import State
from consent_widget.core.ledger_key import LogKey
from consent_widget.services.audit import all_acts
from consent_widget.services.progress import progress_of
from consent_widget.services.upkeep import sweep
from tests.mailroom import LOST, Mailroom, Relay, refusal


def closings(mailroom: Mailroom) -> list[dict[str, object]]:
    return [
        dict(act.body)
        for act in all_acts(mailroom.deployment.database)
        if act.body["action"] == "close_campaign"
    ]


def test_at_the_effective_date_the_ledger_keeps_how_many_were_told_in_time(mailroom: Mailroom) -> None:
    addresses = mailroom.subscribe(4)
    mailroom.announce()
    bad = {addresses[0]: refusal(552, "5.2.2 full"), addresses[1]: LOST}
    mailroom.deliver(Relay(says=lambda recipient, time: bad.get(recipient, refusal(250, "2.0.0 ok"))))
    mailroom.deliver(Relay())
    sweep(mailroom.deployment, now=mailroom.clock())
    assert closings(mailroom) == []

    mailroom.clock.tick(days=20)
    sweep(mailroom.deployment, now=mailroom.clock())
    sweep(mailroom.deployment, now=mailroom.clock())

    (closing,) = closings(mailroom)
    campaign = mailroom.campaign()
    counts = progress_of(mailroom.deployment, campaign.id, now=mailroom.clock()).counts
    assert closing["rows"] == counts.rows == 4
    assert closing["told"] == campaign.told_in_time
    assert closing["missed"] == 4 - int(str(closing["told"]))
    assert closing["staff"] == "system"


def test_a_mail_accepted_after_the_effective_date_was_not_in_time(mailroom: Mailroom) -> None:
    mailroom.subscribe(2)
    mailroom.announce()
    mailroom.deliver(Relay(), limit=1)
    mailroom.clock.tick(days=21)
    mailroom.deliver(Relay())

    sweep(mailroom.deployment, now=mailroom.clock())

    (closing,) = closings(mailroom)
    assert (closing["told"], closing["missed"]) == (1, 1)


def test_a_campaign_without_rows_is_done(mailroom: Mailroom) -> None:
    mailroom.announce()
    mailroom.deliver(Relay())

    assert mailroom.campaign().state is State.DONE


def test_a_withdrawn_version_is_not_closed(mailroom: Mailroom) -> None:
    mailroom.subscribe(1)
    draft = mailroom.announce()
    mailroom.withdraw(draft)
    mailroom.clock.tick(days=21)

    sweep(mailroom.deployment, now=mailroom.clock())

    assert closings(mailroom) == []


def alarms(mailroom: Mailroom) -> list[str]:
    """The codes of the alarms from here on."""
    heard: list[str] = []
    installed = mailroom.app.extensions["consent_widget"]
    installed.deployment = replace(
        installed.deployment, alarm=lambda code, details: heard.append(f"{code} {details['told']}")
    )
    return heard


def test_staff_hear_once_that_the_date_is_near_and_somebody_was_not_told(mailroom: Mailroom) -> None:
    mailroom.subscribe(3)
    mailroom.announce()
    mailroom.deliver(Relay(), limit=1)
    heard = alarms(mailroom)
    sweep(mailroom.deployment, now=mailroom.clock())
    assert heard == []

    mailroom.clock.tick(days=18)
    for _ in range(2):
        sweep(mailroom.deployment, now=mailroom.clock())
        mailroom.clock.tick(hours=1)

    assert heard == ["not_told_yet 1"]
    mailroom.clock.tick(days=2)
    sweep(mailroom.deployment, now=mailroom.clock())
    assert heard == ["not_told_yet 1", "not_told_in_time 1"]


def test_nobody_is_alarmed_where_everybody_was_told(mailroom: Mailroom) -> None:
    mailroom.subscribe(3)
    mailroom.announce()
    mailroom.deliver(Relay())
    heard = alarms(mailroom)
    for _ in range(2):
        mailroom.clock.tick(days=18)
        sweep(mailroom.deployment, now=mailroom.clock())

    assert heard == []


def test_a_ledger_that_was_altered_keeps_no_mail_from_being_settled(mailroom: Mailroom) -> None:
    """The campaign pauses by itself although the ledger takes no entry."""
    mailroom.subscribe(3)
    mailroom.announce()
    installed = mailroom.app.extensions["consent_widget"]
    foreign = (LogKey.derived("a key that never signed this ledger, forty-two"),)
    installed.deployment = replace(installed.deployment, log_keys=foreign)

    mailroom.deliver(Relay(says=lambda recipient, time: refusal(550, "5.7.1 no")))

    assert mailroom.campaign().state is State.PAUSED
    assert mailroom.states() == {"pending": 3}
