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
            key = self._open().add(envelope + clean(message))
        except (OSError, MailboxError) as error:
            return self._failed(error)  # The file gets its name last: it is not there.
        return Reply(outcome=Outcome.ACCEPTED, code="2.0.0", text=f"kept as {key}", stage=Stage.DOT)

    def probe(self) -> Reply | None:
        """Make the folders; what is wrong, None if nothing is."""
        try:
            self._open()
        except (OSError, MailboxError) as error:
            return self._failed(error)
        return None

    def close(self) -> None:
        self._box = None

    def _open(self) -> Maildir:
        if self._box is None:
            # mkdir gives its mode to the last folder alone.
            for folder in (self._path, *(self._path / part for part in ("tmp", "new", "cur"))):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._box = Maildir(self._path)
        return self._box

    def _failed(self, error: Exception) -> Reply:
        self._box = None
        words = f"The maildir cannot be written to ({type(error).__name__})."
        return lost(CONNECTION, words, stage=Stage.CONNECT)
