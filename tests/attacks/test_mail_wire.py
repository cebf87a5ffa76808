"""EM, SM: hostile addresses and texts, read in the raw bytes that a mail server got; a server that offers less."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from consent_widget.core.campaign import PauseReason, State
from consent_widget.core.errors import InputError
from consent_widget.mail.connection import Timeouts
from consent_widget.mail.url import open_transport
from consent_widget.services import campaign as steering
from consent_widget.services.upkeep import sweep
from tests.attacks.cases import Case, attack
from tests.factories import NOW
from tests.mail.certificates import server_context
from tests.mail.journal import Journal
from tests.mail.scripted import Drop, Say, ScriptedServer, always, first
from tests.mail.sink import running_sink
from tests.mailroom import APPROVER, Mailroom
from tests.volume import volume

#: What stands between DATA and the final dot, dots and all.
_CONTENT = re.compile(rb"\r\nDATA\r\n(.*?\r\n)\.\r\n", re.DOTALL)

#: A campaign of a sample is long over then.
END = NOW + timedelta(days=10)

Server = Callable[..., ScriptedServer]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Starts mail servers that note every byte; one after the other they keep one journal."""
    made: list[ScriptedServer] = []
    folder = tmp_path / "scripted"
    folder.mkdir()

    def start(**options: Any) -> ScriptedServer:
        journal = Journal(folder / "journal.jsonl", folder / "mails")
        made.append(ScriptedServer(journal=journal, **options))
        return made[-1]

    yield start
    for one in made:
        one.close()


def send(mailroom: Mailroom, url: str, **options: Any) -> None:
    """A worker's round, a minute later."""
    mailroom.clock.tick(minutes=1)
    sweep(mailroom.deployment, now=mailroom.clock())
    mailroom.deliver(open_transport(url, Timeouts(connect=2, command=2, dot=2)), **options)


@attack("EM-004")
def test_no_title_writes_a_header(case: Case, mailroom: Mailroom, server: Server) -> None:
    """One subject that reads as the title, or the title is refused; nothing else begins in it."""
    mailroom.subscribe(1, language="en")
    good = server()
    refused = []
    for title in [one.replace("A*5000", "A" * 5000) for one in case.payloads]:
        try:
            draft = mailroom.announce(titles={"vi": "Chính sách", "en": title})
        except InputError:
            refused.append(title)
            continue
        before = len(good.accepted)
        send(mailroom, good.url)
        (mail,) = good.accepted[before:]
        message = message_from_bytes(mail.raw, policy=policy.default)
        assert draft.titles["en"] in str(message["Subject"])
        assert [name for name in message if name.lower() in ("subject", "bcc")] == ["Subject"]
        assert b"\0" not in mail.raw
        assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
        mailroom.clock.tick(days=25)
    assert refused == ["A" * 5000, "x\0y"]
    assert not any(b"RCPT TO:<x@evil" in said or b"\nBcc" in said for said in good.received)


@attack("EM-013")
def test_each_mail_carries_what_mailboxes_ask_for(case: Case, mailroom: Mailroom, server: Server) -> None:
    """Read from the bytes that arrived, on the second try of each: the first was refused after the dot."""
    readers = mailroom.subscribe(volume(100, 10_000))
    mailroom.announce()
    good = server(script=first(1, "dot", Say("451 4.3.0 Later")))
    while mailroom.campaign().state is State.RUNNING and mailroom.clock() < END:
        send(mailroom, good.url)

    assert Counter(mail.recipients for mail in good.accepted) == Counter((one,) for one in readers)
    for mail in good.accepted:
        assert_carries_everything(mail.raw)
    assert len({mail.message_id for mail in good.accepted}) == len(readers)
    assert len({unsubscribe_link(mail.raw) for mail in good.accepted}) == len(readers)
    tries = Counter(one for said in good.received for one in _CONTENT.findall(bytes(said)))
    assert set(tries.values()) == {2}, "tried again to the byte"
    assert len(tries) == len(readers)


def assert_carries_everything(raw: bytes) -> None:
    message = message_from_bytes(raw, policy=policy.default)
    assert re.fullmatch(
        r"<https://www\.demo\.example/privacy/unsubscribe/[\w.~-]+>", message["List-Unsubscribe"]
    )
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["From"].addresses[0].addr_spec == "privacy@demo.example"
    assert message["Date"].datetime is not None
    assert message["List-Id"] == "<privacy-notices.demo.example>"
    assert (message["Auto-Submitted"], message["Precedence"]) == ("auto-generated", "bulk")
    assert len(message["Feedback-ID"].split(":")) == 4
    kinds = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert {"text/plain", "text/html", "text/calendar"} <= set(kinds)
    assert all(len(message.get_all(name, [])) == 1 for name in message)


def unsubscribe_link(raw: bytes) -> str:
    return str(message_from_bytes(raw, policy=policy.default)["List-Unsubscribe"])


@attack("EM-005")
def test_no_line_of_a_notice_ends_the_mail(
    case: Case, mailroom: Mailroom, server: Server, tmp_path: Path
) -> None:
    """A strict server, and one that takes a lone CR or LF for a line's end as well, both see one mail, whole."""
    mailroom.subscribe(2, language="en")
    hostile = "\n\n".join([*case.payloads, ".", "..", "The end"])
    mailroom.announce(
        texts={"vi": "Văn bản", "en": f"Text\n\n{hostile}\n"}, summaries={"vi": "Tóm tắt", "en": hostile}
    )
    lenient = server()

    with running_sink(tmp_path) as strict:
        send(mailroom, strict.url, limit=1)
        (first,) = strict.mails
    send(mailroom, lenient.url)
    (second,) = lenient.accepted

    raw = bytes(lenient.received[0])
    assert re.split(rb"\r\n|\r|\n", raw) == raw.split(b"\r\n"), "no line ends otherwise than by CR LF"
    assert raw.split(b"\r\n").count(b".") == 1, "the one that ends the mail"
    assert [lenient.commands[verb] for verb in ("mail", "rcpt", "data", "dot")] == [1] * 4
    for one in (first, second):
        body = message_from_bytes(one.raw, policy=policy.default).get_body(("plain",))
        assert body is not None
        text = body.get_content()
        # Once in the summary, once among what is new.
        assert text.count("MAIL FROM:<x@evil.example>") == 2
        assert text.count("MAIL FROM:<x>") == 6
        assert text.count("The end") == 2


class Fault:
    """What a server lacks: ``code`` is what staff see, None where the mail gets through all the same.

    ``connection`` is tried again by itself.
    """

    def __init__(self, code: str | None, security: str = "none", user: str = "", **options: Any) -> None:
        self.code = code
        self.query = f"?tls={security}"
        self.user = user
        self.options = options


FAULTS = {
    "no SMTPUTF8, no 8BITMIME": Fault(None, offers=()),
    "SIZE 1000": Fault("size", offers=("SIZE 1000",)),
    "STARTTLS stripped": Fault("tls", "starttls"),
    "STARTTLS broken off": Fault(
        "connection", "starttls", speaks_tls="starttls", script=always("handshake", Drop())
    ),
    "STARTTLS refused": Fault(
        "tls", "starttls", speaks_tls="starttls", script=always("starttls", Say("501 5.5.4 No"))
    ),
    "certificate of nobody": Fault("tls", "starttls", speaks_tls="starttls"),
    "AUTH 535": Fault(
        "auth", user="us:s3cret-word@", offers=("AUTH PLAIN",), script=always("auth", Say("535 5.7.8 No"))
    ),
}


@attack("SM-011")
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_server_that_offers_less(
    case: Case, fault: Fault, mailroom: Mailroom, server: Server, tmp_path: Path
) -> None:
    """The campaign stops and says why, nothing leaves in clear where TLS is asked for, no address is blamed."""
    readers = mailroom.subscribe(5)
    mailroom.announce()
    context, _ = server_context(tmp_path, "127.0.0.1")
    poor = server(context=context, **fault.options)
    url = f"smtp://{fault.user}127.0.0.1:{poor.port}{fault.query}"

    for _ in range(3):
        send(mailroom, url)
    campaign = mailroom.campaign()

    if fault.code == "connection":
        assert campaign.state is State.RUNNING
    elif fault.code is not None:
        assert (campaign.state, campaign.pause_reason) == (State.PAUSED, PauseReason.SETTINGS)
        assert campaign.pause_detail.startswith(f"{fault.code} ")
        assert "s3cret-word" not in campaign.pause_detail
        steering.resume(mailroom.deployment, campaign.id, staff=APPROVER, now=mailroom.clock())

    if fault.code is not None:
        assert mailroom.states() == {"pending": 5}
        assert poor.accepted == []
        assert poor.commands["mail"] == 0
        assert not any(b"reader" in said or b"s3cret" in said for said in poor.clear)

        mailroom.clock.tick(minutes=10)
        send(mailroom, server().url)

    assert mailroom.states() == {"accepted": 5}
    assert sorted(mail.recipients[0] for mail in poor.accepted) == sorted(readers)
