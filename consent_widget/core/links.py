"""The links in mails that never expire: derived, so that the same mail is made of the same bytes again.

They hold the subscription's id and its salt, no address. The salt is random, so a link
made by another site that shares our key opens nothing here.
"""

from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Any, ClassVar

from itsdangerous import BadData, Serializer, Signer, URLSafeSerializer
from itsdangerous.encoding import base64_encode, want_bytes

#: What a link is for; one for one purpose opens nothing else.
UNSUBSCRIBE = "unsubscribe"
MANAGE = "manage"
#: On the page that an unsubscribe link shows: takes leaving back, and opens nothing else.
UNDO = "undo"

_LONGEST = 300


class Links:
    """Signs with the first of ``keys``, reads what any of them signed: old mails keep working."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        raw = [key.encode() if isinstance(key, str) else key for key in keys if key]
        self._keys = raw[::-1]  # itsdangerous signs with the last
        self._serializers: dict[str, _Serializer] = {}

    def seal(self, purpose: str, subscription_id: int, salt: str) -> str:
        """ASCII that may stand in an address; the same each time."""
        return str(self._serializer(purpose).dumps([subscription_id, salt]))

    def open(self, token: str, purpose: str) -> tuple[int, str] | None:
        """Id and salt of the subscription, to be compared with its row; None for whatever we did not sign."""
        if not token or len(token) > _LONGEST or not token.isascii():
            return None
        try:
            subscription_id, salt = self._serializer(purpose).loads(token)
        except (BadData, ValueError, TypeError, OverflowError, RecursionError):
            return None
        return (subscription_id, salt) if type(subscription_id) is int and isinstance(salt, str) else None

    def mac(self, purpose: str, value: str) -> str:
        """20 hexadecimal digits that only we can make for ``value``: for envelope senders (VERP)."""
        return _mac(self._keys[-1], purpose, value)

    def made(self, mac: str, purpose: str, value: str) -> bool:
        """Whether ``mac`` is of ours, under any key."""
        return any(
            compare_digest(mac.encode("utf-8", "replace"), _mac(key, purpose, value).encode())
            for key in self._keys
        )

    def _serializer(self, purpose: str) -> "_Serializer":
        # Made once: two for each of a million mails would take as long as the rest of the mail.
        if purpose not in self._serializers:
            self._serializers[purpose] = _Serializer(
                self._keys,
                signer=_Signer,
                salt=f"consent_widget.link.{purpose}",
                signer_kwargs={"key_derivation": "hmac", "digest_method": sha256},
            )
        return self._serializers[purpose]


class _Signer(Signer):
    """Derives each key once."""

    derived: ClassVar[dict[tuple[bytes, bytes], bytes]] = {}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        key = self.secret_key if secret_key is None else want_bytes(secret_key)
        if (key, self.salt) not in self.derived:
            self.derived[key, self.salt] = super().derive_key(key)
        return self.derived[key, self.salt]


class _Serializer(URLSafeSerializer):
    """Does not try to pack what never gets shorter."""

    def dump_payload(self, *args: Any, **kwargs: Any) -> bytes:
        return base64_encode(Serializer.dump_payload(self, *args, **kwargs))


def _mac(key: bytes, purpose: str, value: str) -> str:
    return digest(key, f"consent_widget.mac.{purpose} {value}".encode(), "sha256").hex()[:20]


def token_hash(token: str) -> str | None:
    """SHA-256 of the bytes that a random token stands for, in hexadecimal; None where it is none.

    Of the bytes, not of the text: the last character of base64 has twins.
    """
    if not token.isascii() or not 40 <= len(token) <= 50:
        return None
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (Base64Error, ValueError):
        return None
    return sha256(raw).hexdigest() if len(raw) == 32 else None
