"""What the mails to subscriptions have in common: the headers, the frame, the places to be filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from ..core.delivery import Kind
from .catalogue import Words
from .mail_letterhead import Letterhead
from .mail_wire import (
    boundary,
    break_line,
    header,
    mailbox_header,
    multipart,
    one_line,
    quoted_printable,
    slot,
    split,
    text_part,
)

#: The tokens that a mail of each kind holds, and no other: who has not confirmed gets no power over a subscription.
TOKENS: Mapping[Kind, frozenset[str]] = {
    Kind.CHANGE: frozenset({"manage", "unsubscribe"}),
    Kind.CORRECTION: frozenset({"manage", "unsubscribe"}),
    Kind.CONFIRM: frozenset({"confirm"}),
    Kind.ADDRESS: frozenset({"confirm"}),
    Kind.KNOWN: frozenset({"manage", "unsubscribe"}),
}

#: Of the kinds above, those that tell all subscriptions the same.
BULK = frozenset({Kind.CHANGE, Kind.CORRECTION})

# Ours alone: a host's loader is never asked, so no page of its own gets into a mail (law.md M18).
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates" / "consent_widget" / "mail"),
    autoescape=select_autoescape(enabled_extensions=("html",), default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)

_TOKEN = re.compile(r"[A-Za-z0-9._-]{1,300}")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.-]{1,200}@[A-Za-z0-9.-]{1,253}>")
_ADDRESS = re.compile(r"(?!.*=\?)[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}")

#: What a list of mails shows beside the subject, at most.
_LONGEST_PREVIEW = 150


@dataclass(frozen=True, kw_only=True)
class Stencil:
    """One mail to many: composed once for a campaign and a language, filled in for each recipient.

    ``parts`` are bytes, and the names of what stands between them; ``tokens`` the names of
    those that its links need.
    """

    parts: tuple[bytes | str, ...]
    tokens: frozenset[str]

    def fill(self, *, recipient: str, message_id: str, date: datetime, **tokens: str) -> bytes:
        """The mail to ``recipient``, a cleaned address; equal arguments give equal bytes.

        ``tokens`` are ``unsubscribe`` and ``manage`` of the subscription (core.links), of a letter
        that asks for a confirmation ``confirm`` alone; ``message_id`` is of core.envelope, ``date``
        aware. Lines end with CRLF, all is ASCII, none is longer than SMTP allows (RFC 5321
        section 4.5.3.1.6).

        Raises:
            ValueError: an argument is not of this form, or not one of this mail's.
        """
        # Whatever was checked before, nothing that ends a line goes from here into a header.
        if not _ADDRESS.fullmatch(recipient) or not _MESSAGE_ID.fullmatch(message_id) or date.tzinfo is None:
            raise ValueError("A recipient, a Message-ID or a date is not of the form that a mail needs.")
        if tokens.keys() != self.tokens or not all(map(_TOKEN.fullmatch, tokens.values())):
            raise ValueError(f"The links of this mail need the tokens {sorted(self.tokens)}.")
        values = {
            "to": recipient.encode(),
            "message_id": message_id.encode(),
            "date": _written_date(date.astimezone(UTC)),
            "recipient": _written(recipient),
            "recipient_html": _written(escape(recipient)),
        }
        for name, token in tokens.items():
            values[name] = _written(token)
            values[f"{name}_header"] = token.encode()
        return b"".join(values[part] if isinstance(part, str) else part for part in self.parts)


@lru_cache(maxsize=64)
def _written_date(date: datetime) -> bytes:
    """The same for thousands of rows that were made at once."""
    return format_datetime(date).encode()


def _written(value: str) -> bytes:
    return break_line(quoted_printable(value)).encode()


def compose(
    kind: Kind,
    t: Words,
    letterhead: Letterhead,
    *,
    subject: str,
    secret: str,
    run: str,
    context: Mapping[str, Any],
    file: str = "",
) -> Stencil:
    """The mail of ``kind`` with everything that all recipients have in common."""
    base = letterhead.public_base
    whole = {
        "t": t,
        "lang": t.language,
        "letterhead": letterhead,
        "subject": one_line(subject),
        "preview_length": _LONGEST_PREVIEW,
        "notice_url": f"{base}/{t.language}/",
        "manage_url": f"{base}/subscription/{slot('manage')}",
        "unsubscribe_url": f"{base}/unsubscribe/{slot('unsubscribe')}",
    } | dict(context)
    parts = []
    for subtype, ending, address in (("plain", "txt", "recipient"), ("html", "html", "recipient_html")):
        places = {"recipient": slot(address), "why": _why(kind, t, letterhead, slot(address))}
        written = _TEMPLATES.get_template(f"{kind}.{ending}").render(whole | places)
        parts.append(text_part(subtype, written))
    body = multipart("alternative", boundary(secret, t.language, 1), parts)
    if file:
        body = multipart("mixed", boundary(secret, t.language, 0), [body, file])
    written = _headers(kind, t, letterhead, subject, run) + body
    return Stencil(
        parts=tuple(
            part for before, name in split(written) for part in (before.encode("ascii"), name) if part
        ),
        tokens=TOKENS[kind],
    )


def _why(kind: Kind, t: Words, letterhead: Letterhead, recipient: str) -> str:
    """Why somebody gets this mail."""
    if "unsubscribe" not in TOKENS[kind]:
        return t(
            "The address %(address)s was entered on our website. This email only asks whether that was meant.",
            address=recipient,
        )
    return t(
        "%(address)s is subscribed to notices of change of the privacy policy of %(name)s, confirmed from the "
        "mailbox itself. We use the address for these notices alone.",
        address=recipient,
        name=letterhead.name,
    )


def _headers(kind: Kind, t: Words, letterhead: Letterhead, subject: str, run: str) -> str:
    """Those of every mail; the list's only where there is a subscription to end (RFC 2369, RFC 8058)."""
    sender = f"cw-{sha256(letterhead.mail_domain.encode()).hexdigest()[:10]}"
    lines = [
        mailbox_header("From", letterhead.name, letterhead.mail_from),
        f"To: {slot('to')}\r\n",
        header("Subject", subject),
        f"Date: {slot('date')}\r\n",
        f"Message-ID: {slot('message_id')}\r\n",
    ]
    if "unsubscribe" in TOKENS[kind]:
        url = f"{letterhead.public_base}/unsubscribe/{slot('unsubscribe_header')}"
        lines += [
            f"List-Id: <privacy-notices.{letterhead.mail_domain}>\r\n",
            f"List-Unsubscribe: <{url}>\r\n",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
        ]
    # A letter answers one person, a campaign tells all of them: automatic answers come to neither (RFC 3834).
    lines.append("Auto-Submitted: auto-generated\r\n")
    if kind in BULK:
        lines.append("Precedence: bulk\r\n")
    lines += [
        f"Content-Language: {t.language}\r\n",
        # Of Gmail's reports on spam; tells of the campaign and the sender, of no recipient.
        f"Feedback-ID: {run}:{kind}:{t.language}:{sender}\r\n",
        "MIME-Version: 1.0\r\n",
    ]
    return "".join(lines)
