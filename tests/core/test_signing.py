"""The choice cookie: what is sealed comes out again, everything else is nothing."""

import base64
import json
import zlib
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from consent_widget.core.consent import Choice
from consent_widget.core.errors import SecretKeyError
from consent_widget.core.signing import MAX_SEALED, ChoiceSigner, check_keys, fingerprint
from tests.factories import KEY, NOW, OPTIONAL, choice

SIGNER = ChoiceSigner([KEY])

#: Sealed with KEY by the first release: visitors keep it for half a year, so it must open forever.
FORMAT_1 = (
    ".eJwdylsKgCAQRuG9_M8GRkE5uzGZwi4WOgUR7j3r5Xs558EFqhXCrxQ707Smb7VWcKAHNtj1Fu_Sf2w2Liw-"
    "TKAyHJFHjhwcfzUreBDSOczspNrHSjhJQn4Bn-AewA.2KhEZowNl4Y7Y5_Qyb7tpsGukvkAANdLSl5Iqt0vXP4"
)

_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
_CHOICES = st.builds(
    Choice,
    decisions=st.dictionaries(_NAMES, st.booleans(), max_size=8),
    notice=st.integers(0, 2**31),
    decided_at=st.integers(0, int(NOW.timestamp())).map(lambda at: datetime.fromtimestamp(at, UTC)),
    subject=st.none() | st.from_regex(r"[A-Za-z0-9_-]{16}", fullmatch=True),
)


def sealed_payload(payload: Any, *, key: str = KEY, salt: str = "consent_widget.choice") -> str:
    """Anything at all, properly signed: what a bug or another release might have written."""
    serializer = URLSafeSerializer(
        key, salt=salt, signer_kwargs={"key_derivation": "hmac", "digest_method": sha256}
    )
    return str(serializer.dumps(payload))


@given(_CHOICES)
def test_whatever_is_sealed_comes_out_again(made: Choice) -> None:
    assert SIGNER.open(SIGNER.seal(made), now=NOW) == made


@given(st.text())
def test_any_text_is_no_choice(text: str) -> None:
    assert SIGNER.open(text, now=NOW) is None


@given(st.binary(max_size=5000))
def test_any_bytes_are_no_choice(raw: bytes) -> None:
    assert SIGNER.open(raw.decode("latin-1"), now=NOW) is None


@given(st.text(alphabet="ABCabc019-_.=", max_size=300))
def test_any_text_that_looks_alike_is_no_choice(text: str) -> None:
    assert SIGNER.open(text, now=NOW) is None


@given(_CHOICES, st.data())
def test_a_damaged_cookie_is_nothing_or_exactly_the_choice_that_was_given(
    made: Choice, data: st.DataObject
) -> None:
    sealed = SIGNER.seal(made)
    at = data.draw(st.integers(0, len(sealed) - 1))
    damage = data.draw(st.sampled_from(["cut", "insert", "replace", "drop", "double"]))
    with_char = data.draw(st.characters())
    damaged = {
        "cut": sealed[:at],
        "insert": sealed[:at] + with_char + sealed[at:],
        "replace": sealed[:at] + with_char + sealed[at + 1 :],
        "drop": sealed[:at] + sealed[at + 1 :],
        "double": sealed + sealed[at:],
    }[damage]

    assert SIGNER.open(damaged, now=NOW) in (None, made)


@given(_CHOICES, st.sampled_from(["c", "i", "n", "t", "v"]))
def test_a_changed_payload_under_the_old_signature_is_nothing(made: Choice, field: str) -> None:
    payload, _, signature = SIGNER.seal(made).rpartition(".")
    raw = payload.lstrip(".")
    content = sealed_content(payload)
    content[field] = {"analytics": 1} if field == "c" else 1

    forged = base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    opened = SIGNER.open(f"{forged}.{signature}", now=NOW)
    assert opened is None or forged == raw


def sealed_content(payload: str) -> dict[str, Any]:
    packed = payload.startswith(".")
    text = payload.lstrip(".")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    found: dict[str, Any] = json.loads(zlib.decompress(raw) if packed else raw)
    return found


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "text",
        5,
        {},
        {"v": 2, "n": 1, "t": 1, "c": {}},
        {"v": "1", "n": 1, "t": 1, "c": {}},
        {"v": 1, "t": 1, "c": {}},
        {"v": 1, "n": None, "t": 1, "c": {}},
        {"v": 1, "n": True, "t": 1, "c": {}},
        {"v": 1, "n": 1.0, "t": 1, "c": {}},
        {"v": 1, "n": "1", "t": 1, "c": {}},
        {"v": 1, "n": 1, "c": {}},
        {"v": 1, "n": 1, "t": "1", "c": {}},
        {"v": 1, "n": 1, "t": 1.5, "c": {}},
        {"v": 1, "n": 1, "t": 10**30, "c": {}},
        {"v": 1, "n": 1, "t": -(10**30), "c": {}},
        {"v": 1, "n": 1, "t": 1},
        {"v": 1, "n": 1, "t": 1, "c": ["analytics"]},
        {"v": 1, "n": 1, "t": 1, "c": {"analytics": 2}},
        {"v": 1, "n": 1, "t": 1, "c": {"analytics": "1"}},
        {"v": 1, "n": 1, "t": 1, "c": {"analytics": None}},
        {"v": 1, "n": 1, "t": 1, "c": {"analytics": []}},
    ],
    ids=repr,
)
def test_a_signed_value_of_another_shape_is_no_choice(payload: Any) -> None:
    assert SIGNER.open(sealed_payload(payload), now=NOW) is None


def test_a_choice_signed_for_another_purpose_is_no_choice() -> None:
    payload = {"v": 1, "n": 1, "t": 1, "c": {"analytics": 1}}

    assert SIGNER.open(sealed_payload(payload), now=NOW) is not None
    assert SIGNER.open(sealed_payload(payload, salt="cookie-session"), now=NOW) is None


def test_a_cookie_of_format_1_opens_forever() -> None:
    opened = SIGNER.open(FORMAT_1, now=NOW)

    assert opened == Choice(
        decisions={"analytics": True, "marketing": False, "preferences": True},
        notice=1,
        decided_at=datetime(2026, 11, 1, 2, 0, tzinfo=UTC),
        subject="subject-of-tests",
    )


def test_the_same_choice_is_sealed_the_same_way() -> None:
    """A page that sets the cookie anew must not look like a change to caches and tests."""
    assert SIGNER.seal(choice()) == SIGNER.seal(choice())


def test_a_value_over_the_limit_is_not_even_verified() -> None:
    long = sealed_payload({"v": 1, "n": 1, "t": 1, "c": {f"c{n}": 1 for n in range(1200)}} | {"x": KEY * 200})

    assert SIGNER.open("A" * (MAX_SEALED + 1), now=NOW) is None
    assert len(long) <= MAX_SEALED or SIGNER.open(long, now=NOW) is None


@pytest.mark.parametrize(
    "value",
    ["", ".", "..", "\0", "a.\0", "\ud800.\ud800", "=" * 100, "." * 4000, "eyJ2IjoxfQ.", "é.é"],
    ids=repr,
)
def test_known_troublemakers_of_the_library_are_no_choice(value: str) -> None:
    assert SIGNER.open(value, now=NOW) is None


def test_a_deeply_nested_signed_value_is_no_choice() -> None:
    deep: Any = 0
    for _ in range(500):
        deep = [deep]

    assert SIGNER.open(sealed_payload({"v": 1, "n": 1, "t": 1, "c": deep}), now=NOW) is None


def test_a_packed_value_that_unfolds_to_megabytes_is_no_choice() -> None:
    bomb = sealed_payload({"v": 2, "x": "a" * 2_000_000})

    assert len(bomb) < MAX_SEALED
    assert SIGNER.open(bomb, now=NOW) is None


def test_an_issue_time_in_the_future_counts_as_now() -> None:
    made = choice(decided_at=NOW + timedelta(days=3))

    opened = SIGNER.open(SIGNER.seal(made), now=NOW)

    assert opened is not None
    assert opened.decided_at == NOW


OLD, NEW, OTHER = "o" * 40, "n" * 40, "x" * 40


def test_after_a_rotation_the_old_key_opens_and_the_new_one_signs() -> None:
    made = choice()
    rotated = ChoiceSigner([NEW, OLD])

    assert rotated.open(ChoiceSigner([OLD]).seal(made), now=NOW) == made
    assert ChoiceSigner([NEW]).open(rotated.seal(made), now=NOW) == made
    assert ChoiceSigner([OLD]).open(rotated.seal(made), now=NOW) is None


def test_a_dropped_key_opens_nothing() -> None:
    sealed = ChoiceSigner([OLD]).seal(choice())

    assert ChoiceSigner([NEW]).open(sealed, now=NOW) is None
    assert ChoiceSigner([NEW, OTHER]).open(sealed, now=NOW) is None


def test_a_key_in_bytes_is_the_same_key() -> None:
    assert ChoiceSigner([KEY.encode()]).open(SIGNER.seal(choice()), now=NOW) == choice()


@pytest.mark.parametrize("granted", [True, False])
def test_name_and_value_stay_within_300_bytes_with_the_default_categories(granted: bool) -> None:
    made = choice(
        dict.fromkeys(OPTIONAL, granted),
        notice=9999,
        decided_at=datetime(2099, 12, 31, tzinfo=UTC),
        subject="s" * 16 if granted else None,
    )

    sealed = SIGNER.seal(made)

    assert len(f"__Secure-consent={sealed}".encode()) <= 300
    assert sealed.isascii()
    assert not set(sealed) & set(' ",;\\')


def test_a_refusal_holds_no_identifier() -> None:
    sealed = SIGNER.seal(choice(dict.fromkeys(OPTIONAL, False)))

    assert set(sealed_content(sealed.rpartition(".")[0])) == {"v", "n", "t", "c"}


# Keys


@pytest.mark.parametrize(
    "keys, named",
    [
        pytest.param([], "SECRET_KEY is not set", id="none"),
        pytest.param([""], "SECRET_KEY is not set", id="empty"),
        pytest.param(["short"], "SECRET_KEY has 5 bytes", id="short"),
        pytest.param([b"x" * 31], "SECRET_KEY has 31 bytes", id="31 bytes"),
        pytest.param([KEY, "old"], "SECRET_KEY_FALLBACKS[0] has 3 bytes", id="short fallback"),
        pytest.param([KEY, KEY, ""], "SECRET_KEY_FALLBACKS[1] has 0 bytes", id="empty fallback"),
        pytest.param(["0" * 64], "SECRET_KEY is a key that is publicly known", id="zeros"),
        pytest.param(
            ["192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf"],
            "SECRET_KEY is a key that is publicly known",
            id="from a manual",
        ),
    ],
)
def test_a_key_one_could_guess_is_refused_with_the_cure(keys: list[str | bytes], named: str) -> None:
    with pytest.raises(SecretKeyError) as refused:
        check_keys(keys)

    assert named in str(refused.value)
    assert "secrets.token_hex(32)" in str(refused.value)
    assert not any(str(key) in str(refused.value) for key in keys if len(key) > 3)


@pytest.mark.parametrize(
    "key", ["k" * 32, b"k" * 32, "ế" * 11], ids=["text", "bytes", "33 bytes of 11 letters"]
)
def test_a_key_of_32_bytes_is_taken(key: str | bytes) -> None:
    check_keys([key])


def test_a_fingerprint_tells_keys_apart_and_does_not_hold_them() -> None:
    assert fingerprint(OLD) == fingerprint(OLD.encode())
    assert fingerprint(OLD) != fingerprint(NEW)
    assert len(fingerprint(OLD)) == 16
    assert fingerprint(OLD) not in OLD
