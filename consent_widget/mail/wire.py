"""What may go over the wire, and in which form: the last guard, whatever the rooms above have checked."""

import re

from ..core.reply import EIGHT_BIT, RECIPIENT, SENDER, Outcome, Reply, Stage

#: A dot-atom at a host name (RFC 5321 section 4.1.2): nothing in it ends a command or begins a parameter.
#: Without ``%`` and ``!``, by which some servers still route.
_MAILBOX = re.compile(r"[A-Za-z0-9#$&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)

_LONGEST_ADDRESS = 254

_LINE_END = re.compile(rb"\r\n|\r|\n")


def refuse(message: bytes, *, sender: str, recipient: str) -> Reply | None:
    """Why this must not be sent, told before any command; None if nothing is wrong with it."""
    if not _is_mailbox(sender):
        return _refused(SENDER, "The sender's address cannot stand in a command.", Stage.MAIL)
    if not _is_mailbox(recipient):
        return _refused(RECIPIENT, "The recipient's address cannot stand in a command.", Stage.RCPT)
    if not message.isascii():
        # Not every server takes eight bits (RFC 6152), and ours are all encoded.
        return _refused(EIGHT_BIT, "The mail is not encoded in seven bits.", Stage.MAIL)
    return None


def clean(message: bytes) -> bytes:
    """``message`` in lines that end by CR LF and nothing else, without NUL (RFC 5321 sections 2.3.8 and 4.5.2).

    A line end that two servers read differently lets a text end the mail and begin another.
    """
    if b"\0" in message:
        message = message.replace(b"\0", b"")
    pairs = message.count(b"\r\n")
    if message.count(b"\r") != pairs or message.count(b"\n") != pairs:
        message = _LINE_END.sub(b"\r\n", message)
    return message if message.endswith(b"\r\n") else message + b"\r\n"


def stuff_dots(message: bytes) -> bytes:
    """A cleaned ``message`` whose lines may begin with a dot, as DATA takes it (RFC 5321 section 4.5.2)."""
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


def _is_mailbox(address: str) -> bool:
    return len(address) <= _LONGEST_ADDRESS and _MAILBOX.fullmatch(address) is not None


def _refused(code: str, text: str, stage: Stage) -> Reply:
    return Reply(outcome=Outcome.PERMANENT, code=code, text=text, stage=stage)
