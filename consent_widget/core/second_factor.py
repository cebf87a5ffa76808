"""The second factor: codes of an authenticator app that change every thirty seconds (TOTP, RFC 6238)."""

import hmac
from base64 import b32encode
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

#: RFC 4226 section 4 (R6): as long as the digest of the HMAC.
SECRET_BYTES = 20
_DIGITS, _SECONDS = 6, 30


def readable(secret: bytes) -> str:
    """The secret in base 32 and groups of four, to type where no camera is at hand."""
    text = b32encode(secret).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def app_address(secret: bytes, *, email: str, issuer: str) -> str:
    """What the QR code says: ``otpauth://...``, as authenticator apps read it."""
    return _codes(secret).get_provisioning_uri(email, issuer)


def used_step(secret: bytes, code: str, *, now: datetime, last_step: int | None) -> int | None:
    """The time step that ``code`` belongs to, or None where it is wrong.

    One step around ``now`` is allowed for clocks that differ; a step up to
    ``last_step`` was used before and is refused (RFC 6238 section 5.2).
    """
    digits = "".join(code.split())
    if len(digits) != _DIGITS or not digits.isascii() or not digits.isdigit():
        return None
    codes, current = _codes(secret), int(now.timestamp()) // _SECONDS
    found = None
    for step in (current - 1, current, current + 1):
        matches = hmac.compare_digest(codes.generate(step * _SECONDS), digits.encode())
        if matches and (last_step is None or step > last_step):
            found = step
    return found


def _codes(secret: bytes) -> TOTP:
    # SHA-1 is what every app speaks; as an HMAC it is sound here (RFC 6238 section 1.2).
    return TOTP(secret, _DIGITS, SHA1(), _SECONDS)  # noqa: S303
