"""The owner of a mailbox sees, corrects, takes along and erases what is held, by a link of its mails."""

import json
import secrets
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import update

from consent_widget.core.errors import InputError, TooMany
from consent_widget.core.links import MANAGE, UNSUBSCRIBE
from consent_widget.core.subscription import Standing, State, Subscription
from consent_widget.services import self_service as service
from consent_widget.services import subscription as subscriptions
from consent_widget.services.sign_up import request_again, request_subscription
from consent_widget.services.suppression import suppress
from consent_widget.storage import subscription as storage
from consent_widget.storage.bounce import add_report
from consent_widget.storage.database import metadata
from tests.letterbox import Letterbox
from tests.mailroom import Mailroom

READER, NEW = "an@good.example", "binh@other.example"


@pytest.fixture
def box(mailroom: Mailroom) -> Letterbox:
    return Letterbox(mailroom.deployment)


def confirmed(mailroom: Mailroom, box: Letterbox, address: str = READER) -> Subscription:
    sign_up(mailroom, address)
    box.collect()
    confirm(mailroom, box, address)
    return load(mailroom, address)


def sign_up(mailroom: Mailroom, address: str) -> None:
    request_subscription(
        mailroom.deployment, address, "vi", network="", now=mailroom.clock(), salt=secrets.token_urlsafe(12)
    )


def confirm(mailroom: Mailroom, box: Letterbox, address: str) -> Standing:
    token = box.link(address, "confirm").rpartition("/")[2]
    found = subscriptions.confirm(mailroom.deployment, token, now=mailroom.clock())
    assert found is not None
    return found.standing


def load(mailroom: Mailroom, address: str) -> Subscription:
    found = find(mailroom, address)
    assert found is not None
    return found


def find(mailroom: Mailroom, address: str) -> Subscription | None:
    with mailroom.deployment.database.reading() as connection:
        return storage.find_by_identity(connection, address)


def manage(mailroom: Mailroom, one: Subscription) -> str:
    return mailroom.deployment.links.seal(MANAGE, one.id, one.salt)


def save(mailroom: Mailroom, one: Subscription, *, language: str | None = None, email: str = "") -> bool:
    return service.save(
        mailroom.deployment,
        manage(mailroom, one),
        language=language,
        email=email,
        network="192.0.2.1",
        now=mailroom.clock(),
    )


def test_the_language_of_the_mails_changes(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)

    assert save(mailroom, one, language="en")

    mailroom.announce()
    box.collect()
    assert box.mails(READER)[-1]["Content-Language"] == "en"


def test_a_new_mailbox_confirms_for_itself(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)

    save(mailroom, one, email="Binh@Other.Example")

    assert box.collect() == ["Binh@other.example"]
    assert load(mailroom, READER).new_address == "Binh@other.example"
    mailroom.announce()
    assert box.collect() == [READER], "until then the old one stays"
    assert confirm(mailroom, box, "Binh@other.example") is Standing.OPEN
    moved = load(mailroom, NEW)
    assert (moved.id, moved.address, moved.new_address) == (one.id, "Binh@other.example", None)
    assert moved.address_hash == mailroom.deployment.pseudonyms.of(NEW)
    assert find(mailroom, READER) is None
    assert box.collect() == [], "nobody is told twice"


def test_the_links_of_the_old_mailbox_go_on_working(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    old = manage(mailroom, one)
    save(mailroom, one, email=NEW)
    box.collect()
    confirm(mailroom, box, NEW)

    found = service.overview(mailroom.deployment, old)

    assert found is not None
    assert found.subscription.address == NEW


def test_a_newer_new_address_voids_the_older_link(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    save(mailroom, one, email=NEW)
    box.collect()
    save(mailroom, one, email="chi@other.example")
    box.collect()

    assert confirm(mailroom, box, NEW) is Standing.EXPIRED
    assert confirm(mailroom, box, "chi@other.example") is Standing.OPEN


def test_the_present_address_takes_a_new_one_back(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    save(mailroom, one, email=NEW)
    box.collect()

    save(mailroom, one, email=READER.upper())

    assert load(mailroom, READER).new_address is None
    assert confirm(mailroom, box, NEW) is Standing.EXPIRED


def test_leaving_takes_a_new_address_back(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    save(mailroom, one, email=NEW)
    box.collect()
    subscriptions.unsubscribe(
        mailroom.deployment,
        mailroom.deployment.links.seal(UNSUBSCRIBE, one.id, one.salt),
        now=mailroom.clock(),
    )

    assert confirm(mailroom, box, NEW) is Standing.EXPIRED
    assert load(mailroom, READER).state is State.UNSUBSCRIBED


def test_an_expired_link_of_a_new_mailbox_is_sent_again(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    save(mailroom, one, email=NEW)
    box.collect()
    expired = box.link(NEW, "confirm").rpartition("/")[2]
    mailroom.clock.tick(days=4)

    request_again(mailroom.deployment, expired, "vi", network="", now=mailroom.clock(), salt="salt")

    assert box.collect() == [NEW]
    assert confirm(mailroom, box, NEW) is Standing.OPEN


def test_a_mailbox_that_is_subscribed_itself_hears_just_that(mailroom: Mailroom, box: Letterbox) -> None:
    """The one who asks sees no difference; the mailbox keeps its own subscription and its own links."""
    one = confirmed(mailroom, box)
    other = confirmed(mailroom, box, NEW)

    assert save(mailroom, one, email=NEW)

    assert load(mailroom, READER).new_address == NEW
    assert box.collect() == [NEW]
    assert "/unsubscribe/" in box.link(NEW, "unsubscribe")
    assert load(mailroom, NEW) == other


def test_a_mailbox_that_left_comes_back_with_its_own_subscription(mailroom: Mailroom, box: Letterbox) -> None:
    """Its old mails hold links that must go on to stop what comes to it."""
    other = confirmed(mailroom, box, NEW)
    old_link = mailroom.deployment.links.seal(UNSUBSCRIBE, other.id, other.salt)
    subscriptions.unsubscribe(mailroom.deployment, old_link, now=mailroom.clock())
    one = confirmed(mailroom, box)
    save(mailroom, one, email=NEW)
    box.collect()

    assert confirm(mailroom, box, NEW) is Standing.OPEN

    assert load(mailroom, NEW).state is State.CONFIRMED
    assert load(mailroom, NEW).id == other.id
    assert load(mailroom, READER).state is State.UNSUBSCRIBED
    mailroom.announce()
    assert box.collect() == [NEW]
    left = subscriptions.unsubscribe(mailroom.deployment, old_link, now=mailroom.clock())
    assert left is not None
    assert left.state is State.UNSUBSCRIBED


def test_a_suppressed_new_mailbox_gets_nothing(mailroom: Mailroom, box: Letterbox) -> None:
    other = confirmed(mailroom, box, NEW)
    with mailroom.deployment.database.writing() as connection:
        suppress(mailroom.deployment, connection, other.id, reason="staff", now=mailroom.clock())
    one = confirmed(mailroom, box)

    assert save(mailroom, one, email=NEW)

    assert box.collect() == []


@pytest.mark.parametrize("known_by", ["its state", "its hash"])
def test_a_new_mailbox_that_was_suppressed_meanwhile_takes_nothing_from_the_present_one(
    mailroom: Mailroom, box: Letterbox, known_by: str
) -> None:
    """The letter went out before: whoever follows it must not lose what works for what does not."""
    other = confirmed(mailroom, box, NEW)
    link = mailroom.deployment.links.seal(UNSUBSCRIBE, other.id, other.salt)
    subscriptions.unsubscribe(mailroom.deployment, link, now=mailroom.clock())
    one = confirmed(mailroom, box)
    save(mailroom, one, email=NEW)
    box.collect()
    before = load(mailroom, READER)
    with mailroom.deployment.database.writing() as connection:
        suppress(mailroom.deployment, connection, other.id, reason="bounce", now=mailroom.clock())
        if known_by == "its hash":
            gone = metadata.tables["cw_subscription"]
            connection.execute(update(gone).where(gone.c.id == other.id).values(identity=None, address=None))
        else:  # of a key that was given up since
            connection.execute(metadata.tables["cw_suppression"].delete())

    assert confirm(mailroom, box, NEW) is Standing.EXPIRED

    assert load(mailroom, READER) == before
    mailroom.announce()
    assert box.collect() == [READER]


def test_a_new_mailbox_that_is_suppressed_at_the_same_instant(mailroom: Mailroom, box: Letterbox) -> None:
    """Whoever confirms waits for whoever suppresses, and then sees it."""
    other = confirmed(mailroom, box, NEW)
    link = mailroom.deployment.links.seal(UNSUBSCRIBE, other.id, other.salt)
    subscriptions.unsubscribe(mailroom.deployment, link, now=mailroom.clock())
    one = confirmed(mailroom, box)
    save(mailroom, one, email=NEW)
    box.collect()
    before = load(mailroom, READER)

    with ThreadPoolExecutor(1) as pool:
        with mailroom.deployment.database.writing() as connection:
            suppress(mailroom.deployment, connection, other.id, reason="staff", now=mailroom.clock())
            standing = pool.submit(confirm, mailroom, box, NEW)
            assert not wait([standing], timeout=0.3).done, "it waits"
        assert standing.result() is Standing.EXPIRED

    assert load(mailroom, READER) == before


def test_nobody_is_bombed_by_way_of_new_addresses(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    for number in range(8):
        save(mailroom, one, email=f"binh+{number}@other.example")
        box.collect()

    assert len([to for to in box.relay.taken if to != READER]) == 3


def test_a_network_asks_for_so_many_new_addresses(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    for number in range(20):
        save(mailroom, one, email=f"binh{number}@other.example")

    with pytest.raises(TooMany):
        save(mailroom, one, language="en", email=NEW)

    assert load(mailroom, READER).language == "vi"
    assert save(mailroom, one, language="en"), "the language is nobody's burden"


def test_a_wrong_address_changes_nothing(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)

    with pytest.raises(InputError):
        save(mailroom, one, language="en", email="binh@")

    assert load(mailroom, READER) == one


def test_the_export_holds_every_field(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    save(mailroom, one, email=NEW)
    mailroom.announce()
    box.collect()

    found = service.export(mailroom.deployment, manage(mailroom, one))

    assert found is not None
    held = set(Subscription.__dataclass_fields__) - {"id", "salt"}
    assert held <= set(found)
    assert (found["address"], found["new_address"], found["state"]) == (READER, NEW, "confirmed")
    assert [mail["kind"] for mail in found["mails"]] == ["confirm", "address", "change"]
    assert [told["version"] for told in found["told"]] == [2]
    assert [link["purpose"] for link in found["confirmations"]] == ["confirm", "address"]
    assert one.salt not in json.dumps(found)


def test_the_export_holds_the_reports_of_mails_that_came_back(mailroom: Mailroom, box: Letterbox) -> None:
    one, other = confirmed(mailroom, box), confirmed(mailroom, box, NEW)
    with mailroom.deployment.database.writing() as connection:
        for whose, code, raw in ((one, "5.1.1", None), (one, "", "unreadable"), (other, "4.2.2", None)):
            assert add_report(
                connection,
                delivery_id=None,
                subscription_id=whose.id,
                kind="hard",
                code=code,
                digest=secrets.token_hex(32),
                raw=raw,
                received_at=mailroom.clock(),
            )

    found = service.export(mailroom.deployment, manage(mailroom, one))

    assert found is not None
    assert [(report["code"], report["text"]) for report in found["reports"]] == [
        ("", "unreadable"),
        ("5.1.1", None),
    ]
    assert found["reports"][0]["received_at"] == mailroom.clock().isoformat(timespec="seconds")


def test_erasing_takes_the_address_out_and_stops_the_mails(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    mailroom.announce()

    assert service.forget(mailroom.deployment, manage(mailroom, one), now=mailroom.clock())

    assert find(mailroom, READER) is None
    assert box.collect() == []
    found = service.overview(mailroom.deployment, manage(mailroom, one))
    assert found is not None
    assert (found.subscription.address, found.subscription.erased_at) == (None, mailroom.clock())
    assert not save(mailroom, one, email=NEW)


@pytest.mark.parametrize("token", ["", "nobody", "WzEsIngiXQ.AAAA"])
def test_what_we_did_not_make_opens_nothing(mailroom: Mailroom, token: str) -> None:
    assert service.overview(mailroom.deployment, token) is None
    assert service.export(mailroom.deployment, token) is None
    assert not service.forget(mailroom.deployment, token, now=mailroom.clock())
    assert not service.save(
        mailroom.deployment, token, language="en", email="", network="", now=mailroom.clock()
    )


def test_only_a_confirmed_subscription_changes(mailroom: Mailroom, box: Letterbox) -> None:
    one = confirmed(mailroom, box)
    subscriptions.unsubscribe(
        mailroom.deployment, manage(mailroom, one), now=mailroom.clock(), purpose=MANAGE
    )
    left = load(mailroom, READER)

    assert not save(mailroom, one, language="en", email=NEW)

    assert load(mailroom, READER) == left
    assert box.collect() == []
