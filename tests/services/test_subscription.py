"""Signing up, confirming, leaving and coming back: one row for a mailbox, one answer for every address."""

import secrets
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from consent_widget.core.delivery import State as Row
from consent_widget.core.errors import InputError, StoreUnavailable, TooMany
from consent_widget.core.links import MANAGE, UNDO, UNSUBSCRIBE, Links
from consent_widget.core.subscription import Purpose, Standing, State, Subscription
from consent_widget.services import self_service
from consent_widget.services import subscription as service
from consent_widget.services.limits import PER_NETWORK
from consent_widget.services.sign_up import request_again, request_subscription
from consent_widget.services.suppression import suppress
from consent_widget.storage import letter
from consent_widget.storage import subscription as storage
from consent_widget.storage.subscription import links, subscriptions
from tests.factories import KEY, counted_statements
from tests.letterbox import Letterbox
from tests.mailroom import Mailroom

READER = "an@good.example"


@pytest.fixture
def box(mailroom: Mailroom) -> Letterbox:
    return Letterbox(mailroom.deployment)


def sign_up(
    mailroom: Mailroom, address: str = READER, *, language: str = "vi", network: str = "192.0.2.1"
) -> None:
    request_subscription(
        mailroom.deployment,
        address,
        language,
        network=network,
        now=mailroom.clock(),
        salt=secrets.token_urlsafe(12),
    )


def token_of(box: Letterbox, address: str = READER, page: str = "confirm") -> str:
    return box.link(address, page).rpartition("/")[2]


def confirmed(
    mailroom: Mailroom, box: Letterbox, address: str = READER, *, language: str = "vi"
) -> Subscription:
    """Somebody who signed up and pressed the button in the letter."""
    sign_up(mailroom, address, language=language)
    assert box.collect() == [address]
    found = service.confirm(mailroom.deployment, token_of(box, address), now=mailroom.clock())
    assert found is not None
    assert found.standing is Standing.OPEN
    return load(mailroom, address)


def load(mailroom: Mailroom, address: str = READER) -> Subscription:
    with mailroom.deployment.database.reading() as connection:
        found = storage.find_by_identity(connection, address.lower())
    assert found is not None
    return found


def manage(mailroom: Mailroom, one: Subscription, purpose: str = MANAGE) -> str:
    return mailroom.deployment.links.seal(purpose, one.id, one.salt)


def count_rows(mailroom: Mailroom) -> int:
    with mailroom.deployment.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(subscriptions)).scalar_one())


def test_a_sign_up_waits_for_the_mailbox_to_confirm(mailroom: Mailroom, box: Letterbox) -> None:
    sign_up(mailroom, "An@Good.Example")

    waiting = load(mailroom)
    assert (waiting.address, waiting.state, waiting.language) == ("An@good.example", State.PENDING, "vi")
    assert box.collect() == ["An@good.example"]
    mailroom.clock.tick(hours=1)
    found = service.confirm(mailroom.deployment, token_of(box, "An@good.example"), now=mailroom.clock())
    assert found is not None
    assert (load(mailroom).state, load(mailroom).confirmed_at) == (State.CONFIRMED, mailroom.clock())


def test_the_link_stands_in_the_mail_alone(mailroom: Mailroom, box: Letterbox) -> None:
    sign_up(mailroom)
    box.collect()
    token = token_of(box)

    with mailroom.deployment.database.reading() as connection:
        stored = [str(row) for row in connection.execute(select(links))]

    assert len(stored) == 1
    assert token not in stored[0]


def test_one_mailbox_has_one_subscription_however_it_is_spelled(mailroom: Mailroom, box: Letterbox) -> None:
    for spelled in ("An@Good.Example", "an@good.example", " AN@GOOD.example "):
        sign_up(mailroom, spelled)

    assert count_rows(mailroom) == 1
    assert len(box.collect()) == 1


def test_a_new_sign_up_voids_the_older_link(mailroom: Mailroom, box: Letterbox) -> None:
    sign_up(mailroom)
    box.collect()
    older = token_of(box)
    sign_up(mailroom)
    box.collect()

    found = service.confirm(mailroom.deployment, older, now=mailroom.clock())

    assert found is not None
    assert found.standing is Standing.EXPIRED
    assert load(mailroom).state is State.PENDING
    newer = service.confirm(mailroom.deployment, token_of(box), now=mailroom.clock())
    assert newer is not None
    assert newer.standing is Standing.OPEN


def test_a_sign_up_that_gets_no_letter_leaves_the_link_of_the_last_one(
    mailroom: Mailroom, box: Letterbox
) -> None:
    """Else anybody could keep somebody else from ever confirming."""
    for _ in range(3):
        sign_up(mailroom)
        box.collect()

    sign_up(mailroom)

    assert box.collect() == []
    found = service.confirm(mailroom.deployment, token_of(box), now=mailroom.clock())
    assert found is not None
    assert found.standing is Standing.OPEN


def test_a_link_that_expired_is_sent_again(mailroom: Mailroom, box: Letterbox) -> None:
    sign_up(mailroom)
    box.collect()
    expired = token_of(box)
    mailroom.clock.tick(hours=72)
    found = service.confirm(mailroom.deployment, expired, now=mailroom.clock())
    assert found is not None
    assert found.standing is Standing.EXPIRED

    again(mailroom, expired)

    assert box.collect() == [READER]
    assert token_of(box) != expired
    assert service.confirm(mailroom.deployment, token_of(box), now=mailroom.clock()) is not None
    assert load(mailroom).state is State.CONFIRMED


def again(mailroom: Mailroom, token: str) -> None:
    request_again(
        mailroom.deployment, token, "vi", network="192.0.2.1", now=mailroom.clock(), salt="another salt"
    )


def test_a_letter_that_was_not_sent_yet_is_replaced(mailroom: Mailroom, box: Letterbox) -> None:
    sign_up(mailroom, language="vi")
    sign_up(mailroom, language="en")

    assert box.collect() == [READER]
    assert box.mails(READER)[0]["Content-Language"] == "en"


def test_confirming_twice_changes_nothing(mailroom: Mailroom, box: Letterbox) -> None:
    confirmed(mailroom, box)
    before = load(mailroom)
    mailroom.clock.tick(days=1)

    for _ in range(3):
        found = service.confirm(mailroom.deployment, token_of(box), now=mailroom.clock())
        assert found is not None
        assert found.standing is Standing.USED

    assert load(mailroom) == before
    assert box.collect() == []


def test_who_confirms_hears_of_what_is_announced_already(mailroom: Mailroom, box: Letterbox) -> None:
    mailroom.announce()

    confirmed(mailroom, box)

    assert box.collect() == [READER]
    (told,) = self_service_told(mailroom)
    assert told.number == 2


def self_service_told(mailroom: Mailroom) -> list[letter.Told]:
    with mailroom.deployment.database.reading() as connection:
        return letter.told(connection, load(mailroom).id)


def test_who_is_subscribed_hears_so_once_a_day(mailroom: Mailroom, box: Letterbox) -> None:
    confirmed(mailroom, box, language="vi")
    mailroom.clock.tick(days=2)
    for _ in range(2):
        sign_up(mailroom, language="en")
        assert box.collect() in ([READER], [])
    assert len(box.mails(READER)) == 2
    mailroom.clock.tick(days=1, seconds=1)

    sign_up(mailroom)

    assert box.collect() == [READER]
    assert load(mailroom).language == "vi"
    assert load(mailroom).state is State.CONFIRMED


def test_at_most_three_letters_a_day_reach_a_mailbox(mailroom: Mailroom, box: Letterbox) -> None:
    spelled = [
        "an@good.example",
        "AN@good.example",
        "a.n@good.example",
        "an+1@good.example",
        "a.n+2@good.example",
    ]
    for number, address in enumerate(spelled * 3):
        sign_up(mailroom, address, network=f"192.0.2.{number}")
        box.collect()

    assert len(box.relay.taken) == 3
    mailroom.clock.tick(days=1)
    sign_up(mailroom)
    assert box.collect() == [READER]


def test_over_the_limit_nothing_changes(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    service.unsubscribe(mailroom.deployment, manage(mailroom, one, UNSUBSCRIBE), now=mailroom.clock())
    for number in range(4):
        sign_up(mailroom, "a.n@good.example", network=f"192.0.2.{number}")

    sign_up(mailroom)

    assert load(mailroom).state is State.UNSUBSCRIBED


def test_to_a_suppressed_mailbox_nothing_is_sent(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    with mailroom.deployment.database.writing() as connection:
        suppress(mailroom.deployment, connection, one.id, reason="staff", now=mailroom.clock())

    sign_up(mailroom)

    assert box.collect() == []
    assert load(mailroom).state is State.SUPPRESSED


def test_a_suppression_outlives_an_erasure(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    with mailroom.deployment.database.writing() as connection:
        suppress(mailroom.deployment, connection, one.id, reason="staff", now=mailroom.clock())
    self_service.forget(mailroom.deployment, manage(mailroom, one), now=mailroom.clock())

    sign_up(mailroom)

    assert box.collect() == []


@pytest.mark.parametrize("typed", ["", "an", "an@localhost", "an@good.example\nBcc: b@evil.example"])
def test_what_is_no_address_is_refused(mailroom: Mailroom, typed: str) -> None:
    with pytest.raises(InputError):
        sign_up(mailroom, typed)

    assert count_rows(mailroom) == 0


def test_a_network_asks_twenty_times_an_hour(mailroom: Mailroom) -> None:
    for number in range(PER_NETWORK.amount):
        sign_up(mailroom, f"reader{number}@good.example")

    with pytest.raises(TooMany) as caught:
        sign_up(mailroom, "one.more@good.example")

    assert caught.value.retry_after == 3600
    assert count_rows(mailroom) == PER_NETWORK.amount
    sign_up(mailroom, "elsewhere@good.example", network="192.0.2.2")
    mailroom.clock.tick(hours=1)
    sign_up(mailroom, "one.more@good.example")
    assert count_rows(mailroom) == PER_NETWORK.amount + 2


def test_without_a_network_there_is_no_limit_by_network(mailroom: Mailroom) -> None:
    """Behind a socket of the system nobody's address is known: all would share one count."""
    for number in range(PER_NETWORK.amount + 1):
        sign_up(mailroom, f"reader{number}@good.example", network="")

    assert count_rows(mailroom) == PER_NETWORK.amount + 1


def test_the_same_statements_run_for_every_address(mailroom: Mailroom, box: Letterbox) -> None:
    """So that the time of the answer does not tell who is subscribed."""
    confirmed(mailroom, box, "confirmed@good.example")
    left = confirmed(mailroom, box, "left@good.example")
    service.unsubscribe(mailroom.deployment, manage(mailroom, left, UNSUBSCRIBE), now=mailroom.clock())
    stopped = confirmed(mailroom, box, "stopped@good.example")
    with mailroom.deployment.database.writing() as connection:
        suppress(mailroom.deployment, connection, stopped.id, reason="staff", now=mailroom.clock())
    sign_up(mailroom, "pending@good.example")
    for _ in range(4):
        sign_up(mailroom, "often@good.example")
    mailroom.clock.tick(days=2)
    for _ in range(4):
        sign_up(mailroom, "often@good.example", network="192.0.2.9")

    ran = {}
    for name in ("new", "pending", "confirmed", "left", "stopped", "often"):
        with counted_statements(mailroom.deployment.database.engine) as statements:
            sign_up(mailroom, f"{name}@good.example", network="192.0.2.7")
        ran[name] = [one.split()[0] for one in statements if "cw_count" not in one]

    assert all(one == ran["new"] for one in ran.values()), ran


def test_leaving_holds_at_once(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    mailroom.announce()
    mailroom.clock.tick(minutes=1)

    left = service.unsubscribe(mailroom.deployment, manage(mailroom, one, UNSUBSCRIBE), now=mailroom.clock())

    assert left is not None
    assert (left.state, left.reason, left.ended_at) == (State.UNSUBSCRIBED, "one_click", mailroom.clock())
    assert box.collect() == []


def test_leaving_twice_is_no_error_and_keeps_the_first_time(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    token = manage(mailroom, one, UNSUBSCRIBE)
    first = service.unsubscribe(mailroom.deployment, token, now=mailroom.clock())
    mailroom.clock.tick(days=1)

    assert service.unsubscribe(mailroom.deployment, token, now=mailroom.clock()) == first


@pytest.mark.parametrize("purpose", [MANAGE, UNDO, "confirm"])
def test_a_link_for_something_else_unsubscribes_nobody(
    mailroom: Mailroom, box: Letterbox, purpose: str
) -> None:
    one = confirmed(mailroom, box)

    assert (
        service.unsubscribe(mailroom.deployment, manage(mailroom, one, purpose), now=mailroom.clock()) is None
    )
    assert load(mailroom).state is State.CONFIRMED


def test_a_link_of_another_site_with_our_key_opens_nothing(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    foreign = mailroom.deployment.links.seal(UNSUBSCRIBE, one.id, "another salt")

    assert service.unsubscribe(mailroom.deployment, foreign, now=mailroom.clock()) is None
    assert load(mailroom).state is State.CONFIRMED


def test_an_old_confirm_link_brings_nobody_back(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    token = token_of(box)
    service.unsubscribe(mailroom.deployment, manage(mailroom, one, UNSUBSCRIBE), now=mailroom.clock())

    found = service.confirm(mailroom.deployment, token, now=mailroom.clock())

    assert found is not None
    assert found.standing is Standing.LEFT
    assert load(mailroom).state is State.UNSUBSCRIBED


def test_leaving_voids_a_link_that_was_not_used(mailroom: Mailroom, box: Letterbox) -> None:
    """Confirm and leave may cross: whoever leaves has left."""
    sign_up(mailroom)
    box.collect()
    service.unsubscribe(
        mailroom.deployment, manage(mailroom, load(mailroom), UNSUBSCRIBE), now=mailroom.clock()
    )

    found = service.confirm(mailroom.deployment, token_of(box), now=mailroom.clock())

    assert found is not None
    assert found.standing is Standing.EXPIRED
    assert load(mailroom).state is State.UNSUBSCRIBED


def test_leaving_can_be_undone(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    mailroom.announce()
    service.unsubscribe(mailroom.deployment, manage(mailroom, one, UNSUBSCRIBE), now=mailroom.clock())

    back = service.undo(mailroom.deployment, manage(mailroom, one, UNDO), now=mailroom.clock())

    assert back is not None
    assert (back.state, back.ended_at, back.reason) == (State.CONFIRMED, None, "")
    assert back.confirmed_at == one.confirmed_at
    assert box.collect() == [READER], "it hears of what was announced, once"


def test_a_stranger_who_signs_the_mailbox_up_does_not_keep_it_from_undoing(
    mailroom: Mailroom, box: Letterbox
) -> None:
    one = confirmed(mailroom, box)
    service.unsubscribe(mailroom.deployment, manage(mailroom, one, UNSUBSCRIBE), now=mailroom.clock())
    sign_up(mailroom)
    assert load(mailroom).state is State.PENDING

    back = service.undo(mailroom.deployment, manage(mailroom, one, UNDO), now=mailroom.clock())

    assert back is not None
    assert back.state is State.CONFIRMED
    assert box.collect() == [], "the letter that asks to confirm is of no use any more"


def test_what_was_never_confirmed_is_not_undone(mailroom: Mailroom) -> None:
    sign_up(mailroom)
    one = load(mailroom)
    service.unsubscribe(mailroom.deployment, manage(mailroom, one, UNSUBSCRIBE), now=mailroom.clock())

    found = service.undo(mailroom.deployment, manage(mailroom, one, UNDO), now=mailroom.clock())

    assert found is not None
    assert found.state is State.UNSUBSCRIBED


def test_a_suppressed_mailbox_is_not_taken_back(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    with mailroom.deployment.database.writing() as connection:
        suppress(mailroom.deployment, connection, one.id, reason="bounce", now=mailroom.clock())
    service.unsubscribe(mailroom.deployment, manage(mailroom, one, UNSUBSCRIBE), now=mailroom.clock())

    found = service.undo(mailroom.deployment, manage(mailroom, one, UNDO), now=mailroom.clock())

    assert found is not None
    assert found.state is not State.CONFIRMED


def test_signing_up_anew_after_leaving(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    service.unsubscribe(mailroom.deployment, manage(mailroom, one, UNSUBSCRIBE), now=mailroom.clock())

    again_confirmed = confirmed(mailroom, box)

    assert again_confirmed.id == one.id
    assert (again_confirmed.ended_at, again_confirmed.reason) == (None, "")


def test_a_link_that_does_not_expire_outlives_the_key(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    old = manage(mailroom, one, UNSUBSCRIBE)
    mailroom.clock.tick(days=3650)
    newer = replace(
        mailroom.deployment,
        links=Links(["a newer key of thirty-two bytes or more", KEY]),
    )

    left = service.unsubscribe(newer, old, now=mailroom.clock())

    assert left is not None
    assert left.state is State.UNSUBSCRIBED


def test_make_link_makes_the_older_ones_expire(mailroom: Mailroom) -> None:
    sign_up(mailroom)
    one = load(mailroom)
    tokens = [secrets.token_urlsafe(32) for _ in range(2)]
    for token in tokens:
        with mailroom.deployment.database.writing() as connection:
            service.make_link(
                connection, subscription_id=one.id, purpose="confirm", token=token, now=mailroom.clock()
            )

    standings = []
    for token in tokens:
        found = service.look_up(mailroom.deployment, token, now=mailroom.clock() + timedelta(hours=71))
        assert found is not None
        assert found.link.purpose is Purpose.CONFIRM
        standings.append(found.standing)

    assert standings == [Standing.EXPIRED, Standing.OPEN]


def test_without_the_database_nothing_is_confirmed(mailroom: Mailroom, box: Letterbox) -> None:
    sign_up(mailroom)
    box.collect()
    with mailroom.deployment.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE cw_subscription_link RENAME TO elsewhere")

    with pytest.raises(StoreUnavailable):
        service.confirm(mailroom.deployment, token_of(box), now=mailroom.clock())

    assert load(mailroom).state is State.PENDING
    assert mailroom.rows(Row.PENDING) == []
