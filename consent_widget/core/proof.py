"""The proof that one subscriber was told: signed, and checked by anybody who has the public key.

The document is JSON. What is signed is the canonical JSON (RFC 8785) of its member
``proof`` behind a line of its own, so that no signature of the ledger fits it.
The format is described in docs/reference/proof.md.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from .ledger import Head, canonical
from .ledger_key import LogKey, PublicKey, by_id

#: The first member of every proof; another number is another format.
FORMAT = "consent-widget notification proof 1"

_CONTEXT = b"consent-widget notification proof\n"


@dataclass(frozen=True, kw_only=True)
class ProofReport:
    """``body`` is what was signed, None where it is not good; ``problem`` says why, empty where it is.

    ``notes`` say what could not be checked without more than the document.
    """

    body: Mapping[str, Any] | None
    problem: str = ""
    notes: tuple[str, ...] = ()


def seal_proof(body: Mapping[str, object], key: LogKey) -> dict[str, object]:
    """The signed document: ``{"proof": body, "key": ..., "signature": ...}``.

    Raises:
        ValueError: ``body`` is not canonical JSON.
    """
    whole = {"format": FORMAT, **body}
    return {"proof": whole, "key": key.public.id, "signature": key.sign_document(_signed(whole))}


def _signed(body: object) -> bytes:
    return _CONTEXT + canonical(body)


def check_proof(document: bytes, trusted: Iterable[PublicKey]) -> ProofReport:
    """Check a document offline: its signature, and the ledger's signed heads in it."""
    keys = by_id(trusted)
    try:
        found = json.loads(document.decode(), object_pairs_hook=_without_twins)
        if not isinstance(found, dict) or found.keys() != {"proof", "key", "signature"}:
            return ProofReport(body=None, problem="it is no proof")
        body, key, signature = found["proof"], keys.get(str(found["key"])), found["signature"]
        signed = _signed(body)
    except (ValueError, RecursionError):
        return ProofReport(body=None, problem="it is no proof")
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        return ProofReport(body=None, problem="it is no proof of a format that is known here")
    if key is None:
        return ProofReport(body=None, problem="it is signed by a key that is none of those you trust")
    if not isinstance(signature, str) or not key.signed_document(signed, signature):
        return ProofReport(body=None, problem="its signature is not good: it was altered")
    return _check_heads(body, keys)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two members of one name would be read in two ways."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _check_heads(body: Mapping[str, Any], keys: Mapping[str, PublicKey]) -> ProofReport:
    notes = []
    for one in body["told"]:
        entry = one["announced"]
        if entry is None:
            notes.append(f"version {one['version']} is not in the log")
            continue
        key = keys.get(entry["key"])
        if key is None:
            notes.append(
                f"entry {entry['index']} of the log is signed by an earlier key: check it with the log"
            )
        elif not key.signed(head_of(entry)):
            return ProofReport(body=None, problem=f"the signature of entry {entry['index']} is not good")
    return ProofReport(body=body, notes=tuple(notes))


def head_of(entry: Mapping[str, Any]) -> Head:
    """The tree head that an entry of the log completes, as a proof quotes it."""
    return Head(
        size=entry["index"] + 1,
        root=entry["root"],
        at=datetime.fromisoformat(entry["at"]),
        key=entry["key"],
        signature=entry["signature"],
    )


def compare_with_log(body: Mapping[str, Any], lines: Iterable[bytes]) -> str:
    """What a good proof says of versions against a published log that was checked; empty where they agree."""
    entries = {}
    for line in lines:
        found = json.loads(line)
        if found.get("kind") == "version":
            entries[found["index"]] = found
    for one in body["told"]:
        entry = one["announced"]
        if entry is None:
            continue
        logged = entries.get(entry["index"])
        if logged is None or logged["root"] != entry["root"] or not _same_version(one, logged["body"]):
            return f"entry {entry['index']} of the log does not announce version {one['version']} as it says"
    return ""


def _same_version(one: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    texts = body.get("texts") or {}
    hashes = {language: sha256(text.encode()).hexdigest() for language, text in texts.items()}
    return (
        body.get("event") == "announced"
        and body.get("number") == one["version"]
        and hashes == one["content_hashes"]
        and body.get("effective_at") == one["effective_at"]
    )
