"""`flask consent forget | purge | backup | bounces` as an operator runs them."""

import json
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import insert, select

from consent_widget.core.envelope import verp
from consent_widget.core.retention import Rule
from consent_widget.storage.delivery import bounces
from consent_widget.storage.subscription import subscriptions
from tests.factories import NOW
from tests.mailroom import Mailroom, Relay
from tests.reports import plain, report

READER = "reader0@reader.example"


def run(mailroom: Mailroom, *arguments: str, given: str | bytes | None = None) -> Result:
    return mailroom.app.test_cli_runner().invoke(args=["consent", *arguments], input=given)


def addresses(mailroom: Mailroom) -> list[str | None]:
    with mailroom.deployment.database.reading() as connection:
        chosen = select(subscriptions.c.address).order_by(subscriptions.c.id)
        return list(connection.execute(chosen).scalars())


def test_forget_asks_and_does_nothing_where_the_answer_is_no(mailroom: Mailroom) -> None:
    mailroom.subscribe(1)

    done = run(mailroom, "forget", READER, given="n\n")

    assert done.exit_code == 1
    assert "Erase 1 subscription? This cannot be undone." in done.output
    assert addresses(mailroom) == [READER]


@pytest.mark.parametrize("arguments, given", [((), "y\n"), (("--yes",), None)], ids=["asked", "yes"])
def test_forget_erases_and_says_so_without_the_address(
    mailroom: Mailroom, arguments: tuple[str, ...], given: str | None
) -> None:
    mailroom.subscribe(2)

    done = run(mailroom, "forget", READER.upper(), *arguments, given=given)

    assert done.exit_code == 0
    assert "Erased: 1 subscription." in done.output
    assert "reader" not in done.output.lower()
    assert addresses(mailroom) == [None, "reader1@reader.example"]


def test_forget_where_nobody_answers_does_nothing(mailroom: Mailroom) -> None:
    mailroom.subscribe(1)

    assert run(mailroom, "forget", READER, given="").exit_code == 1
    assert addresses(mailroom) == [READER]


def test_forget_of_somebody_unknown_asks_nothing_and_is_no_error(mailroom: Mailroom) -> None:
    done = run(mailroom, "forget", "nobody@reader.example")

    assert (done.exit_code, done.output) == (0, "There is nothing about this address.\n")


def test_forget_of_what_is_no_address_is_an_error(mailroom: Mailroom) -> None:
    done = run(mailroom, "forget", "reader")

    assert done.exit_code == 1
    assert "no e-mail address" in done.output


def test_forget_as_json(mailroom: Mailroom) -> None:
    mailroom.subscribe(1)

    done = run(mailroom, "forget", READER, "--yes", "--json")

    assert json.loads(done.output) == {"subscriptions": 1, "requests": 0, "reports": 0, "left": None}


def test_forget_where_the_journal_cannot_be_written_does_nothing(mailroom: Mailroom, tmp_path: Path) -> None:
    mailroom.subscribe(1)
    object.__setattr__(mailroom.deployment.settings, "erasure_file", str(tmp_path))

    done = run(mailroom, "forget", READER, "--yes")

    assert done.exit_code == 1
    assert "CONSENT_WIDGET_ERASURE_FILE" in done.output
    assert "Traceback" not in done.output
    assert addresses(mailroom) == [READER]


def test_purge_tells_first_and_then_does_it(mailroom: Mailroom) -> None:
    mailroom.subscribe(3, state="pending", at=NOW - timedelta(days=7))
    mailroom.subscribe(1)

    told = run(mailroom, "purge", "--dry-run", "--json")
    after_telling = len(addresses(mailroom))
    done = run(mailroom, "purge", "--json")

    assert json.loads(told.output)["rows"] == json.loads(done.output)["rows"]
    assert json.loads(done.output)["rows"] == dict.fromkeys(Rule, 0) | {"unconfirmed": 3}
    assert after_telling == 4
    assert len(addresses(mailroom)) == 1


def test_purge_speaks_to_people_too(mailroom: Mailroom) -> None:
    mailroom.subscribe(2, state="pending", at=NOW - timedelta(days=7))

    assert (
        "Would be taken away:\n2\tsubscriptions that nobody confirmed\n"
        in run(mailroom, "purge", "--dry-run").output
    )
    assert "Taken away:\n2\tsubscriptions that nobody confirmed\n" in run(mailroom, "purge").output


@pytest.mark.usefixtures("_pg_dump")
def test_backup_tells_where_it_is_and_that_it_is_good(mailroom: Mailroom, tmp_path: Path) -> None:
    path = tmp_path / "copy"

    done = run(mailroom, "backup", str(path))
    again = run(mailroom, "backup", str(path))

    assert done.exit_code == 0, done.output
    assert f"{path}: {path.stat().st_size} bytes" in done.output
    assert "ok: the copy is whole" in done.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert again.exit_code == 1
    assert "exists" in again.output


def told(mailroom: Mailroom, **options: Any) -> list[str]:
    """Three readers who got a mail; the address of the report of each."""
    mailroom.subscribe(3)
    mailroom.announce()
    mailroom.deliver(Relay(), **options)
    return [verp(mailroom.deployment.links, "privacy@demo.example", one.id) for one in mailroom.rows()]


def states(mailroom: Mailroom) -> list[str]:
    with mailroom.deployment.database.reading() as connection:
        chosen = select(subscriptions.c.state).order_by(subscriptions.c.id)
        return list(connection.execute(chosen).scalars())


def test_bounces_reads_a_maildir_once(mailroom: Mailroom, tmp_path: Path) -> None:
    first, second, third = told(mailroom)
    for name in ("new", "cur", "tmp"):
        (tmp_path / "reports" / name).mkdir(parents=True)
    mails = (
        report(first),
        report(second, status="4.2.2"),
        plain(third, "Nonsense", subject="Problem"),
        b"spam",
    )
    for number, content in enumerate(mails):
        (tmp_path / "reports" / "new" / str(number)).write_bytes(content)

    done = run(mailroom, "bounces", str(tmp_path / "reports"))
    again = run(mailroom, "bounces", str(tmp_path / "reports"), "--json")

    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "Messages: 4.",
        "1: there is no such mailbox.",
        "1: not possible for now.",
        "1: could not be read; kept, and shown on the staff pages.",
        "1: for no mail of ours; nothing was changed.",
        "Addresses to which nothing goes any more: 1.",
    ]
    assert states(mailroom) == ["suppressed", "confirmed", "confirmed"]
    assert json.loads(again.output)["reports"] == 0
    assert sorted(one.name for one in (tmp_path / "reports" / "cur").iterdir()) == [
        f"{n}:2,S" for n in range(4)
    ]


def mbox(*mails: bytes) -> bytes:
    return b"".join(b"From MAILER-DAEMON Tue Dec  1 09:00:00 2026\n" + one + b"\n\n" for one in mails)


@pytest.mark.parametrize("source", ["one mail", "mbox", "file"])
def test_bounces_reads_standard_input_and_files(mailroom: Mailroom, tmp_path: Path, source: str) -> None:
    first, second, _ = told(mailroom)
    content = report(first) if source == "one mail" else mbox(report(first), report(second))
    (tmp_path / "mbox").write_bytes(content)
    options: dict[str, Any] = {} if source == "file" else {"given": content}
    arguments = [str(tmp_path / "mbox")] if source == "file" else []

    done = run(mailroom, "bounces", "--json", *arguments, **options)

    assert done.exit_code == 0
    expected = 1 if source == "one mail" else 2
    assert json.loads(done.output) == {
        "reports": expected,
        "kinds": {"gone": expected},
        "suppressed": expected,
        "paused": [],
        "unreadable": [],
    }


def test_bounces_pauses_and_says_so(mailroom: Mailroom) -> None:
    mailroom.subscribe(1)
    addresses = told(mailroom, limit=3)

    done = run(mailroom, "bounces", given=mbox(*(report(one, status="5.7.1") for one in addresses[:3])))

    assert "3: the mail server refuses us." in done.output
    assert f"Paused campaigns, because we are refused: {mailroom.campaign().id}." in done.output


def test_a_folder_that_is_no_maildir_is_a_wrong_call(mailroom: Mailroom, tmp_path: Path) -> None:
    done = run(mailroom, "bounces", str(tmp_path))

    assert done.exit_code == 2
    assert "is no maildir" in done.output


def test_no_address_leaves_a_command_that_fails(mailroom: Mailroom) -> None:
    """Not even where the database refuses: errors hold neither statements nor their values."""
    mailroom.subscribe(1)
    with mailroom.deployment.database.writing() as connection:
        connection.execute(insert(bounces).values(received_at=NOW, kind="x", code="", digest="d", raw=READER))
        connection.exec_driver_sql("DROP TABLE cw_subscription_link")

    done = run(mailroom, "forget", READER, "--yes")

    assert done.exit_code == 1
    assert "reader0" not in done.output
    assert addresses(mailroom) == [READER]
