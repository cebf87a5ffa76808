"""Nothing is kept longer than is told, and nothing goes earlier (PDPL Art. 3(3), 14(1))."""

import threading
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select

from consent_widget.core.pseudonym import Pseudonyms
from consent_widget.core.retention import KEEP, Rule
from consent_widget.core.subscription import State
from consent_widget.services import erasure, retention
from consent_widget.services.ledger import verify
from consent_widget.services.retention import count_due, purge
from consent_widget.services.setup import upgrade_database
from consent_widget.storage.count import counts
from consent_widget.storage.database import Database
from consent_widget.storage.delivery import bounces, deliveries, domains
from consent_widget.storage.scrub import scrub
from consent_widget.storage.subscription import links, load_subscription, subscriptions, suppressions
from tests import factories
from tests.conftest import MakeApp
from tests.factories import NOW
from tests.mailroom import MAIL, Mailroom

MOMENT = timedelta(seconds=1)
OLDER_KEY = "an older key of the same site, quite long"


def rows(database: Database, table: Any) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(select(table)))


def put(mailroom: Mailroom, table: Any, **values: Any) -> None:
    with mailroom.deployment.database.writing() as connection:
        connection.execute(insert(table).values(**values))


def add(mailroom: Mailroom, state: str, **values: Any) -> int:
    """One subscription of a fresh mailbox; its id."""
    (address,) = mailroom.subscribe(1, state=state)
    (number,) = mailroom.ids([address])
    if values:
        mailroom.change([address], **values)
    return number


def add_letter(mailroom: Mailroom, number: int, **values: Any) -> None:
    given = {
        "campaign_id": None,
        "subscription_id": number,
        "kind": "confirm",
        "language": "vi",
        "domain": "reader.example",
        "state": "accepted",
        "late": False,
        "attempts": 1,
        "at": NOW,
        "created_at": NOW,
    }
    put(mailroom, deliveries, **given | values)


def add_link(mailroom: Mailroom, number: int, **values: Any) -> None:
    given = {
        "hash": f"{number:064d}",
        "subscription_id": number,
        "purpose": "confirm",
        "created_at": NOW,
        "expires_at": NOW,
    }
    put(mailroom, links, **given | values)


def add_report(mailroom: Mailroom, number: int | None = None, **values: Any) -> None:
    given = {
        "received_at": NOW,
        "subscription_id": number,
        "kind": "unread",
        "code": "",
        "digest": "d" * 64,
        "raw": "To: reader0@reader.example",
    }
    put(mailroom, bounces, **given | values)


def purge_at(mailroom: Mailroom, now: datetime) -> dict[str, int]:
    """What goes at this time, by rule; the same as a dry run says beforehand, which changes nothing."""
    mailroom.clock.now = now
    told = count_due(mailroom.deployment, now=now)
    assert told == count_due(mailroom.deployment, now=now)
    done = purge(mailroom.deployment, now=now)
    assert told.rows == done.rows
    return {rule.value: count for rule, count in done.rows.items() if count}


def test_the_times_are_those_that_are_documented() -> None:
    assert {rule.value: span / timedelta(days=1) for rule, span in KEEP.items()} == {
        "unconfirmed": 7,
        "left": 30,
        "suppressed": 90,
        "links": 7,
        "moves": 7,
        "letters": 30,
        "reports": 90,
        "counts": 0,
        "domains": 1,
    }


def test_an_unconfirmed_subscription_goes_seven_days_after_its_last_request(mailroom: Mailroom) -> None:
    number = add(mailroom, "pending", created_at=NOW - timedelta(days=20), requested_at=NOW)
    add_link(mailroom, number, expires_at=NOW + timedelta(days=30))
    add_letter(mailroom, number)
    add_report(mailroom, number)

    assert purge_at(mailroom, NOW + timedelta(days=7) - MOMENT) == {}
    assert purge_at(mailroom, NOW + timedelta(days=7)) == {"unconfirmed": 1}

    database = mailroom.deployment.database
    assert [rows(database, table) for table in (subscriptions, links, deliveries, bounces)] == [
        [],
        [],
        [],
        [],
    ]


def test_one_that_was_confirmed_before_keeps_its_hash(mailroom: Mailroom) -> None:
    """Its deliveries are proofs."""
    number = add(mailroom, "pending", requested_at=NOW, confirmed_at=NOW - timedelta(days=90))
    add_letter(mailroom, number, campaign_id=1, kind="change")

    assert purge_at(mailroom, NOW + timedelta(days=7)) == {"unconfirmed": 1}

    with mailroom.deployment.database.reading() as connection:
        found = load_subscription(connection, number)
    assert found is not None
    assert (found.address, found.state, found.reason) == (None, State.UNSUBSCRIBED, "unconfirmed")
    assert found.ended_at == found.erased_at == NOW + timedelta(days=7)
    assert [one.domain for one in mailroom.rows()] == [""]
    assert purge_at(mailroom, NOW + timedelta(days=400)) == {}


@pytest.mark.parametrize(
    "state, days, rule", [("unsubscribed", 30, "left"), ("suppressed", 90, "suppressed")]
)
def test_the_address_of_one_that_ended_is_reduced_to_its_hash(
    mailroom: Mailroom, state: str, days: int, rule: str
) -> None:
    number = add(mailroom, state, ended_at=NOW, reason="one_click")
    put(mailroom, suppressions, address_hash="h" * 64, reason="bounce", suppressed_at=NOW)
    with mailroom.deployment.database.reading() as connection:
        before = load_subscription(connection, number)

    assert purge_at(mailroom, NOW + timedelta(days=days) - MOMENT) == {}
    assert purge_at(mailroom, NOW + timedelta(days=days)) == {rule: 1}
    assert purge_at(mailroom, NOW + timedelta(days=days + 1)) == {}

    with mailroom.deployment.database.reading() as connection:
        found = load_subscription(connection, number)
    assert found is not None
    assert before is not None
    assert (found.address, found.address_hash, found.state.value, found.reason) == (
        None,
        before.address_hash,
        state,
        "one_click",
    )
    assert len(rows(mailroom.deployment.database, suppressions)) == 1


def test_confirmed_ones_are_kept_however_old(mailroom: Mailroom) -> None:
    add(
        mailroom,
        "confirmed",
        confirmed_at=NOW - timedelta(days=3650),
        requested_at=NOW - timedelta(days=3650),
    )

    assert purge_at(mailroom, NOW + timedelta(days=3650)) == {}
    assert len(rows(mailroom.deployment.database, subscriptions)) == 1


def test_links_go_seven_days_after_their_end(mailroom: Mailroom) -> None:
    """Until then their page says that they expired, and offers another."""
    number = add(mailroom, "confirmed")
    add_link(mailroom, number, expires_at=NOW)

    assert purge_at(mailroom, NOW + timedelta(days=7) - MOMENT) == {}
    assert purge_at(mailroom, NOW + timedelta(days=7)) == {"links": 1}


def test_a_link_that_was_used_stays_as_a_proof_without_the_address(mailroom: Mailroom) -> None:
    number = add(mailroom, "confirmed")
    used = {"expires_at": NOW, "used_at": NOW - timedelta(days=1)}
    add_link(mailroom, number, **used)
    add_link(mailroom, number, hash="m" * 64, purpose="address", address="reader0@reader.example", **used)

    assert purge_at(mailroom, NOW + timedelta(days=7) - MOMENT) == {}
    assert purge_at(mailroom, NOW + timedelta(days=7)) == {"links": 1}
    assert purge_at(mailroom, NOW + timedelta(days=400)) == {}

    found = rows(mailroom.deployment.database, links)
    assert [(row.address, row.used_at) for row in found] == [(None, NOW - timedelta(days=1))] * 2


def test_a_new_address_that_nobody_confirmed_goes_with_its_link(mailroom: Mailroom) -> None:
    number = add(mailroom, "confirmed", new_address="new@reader.example")
    add_link(mailroom, number, purpose="address", address="new@reader.example", expires_at=NOW)

    assert purge_at(mailroom, NOW + timedelta(days=7) - MOMENT) == {}
    assert purge_at(mailroom, NOW + timedelta(days=7)) == {"links": 1, "moves": 1}

    (row,) = rows(mailroom.deployment.database, subscriptions)
    assert (row.new_address, row.state) == (None, "confirmed")


def test_a_new_address_whose_letter_waits_is_kept(mailroom: Mailroom) -> None:
    """The mail server may be away for days."""
    number = add(mailroom, "confirmed", new_address="new@reader.example")
    add_letter(mailroom, number, kind="address", state="pending")

    assert purge_at(mailroom, NOW + timedelta(days=8)) == {}


def test_letters_go_thirty_days_after_they_were_settled(mailroom: Mailroom) -> None:
    number = add(mailroom, "confirmed")
    add_letter(mailroom, number, at=NOW)
    add_letter(mailroom, number, at=NOW - timedelta(days=90), state="pending", kind="known")
    add_letter(mailroom, number, at=NOW - timedelta(days=900), campaign_id=1, kind="change")

    assert purge_at(mailroom, NOW + timedelta(days=30) - MOMENT) == {}
    assert purge_at(mailroom, NOW + timedelta(days=30)) == {"letters": 1}
    assert [one.kind.value for one in mailroom.rows()] == ["known", "change"]


def test_reports_go_after_ninety_days(mailroom: Mailroom) -> None:
    add_report(mailroom, received_at=NOW)

    assert purge_at(mailroom, NOW + timedelta(days=90) - MOMENT) == {}
    assert purge_at(mailroom, NOW + timedelta(days=90)) == {"reports": 1}


def test_counts_and_slow_domains_go_at_their_end(mailroom: Mailroom) -> None:
    put(mailroom, counts, mark="mark", count=3, ends_at=NOW)
    put(mailroom, domains, domain="slow.example", until=NOW - timedelta(days=1), refusals=2)

    assert purge_at(mailroom, NOW - MOMENT) == {}
    assert purge_at(mailroom, NOW) == {"counts": 1, "domains": 1}


def test_records_of_decisions_and_the_ledger_are_kept(mailroom: Mailroom) -> None:
    """Proofs: no time is set for them."""
    factories.decide(mailroom.app.test_client(), "analytics")
    mailroom.announce()
    before = factories.count_records(mailroom.app)

    purge_at(mailroom, NOW + timedelta(days=3650))

    assert before == factories.count_records(mailroom.app) == 1
    report = verify(mailroom.deployment, [key.public for key in mailroom.deployment.log_keys])
    assert report.problem is None
    assert report.head is not None


def test_hashes_follow_the_key_so_that_the_old_one_can_be_dropped(
    make_app: MakeApp, database_url: str, clock: factories.Clock
) -> None:
    app = make_app(database_url=database_url, config=MAIL | {"SECRET_KEY_FALLBACKS": [OLDER_KEY]})
    mailroom = Mailroom(app, clock)
    database = mailroom.deployment.database
    upgrade_database(database)
    addresses = mailroom.subscribe(5)
    older = Pseudonyms([OLDER_KEY])
    for address in addresses[:3]:
        mailroom.change([address], address_hash=older.of(address))
    mailroom.change(addresses[:1], state="suppressed", ended_at=NOW)
    put(mailroom, suppressions, address_hash=older.of(addresses[0]), reason="staff", suppressed_at=NOW)

    assert count_due(mailroom.deployment, now=NOW).hashes == 3
    assert purge(mailroom.deployment, now=NOW).hashes == 3

    current = mailroom.deployment.pseudonyms.of
    assert {row.address_hash for row in rows(database, subscriptions)} == {current(one) for one in addresses}
    hashes = {row.address_hash: row.reason for row in rows(database, suppressions)}
    assert hashes == {older.of(addresses[0]): "staff", current(addresses[0]): "staff"}

    mailroom.change(addresses[:1], address_hash=older.of(addresses[0]))
    assert purge(mailroom.deployment, now=NOW + timedelta(hours=23)).hashes == 0
    assert purge(mailroom.deployment, now=NOW + timedelta(days=1)).hashes == 1


def test_large_heaps_go_in_chunks_that_hold_up_no_write(
    mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 6000
    mailroom.subscribe(count, state="pending", at=NOW - timedelta(days=8))
    mailroom.subscribe(count, state="unsubscribed", at=NOW - timedelta(days=31))
    monkeypatch.setattr(retention, "scrub", lambda deployment, *, now: None)
    done = threading.Event()
    waits: list[float] = []

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            began = time.perf_counter()
            put(mailroom, counts, mark=f"mark {number}", count=1, ends_at=NOW + timedelta(hours=1))
            waits.append(time.perf_counter() - began)
            time.sleep(0.005)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        taken = purge(mailroom.deployment, now=NOW)
    finally:
        done.set()
        writer.join()

    assert taken.rows[Rule.UNCONFIRMED] == taken.rows[Rule.LEFT] == count
    assert len(waits) > 10
    assert max(waits) < 1.0
    with mailroom.deployment.database.reading() as connection:
        left = connection.execute(
            select(func.count()).select_from(subscriptions).where(subscriptions.c.address.is_not(None))
        )
        assert left.scalar_one() == 0


def test_files_are_written_anew_once_a_day_for_what_was_purged(
    mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    scrubbed: list[Engine] = []

    def scrub_and_note(engine: Engine) -> str | None:
        scrubbed.append(engine)
        return scrub(engine)

    monkeypatch.setattr(erasure, "scrub_files", scrub_and_note)

    def purged(now: datetime) -> int:
        add(mailroom, "pending", requested_at=now - timedelta(days=7))
        scrubbed.clear()
        purge(mailroom.deployment, now=now)
        return len(scrubbed)

    assert purged(NOW) == 1
    assert purged(NOW + timedelta(hours=1)) == 0
    assert purged(NOW + timedelta(hours=23)) == 0
    assert purged(NOW + timedelta(days=1)) == 1
