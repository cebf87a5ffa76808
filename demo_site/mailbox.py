"""The mailbox of everybody: each mail that the demonstration sent, as its reader would see it.

Mails are files in DEMO_DIR/mail; none leaves the machine. They are numbered from the oldest on,
so that an address keeps its mail when others arrive.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import default as policy
from email.utils import parsedate_to_datetime
from pathlib import Path

from flask import Blueprint, Response, abort, current_app, render_template
from flask_babel import format_datetime

from .settings import VIETNAM

mailbox = Blueprint("mailbox", __name__)

#: The page shows so many; the older ones keep their addresses.
_SHOWN = 100

_LINK = re.compile(r"(https?://[^\s<>\"]+[^\s<>\".,;:!?)\]])")

#: What a mail's HTML may do in the page: show itself. Its links open in the whole window.
_HTML_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "sandbox allow-top-navigation-by-user-activation"
)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One mail; ``pieces`` is its text, cut at links: every second piece is one."""

    number: int
    to: str
    sender: str
    subject: str
    language: str
    date: datetime | None
    pieces: tuple[str, ...]
    has_html: bool
    unsubscribe: str
    attachments: tuple[str, ...]

    @property
    def day(self) -> str:
        here = self.date.astimezone(VIETNAM) if self.date else None
        return format_datetime(here, "d/M/yyyy H:mm", rebase=False) if here else ""


@mailbox.get("/mailbox")
def inbox() -> Response:
    files = _files()
    newest = list(enumerate(files, start=1))[::-1]
    mails = [_mail(number, path) for number, path in newest[:_SHOWN]]
    response = Response(render_template("mailbox.html", mails=mails, older=max(0, len(files) - _SHOWN)))
    response.cache_control.no_store = True
    return response


@mailbox.get("/mailbox/<int:number>.eml")
def raw(number: int) -> Response:
    """The mail as it left, headers and all."""
    return _kept(Response(_path(number).read_bytes(), mimetype="message/rfc822"))


@mailbox.get("/mailbox/<int:number>.html")
def as_html(number: int) -> Response:
    """The HTML part, for the frame on the page."""
    part = _read(_path(number)).get_body(("html",))
    if part is None:
        abort(404)
    # Its links would open in the frame, where no page of ours lets itself be shown.
    html = str(part.get_content()).replace("<head>", '<head><base target="_top">', 1)
    response = Response(html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _HTML_POLICY
    return _kept(response)


def _kept(response: Response) -> Response:
    response.cache_control.no_store = True
    return response


def _files() -> list[Path]:
    """The oldest first."""
    folder = Path(current_app.config["DEMO_MAIL"])
    found = [path for name in ("new", "cur") for path in (folder / name).glob("*") if path.is_file()]
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))


def _path(number: int) -> Path:
    files = _files()
    if not 0 < number <= len(files):
        abort(404)
    return files[number - 1]


def _read(path: Path) -> EmailMessage:
    return message_from_bytes(path.read_bytes(), policy=policy)


def _words(header: str | None) -> str:
    """A header as people read it; the newer parser would leave a space where a long name was cut."""
    return str(make_header(decode_header(header or "")))


def _mail(number: int, path: Path) -> Mail:
    message = _read(path)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    head = BytesHeaderParser().parsebytes(path.read_bytes())
    return Mail(
        number=number,
        to=_words(head["To"] or head["Delivered-To"]),
        sender=_words(head["From"]),
        subject=_words(head["Subject"]),
        language=_words(head["Content-Language"]),
        date=parsedate_to_datetime(head["Date"]) if head["Date"] else None,
        pieces=tuple(_LINK.split(str(text.get_content()).strip())) if text else (),
        has_html=html is not None,
        unsubscribe="".join(_LINK.findall(_words(head["List-Unsubscribe"]))[:1]),
        attachments=tuple(part.get_filename() or "" for part in message.iter_attachments()),
    )
