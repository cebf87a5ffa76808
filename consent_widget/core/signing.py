"""Seals a choice into a cookie value and opens it again.

The seal proves that this host wrote the choice. It does not prove that the
choice is the latest one: an older cookie can be sent again. Wherever that
matters the record is asked (services.consent).

Format 1, JSON signed with HMAC-SHA-256 under a salt of its own::

    {"c": {"analytics": 1, ...}, "i": subject, "n": notice, "t": epoch seconds, "v": 1}
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType

from itsdangerous import BadData, Signer, URLSafeSerializer
from itsdangerous.signer import SigningAlgorithm

from .consent import Choice
from .errors import SecretKeyError

_FORMAT = 1
_SALT = "consent_widget.choice"
_MIN_KEY_BYTES = 32

#: A value longer than this is none of ours and is not even verified.
MAX_SEALED = 4096

#: So many opened values are remembered: the visitors who are reading just now.
_REMEMBERED = 1024

#: Keys printed in public documentation; long enough to pass the length rule.
_PUBLIC_KEYS = frozenset({"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf"})


def check_keys(keys: Sequence[str | bytes]) -> None:
    """Refuse keys one could guess.

    Raises:
        SecretKeyError: no key, one under 32 bytes, or one known to everybody.
    """
    cure = (
        "Set a random one before ConsentWidget is initialised, e.g. the output of "
        "`python -c 'import secrets; print(secrets.token_hex(32))'`."
    )
    if not keys or not keys[0]:
        raise SecretKeyError(f"SECRET_KEY is not set, so no choice can be signed. {cure}")
    for position, key in enumerate(keys):
        name = "SECRET_KEY" if position == 0 else f"SECRET_KEY_FALLBACKS[{position - 1}]"
        raw = _bytes(key or "")  # None: a fallback read from a variable that is not set
        if len(raw) < _MIN_KEY_BYTES:
            raise SecretKeyError(f"{name} has {len(raw)} bytes; at least {_MIN_KEY_BYTES} are needed. {cure}")
        if raw.decode("latin-1") in _PUBLIC_KEYS or set(raw) <= set(b"0"):
            raise SecretKeyError(f"{name} is a key that is publicly known. {cure}")


def fingerprint(key: str | bytes) -> str:
    """Sixteen hexadecimal digits that tell keys apart and do not reveal them."""
    return hmac.new(_bytes(key), b"consent_widget.fingerprint", sha256).hexdigest()[:16]


def _bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key


class _OneCall(SigningAlgorithm):
    """HMAC-SHA-256 in one call to OpenSSL: every page view verifies one."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha256")


def _derived(key: str | bytes) -> bytes:
    return Signer(_bytes(key), salt=_SALT, key_derivation="hmac", digest_method=sha256).derive_key()


class ChoiceSigner:
    """Seals with the first of ``keys``, opens with any of them."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        # The keys under our salt are derived here once, not again for each value.
        derived = [_derived(key) for key in reversed(keys)]  # itsdangerous signs with the last
        self._signer = Signer(derived, salt=_SALT, key_derivation="none", algorithm=_OneCall())
        self._serializer = URLSafeSerializer(derived, salt=_SALT)
        # A visitor shows the same value with every page. What does not open raises, and is not remembered.
        self._open = lru_cache(_REMEMBERED)(self._verify)

    def seal(self, choice: Choice) -> str:
        """A cookie value: ASCII, URL-safe, at most about 250 characters for four categories."""
        payload: dict[str, object] = {
            "v": _FORMAT,
            "n": choice.notice,
            "t": int(choice.decided_at.timestamp()),
            "c": {name: int(granted) for name, granted in sorted(choice.decisions.items())},
        }
        if choice.subject is not None:
            payload["i"] = choice.subject
        return self._signer.sign(self._serializer.dump_payload(payload)).decode()

    def open(self, value: str, *, now: datetime) -> Choice | None:
        """The choice in ``value``, or None for whatever was not sealed by one of the keys.

        A time of issue in the future counts as ``now``: the clocks of two
        hosts differ. Never raises for any ``value``.
        """
        if not value or len(value) > MAX_SEALED or not value.isascii():
            return None
        try:
            choice = self._open(value)
        except (BadData, ValueError, TypeError, OverflowError, OSError, RecursionError):
            # itsdangerous lets TypeError and UnicodeError through for null bytes and surrogates.
            return None
        return choice if choice.decided_at <= now else replace(choice, decided_at=now)

    def _verify(self, value: str) -> Choice:
        return _choice(self._serializer.load_payload(self._signer.unsign(value)))


def _choice(payload: object) -> Choice:
    """The choice in a payload whose seal was verified; ValueError where it is none of this format."""
    if not isinstance(payload, Mapping) or payload.get("v") != _FORMAT:
        raise ValueError("another format")
    notice, issued, decisions = payload.get("n"), payload.get("t"), payload.get("c")
    subject = payload.get("i")
    if type(notice) is not int or type(issued) is not int or not isinstance(decisions, Mapping):
        raise ValueError("a field of another type")
    if not all(value in (0, 1) for value in decisions.values()):
        raise ValueError("a decision of another value")
    return Choice(
        decisions=MappingProxyType({str(name): value == 1 for name, value in decisions.items()}),
        notice=notice,
        decided_at=datetime.fromtimestamp(issued, UTC),
        subject=subject if isinstance(subject, str) else None,
    )
