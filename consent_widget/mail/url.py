"""MAIL_URL: which transport it names."""

from collections.abc import Callable

from .transport import Transport


def open_transport(url: str) -> Callable[[], Transport]:
    """What makes transports for ``url``; nothing is connected to before the first mail.

    ``smtp://[user:password@]host[:port][?tls=starttls|none]``: STARTTLS is required unless the
    host is this machine or ``tls=none``. ``smtps://...``: TLS from the start.
    ``maildir:/path``: into files, for development.

    Raises:
        ValueError: says what is wrong with it; the password is not repeated.
    """
    raise ValueError(f"no transport is built in yet for {url.partition(':')[0]}:")
