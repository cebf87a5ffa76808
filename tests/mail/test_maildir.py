"""Mails as files: whole or not there, and a folder that is out of reach is said, not raised."""

import mailbox
import os
import stat
import threading
from pathlib import Path

import pytest

from consent_widget.core.reply import Outcome, Stage
from consent_widget.mail.maildir import MaildirTransport
from tests.mail.conftest import MESSAGE, RECIPIENT, SENDER
from tests.mail.test_wire import BAD


def test_a_mail_lies_there_with_its_envelope(tmp_path: Path) -> None:
    transport = MaildirTransport(tmp_path / "mails")

    reply = transport.send(MESSAGE, sender=SENDER, recipient=RECIPIENT)

    assert (reply.outcome, reply.stage) == (Outcome.ACCEPTED, Stage.DOT)
    (path,) = (tmp_path / "mails" / "new").iterdir()
    envelope = f"Return-Path: <{SENDER}>\r\nDelivered-To: {RECIPIENT}\r\n".encode()
    assert path.read_bytes() == envelope + MESSAGE
    assert list((tmp_path / "mails" / "tmp").iterdir()) == []
    assert path.name in reply.text
    (mail,) = mailbox.Maildir(tmp_path / "mails")
    assert (mail["Return-Path"], mail["Subject"]) == (f"<{SENDER}>", "A new version")


def test_new_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        assert MaildirTransport(tmp_path / "mails").probe() is None
    finally:
        os.umask(before)

    for folder in (tmp_path / "mails", *(tmp_path / "mails").iterdir()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    def write(name: int) -> None:
        transport = MaildirTransport(tmp_path)
        for number in range(25):
            recipient = f"reader{name}.{number}@good.example"
            assert transport.send(MESSAGE, sender=SENDER, recipient=recipient).outcome is Outcome.ACCEPTED

    writers = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()

    found = [mail["Delivered-To"] for mail in mailbox.Maildir(tmp_path)]
    assert sorted(found) == sorted(
        f"reader{name}.{number}@good.example" for name in range(4) for number in range(25)
    )


def test_a_folder_that_cannot_be_is_a_certain_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    transport = MaildirTransport(tmp_path / "file" / "mails")

    for reply in (transport.probe(), transport.send(MESSAGE, sender=SENDER, recipient=RECIPIENT)):
        assert reply is not None
        assert (reply.outcome, reply.code, reply.stage) == ("certain_failure", "connection", "connect")
        assert not reply.pauses

    (tmp_path / "file").unlink()
    assert transport.probe() is None
    assert transport.send(MESSAGE, sender=SENDER, recipient=RECIPIENT).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("address", BAD)
def test_a_hostile_address_leaves_no_file(tmp_path: Path, address: str) -> None:
    transport = MaildirTransport(tmp_path)

    assert transport.send(MESSAGE, sender=SENDER, recipient=address).outcome is Outcome.PERMANENT
    assert transport.send(MESSAGE, sender=address, recipient=RECIPIENT).outcome is Outcome.PERMANENT
    assert list(tmp_path.iterdir()) == []
