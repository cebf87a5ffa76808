"""Whatever a host answers and whatever a visitor chose: the gate keeps its promise."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from tests.conftest import MakeApp
from tests.factories import NOW, OPTIONAL, Clock, choice, copy_database, deployment, host_app

OWNERS = {"visitor": "analytics", "_ga_": "analytics", "layout": "preferences", "campaign": "marketing"}
NECESSARY = {"session", "remember_token", "consent", "consent_view", "__Host-consent", "__Host-consent_view"}

_NAMES = st.one_of(
    st.sampled_from(
        ["visitor", "_ga_A", "layout", "campaign", "session", "remember_token", "consent", "stray"]
    ),
    st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}", fullmatch=True),
)
_VALUES = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='",;\\'), max_size=12
)
_DELETING = st.sampled_from(
    [
        "Max-Age=0",
        "max-age=-5",
        "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "Expires=Thu, 01-Jan-1970 00:00:00 GMT",
    ]
)
_KEEPING = st.sampled_from(["Max-Age=60", "Expires=Fri, 01 Jan 2100 00:00:00 GMT", "Path=/", "HttpOnly"])
_LINES = st.tuples(_NAMES, _VALUES, st.lists(_KEEPING, max_size=2) | _DELETING.map(lambda one: [one])).map(
    lambda parts: (parts[0], "; ".join([f"{parts[0]}={parts[1]}", *parts[2]]), _deleting(parts[2]))
)
_OTHERS = st.lists(
    st.tuples(
        st.sampled_from(["X-One", "Link", "ETag", "Content-Language", "X-Set-Cookie"]),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20).map(str.strip),
    ),
    max_size=5,
)
_CONSENTS = st.dictionaries(st.sampled_from([*OPTIONAL, "unknown"]), st.booleans())


def _deleting(attributes: list[str]) -> bool:
    return any(one.lower().startswith(("max-age=0", "max-age=-")) or "1970" in one for one in attributes)


def owner(name: str) -> str | None:
    if name in NECESSARY:
        return "necessary"
    if name in OWNERS:
        return OWNERS[name]
    return "analytics" if name.startswith("_ga_") else None


class Inner:
    """Answers with the headers of the example."""

    headers: list[tuple[str, str]]

    def __call__(self, _environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", list(self.headers))
        return [b"body"]


@pytest.fixture(scope="module")
def module_app(tmp_path_factory: pytest.TempPathFactory, prepared_sqlite: Any) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("gate")
    app = host_app(database_url=copy_database(prepared_sqlite, folder), clock=Clock(), folder=folder)
    app.wsgi_app._app = Inner()  # type: ignore[attr-defined]
    yield app
    deployment(app).database.engine.dispose()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(_LINES, max_size=6), others=_OTHERS, consent=st.none() | _CONSENTS, signal=st.booleans()
)
def test_nothing_is_stored_that_is_not_declared_and_granted_and_nothing_else_changes(
    module_app: Flask,
    lines: list[tuple[str, str, bool]],
    others: list[tuple[str, str]],
    consent: dict[str, bool] | None,
    signal: bool,
) -> None:
    headers = [*others, *(("Set-Cookie", line) for _, line, _ in lines)]
    module_app.wsgi_app._app.headers = headers  # type: ignore[attr-defined]
    asked: dict[str, str] = {"Sec-GPC": "1"} if signal else {}
    if consent is not None:
        asked["Cookie"] = "consent=" + deployment(module_app).signer.seal(choice(consent, decided_at=NOW))

    response = Client(module_app, use_cookies=False).get("/", headers=asked)

    def may_pass(name: str, deletes: bool) -> bool:
        category = owner(name)
        return deletes or category == "necessary" or bool(category and (consent or {}).get(category))

    sent = response.headers.getlist("Set-Cookie")
    assert sent == [line for name, line, deletes in lines if may_pass(name, deletes)]
    kept = [
        (name, value)
        for name, value in response.headers
        if name not in ("Set-Cookie", "Vary", "Cache-Control")
    ]
    assert kept == others
    optional = any(owner(name) in OPTIONAL and not deletes for name, _, deletes in lines)
    assert response.headers.get("Cache-Control") == ("private" if optional else None)


_ANY_HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=40)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(_ANY_HEADER, max_size=4))
def test_no_line_at_all_stores_an_optional_or_undeclared_cookie_for_the_undecided(
    module_app: Flask, lines: list[str]
) -> None:
    module_app.wsgi_app._app.headers = [("Set-Cookie", line) for line in lines]  # type: ignore[attr-defined]

    response = Client(module_app, use_cookies=False).get("/")

    for line in response.headers.getlist("Set-Cookie"):
        name = line.partition(";")[0].partition("=")[0].strip()
        assert name in NECESSARY or "max-age" in line.lower() or "expires" in line.lower()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cookie=_ANY_HEADER)
def test_any_cookie_header_grants_nothing(module_app: Flask, cookie: str) -> None:
    module_app.wsgi_app._app.headers = [("Set-Cookie", "visitor=1")]  # type: ignore[attr-defined]

    response = Client(module_app, use_cookies=False).get("/", headers={"Cookie": cookie})

    assert response.status_code == 200
    assert response.headers.getlist("Set-Cookie") == []


def test_the_property_would_notice_a_gate_that_lets_all_pass(make_app: MakeApp) -> None:
    """The examples do hold what must be held back: a look at the table of owners."""
    register = deployment(make_app()).register

    assert {
        name: register.category_of(name) for name in ("visitor", "_ga_A", "layout", "campaign", "stray")
    } == {
        "visitor": "analytics",
        "_ga_A": "analytics",
        "layout": "preferences",
        "campaign": "marketing",
        "stray": None,
    }
    assert all(register.category_of(name) == "necessary" for name in NECESSARY)
