"""From the relay's address to a connection that takes mails: greeting, EHLO, TLS, sign-in."""

import socket
from dataclasses import dataclass, field
from enum import StrEnum
from smtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPServerDisconnected
from ssl import SSLContext, SSLEOFError, SSLError, SSLSyscallError, SSLZeroReturnError

from ..core.reply import AUTH, CONNECTION, TIMEOUT, TLS, Outcome, Reply, Stage, lost, one_line, read_reply


class Security(StrEnum):
    """``implicit``: TLS before the first word (RFC 8314). ``starttls``: required. ``none``: in clear."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Relay:
    """The server that takes all our mail, and how it knows us; ``user`` is empty where nobody signs in."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Seconds of silence after which a connection is given up; after the dot a server may still scan the mail."""

    connect: float = 10.0
    command: float = 30.0
    dot: float = 120.0


class Refused(Exception):
    """No mail can be handed over now: ``reply`` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.code)
        self.reply = reply


def connect(relay: Relay, context: SSLContext, timeouts: Timeouts) -> SMTP:
    """A connection that waits for MAIL; nothing was sent on it in clear where TLS is asked for.

    Raises:
        Refused: the relay does not answer, refuses us, or cannot be trusted.
    """
    smtp = SMTP(local_hostname="localhost")  # Named properly below, without asking the DNS.
    try:
        _greet(smtp, relay, context, timeouts)
        if relay.security is Security.STARTTLS:
            _start_tls(smtp, relay, context)
        if relay.user:
            _sign_in(smtp, relay)
    except Refused:
        smtp.close()
        raise
    except (OSError, ValueError) as error:  # ValueError: a server's bytes that smtplib cannot decode
        smtp.close()
        raise Refused(broken(error, Stage.CONNECT)) from error
    return smtp


def broken(error: Exception, stage: Stage) -> Reply:
    """What a failed connection amounts to at ``stage``."""
    # smtplib tells of any failure as of a closed connection; what it was stands behind it.
    causes = (error, error.__context__, error.__cause__)
    code = TIMEOUT if any(isinstance(one, TimeoutError) for one in causes) else CONNECTION
    return lost(code, str(error), stage=stage)


def _greet(smtp: SMTP, relay: Relay, context: SSLContext, timeouts: Timeouts) -> None:
    plain = socket.create_connection((relay.host, relay.port), timeouts.connect)
    smtp.sock = plain
    # The dot follows the mail at once instead of waiting for its acknowledgement.
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.settimeout(timeouts.command)
    smtp.local_hostname = _own_name(plain)
    if relay.security is Security.IMPLICIT:
        smtp.sock = _encrypted(plain, relay, context)
    number, words = smtp.getreply()
    if number != 220:
        raise Refused(_read(number, words))
    smtp.ehlo_or_helo_if_needed()


def _start_tls(smtp: SMTP, relay: Relay, context: SSLContext) -> None:
    if not smtp.has_extn("starttls"):
        raise Refused(_distrust("The server does not offer STARTTLS, and nothing is sent without it."))
    number, words = smtp.docmd("STARTTLS")
    if number != 220:
        reply = _read(number, words)
        raise Refused(reply if reply.number < 500 else _distrust(reply.text, number))
    assert smtp.sock is not None
    if smtp.file is not None:
        # What it said before the handshake may be another's words (RFC 3207 section 4.2).
        smtp.file.close()
        smtp.file = None
    smtp.sock = _encrypted(smtp.sock, relay, context)
    smtp.ehlo_resp = smtp.helo_resp = None
    smtp.esmtp_features = {}
    smtp.does_esmtp = False
    smtp.ehlo_or_helo_if_needed()


def _encrypted(plain: socket.socket, relay: Relay, context: SSLContext) -> socket.socket:
    try:
        return context.wrap_socket(plain, server_hostname=relay.host)
    except (SSLEOFError, SSLZeroReturnError, SSLSyscallError):
        # A connection that ended: a relay that is being restarted looks like this, and is no other's.
        raise
    except SSLError as error:
        raise Refused(_distrust(str(error))) from error


def _sign_in(smtp: SMTP, relay: Relay) -> None:
    try:
        smtp.login(relay.user, relay.password)
    except SMTPServerDisconnected:
        raise
    except SMTPAuthenticationError as error:
        reply = _read(error.smtp_code, error.smtp_error)
        raise Refused(reply if reply.number < 500 else _unknown_to_it(reply.text, reply.number)) from error
    except SMTPException as error:
        raise Refused(_unknown_to_it(str(error))) from error


def _read(number: int, words: bytes | str) -> Reply:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return read_reply(number, text, stage=Stage.CONNECT)


def _distrust(text: str, number: int = 0) -> Reply:
    return _failure(TLS, text, number)


def _unknown_to_it(text: str, number: int = 0) -> Reply:
    return _failure(AUTH, text, number)


def _failure(code: str, text: str, number: int) -> Reply:
    return Reply(
        outcome=Outcome.CERTAIN_FAILURE, code=code, text=one_line(text), stage=Stage.CONNECT, number=number
    )


def _own_name(connected: socket.socket) -> str:
    """How we greet: this machine's name where it is a whole one, else its address (RFC 5321 section 4.1.3)."""
    name = socket.gethostname()
    if "." in name and name.isascii() and name.replace(".", "").replace("-", "").isalnum():
        return name
    address = str(connected.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
