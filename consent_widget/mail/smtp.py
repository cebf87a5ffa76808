"""SMTP (RFC 5321) over one kept-open connection.

The final dot is held back until everything before it has left: an error up to there is certain.
"""

from contextlib import suppress
from select import select
from smtplib import SMTP, SMTPServerDisconnected
from socket import socket
from ssl import SSLContext, SSLWantReadError

from ..core.reply import CONNECTION, SIZE, Outcome, Reply, Stage, read_reply
from .connection import Refused, Relay, Timeouts, broken, connect
from .wire import clean, refuse, stuff_dots

#: A goodbye is a courtesy; so many seconds are waited for its answer.
_GOODBYE = 2.0

#: Seconds between a mail and its final dot. A server near by that breaks off in the middle of a mail is
#: heard of within it in 97 of 100 cases and more; without it, in 1 of 100.
_BREATH = 0.0001

_DONE = range(250, 260)
_GO_ON = (354,)


class SmtpTransport:
    """A :class:`~.transport.Transport`; ``context`` verifies the relay's certificate."""

    def __init__(self, relay: Relay, *, context: SSLContext, timeouts: Timeouts | None = None) -> None:
        self._relay = relay
        self._context = context
        self._timeouts = timeouts or Timeouts()
        self._smtp: SMTP | None = None
        self._stage = Stage.CONNECT
        self._in_transaction = False

    def send(self, message: bytes, *, sender: str, recipient: str) -> Reply:
        refused = refuse(message, sender=sender, recipient=recipient)
        if refused is not None:
            return refused
        message = clean(message)
        was_open = self._smtp is not None
        reply = self._try(message, sender, recipient)
        if was_open and reply.stage is Stage.MAIL and (reply.code == CONNECTION or reply.number == 421):
            # It was closed while idle, or took so many mails that it wants a new one: nothing was begun.
            reply = self._try(message, sender, recipient)
        return reply

    def close(self) -> None:
        if self._smtp is not None and self._smtp.sock is not None:
            self._smtp.sock.settimeout(min(_GOODBYE, self._timeouts.command))
            with suppress(OSError):  # It hung up first.
                self._smtp.quit()
        self._drop()

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        self._in_transaction = False
        if smtp is not None:
            smtp.close()

    def _try(self, message: bytes, sender: str, recipient: str) -> Reply:
        self._stage = Stage.CONNECT
        try:
            if self._smtp is None:
                self._smtp = connect(self._relay, self._context, self._timeouts)
            reply = self._transact(self._smtp, message, sender, recipient)
        except Refused as refused:
            self._drop()
            return refused.reply
        except (OSError, ValueError) as error:  # ValueError: a server's bytes that smtplib cannot decode
            self._drop()
            return broken(error, self._stage)
        if reply.number == 421 or reply.outcome in (Outcome.CERTAIN_FAILURE, Outcome.UNKNOWN):
            self._drop()
        return reply

    def _transact(self, smtp: SMTP, message: bytes, sender: str, recipient: str) -> Reply:
        """MAIL, RCPT, DATA and the mail itself (RFC 5321 section 3.3)."""
        self._stage = Stage.MAIL
        self._wait(smtp, self._timeouts.command)
        limit = smtp.esmtp_features.get("size")
        if limit and limit.isdecimal() and 0 < int(limit) < len(message):
            return _too_big(len(message), int(limit))
        if self._in_transaction and smtp.rset()[0] != 250:
            raise SMTPServerDisconnected("The server did not take back a transaction.")
        size = "" if limit is None else f" SIZE={len(message)}"
        self._in_transaction = False
        for stage, command, words, good in (
            (Stage.MAIL, "MAIL", f"FROM:<{sender}>{size}", _DONE),
            (Stage.RCPT, "RCPT", f"TO:<{recipient}>", _DONE),
            (Stage.DATA, "DATA", "", _GO_ON),
        ):
            self._stage = stage
            number, said = smtp.docmd(command, words)
            if number not in good:
                return self._read(number, said, recipient)
            self._in_transaction = True
        return self._hand_over(smtp, message, recipient)

    def _hand_over(self, smtp: SMTP, message: bytes, recipient: str) -> Reply:
        smtp.send(stuff_dots(message))
        self._overhear(smtp, recipient)
        smtp.send(b".\r\n")
        # Not a line earlier: had the dot not left whole, sending it would have failed.
        self._stage = Stage.DOT
        self._wait(smtp, self._timeouts.dot)
        number, said = smtp.getreply()
        self._in_transaction = False
        return self._read(number, said, recipient)

    def _overhear(self, smtp: SMTP, recipient: str) -> None:
        """Raises Refused if the server hung up or spoke before the final dot: either is certain."""
        assert smtp.sock is not None
        if not _has_news(smtp.sock):
            return
        smtp.sock.settimeout(0)
        try:
            said = smtp.sock.recv(512)
        except (BlockingIOError, SSLWantReadError):
            return  # No more than TLS's own.
        finally:
            self._wait(smtp, self._timeouts.command)
        if not said:
            raise SMTPServerDisconnected("The server hung up in the middle of the mail.")
        number = int(said[:3]) if said[:3].isdigit() else 0
        raise Refused(self._read(number, said[4:], recipient))

    def _read(self, number: int, words: bytes, recipient: str) -> Reply:
        return read_reply(number, words.decode("utf-8", "replace"), stage=self._stage, recipient=recipient)

    def _wait(self, smtp: SMTP, seconds: float) -> None:
        if smtp.sock is not None:
            smtp.sock.settimeout(seconds)


def _has_news(connected: socket) -> bool:
    """Whether something came within a breath; True as well where nobody can tell."""
    try:
        return bool(select([connected], [], [], _BREATH)[0])
    except ValueError:
        return True  # With 1,024 open files select() is at its end.


def _too_big(size: int, limit: int) -> Reply:
    return Reply(
        outcome=Outcome.PERMANENT,
        code=SIZE,
        text=f"The mail has {size} bytes, the server takes {limit}.",
        stage=Stage.MAIL,
    )
