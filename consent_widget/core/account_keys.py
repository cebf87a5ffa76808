"""Marks and seals of our own staff sign-in, by keys derived from SECRET_KEY and its fallbacks.

A *mark* stands in the database for a value that only its bearer knows: session,
device, link, network. Who reads the table cannot sign in with it. When a
key is removed, every session that began under it ends.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class AccountKeys:
    """Marks and seals with the first of ``keys``; knows and opens those of any."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        raw = [key.encode() if isinstance(key, str) else key for key in keys if key]
        self._keys = [hmac.digest(key, b"consent_widget.account.mark", "sha256") for key in raw]
        self._seals = MultiFernet(
            [
                Fernet(urlsafe_b64encode(hmac.digest(key, b"consent_widget.account.seal", "sha256")))
                for key in raw
            ]
        )

    def mark(self, purpose: str, value: str) -> str:
        """Sixty-four hexadecimal digits; one ``purpose`` tells nothing of another."""
        return self.marks(purpose, value)[0]

    def marks(self, purpose: str, value: str) -> tuple[str, ...]:
        """The marks that ``value`` may have, today's first."""
        text = f"{purpose}\n{value}".encode(errors="surrogatepass")
        return tuple(hmac.new(key, text, sha256).hexdigest() for key in self._keys)

    def is_mark(self, sent: str, purpose: str, value: str) -> bool:
        """Whether ``sent`` is a mark of ``value``; where they differ does not show in the time."""
        given = sent.encode(errors="replace")
        return any(hmac.compare_digest(given, one.encode()) for one in self.marks(purpose, value))

    def seal(self, secret: bytes, *, now: datetime) -> str:
        return self._seals.encrypt_at_time(secret, int(now.timestamp())).decode()

    def open(self, sealed: str, *, now: datetime, longest: timedelta | None = None) -> bytes | None:
        """The secret, or None where no key opens it or it was sealed before ``longest``."""
        try:
            raw = sealed.encode()
            if longest is None:
                return self._seals.decrypt(raw)
            return self._seals.decrypt_at_time(raw, int(longest.total_seconds()), int(now.timestamp()))
        except (InvalidToken, UnicodeEncodeError):
            return None
