"""The keys that sign the ledger's heads and proofs, and those that verify them (Ed25519, RFC 8032)."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from struct import error as StructError  # noqa: N812  # it is a class

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from .ledger import Head, signed_bytes

#: Keeps this key apart from whatever else is derived from SECRET_KEY.
_DERIVATION = b"consent_widget.ledger"


class PublicKey:
    """Verifies heads. ``id`` is the SHA-256 of its SubjectPublicKeyInfo (RFC 6962 section 3.2)."""

    def __init__(self, raw: bytes) -> None:
        """``raw``: the 32 bytes of the key; ValueError for any other number."""
        self._key = Ed25519PublicKey.from_public_bytes(raw)
        self.hexadecimal = raw.hex()
        self.id = sha256(self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    @cached_property
    def pem(self) -> str:
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def signed(self, head: Head) -> bool:
        """Whether this key signed ``head``."""
        try:
            self._key.verify(
                bytes.fromhex(head.signature), signed_bytes(head.size, bytes.fromhex(head.root), head.at)
            )
        except (InvalidSignature, ValueError, StructError):  # StructError: a time before 1970
            return False
        return True

    def signed_document(self, document: bytes, signature: str) -> bool:
        """Whether this key signed ``document``; ``signature`` in hexadecimal."""
        try:
            self._key.verify(bytes.fromhex(signature), document)
        except (InvalidSignature, ValueError):
            return False
        return True

    def body(self) -> dict[str, object]:
        """The body of the entry that makes this key known."""
        return {"algorithm": "Ed25519", "public_key": self.hexadecimal}

    @classmethod
    def from_body(cls, body: Mapping[str, object]) -> "PublicKey":
        """The key in such a body; ValueError where there is none."""
        if body.get("algorithm") != "Ed25519":
            raise ValueError("the algorithm is not Ed25519")
        return cls(bytes.fromhex(str(body.get("public_key"))))


_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


def read_pem(text: bytes) -> tuple[PublicKey, ...]:
    """Every public key in ``text``.

    Raises:
        ValueError: there is none, or one that is not an Ed25519 key.
    """
    try:
        found = [load_pem_public_key(block + b"\n") for block in _PEM.findall(text)]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("a public key that cannot be read") from error
    if not found:
        raise ValueError("no public key in PEM form")
    keys = []
    for key in found:
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("a public key is not of the kind Ed25519")
        keys.append(PublicKey(key.public_bytes_raw()))
    return tuple(keys)


class LogKey:
    """Signs heads and proofs. Derived, so that it needs no keeping of its own; never shown."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._key.public_key().public_bytes_raw())

    @classmethod
    def derived(cls, secret: str | bytes) -> "LogKey":
        """The key that belongs to one SECRET_KEY (HKDF with SHA-256, RFC 5869)."""
        raw = secret.encode() if isinstance(secret, str) else secret
        return cls(HKDF(algorithm=SHA256(), length=32, salt=None, info=_DERIVATION).derive(raw))

    def sign_document(self, document: bytes) -> str:
        """The signature in hexadecimal; ``document`` must begin as no tree head does (core.proof)."""
        return self._key.sign(document).hex()

    def sign(self, *, size: int, root: bytes, at: datetime) -> Head:
        signature = self._key.sign(signed_bytes(size, root, at))
        return Head(size=size, root=root.hex(), at=at, key=self.public.id, signature=signature.hex())


def by_id(keys: Iterable[PublicKey]) -> dict[str, PublicKey]:
    return {key.id: key for key in keys}
