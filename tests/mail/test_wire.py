"""The last guard: what may leave, and in which form."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.core.reply import EIGHT_BIT, RECIPIENT, SENDER, Outcome, Stage
from consent_widget.mail.wire import clean, refuse, stuff_dots
from tests.mail.conftest import MESSAGE

GOOD = "alice@good.example"

#: EM-001, EM-003, EM-007 and what else would be more than one mailbox to some server.
BAD = [
    "a@good.example\r\nBcc: x@evil.example",
    "a@good.example\nBcc:x@evil.example",
    "a@good.example\rBcc: x@evil.example",
    "a@good.example\r\n\r\nbody",
    "a@good.example%0aBcc:x@evil.example",
    "a@good.example>\r\nRCPT TO:<x@evil.example>",
    "a@good.example> SIZE=1",
    "<a@good.example>",
    "@evil.example:a@good.example",
    "a%evil.example@good.example",
    "evil.example!a@good.example",
    "alice@good.example)bob@evil.example",
    "(x)a@good.example",
    '"a@good.example"@evil.example',
    "a@good.example\0",
    "a b@good.example",
    "a@good.example ",
    "a@good.example,b@good.example",
    "trần@good.example",
    "a@góod.example",
    "a@good.example\u2028",
    "a@[127.0.0.1]",
    "a",
    "@good.example",
    "a@",
    "",
    "a" * 65 + "@good.example",
    "a@" + "x." * 126 + "example",
]


@pytest.mark.parametrize("address", BAD)
def test_an_address_that_could_be_more_than_one_is_refused(address: str) -> None:
    as_recipient = refuse(MESSAGE, sender=GOOD, recipient=address)
    as_sender = refuse(MESSAGE, sender=address, recipient=GOOD)

    assert as_recipient is not None
    assert (as_recipient.outcome, as_recipient.code) == (Outcome.PERMANENT, RECIPIENT)
    assert not as_recipient.pauses
    assert as_sender is not None
    assert (as_sender.outcome, as_sender.code) == (Outcome.PERMANENT, SENDER)
    assert as_sender.pauses
    assert not as_sender.suppresses
    assert not as_recipient.suppresses


@pytest.mark.parametrize(
    "address",
    [
        "o'brien+tag@good.example",
        "a.b-c_d@sub.good.example",
        "user@xn--v-jga.example",
        "a/b=c@good.example",
        "1@good.example",
        "bounce+12345-0123456789abcdef0123@good.example",
        "x@a-very-long-label-of-sixty-three-characters-aaaaaaaaaaaaaaaaaaaaaaa.example",
    ],
)
def test_an_unusual_but_single_address_passes(address: str) -> None:
    assert refuse(MESSAGE, sender=address, recipient=address) is None


def test_eight_bits_are_refused_as_our_fault() -> None:
    reply = refuse(MESSAGE + "ữ".encode(), sender=GOOD, recipient=GOOD)

    assert reply is not None
    assert (reply.code, reply.stage, reply.pauses, reply.is_ours) == (EIGHT_BIT, Stage.MAIL, True, True)


def test_a_mail_in_order_stays_as_it_is() -> None:
    assert clean(MESSAGE) is MESSAGE


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"x", b"\0", b"MAIL"])).map(b"".join))
def test_whatever_the_text_one_mail_arrives_with_its_lines(text: bytes) -> None:
    """To a server that knows CR LF alone, and to one that takes a lone CR or LF for a line's end."""
    lines = re.split(rb"\r\n|\r|\n", text.replace(b"\0", b""))
    if lines[-1] == b"":
        lines.pop()

    sent = stuff_dots(clean(text))

    strict = sent.split(b"\r\n")
    assert strict == re.split(rb"\r\n|\r|\n", sent)
    assert b"." not in strict
    assert strict.pop() == b""
    assert [line.removeprefix(b".") if line.startswith(b"..") else line for line in strict] == (
        lines or [b""]
    )
