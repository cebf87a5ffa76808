"""EM: hostile addresses at the form, checked in the raw bytes that a real mail server received."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from consent_widget.core.address import clean_address
from consent_widget.core.errors import InputError
from consent_widget.mail.url import open_transport
from consent_widget.services.sending import deliver
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.subscribers import Readers, make_readers
from tests.factories import Clock
from tests.mail.journal import Received
from tests.mail.sink import Sink, running_sink


@pytest.fixture
def readers(make_target: MakeTarget, sqlite_url: str, clock: Clock) -> Readers:
    return make_readers(make_target, sqlite_url, clock=clock)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with running_sink(tmp_path) as found:
        yield found


def sent(readers: Readers, sink: Sink) -> list[Received]:
    """What the server has taken once everything was sent that is due."""
    deliver(readers.target.deployment, open_transport(sink.url), owner="worker", sleep=lambda seconds: None)
    return sink.mails


def assert_is_one_letter(mail: Received, address: str) -> None:
    """One recipient, who is the one written in it, and no header that we did not write."""
    assert mail.recipients == (address,)
    assert re.fullmatch(r"bounce\+[\w.-]+@good\.example", mail.sender), mail.sender
    read = message_from_bytes(mail.raw, policy=policy.default)
    assert [name for name in read if name.lower() in ("bcc", "cc", "to")] == ["To"]
    assert [one.addr_spec for one in read["To"].addresses] == [address]
    assert "evil.example" not in mail.raw.partition(b"\r\n\r\n")[0].decode().replace(address, "")


@attack("EM-001", "EM-003", "EM-007", "EM-010")
def test_what_is_no_plain_address(case: Case, readers: Readers, sink: Sink) -> None:
    """By form and by JSON: refused, or one letter to the very address that was typed."""
    accepted = []
    for payload in case.payloads:
        answers = [
            readers.sign_up(payload),
            readers.send("/privacy/subscribe", json={"email": payload, "lang": "en"}),
        ]
        for answer in answers:
            assert answer.status_code in (202, 400), payload
        if answers[0].status_code == 202:
            accepted.append(payload)

    mails = sent(readers, sink)

    assert accepted == []
    assert mails == []
    assert readers.target.stored()["cw_subscription"] == 0


@attack("EM-001")
@pytest.mark.parametrize("field", ["lang", "action", "name", "to", "cc"])
def test_line_breaks_in_the_other_fields(case: Case, field: str, readers: Readers, sink: Sink) -> None:
    for payload in case.payloads:
        data = {"email": "reader@good.example", field: payload}
        assert readers.send("/privacy/subscribe", data).status_code == 202

    for mail in sent(readers, sink):
        assert_is_one_letter(mail, "reader@good.example")


@attack("EM-008")
def test_legal_but_unusual(case: Case, readers: Readers, sink: Sink) -> None:
    for payload in case.payloads:
        try:
            clean_address(payload)
        except InputError:
            # A label of more than 63 octets is none (RFC 1035 section 2.3.4), whatever the case calls it.
            assert max(len(one) for one in payload.rpartition("@")[2].split(".")) > 63
            continue
        assert readers.sign_up(payload).status_code == 202

    mails = sent(readers, sink)

    accepted = [one for one in case.payloads if max(map(len, one.rpartition("@")[2].split("."))) <= 63]
    assert sorted(mail.recipients for mail in mails) == sorted((one,) for one in accepted)
    for mail in mails:
        assert_is_one_letter(mail, mail.recipients[0])


@attack("EM-011")
def test_other_spellings_of_one_mailbox(case: Case, readers: Readers, sink: Sink) -> None:
    """The domain is folded, and so is the name: hardly any server tells A from a. Tags are other mailboxes."""
    for spelled in ("A@Good.Example", "a@good.example", "a@GOOD.EXAMPLE", " a@good.example "):
        assert readers.sign_up(spelled).status_code == 202

    (mail,) = sent(readers, sink)

    assert readers.target.stored()["cw_subscription"] == 1
    assert_is_one_letter(mail, "A@good.example" if b"A@good" in mail.raw else "a@good.example")
