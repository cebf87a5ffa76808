"""Keyed hashes of addresses: what stays of somebody who was erased, and proves without telling."""

from collections.abc import Sequence
from hashlib import sha256
from hmac import new as hmac

from .address import identity_of


class Pseudonyms:
    """Hashes with the first of ``keys``, finds what any of them hashed.

    Without the key nobody can try addresses until one fits (GDPR Art. 4(5)).
    """

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        raw = [key.encode() if isinstance(key, str) else key for key in keys if key]
        self._keys = [hmac(key, b"consent_widget.address", sha256).digest() for key in raw]

    def of(self, address: str) -> str:
        """64 hexadecimal digits, the same for every spelling of the mailbox."""
        return self.every(address)[0]

    def every(self, address: str) -> tuple[str, ...]:
        """The hash under each key, the current one first: to look a row up that may be older than the key."""
        identity = identity_of(address).encode()
        return tuple(hmac(key, identity, sha256).hexdigest() for key in self._keys)
