"""Rows of subscriptions, their links and letters come back as they were written, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from consent_widget.core.delivery import Kind
from consent_widget.core.delivery import State as Row
from consent_widget.core.subscription import Link, Purpose, State, Subscription
from consent_widget.storage import letter
from consent_widget.storage import subscription as storage
from consent_widget.storage.campaign import campaigns
from consent_widget.storage.database import Database
from consent_widget.storage.delivery import deliveries
from tests.factories import NOW, announce

HASH = "h" * 64


def add(database: Database, identity: str = "an@good.example", **values: object) -> bool:
    row = {
        "address": identity,
        "address_hash": HASH,
        "domain": "good.example",
        "language": "vi",
        "state": State.PENDING,
        "salt": "salt",
        "created_at": NOW,
        "requested_at": NOW,
    }
    with database.writing() as connection:
        return storage.add_subscription(connection, identity=identity, **row | values)


def load(database: Database, identity: str = "an@good.example") -> Subscription:
    with database.reading() as connection:
        found = storage.find_by_identity(connection, identity)
    assert found is not None
    return found


def test_a_row_comes_back_as_it_was_written(database: Database) -> None:
    assert add(database)

    found = load(database)

    assert found == Subscription(
        id=found.id,
        address="an@good.example",
        address_hash=HASH,
        language="vi",
        state=State.PENDING,
        salt="salt",
        created_at=NOW,
        requested_at=NOW,
    )
    with database.writing() as connection:
        assert storage.load_subscription(connection, found.id, lock=True) == found
        assert storage.load_subscription(connection, found.id + 1) is None


def test_a_mailbox_has_one_row(database: Database) -> None:
    add(database)
    before = load(database)

    assert not add(database, language="en", salt="another")

    assert load(database) == before


def test_rows_that_were_erased_do_not_meet(database: Database) -> None:
    for identity in ("a@good.example", "b@good.example"):
        add(database, identity)
        one = load(database, identity)
        with database.writing() as connection:
            storage.change_subscription(connection, one.id, identity=None, address=None)

    with database.reading() as connection:
        kept = connection.execute(select(storage.subscriptions.c.address_hash)).scalars().all()
        assert kept == [HASH, HASH]
        assert storage.count_subscriptions(connection) == {}


def test_subscriptions_are_counted_by_state(database: Database) -> None:
    add(database, "a@good.example")
    add(database, "b@good.example", state=State.CONFIRMED)
    add(database, "c@good.example", state=State.CONFIRMED)

    with database.reading() as connection:
        assert storage.count_subscriptions(connection) == {State.PENDING: 1, State.CONFIRMED: 2}


@pytest.fixture
def link(database: Database) -> Link:
    add(database)
    made = Link(
        subscription_id=load(database).id,
        purpose=Purpose.CONFIRM,
        address=None,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=72),
    )
    with database.writing() as connection:
        storage.add_link(connection, "1" * 64, made)
    return made


def test_a_link_is_found_by_its_hash_and_used(database: Database, link: Link) -> None:
    with database.writing() as connection:
        assert storage.find_link(connection, "1" * 64) == link
        assert storage.find_link(connection, "2" * 64) is None
        storage.use_link(connection, "1" * 64, now=NOW)
        (found,) = storage.links_of(connection, link.subscription_id)

    assert found.used_at == NOW


def test_links_are_voided_by_purpose_and_those_that_were_used_stay(database: Database, link: Link) -> None:
    with database.writing() as connection:
        storage.void_links(connection, link.subscription_id, Purpose.ADDRESS, now=NOW)
        assert storage.find_link(connection, "1" * 64) == link
        storage.void_links(connection, link.subscription_id, now=NOW)
        voided = storage.find_link(connection, "1" * 64)
        assert voided is not None
        assert voided.expires_at == NOW
        storage.add_link(connection, "2" * 64, link)
        storage.use_link(connection, "2" * 64, now=NOW)
        storage.void_links(connection, link.subscription_id, now=NOW)
        used = storage.find_link(connection, "2" * 64)
        assert used is not None
        assert used.expires_at == link.expires_at
        storage.delete_links(connection, link.subscription_id)
        assert storage.links_of(connection, link.subscription_id) == []


def test_a_mailbox_is_suppressed_under_any_of_its_hashes_until_released(database: Database) -> None:
    with database.writing() as connection:
        storage.suppress(connection, HASH, reason="bounce", now=NOW)
        storage.suppress(connection, HASH, reason="staff", now=NOW)

        assert storage.suppressed_for(connection, ["x" * 64, HASH]) == "bounce"
        assert storage.suppressed_for(connection, ["x" * 64]) is None
        storage.release(connection, ["x" * 64, HASH])
        assert storage.suppressed_for(connection, [HASH]) is None


def renew(database: Database, kind: Kind = Kind.CONFIRM, *, is_sent: bool = True) -> None:
    with database.writing() as connection:
        letter.renew_letter(
            connection, 1, kind, language="vi", domain="good.example", is_sent=is_sent, now=NOW
        )


def letters(database: Database) -> list[tuple[str, str]]:
    with database.reading() as connection:
        rows = connection.execute(select(deliveries).order_by(deliveries.c.id))
        return [(row.kind, row.state) for row in rows]


def test_a_letter_takes_the_place_of_the_one_that_waits(database: Database) -> None:
    renew(database)
    renew(database, Kind.KNOWN)
    renew(database)

    assert letters(database) == [("known", "pending"), ("confirm", "pending")]


def test_a_letter_that_is_not_sent_leaves_the_one_that_waits(database: Database) -> None:
    renew(database)
    for _ in range(3):
        renew(database, is_sent=False)

    assert letters(database) == [("confirm", "pending"), ("confirm", "cancelled")]


def test_a_letter_on_its_way_is_left_alone(database: Database) -> None:
    renew(database)
    with database.writing() as connection:
        connection.execute(deliveries.update().values(state=Row.SENDING))

    renew(database)

    assert letters(database) == [("confirm", "sending"), ("confirm", "pending")]


def test_what_was_not_sent_was_not_written(database: Database) -> None:
    renew(database, Kind.KNOWN, is_sent=False)
    ago = NOW - timedelta(days=1)
    with database.reading() as connection:
        assert not letter.wrote_since(connection, 1, Kind.KNOWN, since=ago)
    renew(database, Kind.KNOWN)

    with database.reading() as connection:
        assert letter.wrote_since(connection, 1, Kind.KNOWN, since=ago)
        assert not letter.wrote_since(connection, 1, Kind.KNOWN, since=NOW)
        assert not letter.wrote_since(connection, 1, Kind.CONFIRM, since=ago)
        assert not letter.wrote_since(connection, 2, Kind.KNOWN, since=ago)
        assert [one.kind for one in letter.mails_of(connection, 1)] == [Kind.KNOWN]
        assert letter.told(connection, 1) == []


def test_only_accepted_mails_of_campaigns_tell_of_a_version(database: Database) -> None:
    announce(database, 1)
    with database.writing() as connection:
        connection.execute(
            insert(campaigns).values(
                id=1,
                version_id=1,
                number=1,
                kind="change",
                state="running",
                policy="hold",
                secret="s",
                mail_domain="d",
                created_at=NOW,
                closes_at=NOW,
                audience_to=1,
                cursor=0,
                candidates=1,
                excluded=0,
                claims=0,
            )
        )
        for number, state in enumerate((Row.ACCEPTED, Row.UNKNOWN, Row.FAILED), start=1):
            connection.execute(
                insert(deliveries).values(
                    campaign_id=1,
                    subscription_id=number,
                    kind="change",
                    language="vi",
                    domain="good.example",
                    state=state,
                    late=False,
                    attempts=1,
                    at=NOW,
                    created_at=NOW,
                )
            )

        told = [letter.told(connection, number) for number in (1, 2, 3)]

    assert told == [[letter.Told(number=1, kind=Kind.CHANGE, at=NOW)], [], []]
