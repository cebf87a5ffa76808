"""A mail that came back counts once, only where it is about a mail of ours, and for no more than it says."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from consent_widget.core.bounce import Kind
from consent_widget.core.campaign import PauseReason
from consent_widget.core.campaign import State as Running
from consent_widget.core.delivery import State as Row
from consent_widget.core.envelope import verp
from consent_widget.core.links import Links
from consent_widget.core.subscription import State, Subscription
from consent_widget.services.bounce import Taken, take_report
from consent_widget.services.bounce_files import is_maildir, read_maildir, read_stream
from consent_widget.services.campaign import resume
from consent_widget.services.erasure import erase
from consent_widget.services.sign_up import ask_new_address
from consent_widget.services.subscription import confirm
from consent_widget.storage.database import metadata
from consent_widget.storage.delivery import bounces
from consent_widget.storage.subscription import load_subscription, suppressed_for
from tests.core.test_report import HOSTILE
from tests.factories import NOW
from tests.letterbox import Letterbox
from tests.mailroom import APPROVER, Mailroom, Relay
from tests.reports import EXIM, QMAIL, plain, report
from tests.services.test_retention import add_letter


@dataclass
class Desk:
    """Reports come in to a site that has just told its subscribers of version 2."""

    mailroom: Mailroom
    alarms: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def take(self, content: bytes) -> Taken:
        told = replace(
            self.mailroom.deployment, alarm=lambda code, details: self.alarms.append((code, dict(details)))
        )
        return take_report(told, content, now=self.mailroom.clock())

    def to(self, number: int = 0) -> str:
        """The address that the report of the so-many-th mail comes to."""
        row = self.mailroom.rows()[number]
        return verp(self.mailroom.deployment.links, "privacy@demo.example", row.id)

    def subscription(self, number: int = 0) -> Subscription:
        with self.mailroom.deployment.database.reading() as connection:
            found = load_subscription(connection, self.mailroom.rows()[number].subscription_id)
        assert found is not None
        return found

    def is_suppressed(self, number: int = 0) -> bool:
        with self.mailroom.deployment.database.reading() as connection:
            hashes = self.mailroom.deployment.pseudonyms.every(f"reader{number}@reader.example")
            return suppressed_for(connection, hashes) is not None

    def kept(self) -> list[Any]:
        with self.mailroom.deployment.database.reading() as connection:
            return list(connection.execute(select(bounces).order_by(bounces.c.id)))

    def everything_else(self) -> str:
        """All that is stored but for the reports themselves."""
        with self.mailroom.deployment.database.reading() as connection:
            return "\n".join(
                repr(tuple(row))
                for table in metadata.sorted_tables
                if table is not bounces
                for row in connection.execute(select(table))
            )


@pytest.fixture
def desk(mailroom: Mailroom) -> Desk:
    mailroom.subscribe(3)
    mailroom.announce()
    mailroom.deliver(Relay())
    return Desk(mailroom)


def test_a_mailbox_that_is_not_there_is_suppressed(desk: Desk) -> None:
    taken = desk.take(report(desk.to()))

    assert (taken.kind, taken.code, taken.suppressed) == (Kind.GONE, "5.1.1", True)
    assert desk.subscription().state is State.SUPPRESSED
    assert desk.subscription().reason == "bounce"
    assert desk.is_suppressed()
    row = desk.mailroom.rows()[0]
    assert (row.state, row.code) == (Row.FAILED, "5.1.1")
    assert desk.subscription(1).state is State.CONFIRMED


def test_nothing_goes_there_any_more(desk: Desk) -> None:
    desk.take(report(desk.to()))
    desk.mailroom.clock.tick(days=30)
    desk.mailroom.announce("Lời khác")
    relay = Relay()

    desk.mailroom.deliver(relay)

    assert sorted(relay.taken) == ["reader1@reader.example", "reader2@reader.example"]


def test_the_same_report_counts_once(desk: Desk) -> None:
    content = report(desk.to(), status="4.2.2")
    desk.take(content)
    before = desk.everything_else(), len(desk.kept())

    again = desk.take(b"Received: by another.example\n" + content)

    assert again.kind is Kind.TWICE
    assert (desk.everything_else(), len(desk.kept())) == before


def test_two_mails_may_come_back_in_the_same_words(desk: Desk) -> None:
    taken = [desk.take(report(desk.to(number))) for number in range(2)]

    assert [one.kind for one in taken] == [Kind.GONE, Kind.GONE]


FORGERIES: dict[str, Callable[[Desk], str]] = {
    "no address of ours": lambda desk: "privacy@demo.example",
    "another key": lambda desk: verp(Links(["a key of another site altogether"]), "privacy@demo.example", 1),
    "another delivery": lambda desk: desk.to(0).replace("+1-", "+2-"),
    "no such delivery": lambda desk: desk.to(0).replace("+1-", "+999-"),
    "mac cut off": lambda desk: desk.to(0).replace("@", "0@"),
    "mac altered": lambda desk: (
        desk.to(0)[:-14] + ("0" if desk.to(0)[-14] != "0" else "1") + desk.to(0)[-13:]
    ),
    "number too large": lambda desk: "bounce+99999999999999999999-00112233445566778899@demo.example",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_report_changes_nothing(desk: Desk, forge: Callable[[Desk], str]) -> None:
    before = desk.everything_else()

    taken = [desk.take(report(forge(desk), status=status)) for status in ("5.1.1", "5.7.1", "4.2.2")]

    assert [(one.kind, one.suppressed, one.paused) for one in taken] == [(Kind.FORGED, False, ())] * 3
    assert desk.everything_else() == before
    assert desk.alarms == []


def test_forged_reports_do_not_fill_the_database(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consent_widget.services.bounce._MOST_OF_NOBODY", 3)

    for number in range(5):
        desk.take(report("privacy@demo.example", message_id=f"<{number}@x.example>"))

    assert len(desk.kept()) == 3


def test_a_report_of_a_retained_key_counts(desk: Desk) -> None:
    """Mails outlive the key that was current when they were sent."""
    to = desk.to()
    desk.mailroom.deployment.links._keys.append(b"the key that came since, long enough")

    assert desk.take(report(to)).kind is Kind.GONE


def test_the_address_is_found_where_mail_servers_write_it(desk: Desk) -> None:
    content = report("privacy@demo.example")

    for number, name in enumerate(("Delivered-To", "X-Original-To", "To")):
        line = f"{name}: <{desk.to(number).upper()}>\n".encode()
        assert desk.take(line + content).kind is Kind.GONE, name


def refuse(desk: Desk, *numbers: int) -> list[Taken]:
    """Reports that we are refused come, about these mails."""
    return [
        desk.take(report(desk.to(one), status="5.7.1", diagnostic="550 5.7.1 blocked")) for one in numbers
    ]


@pytest.fixture
def running(desk: Desk) -> Desk:
    """Four hundred mails of a campaign were accepted, in the rows 3 to 402; one is still to go."""
    desk.mailroom.clock.tick(days=30)
    desk.mailroom.subscribe(398)
    desk.mailroom.announce("Lời khác")
    desk.mailroom.deliver(Relay(), limit=400)
    assert desk.mailroom.states() == {"accepted": 403, "pending": 1}
    return desk


def test_of_the_first_refusal_staff_hear_and_mails_go_on(running: Desk) -> None:
    (taken,) = refuse(running, 3)

    assert (taken.kind, taken.paused) == (Kind.POLICY, ())
    assert running.mailroom.campaign().state is Running.RUNNING
    assert running.alarms == [("mail_refused", {"code": "5.7.1"})]
    assert running.subscription().state is State.CONFIRMED
    assert running.mailroom.rows()[3].state is Row.FAILED


def test_refusals_of_one_in_a_hundred_pause_their_campaign(running: Desk) -> None:
    few = refuse(running, 3, 4, 5)
    before = running.mailroom.campaign().state
    enough = refuse(running, 6)

    campaign = running.mailroom.campaign()
    assert [one.paused for one in few] == [(), (), ()]
    assert before is Running.RUNNING
    assert enough[0].paused == (campaign.id,)
    assert (campaign.state, campaign.pause_reason) == (Running.PAUSED, PauseReason.POLICY)
    assert campaign.pause_detail == "report 5.7.1"
    assert [code for code, _ in running.alarms] == ["mail_refused", "campaign_paused"]


def test_of_few_mails_three_refusals_pause(desk: Desk) -> None:
    desk.mailroom.clock.tick(days=30)
    desk.mailroom.subscribe(1)
    desk.mailroom.announce("Lời khác")
    desk.mailroom.deliver(Relay(), limit=3)

    taken = refuse(desk, 3, 4, 5)

    assert [one.paused for one in taken] == [(), (), (desk.mailroom.campaign().id,)]


def test_one_reader_cannot_pause_a_campaign(running: Desk) -> None:
    """However many reports about their own mail they write, one after the other or all at once."""
    contents = [
        report(running.to(3), status="5.7.1", message_id=f"<{number}@x.example>") for number in range(8)
    ]
    with ThreadPoolExecutor(len(contents)) as pool:
        list(pool.map(running.take, contents))

    refuse(running, 4, 5)

    assert running.mailroom.campaign().state is Running.RUNNING
    assert len(running.alarms) == 1


def test_refusals_of_other_mails_do_not_pause_a_campaign(running: Desk) -> None:
    """Of an earlier campaign, and of letters, which anybody can ask for."""
    number = running.subscription().id
    add_letter(running.mailroom, number, kind="known")

    taken = refuse(running, 0, 1, 2, -1)

    assert [one.paused for one in taken] == [()] * 4
    assert running.mailroom.campaign().state is Running.RUNNING
    assert [code for code, _ in running.alarms] == ["mail_refused"] * 2


def test_late_reports_do_not_pause_again_what_was_mended(running: Desk) -> None:
    """After staff have resumed it, as many must come anew."""
    refuse(running, 3, 4, 5, 6, 7)
    resume(running.mailroom.deployment, running.mailroom.campaign().id, staff=APPROVER, now=NOW)

    late = refuse(running, 8, 9, 10)
    state = running.mailroom.campaign().state
    enough = refuse(running, 11)

    assert [one.paused for one in late] == [(), (), ()]
    assert state is Running.RUNNING
    assert enough[0].paused == (running.mailroom.campaign().id,)


def test_where_nothing_runs_staff_are_called_all_the_same(desk: Desk) -> None:
    desk.take(report(desk.to(), status="5.7.1"))

    assert desk.alarms == [("mail_refused", {"code": "5.7.1"})]


def test_one_mail_calls_staff_once_however_often_it_is_said_to_be_refused(desk: Desk) -> None:
    """Whoever gets a mail could write such reports about it all day."""
    for number in range(3):
        desk.take(report(desk.to(), status="5.7.1", message_id=f"<{number}@x.example>"))

    assert len(desk.alarms) == 1


def test_five_soft_refusals_within_a_month_suppress(desk: Desk) -> None:
    taken = [
        desk.take(report(desk.to(), status="4.2.2", message_id=f"<{number}@x.example>"))
        for number in range(5)
    ]

    assert [one.suppressed for one in taken] == [False] * 4 + [True]
    assert desk.subscription().state is State.SUPPRESSED


def test_soft_refusals_are_forgotten_with_time(desk: Desk) -> None:
    for number in range(12):
        desk.take(report(desk.to(), status="4.2.2", message_id=f"<{number}@x.example>"))
        desk.mailroom.clock.tick(days=30)

    assert desk.subscription().state is State.CONFIRMED
    assert desk.subscription().bounce_score < 2.0
    assert desk.subscription().bounced_at == NOW + timedelta(days=11 * 30)


def test_a_delay_is_no_failure_yet(desk: Desk) -> None:
    desk.take(report(desk.to(), status="4.4.1", action="delayed"))
    delayed = desk.mailroom.rows()[0].state
    desk.take(report(desk.to(), status="4.4.7", action="failed"))

    assert delayed is Row.ACCEPTED
    assert desk.mailroom.rows()[0].state is Row.FAILED


def test_another_refusal_fails_the_mail_and_keeps_the_subscription(desk: Desk) -> None:
    taken = desk.take(report(desk.to(), status="5.2.2"))

    assert (taken.kind, taken.suppressed) == (Kind.REFUSED, False)
    assert desk.mailroom.rows()[0].code == "5.2.2"
    assert desk.subscription().bounce_score == 1.0


@pytest.mark.parametrize(
    "content",
    [
        lambda to: plain(to, "I am away.", subject="Automatic reply: Policy"),
        lambda to: plain(to, "Tôi nghỉ.", subject="Trả lời tự động"),
        lambda to: report(to, status="2.0.0", action="delivered"),
    ],
    ids=["away", "vi", "delivered"],
)
def test_automatic_answers_and_good_news_are_not_even_kept(
    desk: Desk, content: Callable[[str], bytes]
) -> None:
    before = desk.everything_else()

    desk.take(content(desk.to()))

    assert desk.everything_else() == before
    assert desk.kept() == []


@pytest.mark.parametrize(
    "content",
    [lambda to: plain(to, QMAIL), lambda to: plain(to, EXIM, X_Failed_Recipients="reader0@reader.example")],
    ids=["qmail", "exim"],
)
def test_systems_that_write_for_people_alone_are_understood(
    desk: Desk, content: Callable[[str], bytes]
) -> None:
    taken = desk.take(content(desk.to()))

    assert (taken.kind, taken.code) == (Kind.GONE, "5.1.1")
    assert desk.subscription().state is State.SUPPRESSED


def test_what_nobody_can_read_is_kept_for_staff_and_changes_nothing(desk: Desk) -> None:
    before = desk.everything_else()

    taken = desk.take(plain(desk.to(), "Your mail was\0 lost, sorry.", subject="Problem"))

    assert taken.kind is Kind.UNREAD
    assert desk.everything_else() == before
    (row,) = desk.kept()
    assert (row.kind, row.subscription_id) == ("unread", desk.subscription().id)
    assert "lost, sorry" in row.raw
    assert "\0" not in row.raw


def test_of_a_long_one_the_beginning_is_kept(desk: Desk) -> None:
    desk.take(plain(desk.to(), "x" * 500_000, subject="Problem"))

    assert len(desk.kept()[0].raw) <= 8192


def test_one_mailbox_does_not_fill_the_database(desk: Desk) -> None:
    for number in range(30):
        desk.take(plain(desk.to(), f"Nonsense {number}", subject="Problem"))

    assert len(desk.kept()) == 5


def test_hostile_mails_change_nothing_and_are_not_logged(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Each kind of them is read in tests/core/test_report.py."""
    before = desk.everything_else()
    caplog.set_level(logging.INFO)

    for name in ("nothing", "not text", "bad charset", "bad boundary", "comments"):
        desk.take(HOSTILE[name])

    assert desk.everything_else() == before
    assert caplog.text == ""


def test_a_report_about_an_erased_person_brings_nothing_back(desk: Desk) -> None:
    number = desk.subscription().id
    with desk.mailroom.deployment.database.writing() as connection:
        erase(desk.mailroom.deployment, connection, number, now=NOW)

    desk.take(report(desk.to()))

    assert desk.subscription().address is None
    assert desk.kept()[0].raw is None
    assert desk.is_suppressed(), "by its keyed hash"


def test_the_letter_to_a_new_address_says_nothing_about_the_present_one(desk: Desk) -> None:
    number = desk.subscription().id
    desk.mailroom.change(["reader0@reader.example"], new_address="typo@reader.example")
    add_letter(desk.mailroom, number, kind="address")

    desk.take(report(desk.to(-1)))

    assert desk.subscription().state is State.CONFIRMED
    assert desk.mailroom.rows()[-1].state is Row.FAILED


def move(desk: Desk, address: str) -> None:
    """The first reader confirms a new address by the link that it gets."""
    deployment, box = desk.mailroom.deployment, Letterbox(desk.mailroom.deployment)
    ask_new_address(deployment, desk.subscription().id, address, now=desk.mailroom.clock())
    assert box.collect() == [address]
    confirm(deployment, box.link(address, "confirm").rpartition("/")[2], now=desk.mailroom.clock())
    assert desk.subscription().address == address


@pytest.mark.parametrize("status", ["5.1.1", "4.2.2"])
@pytest.mark.parametrize("address", ["reader0@elsewhere.example", "new@reader.example"])
def test_who_has_moved_since_is_not_blamed_for_the_old_mailbox(desk: Desk, address: str, status: str) -> None:
    desk.mailroom.clock.tick(hours=1)
    move(desk, address)
    desk.mailroom.clock.tick(hours=1)

    # The second finds a row that has failed since they moved.
    taken = [desk.take(report(desk.to(), status=status, message_id=f"<{one}@x.example>")) for one in range(2)]

    assert [one.suppressed for one in taken] == [False, False]
    assert desk.subscription().state is State.CONFIRMED
    assert desk.subscription().bounce_score == 0.0
    assert desk.mailroom.rows()[0].state is Row.FAILED


def test_who_moves_while_a_mail_is_on_its_way_is_not_blamed_either(desk: Desk) -> None:
    desk.mailroom.clock.tick(days=30)
    deployment, box = desk.mailroom.deployment, Letterbox(desk.mailroom.deployment)
    ask_new_address(deployment, desk.subscription().id, "new@reader.example", now=desk.mailroom.clock())
    box.collect()
    desk.mailroom.announce("Lời khác")

    def before(recipient: str) -> None:
        if recipient == "reader0@reader.example":
            token = box.link("new@reader.example", "confirm").rpartition("/")[2]
            confirm(deployment, token, now=desk.mailroom.clock())
            desk.mailroom.clock.tick(minutes=2)

    relay = Relay(before=before)
    desk.mailroom.deliver(relay)
    assert "reader0@reader.example" in relay.taken

    taken = desk.take(report(desk.to(_to_first(desk))))

    assert not taken.suppressed
    assert desk.subscription().address == "new@reader.example"
    assert desk.subscription().state is State.CONFIRMED


def _to_first(desk: Desk) -> int:
    """The mail of the newest campaign to the first reader."""
    campaign, reader = desk.mailroom.campaign().id, desk.subscription().id
    rows = [(one.campaign_id, one.subscription_id) for one in desk.mailroom.rows()]
    return rows.index((campaign, reader))


def test_a_mail_to_the_new_mailbox_is_about_the_new_one(desk: Desk) -> None:
    move(desk, "new@reader.example")
    desk.mailroom.clock.tick(days=30)
    desk.mailroom.announce("Lời khác")
    desk.mailroom.deliver(Relay())

    taken = desk.take(report(desk.to(_to_first(desk))))

    assert taken.suppressed
    assert desk.subscription().state is State.SUPPRESSED


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    folder = tmp_path / "maildir"
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    return folder


def test_a_maildir_is_read_and_what_was_read_is_moved(maildir: Path) -> None:
    for number in range(3):
        (maildir / "new" / f"{number}.host").write_bytes(b"mail %d" % number)
    (maildir / "cur" / "old:2,").write_bytes(b"seen by somebody")
    taken: list[bytes] = []

    assert is_maildir(maildir)
    assert list(read_maildir(maildir, taken.append)) == []

    assert taken == [b"mail 0", b"mail 1", b"mail 2"]
    assert list((maildir / "new").iterdir()) == []
    assert sorted(one.name for one in (maildir / "cur").iterdir()) == [
        "0.host:2,S",
        "1.host:2,S",
        "2.host:2,S",
        "old:2,",
    ]


def test_what_cannot_be_taken_in_stays_for_the_next_time(maildir: Path) -> None:
    (maildir / "new" / "1").write_bytes(b"mail")

    def refuse(content: bytes) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        list(read_maildir(maildir, refuse))

    assert (maildir / "new" / "1").exists()


def test_what_is_no_file_is_named_and_left(maildir: Path, tmp_path: Path) -> None:
    """A link could point at anything that the process may read."""
    (tmp_path / "secret").write_bytes(b"secret")
    (maildir / "new" / "link").symlink_to(tmp_path / "secret")
    (maildir / "new" / "folder").mkdir()
    (maildir / "new" / "mail").write_bytes(b"mail")
    taken: list[bytes] = []

    named = list(read_maildir(maildir, taken.append))

    assert taken == [b"mail"]
    assert [one.partition(":")[0] for one in named] == ["folder", "link"]


MBOX = b"""From MAILER-DAEMON Tue Dec  1 09:00:00 2026
Subject: one

>From the start
From here to there

From MAILER-DAEMON@x.example  Tue Dec  1 10:00:00 2026
Subject: two

text
"""


@pytest.mark.parametrize(
    "content, subjects",
    [
        (MBOX, [b"Subject: one", b"Subject: two"]),
        (b"Subject: one\n\nFrom here\n\nFrom there\n", [b"Subject: one"]),
        (MBOX.replace(b"\n", b"\r\n"), [b"Subject: one\r", b"Subject: two\r"]),
        (b"", []),
        (b"\n\n", []),
    ],
    ids=["mbox", "one mail", "crlf", "nothing", "blank"],
)
def test_standard_input_holds_one_mail_or_an_mbox(content: bytes, subjects: list[bytes]) -> None:
    found = list(read_stream(BytesIO(content)))

    assert [one.split(b"\n")[0] for one in found] == subjects


def test_a_huge_mail_is_read_in_bounded_memory() -> None:
    found = list(read_stream(BytesIO(b"Subject: huge\n\n" + b"x" * 5_000_000)))

    assert len(found) == 1
    assert len(found[0]) < 400_000
