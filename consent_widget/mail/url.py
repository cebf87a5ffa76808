"""MAIL_URL: which transport it names."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from re import compile as compile_pattern
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ..core.reply import Reply
from .connection import Refused, Relay, Security, Timeouts, connect
from .maildir import MaildirTransport
from .smtp import SmtpTransport
from .transport import Transport

_MAILDIR = "maildir:"
_HOST = compile_pattern(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")

#: RFC 8314 section 3.3 and RFC 6409 section 3.1; a server on this machine takes mail where all servers do.
_IMPLICIT_PORT, _SUBMISSION_PORT, _LOCAL_PORT = 465, 587, 25

_SHAPE = "It looks like smtp://user:password@mail.example.com:587, smtps://... or maildir:/path."


def open_transport(url: str, timeouts: Timeouts | None = None) -> Callable[[], Transport]:
    """What makes transports for ``url``; nothing is connected to before the first mail.

    ``smtp://[user:password@]host[:port][?tls=starttls|none]``: STARTTLS is required unless the
    host is this machine or ``tls=none``. ``smtps://...``: TLS from the start. Certificates are
    verified against the system's authorities, or SSL_CERT_FILE's.
    ``maildir:/path``: into files, for development.

    Raises:
        ValueError: says what is wrong with it; neither the password nor what may be part of it is repeated.
    """
    if url.startswith(_MAILDIR):
        folder = _folder(url)
        return lambda: MaildirTransport(folder)
    relay = read_relay(url)

    @cache
    def context() -> ssl.SSLContext:
        return ssl.create_default_context()

    return lambda: SmtpTransport(relay, context=context(), timeouts=timeouts)


def check_url(url: str) -> None:
    """Raises ValueError if ``open_transport`` would."""
    if url.startswith(_MAILDIR):
        _folder(url)
    else:
        read_relay(url)


def probe(url: str, timeouts: Timeouts) -> Reply | None:
    """Connect and sign in, or make the folder, and send nothing: what is wrong, None if nothing is."""
    if url.startswith(_MAILDIR):
        return MaildirTransport(_folder(url)).probe()
    try:
        smtp = connect(read_relay(url), ssl.create_default_context(), timeouts)
    except Refused as refused:
        return refused.reply
    with suppress(OSError):
        smtp.quit()
    smtp.close()
    return None


def _folder(url: str) -> Path:
    path = url.removeprefix(_MAILDIR)
    if path.startswith("///"):
        path = path[2:]
    if not path.strip("/") or "\0" in path:
        raise ValueError("names no folder; it looks like maildir:/srv/site/mails.")
    return Path(path)


def read_relay(url: str) -> Relay:
    """The server that an ``smtp:`` or ``smtps:`` address names."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # The error's own words may be a piece of the password.
        raise ValueError(f"its host or port cannot be read; {_ENCODE} {_SHAPE}") from None
    if parts.scheme not in ("smtp", "smtps"):
        raise ValueError(f"must begin with smtp://, smtps:// or maildir:. {_SHAPE}")
    host = parts.hostname or ""
    if not _HOST.fullmatch(host):
        raise ValueError(f"names no host; {_ENCODE} {_SHAPE}")
    if parts.path not in ("", "/") or parts.fragment:
        raise ValueError(f"nothing but ?tls= may follow the host; {_ENCODE} {_SHAPE}")
    if port == 0:
        raise ValueError(f"port 0 is no port. {_SHAPE}")
    security = _security(parts, host)
    user, password = _account(parts)
    if user and security is Security.NONE and not is_this_machine(host):
        raise ValueError("the password would travel in clear: leave tls=none out, or the user and password.")
    return Relay(
        host=host, port=port or _port(security, host), security=security, user=user, password=password
    )


_ENCODE = "in a user name or password write / as %2F, : as %3A, @ as %40, # as %23, ? as %3F and % as %25."


def _security(parts: SplitResult, host: str) -> Security:
    asked = parse_qsl(parts.query, keep_blank_values=True)
    if parts.scheme == "smtps":
        if asked:
            raise ValueError("smtps:// has TLS from the start and takes nothing after the host.")
        return Security.IMPLICIT
    if not asked:
        return Security.NONE if is_this_machine(host) else Security.STARTTLS
    if asked not in ([("tls", "starttls")], [("tls", "none")]):
        raise ValueError("after the host it takes ?tls=starttls or ?tls=none and nothing else.")
    return Security(asked[0][1])


def _account(parts: SplitResult) -> tuple[str, str]:
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password):
        raise ValueError("user and password go together; one of them is missing.")
    if not (user + password).isascii() or not (user + password).isprintable():
        raise ValueError("user and password must be ASCII characters that print.")
    return user, password


def _port(security: Security, host: str) -> int:
    if security is Security.IMPLICIT:
        return _IMPLICIT_PORT
    return _LOCAL_PORT if is_this_machine(host) else _SUBMISSION_PORT


def is_this_machine(host: str) -> bool:
    """A name or address of which no connection leaves this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
