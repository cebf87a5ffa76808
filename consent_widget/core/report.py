"""A report about a mail that came back is read, whatever it is made of (RFC 3462, 3464, 3834).

It comes from strangers: whatever stands in it, reading it neither fails nor takes long.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from hashlib import sha256
from itertools import islice

#: More of a message is not looked at: the status stands before the mail that is sent back.
MAX_REPORT = 256 * 1024

_MAX_PARTS = 50
_MAX_ADDRESSES = 50

#: Where mail servers say to whom they delivered; the rest is what senders write.
_RECIPIENT_HEADERS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to")

#: What two copies of one report have in common, unlike the stations they passed.
_OWN_HEADERS = ("from", "date", "subject", "message-id", "content-type")

_CODE = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")

#: Automatic replies that say so in no header.
_ANSWER_SUBJECTS = re.compile(
    r"out of (the )?office|automatic(al)? reply|auto[- ]?reply|autoresponse|on vacation"
    r"|trả lời tự động|tự động trả lời|vắng mặt|nghỉ phép",
    re.IGNORECASE,
)

_FAULTS = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one message says.

    ``code`` is the enhanced status code (RFC 3463) of the recipient, empty where none is
    given. ``is_final``: nobody goes on trying. ``is_answer``: a person's mail program, or a
    receipt. ``to`` are the addresses it went to. ``digest`` is the same for a second copy.
    """

    to: tuple[str, ...]
    code: str
    is_final: bool
    is_answer: bool
    digest: str


def parse(content: bytes) -> Message | None:
    """The message, as far as it is looked at; None where it cannot be taken apart at all."""
    try:
        return message_from_bytes(content[:MAX_REPORT])
    except _FAULTS:
        return None


def read_report(content: bytes) -> Report:
    """What ``content`` says; what cannot be read says nothing."""
    message = parse(content)
    digest = sha256(content).hexdigest()
    nothing = Report(to=(), code="", is_final=False, is_answer=False, digest=digest)
    if message is None:
        return nothing
    try:
        code, is_final = _status(message)
        return Report(
            to=_recipients(message),
            code=code,
            is_final=is_final,
            is_answer=not code and _is_answer(message),
            digest=_digest(message, content),
        )
    except _FAULTS:
        return nothing


def codes_in(message: Message) -> Iterator[str]:
    """Enhanced status codes in what a server wrote for people to read."""
    for part in islice(message.walk(), _MAX_PARTS):
        if part.get_content_type() == "text/plain":
            payload = part.get_payload(decode=True)
            words = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
            yield from _CODE.findall(words)
            return


def _status(message: Message) -> tuple[str, bool]:
    """The code, and whether it is the last word, of the recipient who did not get it."""
    delayed = ""
    for part in islice(message.walk(), _MAX_PARTS):
        if part.get_content_type() != "message/delivery-status":
            continue
        blocks = part.get_payload()
        for block in islice(blocks, _MAX_PARTS) if isinstance(blocks, list) else ():
            if not isinstance(block, Message):
                continue
            action, code = _text(block, "action").lower(), _code_of(block)
            if code and action != "delayed":
                return code, True
            delayed = delayed or code
    return delayed, False


def _code_of(block: Message) -> str:
    """The status; where it says no more than "failed", what the other server said itself."""
    found = _CODE.match(_text(block, "status"))
    code = found[1] if found else ""
    if code[1:] in ("", ".0.0"):
        said = [one for one in _CODE.findall(_text(block, "diagnostic-code")) if one.startswith(code[:1])]
        return said[0] if said else code
    return code


def _recipients(message: Message) -> tuple[str, ...]:
    values = [str(value) for name in _RECIPIENT_HEADERS for value in message.get_all(name, [])[:_MAX_PARTS]]
    found = getaddresses([value[:1000] for value in values[:_MAX_PARTS]])
    return tuple(dict.fromkeys(address for _, address in found if "@" in address))[:_MAX_ADDRESSES]


def _is_answer(message: Message) -> bool:
    """Whether nobody reports anything: an automatic reply (RFC 3834), a receipt (RFC 8098)."""
    if "disposition-notification" in str(message.get("content-type", "")).lower():
        return True
    if any(name in message for name in ("x-autoreply", "x-autorespond", "x-auto-response-suppress")):
        return True
    submitted = _text(message, "auto-submitted").lower()
    precedence = _text(message, "precedence").lower()
    if submitted.startswith("auto-replied") or precedence in ("auto_reply", "auto-reply"):
        return not _is_report(message)
    return bool(_ANSWER_SUBJECTS.search(_text(message, "subject")))


def _is_report(message: Message) -> bool:
    """Mail systems mark their reports as automatic replies too."""
    sender = _text(message, "from").lower()
    return (
        message.get_content_type() == "multipart/report"
        or "x-failed-recipients" in message
        or any(name in sender for name in ("mailer-daemon", "postmaster", "mail delivery"))
    )


def _text(message: Message, name: str) -> str:
    """The first header of this name, on one line, decoded as far as that goes."""
    value = " ".join(str(message.get(name, ""))[:1000].split())
    try:
        return str(make_header(decode_header(value)))
    except _FAULTS:
        return value


def _digest(message: Message, content: bytes) -> str:
    """Without the stations on the way, which differ where one report came twice."""
    own = "\n".join(f"{name}: {_text(message, name)}" for name in _OWN_HEADERS)
    head, gap, body = content.replace(b"\r\n", b"\n").partition(b"\n\n")
    return sha256(own.encode("utf-8", "replace") + (body if gap else head)).hexdigest()
