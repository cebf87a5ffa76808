"""Mails as files in a maildir, for development and the demonstration: nothing leaves the machine."""

from mailbox import Error as MailboxError
from mailbox import Maildir
from pathlib import Path

from ..core.reply import CONNECTION, Outcome, Reply, Stage, lost
from .wire import clean, refuse


class MaildirTransport:
    """A :class:`~.transport.Transport` that puts each mail into ``new/``, whole or not at all.

    As at a final delivery two lines stand above it: Return-Path is the envelope's sender,
    Delivered-To its recipient (RFC 5321 section 4.4).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._box: Maildir | None = None

    def send(self, message: bytes, *, sender: str, recipient: str) -> Reply:
        refused = refuse(message, sender=sender, recipient=recipient)
        if refused is not None:
            return refused
        envelope = f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n".encode("ascii")
        try:
            if self._box is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._box = Maildir(self._path)
            key = self._box.add(envelope + clean(message))
        except (OSError, MailboxError) as error:
            # The file gets its name last: it is not there.
            self._box = None
            words = f"The maildir cannot be written to ({type(error).__name__})."
            return lost(CONNECTION, words, stage=Stage.CONNECT)
        return Reply(outcome=Outcome.ACCEPTED, code="2.0.0", text=f"kept as {key}", stage=Stage.DOT)

    def close(self) -> None:
        self._box = None
