"""A restored backup undoes nobody's erasure or leaving, and sends nothing twice by itself."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from consent_widget.core.campaign import PauseReason
from consent_widget.core.campaign import State as Running
from consent_widget.core.errors import JournalUnavailable, SettingError
from consent_widget.core.links import UNDO, UNSUBSCRIBE
from consent_widget.core.subscription import State, Subscription
from consent_widget.services import journal as journals
from consent_widget.services.campaign import pause, resume
from consent_widget.services.erasure import erase
from consent_widget.services.journal import note_sent, read
from consent_widget.services.replay import Replayed, replay
from consent_widget.services.setup import upgrade_database
from consent_widget.services.subscription import undo, unsubscribe
from consent_widget.services.suppression import release, suppress
from consent_widget.storage.subscription import load_subscription, suppressed_for
from tests import factories
from tests.backups import Copy, copies
from tests.conftest import MakeApp
from tests.factories import NOW
from tests.mailroom import APPROVER, MAIL, Mailroom, Relay

OLDER_KEY = "an older key of the same site, quite long"


class Site:
    """One site over several databases: before, and after a backup was restored."""

    def __init__(self, make_app: MakeApp, clock: factories.Clock, folder: Path) -> None:
        self._make_app, self._clock = make_app, clock
        self.journal = folder / "erasures.jsonl"

    def on(self, url: str, **config: Any) -> Mailroom:
        settings = MAIL | {"CONSENT_WIDGET_ERASURE_FILE": str(self.journal)} | config
        return Mailroom(self._make_app(database_url=url, config=settings), self._clock)


@pytest.fixture
def site(make_app: MakeApp, clock: factories.Clock, tmp_path: Path) -> Site:
    return Site(make_app, clock, tmp_path)


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    with copies(tmp_path) as made:
        yield made


@pytest.fixture
def mailroom(site: Site, database_url: str) -> Mailroom:
    made = site.on(database_url)
    upgrade_database(made.deployment.database)
    factories.import_first(made.deployment.database)
    return made


def load(mailroom: Mailroom, number: int) -> Subscription:
    with mailroom.deployment.database.reading() as connection:
        found = load_subscription(connection, number)
    assert found is not None
    return found


def token(mailroom: Mailroom, number: int, purpose: str) -> str:
    found = load(mailroom, number)
    return mailroom.deployment.links.seal(purpose, found.id, found.salt)


def erase_one(mailroom: Mailroom, number: int) -> None:
    with mailroom.deployment.database.writing() as connection:
        assert erase(mailroom.deployment, connection, number, now=mailroom.clock())


def replayed(mailroom: Mailroom) -> Replayed:
    return replay(mailroom.deployment, now=mailroom.clock())


def test_what_happened_after_the_backup_is_done_again(mailroom: Mailroom, site: Site, copy: Copy) -> None:
    addresses = mailroom.subscribe(5)
    erased, left, came_back, suppressed, stays = mailroom.ids(addresses)
    backup = copy(mailroom.deployment.database)
    mailroom.clock.tick(hours=1)
    erase_one(mailroom, erased)
    unsubscribe(mailroom.deployment, token(mailroom, left, UNSUBSCRIBE), now=mailroom.clock())
    unsubscribe(mailroom.deployment, token(mailroom, came_back, UNSUBSCRIBE), now=mailroom.clock())
    undo(mailroom.deployment, token(mailroom, came_back, UNDO), now=mailroom.clock())
    with mailroom.deployment.database.writing() as connection:
        suppress(mailroom.deployment, connection, suppressed, reason="bounce", now=mailroom.clock())

    mailroom.clock.tick(hours=1)
    restored = site.on(backup)
    assert replayed(restored) == Replayed(erased=1, left=1, suppressed=1)

    assert load(restored, erased).address is None
    assert load(restored, left).state is State.UNSUBSCRIBED
    assert load(restored, left).ended_at == NOW + timedelta(hours=1)
    assert load(restored, suppressed).state is State.SUPPRESSED
    assert {load(restored, one).state for one in (came_back, stays)} == {State.CONFIRMED}
    with restored.deployment.database.reading() as connection:
        hashes = restored.deployment.pseudonyms.every(addresses[3])
        assert suppressed_for(connection, hashes) == "bounce"
    assert replayed(restored).is_nothing


def test_on_a_database_that_was_not_restored_there_is_nothing_to_do(mailroom: Mailroom, site: Site) -> None:
    erased, left, back, suppressed, released = mailroom.ids(mailroom.subscribe(5))
    erase_one(mailroom, erased)
    for one in (left, back):
        unsubscribe(mailroom.deployment, token(mailroom, one, UNSUBSCRIBE), now=mailroom.clock())
    undo(mailroom.deployment, token(mailroom, back, UNDO), now=mailroom.clock())
    with mailroom.deployment.database.writing() as connection:
        for one in (suppressed, released):
            suppress(mailroom.deployment, connection, one, reason="staff", now=mailroom.clock())
        release(mailroom.deployment, connection, released, now=mailroom.clock())
    mailroom.announce()
    mailroom.deliver(Relay())
    before = site.journal.read_bytes()

    assert replayed(mailroom).is_nothing

    assert site.journal.read_bytes() == before
    assert load(mailroom, back).state is State.CONFIRMED
    assert load(mailroom, released).state is State.UNSUBSCRIBED


def test_whom_staff_stopped_and_released_stays_away(mailroom: Mailroom, site: Site, copy: Copy) -> None:
    """Releasing subscribes nobody, and neither does a backup from before."""
    (number,) = mailroom.ids(mailroom.subscribe(1))
    backup = copy(mailroom.deployment.database)
    mailroom.clock.tick(hours=1)
    with mailroom.deployment.database.writing() as connection:
        suppress(mailroom.deployment, connection, number, reason="staff", now=mailroom.clock())
    with mailroom.deployment.database.writing() as connection:
        release(mailroom.deployment, connection, number, now=mailroom.clock())

    restored = site.on(backup)

    assert replayed(restored) == Replayed(left=1)
    assert load(restored, number).state is State.UNSUBSCRIBED
    assert replayed(restored).is_nothing


def test_a_person_who_came_back_after_an_erasure_is_not_erased(mailroom: Mailroom) -> None:
    (address,) = mailroom.subscribe(1)
    erase_one(mailroom, mailroom.ids([address])[0])
    mailroom.clock.tick(days=1)
    mailroom.clock.tick(seconds=1)
    (again,) = mailroom.subscribe(1)
    mailroom.change([again], address_hash=mailroom.deployment.pseudonyms.of(address), address=address)

    assert replayed(mailroom).is_nothing


def test_a_campaign_that_had_gone_further_is_paused_and_stays_so_once_only(
    mailroom: Mailroom, site: Site, copy: Copy
) -> None:
    addresses = mailroom.subscribe(3)
    mailroom.announce()
    backup = copy(mailroom.deployment.database)
    first, second = Relay(), Relay()
    mailroom.deliver(first)
    assert sorted(first.taken) == addresses

    restored = site.on(backup)
    assert replayed(restored).paused == ("2/change",)
    assert restored.deliver(second) == 0
    campaign = restored.campaign()
    assert (campaign.state, campaign.pause_reason) == (Running.PAUSED, PauseReason.RESTORED)
    assert second.taken == []

    resume(restored.deployment, campaign.id, staff=APPROVER, now=restored.clock())
    assert replayed(restored).is_nothing
    assert restored.campaign().state is Running.RUNNING


def test_one_that_staff_had_paused_says_why_it_must_stay_so(
    mailroom: Mailroom, site: Site, copy: Copy
) -> None:
    mailroom.subscribe(1)
    mailroom.announce()
    number = mailroom.campaign().id
    pause(mailroom.deployment, number, reason="Nghỉ trưa", staff=APPROVER, now=mailroom.clock())
    backup = copy(mailroom.deployment.database)
    resume(mailroom.deployment, number, staff=APPROVER, now=mailroom.clock())
    mailroom.deliver(Relay())

    restored = site.on(backup)

    assert replayed(restored).paused == ("2/change",)
    assert restored.campaign().pause_reason == PauseReason.RESTORED


def test_a_key_that_came_since_the_backup_hides_nobody(site: Site, database_url: str, copy: Copy) -> None:
    """The journal has the hash under each key that was known."""
    before = site.on(database_url, SECRET_KEY=OLDER_KEY)
    upgrade_database(before.deployment.database)
    (number,) = before.ids(before.subscribe(1))
    backup = copy(before.deployment.database)
    rotated = site.on(database_url, SECRET_KEY_FALLBACKS=[OLDER_KEY])
    rotated.clock.tick(hours=1)
    erase_one(rotated, number)

    restored = site.on(backup)

    assert replayed(restored).erased == 1
    assert load(restored, number).address is None


def test_the_app_replays_before_its_first_page(mailroom: Mailroom, site: Site, copy: Copy) -> None:
    (number,) = mailroom.ids(mailroom.subscribe(1))
    backup = copy(mailroom.deployment.database)
    erase_one(mailroom, number)

    restored = site.on(backup)
    assert restored.app.test_client().get("/privacy/vi/").status_code == 200

    assert load(restored, number).address is None


def test_an_app_whose_journal_is_out_of_reach_is_not_served(mailroom: Mailroom, site: Site) -> None:
    site.journal.mkdir()

    with pytest.raises(SettingError, match="CONSENT_WIDGET_ERASURE_FILE"):
        mailroom.app.test_client().get("/privacy/vi/")
    with pytest.raises(JournalUnavailable):
        replayed(mailroom)


def test_the_journal_is_for_its_owner_alone_and_holds_no_address(mailroom: Mailroom, site: Site) -> None:
    (address,) = mailroom.subscribe(1)
    erase_one(mailroom, mailroom.ids([address])[0])

    assert stat.S_IMODE(site.journal.stat().st_mode) == 0o600
    assert b"@" not in site.journal.read_bytes()
    assert b"reader" not in site.journal.read_bytes()


def test_a_line_that_a_killed_process_left_torn_is_passed_over(
    mailroom: Mailroom, site: Site, copy: Copy, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = mailroom.ids(mailroom.subscribe(2))
    backup = copy(mailroom.deployment.database)
    erase_one(mailroom, first)
    with site.journal.open("ab") as file:
        file.write(b'{"kind":"erased","hashes":["abc')
    erase_one(mailroom, second)

    restored = site.on(backup)

    assert replayed(restored).erased == 2
    assert "1 lines" in caplog.text


def test_a_whole_last_line_without_its_end_counts(mailroom: Mailroom, site: Site, copy: Copy) -> None:
    (number,) = mailroom.ids(mailroom.subscribe(1))
    backup = copy(mailroom.deployment.database)
    erase_one(mailroom, number)
    site.journal.write_bytes(site.journal.read_bytes().rstrip(b"\n"))

    assert replayed(site.on(backup)).erased == 1


def _write_many(path: Path, name: str, count: int) -> None:
    for number in range(count):
        line = f'{{"kind":"sent","campaign":"{name}","claims":{number},"filling":"{"x" * 3000}"}}\n'
        descriptor = journals._open(path)
        try:
            journals._write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def test_several_processes_do_not_tear_each_others_lines(mailroom: Mailroom, site: Site) -> None:
    fork = get_context("fork")
    writers = [fork.Process(target=_write_many, args=(site.journal, f"{one}/change", 60)) for one in range(4)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()

    found = read(mailroom.deployment)

    assert found.unread == 0
    assert found.claims == {f"{one}/change": 59 for one in range(4)}


def test_without_a_journal_nothing_is_noted_and_nothing_done(mailroom: Mailroom, site: Site) -> None:
    without = replace(mailroom.deployment, settings=replace(mailroom.deployment.settings, erasure_file=None))

    note_sent(without, "2/change", 3)

    assert read(without).claims == {}
    assert replay(without, now=NOW).is_nothing
    assert not site.journal.exists()
