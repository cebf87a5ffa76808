"""CF: another site decides nothing in a visitor's name, and nothing for the staff."""

from typing import Any

import pytest

from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.subscribers import make_readers
from tests.attacks.target import ALL, NOTHING, SECURE_NAME, Target, ask, granted_in
from tests.factories import Clock

SAVE = "/privacy/preferences"

FOREIGN: dict[str, dict[str, str]] = {
    "cross-site form": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Origin": "https://evil.example",
    },
    "cross-site fetch": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "cors",
        "Origin": "https://evil.example",
    },
    "sibling domain": {"Sec-Fetch-Site": "same-site", "Origin": "https://other.localhost"},
    "sandboxed frame": {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    "own origin claimed": {"Sec-Fetch-Site": "cross-site", "Origin": "https://localhost"},
    "unknown site": {"Sec-Fetch-Site": "SAME-ORIGIN, cross-site"},
    "empty site": {"Sec-Fetch-Site": ""},
    "old browser": {"Origin": "https://evil.example"},
    "old browser, null": {"Origin": "null"},
    "old browser, empty": {"Origin": ""},
    "other scheme": {"Origin": "http://localhost"},
    "other port": {"Origin": "https://localhost:8443"},
    "own name as prefix": {"Origin": "https://localhost.evil.example"},
    "own name as user": {"Origin": "https://localhost@evil.example"},
    "no address": {"Origin": "https://[::1"},
}

SENT: dict[str, dict[str, Any]] = {
    "form": {"data": {"action": "accept_all"}},
    "form for a script": {"data": {"action": "accept_all"}, "headers": {"Accept": "application/json"}},
    "json": {"json": {"action": "accept_all"}},
    "multipart": {"data": {"action": "accept_all"}, "content_type": "multipart/form-data"},
}


@attack("CF-009")
@pytest.mark.parametrize("origin", FOREIGN.values(), ids=FOREIGN.keys())
def test_choice_posted_by_another_site(case: Case, origin: dict[str, str], target: Target) -> None:
    refused = target.genuine("reject_all")
    before = target.stored()

    for options in SENT.values():
        for cookies in ("", f"{SECURE_NAME}={refused}"):
            headers = options.get("headers", {}) | origin
            answer = ask(target, cookies, SAVE, method="POST", **(options | {"headers": headers}))
            assert answer.status_code == 403
            assert not answer.headers.getlist("Set-Cookie")
            assert "Access-Control-Allow-Origin" not in answer.headers

    assert target.stored() == before
    assert granted_in(ask(target, f"{SECURE_NAME}={refused}", "/privacy/state")) == NOTHING


@attack("CF-009")
def test_choice_posted_as_plain_text(case: Case, target: Target) -> None:
    """What a foreign page may send without asking first: JSON that calls itself text."""
    before = target.stored()

    answer = ask(
        target, "", SAVE, method="POST", data='{"action":"accept_all"}', content_type="text/plain", headers={}
    )

    assert answer.status_code == 415
    assert not answer.headers.getlist("Set-Cookie")
    assert target.stored() == before


@attack("CF-009")
@pytest.mark.parametrize(
    "origin",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://localhost"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://localhost"},
        {},
    ],
    ids=["own page", "typed", "old browser", "no browser"],
)
def test_choice_posted_by_our_own_page(case: Case, origin: dict[str, str], target: Target) -> None:
    """Without this the refusals above could refuse everybody."""
    for options in SENT.values():
        headers = options.get("headers", {}) | origin
        answer = ask(target, "", SAVE, method="POST", **(options | {"headers": headers}))
        assert answer.status_code in (200, 303)

    assert [granted for granted, _ in target.recorded()] == [ALL] * len(SENT)


@attack("CF-009")
def test_preflight_of_another_site_is_not_answered(case: Case, target: Target) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    for path in (SAVE, "/privacy/state", "/privacy/"):
        answer = ask(target, "", path, method="OPTIONS", headers=headers)
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


@attack("CF-010")
def test_one_click_unsubscribe_needs_no_token(
    case: Case, make_target: MakeTarget, database_url: str, clock: Clock
) -> None:
    """Neither cookie, Referer nor anti-forgery field: the token in the address authorises (RFC 8058)."""
    readers = make_readers(make_target, database_url, clock=clock)
    path = readers.unsubscribe_link(readers.confirmed())
    form: dict[str, Any] = {
        "content_type": "application/x-www-form-urlencoded",
        "headers": {"Sec-Fetch-Site": "cross-site"},
    }

    # The token of nobody is refused for what it is, not for its origin.
    assert readers.send("/privacy/unsubscribe/nobody", case.payload, **form).status_code == 404
    assert readers.state() == "confirmed"
    answer = readers.send(path, case.payload, **form)

    assert answer.status_code == 200
    assert not answer.headers.getlist("Set-Cookie")
    assert readers.state() == "unsubscribed"
