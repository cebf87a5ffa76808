"""An erased person is in no table any more; a keyed hash stays, so that what was proved stays proved."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from consent_widget.core.errors import JournalUnavailable, LedgerError
from consent_widget.core.pseudonym import Pseudonyms
from consent_widget.core.staff import COMMAND_LINE
from consent_widget.core.subscription import State, Subscription
from consent_widget.services import erasure
from consent_widget.services.audience import prepare
from consent_widget.services.audit import list_acts
from consent_widget.services.erasure import Forgotten, find, forget, scrub
from consent_widget.services.setup import upgrade_database
from consent_widget.storage.database import metadata
from consent_widget.storage.delivery import bounces
from consent_widget.storage.erasure import unscrubbed
from consent_widget.storage.subscription import links, load_subscription, subscriptions
from tests import factories
from tests.conftest import MakeApp
from tests.factories import NOW
from tests.mailroom import MAIL, Mailroom, Relay

CANARY = "Canary-7f3a@good.example"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "erasures.jsonl"


@pytest.fixture
def mailroom(make_app: MakeApp, database_url: str, clock: factories.Clock, journal: Path) -> Mailroom:
    """As everywhere, with a journal."""
    return make_mailroom(make_app, database_url, clock, journal)


def make_mailroom(
    make_app: MakeApp, url: str, clock: factories.Clock, journal: Path, **config: Any
) -> Mailroom:
    settings = MAIL | {"CONSENT_WIDGET_ERASURE_FILE": str(journal)} | config
    app = make_app(database_url=url, config=settings)
    found = factories.deployment(app).database
    upgrade_database(found)
    factories.import_first(found)
    return Mailroom(app, clock)


def add_canary(mailroom: Mailroom, **values: Any) -> int:
    row = mailroom._row(CANARY, "vi", "confirmed", NOW - timedelta(days=1)) | {"salt": "random"}
    with mailroom.deployment.database.writing() as connection:
        made = connection.execute(insert(subscriptions).values(**row | values))
        return int(made.inserted_primary_key[0])  # type: ignore[index]


def erase(mailroom: Mailroom, subscription_id: int) -> bool:
    with mailroom.deployment.database.writing() as connection:
        return erasure.erase(mailroom.deployment, connection, subscription_id, now=mailroom.clock())


def load(mailroom: Mailroom, subscription_id: int) -> Subscription:
    with mailroom.deployment.database.reading() as connection:
        found = load_subscription(connection, subscription_id)
    assert found is not None
    return found


def everything(mailroom: Mailroom) -> str:
    with mailroom.deployment.database.reading() as connection:
        return "\n".join(
            repr(tuple(row)) for table in metadata.sorted_tables for row in connection.execute(select(table))
        ).lower()


def test_the_address_goes_and_the_keyed_hash_stays(mailroom: Mailroom) -> None:
    number = add_canary(mailroom)
    before = load(mailroom, number)

    assert erase(mailroom, number)

    after = load(mailroom, number)
    assert (after.address, after.new_address, after.state, after.reason) == (
        None,
        None,
        State.UNSUBSCRIBED,
        "erased",
    )
    assert (after.address_hash, after.language, after.created_at, after.confirmed_at) == (
        before.address_hash,
        before.language,
        before.created_at,
        before.confirmed_at,
    )
    assert (after.erased_at, after.ended_at) == (NOW, NOW)
    assert "canary-7f3a" not in everything(mailroom)
    assert "good.example" not in everything(mailroom)


def test_nothing_is_sent_any_more_and_what_was_sent_stays_counted(mailroom: Mailroom) -> None:
    first = add_canary(mailroom)
    mailroom.announce()
    relay = Relay()
    mailroom.deliver(relay)
    mailroom.clock.tick(days=30)
    mailroom.announce("Lời khác")

    erase(mailroom, first)
    mailroom.deliver(relay)

    assert len(relay.taken) == 1
    assert mailroom.states() == {"accepted": 1}


def test_a_mail_that_waits_is_cancelled(mailroom: Mailroom) -> None:
    number = add_canary(mailroom)
    mailroom.announce()
    prepare(mailroom.deployment, now=mailroom.clock)

    erase(mailroom, number)

    assert mailroom.states() == {"cancelled": 1}
    assert [one.domain for one in mailroom.rows()] == [""]


def test_twice_is_no_error_and_notes_nothing(mailroom: Mailroom, journal: Path) -> None:
    number = add_canary(mailroom)
    erase(mailroom, number)
    before = everything(mailroom), journal.read_bytes()

    assert not erase(mailroom, number)
    assert not erase(mailroom, number + 1)

    assert (everything(mailroom), journal.read_bytes()) == before


def test_the_same_person_may_subscribe_again_in_a_new_row(mailroom: Mailroom) -> None:
    erase(mailroom, add_canary(mailroom))

    number = add_canary(mailroom, created_at=NOW + timedelta(seconds=1))

    assert load(mailroom, number).address == CANARY


def test_it_is_entered_in_the_ledger_without_the_address(mailroom: Mailroom) -> None:
    number = add_canary(mailroom)

    erase(mailroom, number)

    act = list_acts(mailroom.deployment.database, limit=1)[0]
    assert (act.body["action"], act.body["staff"], act.body["subscription"]) == (
        "erase",
        "subscriber",
        number,
    )


def test_an_altered_ledger_keeps_nobody_from_being_erased(
    mailroom: Mailroom, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever altered the log must not hold others' addresses by it."""

    def refuse(*_args: object, **_values: object) -> int:
        raise LedgerError("altered")

    number = add_canary(mailroom)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erasure, "append", refuse)
        assert erase(mailroom, number)

    assert load(mailroom, number).address is None
    assert "not noted in the ledger" in caplog.text


def test_forget_finds_every_spelling_key_and_place(
    make_app: MakeApp, database_url: str, clock: factories.Clock, journal: Path
) -> None:
    mailroom = make_mailroom(make_app, database_url, clock, journal)
    old = Pseudonyms(["an older key of the same site, quite long"])
    number = add_canary(mailroom, address_hash=old.of(CANARY))
    (other,) = mailroom.ids(mailroom.subscribe(1))
    with mailroom.deployment.database.writing() as connection:
        connection.execute(
            subscriptions.update().where(subscriptions.c.id == other).values(new_address=CANARY)
        )
        connection.execute(
            insert(links).values(
                hash="l" * 64,
                subscription_id=other,
                purpose="address",
                address=CANARY,
                created_at=NOW,
                expires_at=NOW + timedelta(days=3),
            )
        )
        kept = {"received_at": NOW, "kind": "unread", "code": ""}
        for digest, raw in (("a", f"Could not deliver to <{CANARY.upper()}>"), ("b", "Something else")):
            connection.execute(insert(bounces).values(digest=digest * 64, raw=raw, **kept))
    expected = Forgotten(subscriptions=1, requests=1, reports=1)

    assert find(mailroom.deployment, "  canary-7F3A@GOOD.example ") == expected
    assert load(mailroom, number).address == CANARY

    done = forget(mailroom.deployment, "canary-7F3A@GOOD.example", now=NOW, by=COMMAND_LINE)

    assert done == expected
    assert "canary" not in everything(mailroom)
    assert "something else" in everything(mailroom)
    assert load(mailroom, other).state is State.CONFIRMED
    assert find(mailroom.deployment, CANARY).is_nothing


def test_a_row_hashed_under_a_retained_key_is_found_without_its_address(
    make_app: MakeApp, database_url: str, clock: factories.Clock, journal: Path
) -> None:
    """An address in the making of a move: the identity is another's, the hash is the old mailbox's."""
    older = "an older key of the same site, quite long"
    mailroom = make_mailroom(make_app, database_url, clock, journal, SECRET_KEY_FALLBACKS=[older])
    number = add_canary(mailroom, address_hash=Pseudonyms([older]).of(CANARY), identity="moved@good.example")

    forget(mailroom.deployment, CANARY, now=NOW, by=COMMAND_LINE)

    assert load(mailroom, number).address is None


def test_nothing_is_erased_where_the_journal_cannot_be_written(mailroom: Mailroom, journal: Path) -> None:
    number = add_canary(mailroom)
    journal.mkdir()

    with pytest.raises(JournalUnavailable, match="nothing was erased"):
        erase(mailroom, number)
    with pytest.raises(JournalUnavailable):
        forget(mailroom.deployment, CANARY, now=NOW, by=COMMAND_LINE)

    assert load(mailroom, number).address == CANARY
    assert load(mailroom, number).state is State.CONFIRMED


def test_scrub_is_done_once_and_only_where_something_was_erased(mailroom: Mailroom) -> None:
    number = add_canary(mailroom)

    def statements() -> list[str]:
        with factories.counted_statements(mailroom.deployment.database.engine) as seen:
            assert scrub(mailroom.deployment, now=mailroom.clock()) is None
        return [one for one in seen if "VACUUM" in one]

    nothing_yet = statements()
    erase(mailroom, number)
    with mailroom.deployment.database.reading() as connection:
        assert unscrubbed(connection).erased_at == NOW
    scrub(mailroom.deployment, now=mailroom.clock())
    with mailroom.deployment.database.reading() as connection:
        assert unscrubbed(connection).erased_at is None

    assert nothing_yet == []
    assert statements() == []


def test_no_byte_of_the_sqlite_files_holds_it_afterwards(
    make_app: MakeApp, sqlite_url: str, clock: factories.Clock, journal: Path, tmp_path: Path
) -> None:
    """Among a few thousand others, whose pages were split and joined, with readers and writers about."""
    mailroom = make_mailroom(make_app, sqlite_url, clock, journal)
    mailroom.subscribe(1500)
    number = add_canary(mailroom)
    mailroom.subscribe(1500)
    with mailroom.deployment.database.writing() as connection:
        connection.execute(
            subscriptions.delete().where(subscriptions.c.id % 3 == 0, subscriptions.c.id != number)
        )
    files = [path for path in tmp_path.iterdir() if path.name.startswith("consent.sqlite")]
    assert any(b"canary" in path.read_bytes().lower() for path in files)

    erase(mailroom, number)
    assert scrub(mailroom.deployment, now=mailroom.clock()) is None

    left = {
        path.name for path in tmp_path.rglob("*") if path.is_file() and b"canary" in path.read_bytes().lower()
    }
    assert left == set()
