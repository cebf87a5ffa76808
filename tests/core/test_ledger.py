"""Entries, heads and keys as bytes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.core.ledger import (
    Entry,
    canonical,
    in_milliseconds,
    join_peaks,
    show_time,
    signed_bytes,
    split_peaks,
)
from consent_widget.core.ledger_key import LogKey, PublicKey, read_pem
from tests.factories import KEY, NOW

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=126), max_size=5), inner)
    ),
    max_leaves=10,
)


@given(JSON)
def test_canonical_json_says_the_same_and_is_the_same_when_read_and_written_again(value: Any) -> None:
    written = canonical(value)

    assert json.loads(written) == value
    assert canonical(json.loads(written)) == written
    assert b"\n" not in written


def test_canonical_json_is_that_of_rfc_8785() -> None:
    """The string of its section 3.2.2.2; names sorted, nothing escaped that need not be."""
    value = {"string": '€$\x0f\nA\'B"\\\\"/', "literals": [None, True, False], "n": 7}

    assert canonical(value) == (
        '{"literals":[null,true,false],"n":7,"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode()
    )


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), 2**53, -(2**53), {"é": 1}, {1: 2}, "\ud800", {"a": [b"bytes"]}, NOW],
    ids=repr,
)
def test_what_other_languages_could_write_otherwise_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"canonical JSON|53 bits|surrogates"):
        canonical(value)


def test_times_are_in_utc_and_in_milliseconds() -> None:
    moment = datetime(2026, 12, 1, 9, 0, 0, 123999, tzinfo=timezone(timedelta(hours=7)))

    assert show_time(moment) == "2026-12-01T02:00:00.123Z"
    assert in_milliseconds(moment) == datetime(2026, 12, 1, 2, 0, 0, 123000, tzinfo=UTC)


def test_what_is_signed_is_the_structure_of_rfc_6962() -> None:
    at = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)

    signed = signed_bytes(2, b"r" * 32, at)

    assert signed == bytes.fromhex("00 01" + "00000000000003e8" + "0000000000000002") + b"r" * 32


def test_a_head_is_good_for_its_size_root_and_time_alone() -> None:
    key = LogKey.derived(KEY)
    head = key.sign(size=3, root=b"r" * 32, at=NOW)

    assert key.public.signed(head)
    for other in (
        replace(head, size=4),
        replace(head, root="00" * 32),
        replace(head, at=NOW + timedelta(milliseconds=1)),
        replace(head, at=datetime(1960, 1, 1, tzinfo=UTC)),
        replace(head, signature="00" * 64),
        replace(head, signature="no hexadecimal"),
    ):
        assert not key.public.signed(other)
    assert not LogKey.derived("another key").public.signed(head)


def test_a_key_is_the_same_for_the_same_secret_and_does_not_show_it() -> None:
    key = LogKey.derived(KEY)

    assert key.public.id == LogKey.derived(KEY.encode()).public.id
    assert KEY not in repr(key) + repr(vars(key)) + key.public.pem


def test_the_key_of_a_secret_stays_the_same_in_every_release() -> None:
    """Another derivation would make every published key unknown."""
    expected = "5b7ebb11cf1201f97aee5487e94430013f673c00ea0f6b825795ffc257482d36"

    assert LogKey.derived(KEY).public.hexadecimal == expected


def test_public_keys_are_read_back_from_pem() -> None:
    keys = [LogKey.derived(secret).public for secret in ("one", "two")]

    found = read_pem(("A remark.\n" + keys[0].pem + "\n" + keys[1].pem).encode())

    assert [key.id for key in found] == [key.id for key in keys]
    assert PublicKey.from_body(keys[0].body()).id == keys[0].id


ELLIPTIC = generate_private_key(SECP256R1()).public_key()


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"\xff\x00",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        ELLIPTIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ],
    ids=["nothing", "rubbish", "no key", "another kind"],
)
def test_what_is_no_key_of_ours_is_refused(pem: bytes) -> None:
    with pytest.raises(ValueError, match="public key"):
        read_pem(pem)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"algorithm": "RSA", "public_key": "00" * 32},
        {"algorithm": "Ed25519", "public_key": "00"},
        {"algorithm": "Ed25519", "public_key": "no hexadecimal"},
    ],
    ids=repr,
)
def test_a_body_without_a_key_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"Ed25519|public key|fromhex"):
        PublicKey.from_body(body)


def test_an_entry_that_is_not_published_shows_its_hash_alone() -> None:
    entry = Entry(
        index=4,
        kind="audit",
        at=NOW,
        body='{"action":"save","nonce":"n"}',
        body_sha256="b" * 64,
        root="r" * 64,
        key="k" * 64,
        signature="s" * 128,
    )

    assert b"action" not in entry.line()
    assert json.loads(replace(entry, kind="version").line())["body"] == {"action": "save", "nonce": "n"}


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=6))
def test_peaks_come_back_as_they_were_stored(peaks: list[bytes]) -> None:
    assert split_peaks(join_peaks(peaks)) == tuple(peaks)
