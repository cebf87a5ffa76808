"""Counts of requests: kept in the database, the same for every worker, without the address of anybody."""

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select

from consent_widget.core.errors import StoreUnavailable, TooMany
from consent_widget.services.limits import check_network, may_write_to, network_of
from consent_widget.storage.count import counts
from tests.mailroom import Mailroom


def test_a_network_is_counted_and_told_when_to_come_back(mailroom: Mailroom) -> None:
    ask = partial(check_network, mailroom.deployment, "192.0.2.1")
    for _ in range(20):
        ask(mailroom.clock())
    mailroom.clock.tick(minutes=20)

    with pytest.raises(TooMany) as caught:
        ask(mailroom.clock())

    assert caught.value.retry_after == 40 * 60
    check_network(mailroom.deployment, "192.0.2.2", mailroom.clock())
    mailroom.clock.tick(minutes=40)
    ask(mailroom.clock())


def test_whoever_is_refused_costs_no_write(mailroom: Mailroom) -> None:
    for _ in range(20):
        check_network(mailroom.deployment, "192.0.2.1", mailroom.clock())
    before = kept(mailroom)

    for _ in range(5):
        with pytest.raises(TooMany):
            check_network(mailroom.deployment, "192.0.2.1", mailroom.clock())

    assert kept(mailroom) == before


def test_a_mailbox_gets_three_letters_a_day_however_it_is_spelled(mailroom: Mailroom) -> None:
    spelled = (
        "an.nguyen@good.example",
        "annguyen+1@good.example",
        "AnNguyen@good.example",
        "annguyen@good.example",
    )

    assert [may_write_to(mailroom.deployment, one) for one in spelled] == [True, True, True, False]
    assert may_write_to(mailroom.deployment, "annguyen@other.example")
    mailroom.clock.tick(days=1)
    assert may_write_to(mailroom.deployment, spelled[0])


def test_nobodys_address_is_stored(mailroom: Mailroom) -> None:
    check_network(mailroom.deployment, "192.0.2.1", mailroom.clock())
    may_write_to(mailroom.deployment, "an@good.example")

    rows = kept(mailroom)

    assert len(rows) == 2
    assert not [one for one in rows if "192" in one or "good" in one]


def kept(mailroom: Mailroom) -> list[str]:
    with mailroom.deployment.database.reading() as connection:
        return [str(row) for row in connection.execute(select(counts).order_by(counts.c.mark))]


def test_a_database_that_is_away_counts_nothing(mailroom: Mailroom) -> None:
    with mailroom.deployment.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE cw_count RENAME TO elsewhere")

    with pytest.raises(StoreUnavailable):
        check_network(mailroom.deployment, "192.0.2.1", mailroom.clock())
    with pytest.raises(StoreUnavailable):
        may_write_to(mailroom.deployment, "an@good.example")


@pytest.mark.parametrize("step", [timedelta(seconds=-60), timedelta(days=-2)])
def test_a_clock_that_is_set_back_locks_nobody_out(mailroom: Mailroom, step: timedelta) -> None:
    for _ in range(3):
        may_write_to(mailroom.deployment, "an@good.example")
    mailroom.clock.now += step

    assert not may_write_to(mailroom.deployment, "an@good.example")
    mailroom.clock.now += timedelta(days=1) - step
    assert may_write_to(mailroom.deployment, "an@good.example")


@pytest.mark.parametrize(
    "address, network",
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix:", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_network_is_what_one_customer_has(address: str | None, network: str) -> None:
    assert network_of(address) == network
