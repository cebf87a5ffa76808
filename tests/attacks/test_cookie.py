"""CK: whatever stands in the choice cookie gives at most the consent that was given, never an error."""

import itertools
import json
import random
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask.sessions import SecureCookieSessionInterface
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from consent_widget.core.errors import SecretKeyError
from consent_widget.core.links import MANAGE, UNDO, UNSUBSCRIBE
from consent_widget.core.notice import ChangeClass
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.target import (
    ALL,
    KEY,
    NOTHING,
    OPTIONAL,
    PLAIN_NAME,
    SECURE_NAME,
    Target,
    ask,
    cookie_of,
    granted_in,
)
from tests.attacks.wire import Wire

Check = Callable[..., None]

#: Where a cookie is believed by its signature, and where the record is asked.
EVERYWHERE = ("/", "/redirected", "/consent", "/privacy/state", "/privacy/preferences", "/privacy/")

BANNER = 'data-consent-widget="banner"'


@pytest.fixture
def check(site: Target) -> Iterator[Check]:
    """Sends cookie values and fails where one grants more than ``allowed``; nothing may be stored."""
    before = site.stored()

    def check(
        values: Iterable[str | bytes], *, allowed: Iterable[str] = (), paths: Iterable[str] = EVERYWHERE
    ) -> None:
        outcomes = (NOTHING, frozenset(allowed))
        for value in values:
            raw = value.encode() if isinstance(value, str) else value
            for path in paths:
                answer = ask(site, SECURE_NAME.encode() + b"=" + raw, path)
                assert 200 <= answer.status_code < 400, (path, raw)
                assert granted_in(answer) in outcomes, (path, raw)

    yield check
    assert site.stored() == before


@pytest.fixture(scope="module")
def accepted(site: Target) -> str:
    """The genuine cookie of a visitor who accepted everything."""
    return site.genuine("accept_all")


@pytest.fixture(scope="module")
def refused(site: Target) -> str:
    """The genuine cookie of another visitor, who refused everything."""
    return site.genuine("reject_all")


@pytest.fixture(scope="module")
def partly(site: Target) -> str:
    """The genuine cookie of a third one, who refuses marketing and preferences."""
    return site.genuine("save", "analytics")


def test_genuine_cookies_grant_what_they_say(site: Target, accepted: str, refused: str, partly: str) -> None:
    """Without this the tests below could pass because nothing is ever granted."""
    for value, granted in ((accepted, ALL), (refused, NOTHING), (partly, {"analytics"})):
        for path in ("/", "/consent", "/privacy/state", "/privacy/preferences"):
            assert granted_in(ask(site, f"{SECURE_NAME}={value}", path)) == granted


# Tampering -------------------------------------------------------------------


@attack("CK-001")
def test_bits_of_the_signature_flipped(case: Case, check: Check, partly: str) -> None:
    payload, signature = partly.rsplit(".", 1)
    raw = urlsafe_b64decode(signature + "=")
    flipped = [_flip(raw, bit) for bit in range(len(raw) * 8)]

    values = [f"{payload}.{urlsafe_b64encode(one).decode().rstrip('=')}" for one in flipped]
    check(values, paths=("/consent",))
    check(values[::16])


@attack("CK-002")
def test_bits_of_the_payload_flipped(case: Case, check: Check, partly: str) -> None:
    payload, signature = partly.rsplit(".", 1)

    bits = range(len(payload) * 8)
    values = [_flip(payload.encode(), bit) + b"." + signature.encode() for bit in bits]
    check(values, paths=("/consent",))
    check(values[::32])


@attack("CK-004")
def test_truncated_at_every_length(case: Case, check: Check, partly: str) -> None:
    check((partly[:length] for length in range(len(partly))), paths=("/consent", "/redirected"))


@attack("CK-006")
def test_garbage_appended(case: Case, check: Check, partly: str) -> None:
    check(
        [partly + one for one in [*case.payloads, "x" * 1024, "=" * 1024, "." * 1024]], allowed={"analytics"}
    )


@attack("CK-007")
def test_last_character_of_the_signature_replaced(case: Case, check: Check, partly: str) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = alphabet.replace(partly[-1], "")
    assert len(others) == 63

    check([partly[:-1] + one for one in others], allowed={"analytics"}, paths=("/", "/privacy/state"))


@attack("CK-009")
def test_payload_of_one_with_the_signature_of_another(
    case: Case, check: Check, accepted: str, refused: str
) -> None:
    (a, signature_a), (b, signature_b) = accepted.rsplit(".", 1), refused.rsplit(".", 1)

    check([f"{a}.{signature_b}", f"{b}.{signature_a}"])


@attack("CK-033")
def test_random_mutations(
    case: Case, site: Target, check: Check, accepted: str, refused: str, partly: str
) -> None:
    """A seeded sample of 500; 99 of 100 take the server at most 50 ms of its time."""
    chance = random.Random(33)
    genuine = ((accepted, ALL), (refused, NOTHING), (partly, frozenset({"analytics"})))
    times = []

    for _ in range(500):
        base, allowed = chance.choice(genuine)
        value = _mutate(base.encode(), [one.encode() for one, _ in genuine], chance)
        started = time.process_time()
        check([value], allowed=allowed, paths=("/",))
        times.append(time.process_time() - started)

    assert sorted(times)[495 - 1] <= 0.050


def _mutate(value: bytes, genuine: list[bytes], chance: random.Random) -> bytes:
    """One to eight changes; a splice takes at most half of the other, for a whole one is no forgery."""
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(value)) if value else 0
        match chance.choice(("flip", "insert", "delete", "duplicate", "splice")):
            case "flip" if value:
                value = value[:at] + bytes([value[at] ^ (1 << chance.randrange(8))]) + value[at + 1 :]
            case "insert":
                value = value[:at] + chance.randbytes(chance.randint(1, 8)) + value[at:]
            case "delete":
                value = value[:at] + value[at + chance.randint(1, 8) :]
            case "duplicate":
                value = value[:at] + value[at : at + 16] + value[at:]
            case "splice":
                other = chance.choice(genuine)
                value = value[:at] + other[len(other) // 2 :]
    return value.translate(None, b"\r\n\0")  # nothing a server would let through in a header


def _flip(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# Forging ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def forge(accepted: str) -> Callable[..., str]:
    """Signs the payload of the genuine acceptance with a key and a salt of the attacker's choice."""
    payload = URLSafeSerializer("-").load_payload(accepted.rsplit(".", 1)[0].encode())
    assert payload["c"] == dict.fromkeys(OPTIONAL, 1)

    def sign(key: str | bytes, salt: str, **signer: Any) -> str:
        return str(URLSafeSerializer(key, salt=salt, signer_kwargs=signer).dumps(payload))

    return sign


_OURS = {"key_derivation": "hmac", "digest_method": sha256}
_LIBRARY = {"key_derivation": "django-concat", "digest_method": sha1}


def test_forging_with_everything_right_would_work(
    site: Target, forge: Callable[..., str], accepted: str
) -> None:
    """Else the refusals below would prove nothing."""
    assert forge(KEY, "consent_widget.choice", **_OURS) == accepted


@attack("CK-011")
@pytest.mark.parametrize("signer", [_OURS, _LIBRARY], ids=["our-hash", "default-hash"])
def test_right_key_with_the_salt_of_another_purpose(
    case: Case, signer: dict[str, Any], check: Check, forge: Callable[..., str]
) -> None:
    salts = (
        "consent_widget.confirm",
        "consent_widget.unsubscribe",
        "consent_widget.preview",
        "consent_widget",
        "",
    )

    check([forge(KEY, salt, **signer) for salt in salts])


@attack("CK-011")
def test_genuine_links_of_mails_as_cookie(case: Case, site: Target, check: Check) -> None:
    """Those that are signed, with the same key, and the random ones that confirm."""
    links = site.deployment.links

    check([links.seal(purpose, 1, "salt") for purpose in (UNSUBSCRIBE, MANAGE, UNDO, "confirm")])
    check([secrets.token_urlsafe(32)])


@attack("CK-012")
def test_signed_as_the_session_of_the_host(
    case: Case, site: Target, check: Check, forge: Callable[..., str], accepted: str
) -> None:
    session = SecureCookieSessionInterface().get_signing_serializer(site.app)
    assert session is not None
    payload = URLSafeSerializer("-").load_payload(accepted.rsplit(".", 1)[0].encode())

    check([str(session.dumps(payload)), forge(KEY, "cookie-session", **_OURS)])


@attack("CK-013")
def test_signed_with_the_default_salt_of_the_library(
    case: Case, check: Check, forge: Callable[..., str]
) -> None:
    check([forge(KEY, "itsdangerous", **_LIBRARY), forge(KEY, "itsdangerous", **_OURS)])


@attack("CK-014")
def test_signed_with_an_unknown_key(case: Case, check: Check, forge: Callable[..., str]) -> None:
    chance = random.Random(14)

    check([forge(chance.randbytes(32), "consent_widget.choice", **_OURS) for _ in range(50)], paths=("/",))


@attack("CK-015")
def test_signed_with_a_well_known_key(
    case: Case, check: Check, forge: Callable[..., str], make_target: MakeTarget, tmp_path: Path
) -> None:
    """And no site starts with such a key, nor is the key told."""
    check([forge(key, "consent_widget.choice", **_OURS) for key in case.payloads])

    for key in case.payloads:
        with pytest.raises(SecretKeyError, match="SECRET_KEY") as refusal:
            make_target(f"sqlite:///{tmp_path / 'never.sqlite'}", keys=[key])
        assert not key or key == "SECRET_KEY" or f"{key!r}" not in str(refusal.value)
    assert not (tmp_path / "never.sqlite").exists()


@attack("CK-016")
def test_without_signature(case: Case, check: Check, accepted: str) -> None:
    payload = accepted.rsplit(".", 1)[0]

    check([one.replace("{p}", payload) for one in case.payloads])


@attack("CK-018")
def test_token_of_another_format(case: Case, check: Check) -> None:
    check([case.payload, f"{case.payload}e30", "e30.e30.e30"])


@attack("CK-034")
@hypothesis.settings(max_examples=500)
@hypothesis.given(data=st.data())
def test_arbitrary_text_and_bytes(case: Case, site: Target, accepted: str, data: st.DataObject) -> None:
    """Everything that may stand in a header, with and without parts of a genuine cookie around it."""
    any_byte = st.binary(max_size=400).map(lambda raw: raw.translate(None, b"\r\n\0;"))
    any_text = st.text(max_size=200).map(
        lambda text: text.encode("utf-8", "surrogatepass").translate(None, b"\r\n\0;")
    )
    half = len(accepted) // 2
    value = (
        data.draw(st.sampled_from([b"", accepted[:half].encode()]))
        + data.draw(any_byte | any_text)
        + data.draw(st.sampled_from([b"", accepted[half:].encode()]))
    )
    hypothesis.assume(accepted.encode() not in value)

    answer = ask(site, SECURE_NAME.encode() + b"=" + value, "/consent")

    assert answer.status_code == 200
    assert granted_in(answer) == NOTHING


# The Cookie header -----------------------------------------------------------


@attack("CK-019")
@pytest.mark.parametrize("size", [4096, 8192, 16384, 61440])
def test_oversized_cookie(case: Case, size: int, site: Target, check: Check) -> None:
    endless = URLSafeSerializer("-").dumps({"c": {f"x{one}": 1 for one in range(size // 8)}})
    values = ["A" * size, "." * size, str(endless)[:size]]

    for value in values:
        times = []
        for _ in range(3):
            started = time.process_time()
            check([value], paths=("/",))
            times.append(time.process_time() - started)
        assert min(times) < 0.200


@attack("CK-021")
def test_two_cookies_of_the_same_name(
    case: Case, site: Target, accepted: str, refused: str, partly: str
) -> None:
    """What one of the two denies is denied, in either order and wherever it is asked."""
    marketing = site.genuine("save", "marketing")
    before = site.stored()

    for one, other in itertools.combinations((accepted, refused, partly, marketing), 2):
        allowed = granted_in(ask(site, f"{SECURE_NAME}={one}")) & granted_in(
            ask(site, f"{SECURE_NAME}={other}")
        )
        for first, second in ((one, other), (other, one)):
            for path in EVERYWHERE:
                answer = ask(site, f"{SECURE_NAME}={first}; {SECURE_NAME}={second}", path)
                assert answer.status_code < 400
                assert granted_in(answer) <= allowed, (path, first, second)
                for kept in answer.headers.getlist("Set-Cookie"):
                    # Nor later, when the planted one is gone and the answer's own is all there is.
                    if kept.startswith(f"{SECURE_NAME}="):
                        assert granted_in(ask(site, kept.partition(";")[0], "/privacy/state")) <= allowed

    assert site.stored() == before


@attack("CK-021")
def test_decision_with_a_planted_acceptance(case: Case, target: Target) -> None:
    """Nothing of what the planted cookie grants gets into the choice that is made."""
    planted, own = target.genuine("accept_all"), target.genuine("reject_all")

    for first, second in ((planted, own), (own, planted)):
        answer = ask(
            target,
            f"{SECURE_NAME}={first}; {SECURE_NAME}={second}",
            "/privacy/preferences",
            method="POST",
            json={"action": "add", "categories": ["preferences"]},
        )
        assert granted_in(answer) == {"preferences"}

    assert [granted for granted, _ in target.recorded()[2:]] == [{"preferences"}, {"preferences"}]


@attack("CK-021")
def test_planted_cookie_without_the_prefix(case: Case, site: Target, accepted: str, refused: str) -> None:
    """A sibling domain cannot set the prefixed name; over https the plain one is not read."""
    for cookies in (f"{PLAIN_NAME}={accepted}", f"{PLAIN_NAME}={accepted}; {SECURE_NAME}={refused}"):
        assert granted_in(ask(site, cookies)) == NOTHING


@attack("CK-022")
def test_two_cookie_headers(case: Case, site: Target, wire: Wire, accepted: str, refused: str) -> None:
    before = site.stored()

    for first, second in ((accepted, refused), (refused, accepted)):
        lines = [f"Cookie: {PLAIN_NAME}={one}".encode() for one in (first, second)]
        for path in (b"/", b"/privacy/state"):
            answer = wire.get(path, *lines)
            assert answer.status == 200
            assert answer.granted == NOTHING

    assert site.stored() == before


@attack("CK-023")
def test_nameless_cookie_imitating_the_prefix(case: Case, site: Target, accepted: str, refused: str) -> None:
    nameless = case.payload.replace("{name}", "consent").replace("{token}", accepted)

    for cookies in (nameless, f"{nameless}; {SECURE_NAME}={refused}", f"{SECURE_NAME}={refused}; {nameless}"):
        for path in EVERYWHERE:
            answer = ask(site, cookies, path)
            assert answer.status_code < 400
            assert granted_in(answer) == NOTHING


@attack("CK-025")
def test_quoted_and_escaped_value(case: Case, check: Check, partly: str) -> None:
    check([one.replace("{t}", partly) for one in case.payloads], allowed={"analytics"})


@attack("CK-026")
@pytest.mark.parametrize(
    "junk",
    [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\0", b"\x01", b"\x7f", b"\x0b"],
    ids=lambda raw: raw.hex(),
)
def test_raw_bytes_on_the_wire(case: Case, junk: bytes, site: Target, wire: Wire, partly: str) -> None:
    before, value = site.stored(), partly.encode()

    for broken in (junk, junk + value, value[:20] + junk + value[20:], value + junk):
        for path in (b"/", b"/privacy/state"):
            answer = wire.get(path, b"Cookie: " + PLAIN_NAME.encode() + b"=" + broken)
            assert answer.status == 200
            assert answer.granted in (NOTHING, {"analytics"})

    assert site.stored() == before


@attack("CK-034")
def test_arbitrary_bytes_on_the_wire(case: Case, site: Target, wire: Wire, accepted: str) -> None:
    """Line ends too: what they leave of the request may be refused, never answered by a fault."""
    chance, before = random.Random(34), site.stored()

    for _ in range(60):
        value = (
            chance.randbytes(chance.randint(1, 200)) + accepted[: chance.randrange(len(accepted))].encode()
        )
        answer = wire.get(b"/", b"Cookie: " + PLAIN_NAME.encode() + b"=" + value)
        assert answer.status < 500
        assert answer.granted == NOTHING

    assert site.stored() == before


# Genuine, but not for here and now --------------------------------------------


@attack("CK-028")
def test_grant_of_a_category_that_does_not_exist(case: Case, site: Target) -> None:
    """It is ignored, and a decision made with such a cookie does not carry it on."""
    value = site.seal("retired", "surveys", "analytics", categories=("retired", "surveys", "analytics"))

    for path in EVERYWHERE:
        answer = ask(site, f"{SECURE_NAME}={value}", path)
        assert answer.status_code < 400
        assert granted_in(answer) <= {"analytics"}
    added = ask(
        site,
        f"{SECURE_NAME}={value}",
        "/privacy/preferences",
        method="POST",
        json={"action": "add", "categories": ["preferences"]},
    )

    assert granted_in(added) <= {"analytics", "preferences"}
    assert "surveys" not in added.text
    sealed = next(one for one in added.headers.getlist("Set-Cookie") if one.startswith(f"{SECURE_NAME}="))
    payload = URLSafeSerializer("-").load_payload(sealed.partition("=")[2].rsplit(".", 1)[0].encode())
    assert set(payload["c"]) <= ALL


@attack("CK-028")
def test_category_added_later_is_not_granted_by_an_older_cookie(
    case: Case, target: Target, make_target: MakeTarget, database_url: str
) -> None:
    accepted = target.genuine("accept_all")

    later = make_target(database_url, categories=(*OPTIONAL, "surveys"))

    page = ask(later, f"{SECURE_NAME}={accepted}")
    assert granted_in(page) == ALL
    assert BANNER in page.text
    state = ask(later, f"{SECURE_NAME}={accepted}", "/privacy/state").json
    assert state is not None
    assert (state["decided"], state["categories"]["surveys"]) == (False, "undecided")


#: A choice as release 0.1 writes it: analytics granted, the rest denied, under version 1,
#: at 2026-11-22 00:00 UTC, signed with KEY. Visitors keep such cookies: it must open for ever.
FORMAT_1 = (
    ".eJwdyrEOQDAURuF3-ecOVwTRV7ATtqpLGjRUI6Tx7pou33JOwA2ZCdikj1Z1kVNREgloyABl1fZ6o6907Mqt7I1dI"
    "ONwOJ7ZsdUcK30CBhJHd5Jr737MpiF_mgvfD5dMHh0.PrkMaaUYlIo0h-oYNPAGfCOrwA33YP-DTYaikti1b6k"
)


@attack("CK-030")
def test_cookie_of_an_earlier_release(case: Case, make_target: MakeTarget, sqlite_url: str) -> None:
    written = datetime(2026, 11, 22, tzinfo=UTC)
    soon = make_target(sqlite_url, clock=lambda: written + timedelta(days=181))
    too_late = make_target(sqlite_url, clock=lambda: written + timedelta(days=182))

    kept = ask(soon, f"{SECURE_NAME}={FORMAT_1}")
    expired = ask(too_late, f"{SECURE_NAME}={FORMAT_1}")

    assert granted_in(kept) == {"analytics"}
    assert BANNER not in kept.text
    assert granted_in(expired) == NOTHING
    assert BANNER in expired.text


@attack("CK-030")
@pytest.mark.parametrize(
    "changed",
    [
        {"v": 0},
        {"v": 2},
        {"v": None},
        {"v": "1"},
        {"c": ["analytics"]},
        {"c": {"analytics": "1"}},
        {"n": "1"},
        {"t": 1e99},
    ],
    ids=json.dumps,
)
def test_format_that_was_never_released(
    case: Case, changed: dict[str, Any], check: Check, accepted: str
) -> None:
    payload = URLSafeSerializer("-").load_payload(accepted.rsplit(".", 1)[0].encode())
    serializer = URLSafeSerializer(KEY, salt="consent_widget.choice", signer_kwargs=_OURS)

    check(
        [
            str(serializer.dumps(payload | changed)),
            str(serializer.dumps([payload])),
            str(serializer.dumps("x")),
        ]
    )


@attack("CK-031")
def test_notice_changed_since_the_choice(case: Case, target: Target) -> None:
    """A material version asks again for what it names; an editorial one asks nobody."""
    accepted = target.genuine("accept_all")
    target.announce(2, ask_again=["marketing"])
    target.announce(3, change=ChangeClass.EDITORIAL, ask_again=["analytics"])
    target.deployment.schedule.forget()

    page = ask(target, f"{SECURE_NAME}={accepted}")
    state = ask(target, f"{SECURE_NAME}={accepted}", "/privacy/state").json

    assert granted_in(page) == ALL - {"marketing"}
    assert BANNER in page.text
    assert state is not None
    assert (state["decided"], state["notice"]) == (False, 3)
    assert state["categories"] == {"preferences": "granted", "analytics": "granted", "marketing": "undecided"}


@attack("CK-032")
@pytest.mark.parametrize("withdrawal", ["reject_all", "save"])
@pytest.mark.parametrize("path", ["/privacy/state", "/privacy/preferences"])
def test_cookie_from_before_a_withdrawal_is_found_out(
    case: Case, path: str, withdrawal: str, target: Target
) -> None:
    """State and preferences ask the record, and replace the cookie by what was recorded last."""
    browser = target.browser()
    browser.post("/privacy/preferences", data={"action": "accept_all"})
    old = cookie_of(browser)
    browser.post("/privacy/preferences", data={"action": withdrawal})
    before = target.stored()

    browser.set_cookie(SECURE_NAME, old)
    answer = browser.get(path)

    assert granted_in(answer) == NOTHING
    assert cookie_of(browser) != old
    assert granted_in(browser.get("/")) == NOTHING
    assert target.stored() == before


@attack("CK-032")
def test_decision_on_a_cookie_from_before_a_withdrawal(case: Case, target: Target) -> None:
    """What is added is added to the choice on record, not to the one that was sent again."""
    browser = target.browser()
    browser.post("/privacy/preferences", data={"action": "accept_all"})
    old = cookie_of(browser)
    browser.post("/privacy/preferences", data={"action": "reject_all"})

    browser.set_cookie(SECURE_NAME, old)
    answer = browser.post("/privacy/preferences", json={"action": "add", "categories": ["preferences"]})

    assert granted_in(answer) == {"preferences"}
    assert granted_in(browser.get("/")) == {"preferences"}
    assert [granted for granted, _ in target.recorded()] == [ALL, NOTHING, {"preferences"}]


@attack("CK-032")
def test_page_view_with_a_cookie_from_before_a_withdrawal_is_the_documented_limit(
    case: Case, site: Target
) -> None:
    """A page view trusts the signature alone, unless the mirror lowers it: docs/threat-model.md says so."""
    browser = site.browser()
    browser.post("/privacy/preferences", data={"action": "accept_all"})
    old = cookie_of(browser)
    browser.post("/privacy/preferences", data={"action": "reject_all"})
    mirror = browser.get_cookie(f"{SECURE_NAME}_view")
    assert mirror is not None

    assert granted_in(ask(site, f"{SECURE_NAME}={old}")) == ALL
    assert granted_in(ask(site, f"{SECURE_NAME}={old}; {mirror.key}={mirror.value}")) == NOTHING
    words = " ".join(Path("docs/threat-model.md").read_text(encoding="utf-8").split())
    assert "A page view trusts the signature" in words
    assert "**This is a known limit** (attack case CK-032)" in words
