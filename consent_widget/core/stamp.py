"""Signed values that an address or a form carries, with the time at which they were signed.

The time is our own and compared with ``now``: a host whose clock is a little
ahead must not make fresh stamps invalid.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from itsdangerous import BadData, URLSafeSerializer

#: So far ahead may the clock of the host be that signed.
LEEWAY = timedelta(seconds=300)

#: A stamp longer than this is none of ours and is not even verified.
_LONGEST = 1000


class Stamps:
    """Signs with the first of ``keys``, reads what any of them signed."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        raw = [key.encode() if isinstance(key, str) else key for key in keys if key]
        self._keys = raw[::-1]  # itsdangerous signs with the last

    def seal(self, purpose: str, *values: str | int, now: datetime) -> str:
        """ASCII that may stand in an address; a stamp for one ``purpose`` is none for another."""
        return str(self._serializer(purpose).dumps([int(now.timestamp()), *values]))

    def open(
        self, stamp: str, purpose: str, *, now: datetime, longest: timedelta
    ) -> tuple[str | int, ...] | None:
        """The values in ``stamp``; None where it was not signed for ``purpose`` within ``longest``."""
        if not stamp or len(stamp) > _LONGEST or not stamp.isascii():
            return None
        try:
            at, *values = self._serializer(purpose).loads(stamp)
            age = now - datetime.fromtimestamp(at, UTC)
        except (BadData, ValueError, TypeError, OverflowError, OSError, RecursionError):
            # itsdangerous lets TypeError and UnicodeError through for null bytes and surrogates.
            return None
        return tuple(values) if -LEEWAY <= age <= longest else None

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._keys,
            salt=f"consent_widget.{purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": sha256},
        )
