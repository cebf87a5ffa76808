"""Whatever a host answers and whatever a visitor chose: the gate keeps its promise.

What a browser keeps of an answer is found out by :mod:`tests.web.cookie_store`, from the standards
alone, and whose cookie it is by the table below; neither asks the gate or the register.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client, create_environ

from tests.conftest import MakeApp
from tests.factories import NOW, OPTIONAL, Clock, choice, copy_database, deployment, host_app
from tests.web.cookie_store import CookieStore, Reading, has_controls

OWNERS = {"visitor": "analytics", "_ga_": "analytics", "layout": "preferences", "campaign": "marketing"}
NECESSARY = {"session", "remember_token", "consent", "consent_view", "__Host-consent", "__Host-consent_view"}

repeated = settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])

# What is sent

_NAMES = st.one_of(
    st.sampled_from(
        ["visitor", "_ga_A", "layout", "campaign", "session", "remember_token", "consent", "stray"]
    ),
    st.sampled_from(["VISITOR", "visitor\xa0", "\xa0session", "visitor session", "__Host-visitor", ""]),
    st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}", fullmatch=True),
)
_VALUES = st.one_of(
    st.sampled_from(["", "1", "visitor=1", '"quoted"', "a b", "=", "Max-Age=0", "\x001"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters=";\x7f"), max_size=12),
)
_SPACES = st.sampled_from(["", "", "", " ", "\t", "  ", "\xa0", "\0"])
_NUMBERS = st.one_of(
    st.integers(-9, 9).map(str),
    st.sampled_from(["", "-", "+0", "00", "-0", "0x", "0.0", '"0"', "zero", "²", "9" * 30, "0" * 1025]),
)
_DATES = st.one_of(
    st.builds(
        "{}{}{}{}{}{}{} {}{}".format,
        st.sampled_from(["Thu", "Thursday", "thu", "May", "Dec", "Decem", "x", "29", "1:1:1"]),
        st.sampled_from([", ", ",", " "]),
        st.sampled_from(["01", "1", "00", "30", "32"]),
        st.shared(st.sampled_from([" ", "-"]), key="separator"),
        st.sampled_from(["Jan", "JAN", "Feb", "Dec", "January", "Xyz", "1"]),
        st.shared(st.sampled_from([" ", "-"]), key="separator"),
        st.sampled_from(["1970", "1969", "1600", "70", "69", "99", "2026", "2027", "2100", "100", "19700"]),
        st.sampled_from(["00:00:00", "0:0:1", "24:00:00", "23:59:60", "12", "00:00:00x"]),
        st.sampled_from([" GMT", "", " UTC", " +0700", " 2100"]),
    ),
    st.just("Thu, 01 Jan 1970 00:00:00 GMT"),
    st.sampled_from(["", "0", "1970", "Thu, 01 Jan 1970", "never"]),
)
_ATTRIBUTES = st.one_of(
    st.builds(
        "{}{}{}={}{}{}".format,
        _SPACES,
        st.sampled_from(["Max-Age", "max-age", "MAX-AGE", "MaxAge", "X-Max-Age"]),
        _SPACES,
        _SPACES,
        _NUMBERS,
        _SPACES,
    ),
    st.builds(
        "{}{}={}{}".format, _SPACES, st.sampled_from(["Expires", "expires", "EXPIRES"]), _SPACES, _DATES
    ),
    st.sampled_from(["Max-Age", "Expires", "Path=/", "Path=/shop", "Domain=.localhost", "HttpOnly", "", "="]),
    st.sampled_from(["Secure", "SameSite=Lax", "Partitioned", "visitor=1", "\0", "\x01", "\r", "\n"]),
)
_PLAIN_ATTRIBUTES = st.sampled_from(
    [
        "Max-Age=0",
        "Max-Age=60",
        "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "Expires=Fri, 01 Jan 2100 00:00:00 GMT",
        "Path=/",
    ]
)
#: Lines as hosts write them, as they should not, and as nobody ever did.
_LINES = st.one_of(
    st.builds(
        "{}=1{}".format,
        st.sampled_from(["visitor", "layout", "campaign", "session", "stray"]),
        st.lists(_PLAIN_ATTRIBUTES, max_size=3).map(lambda some: "".join(f"; {one}" for one in some)),
    ),
    st.builds(
        "{}{}{}{}{}{}".format,
        _SPACES,
        _NAMES,
        _SPACES,
        st.sampled_from(["=", "=", "=", "=", "", "=="]),
        _VALUES,
        st.lists(_ATTRIBUTES, max_size=4).map(lambda some: "".join(f";{one}" for one in some)),
    ),
    st.text(st.characters(max_codepoint=0xFF), max_size=40),
)
#: Dec by the standard, whose algorithm takes the first month it meets; Jan for those who read a weekday there.
_ODD_DATE = f"Dec, 31 Jan {datetime.now(UTC).year} 00:00:00 GMT"
_CONSENTS = st.none() | st.dictionaries(st.sampled_from([*OPTIONAL, "unknown"]), st.booleans())
_MODES = st.sampled_from(["block", "report"])
_READINGS = st.sampled_from(Reading)


def owner(name: str) -> str | None:
    if name in NECESSARY:
        return "necessary"
    if name in OWNERS:
        return OWNERS[name]
    return "analytics" if name.startswith("_ga_") else None


def may_be_kept(name: str, consent: dict[str, bool] | None, mode: str) -> bool:
    category = owner(name)
    if category is None:
        return mode == "report"
    return category == "necessary" or (consent or {}).get(category, False)


# Where it is sent


class Inner:
    """Answers with the headers of the example."""

    headers: list[tuple[str, str]]

    def __call__(self, _environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", list(self.headers))
        return [b"body"]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, prepared_sqlite: Any) -> Iterator[dict[str, Flask]]:
    """A host for either way with undeclared cookies."""
    made = {}
    for mode in ("block", "report"):
        folder = tmp_path_factory.mktemp(mode)
        made[mode] = host_app(
            database_url=copy_database(prepared_sqlite, folder),
            clock=Clock(),
            folder=folder,
            config={"CONSENT_WIDGET_UNDECLARED_COOKIES": mode},
        )
        made[mode].wsgi_app._app = Inner()  # type: ignore[attr-defined]
    yield made
    for app in made.values():
        deployment(app).database.engine.dispose()


def answer(
    app: Flask, headers: list[tuple[str, str]], consent: dict[str, bool] | None, signal: bool = False
) -> list[tuple[str, str]]:
    """The headers that leave, for a visitor with that choice; as a WSGI server gets them."""
    app.wsgi_app._app.headers = headers  # type: ignore[attr-defined]
    asked = {"Sec-GPC": "1"} if signal else {}
    if consent is not None:
        asked["Cookie"] = "consent=" + deployment(app).signer.seal(choice(consent, decided_at=NOW))
    left: list[tuple[str, str]] = []

    def start(_status: str, sent: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
        left.extend(sent)
        return bytes

    list(app.wsgi_app(create_environ(headers=asked), start))
    return left


def kept(reading: Reading, lines: list[str], store: CookieStore | None = None) -> CookieStore:
    """The browser after ``lines``, by the real clock, which is the visitor's."""
    store = store or CookieStore(reading, datetime.now(UTC))
    for line in lines:
        store.receive(line)
    return store


def cookie_lines(headers: list[tuple[str, str]]) -> list[str]:
    return [value for name, value in headers if name.lower() == "set-cookie"]


# What holds


@settings(repeated, max_examples=1000)
@given(
    lines=st.lists(_LINES, max_size=6),
    consent=_CONSENTS,
    signal=st.booleans(),
    mode=_MODES,
    reading=_READINGS,
)
@example(["=visitor=1"], None, False, "report", Reading.RFC6265BIS)
@example(["visitor\0x=1"], None, False, "report", Reading.CUT)
@example(["visitor=1\0; Max-Age=0"], None, False, "block", Reading.CUT)
@example(["visitor=1; Max-Age=" + "0" * 1025], None, False, "block", Reading.RFC6265BIS)
@example([f"visitor=1; Expires={_ODD_DATE}"], None, False, "block", Reading.RFC6265)
def test_no_browser_keeps_a_cookie_whose_category_is_not_granted(
    hosts: dict[str, Flask],
    lines: list[str],
    consent: dict[str, bool] | None,
    signal: bool,
    mode: str,
    reading: Reading,
) -> None:
    sent = cookie_lines(answer(hosts[mode], [("Set-Cookie", line) for line in lines], consent, signal))

    store = kept(reading, sent)

    assert {name for name in store.sent_names() if not may_be_kept(name, consent, mode)} == set()
    without_gate = kept(reading, [line for line in lines if not has_controls(line)]).cookies
    assert store.cookies == {
        place: value
        for place, value in without_gate.items()
        if place[0] and may_be_kept(place[0], consent, mode)
    }, "and of what may be kept nothing is lost"


_PLAIN_NAMES = st.sampled_from(["visitor", "_ga_A", "layout", "campaign", "session", "stray"])
_DELETIONS = st.builds(
    "{}={}; {}; Path=/".format,
    _PLAIN_NAMES,
    st.sampled_from(["", "deleted", '""']),
    st.sampled_from(
        [
            "Max-Age=0",
            "max-age=-5",
            "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "Expires=Thu, 01-Jan-1970 00:00:00 GMT",
            "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0",
        ]
    ),
)


@repeated
@given(lines=st.lists(_DELETIONS, min_size=1, max_size=6), consent=_CONSENTS, mode=_MODES, reading=_READINGS)
def test_what_a_host_deletes_is_gone_whatever_was_chosen(
    hosts: dict[str, Flask], lines: list[str], consent: dict[str, bool] | None, mode: str, reading: Reading
) -> None:
    names = ["visitor", "_ga_A", "layout", "campaign", "session", "stray"]
    store = kept(reading, [f"{name}=1" for name in names])

    sent = cookie_lines(answer(hosts[mode], [("Set-Cookie", line) for line in lines], consent))

    deleted = {line.partition("=")[0] for line in lines}
    assert kept(reading, sent, store).sent_names() == set(names) - deleted


_OTHERS = st.lists(
    st.tuples(
        st.sampled_from(["X-One", "Link", "ETag", "Content-Language", "X-Set-Cookie"]),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20).map(str.strip),
    ),
    max_size=5,
)


@repeated
@given(
    names=st.lists(_PLAIN_NAMES, max_size=3),
    deletions=st.lists(_DELETIONS, max_size=3),
    others=_OTHERS,
    consent=_CONSENTS,
)
def test_nothing_else_changes_and_what_depends_on_the_visitor_is_private(
    hosts: dict[str, Flask],
    names: list[str],
    deletions: list[str],
    others: list[tuple[str, str]],
    consent: dict[str, bool] | None,
) -> None:
    lines = [*deletions, *(f"{name}=1" for name in names)]

    left = answer(hosts["block"], [*others, *(("Set-Cookie", line) for line in lines)], consent)

    assert [one for one in left if one[0] not in ("Set-Cookie", "Vary", "Cache-Control")] == others
    assert cookie_lines(left) == [
        *deletions,
        *(f"{name}=1" for name in names if may_be_kept(name, consent, "block")),
    ]
    depends = any(owner(name) in OPTIONAL for name in names)
    assert dict(left).get("Cache-Control") == ("private" if depends else None)


_ANY_HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=40)


@repeated
@given(cookie=_ANY_HEADER)
def test_any_cookie_header_grants_nothing(hosts: dict[str, Flask], cookie: str) -> None:
    app = hosts["block"]
    app.wsgi_app._app.headers = [("Set-Cookie", "visitor=1")]  # type: ignore[attr-defined]

    response = Client(app, use_cookies=False).get("/", headers={"Cookie": cookie})

    assert response.status_code == 200
    assert response.headers.getlist("Set-Cookie") == []


# The judges themselves


@pytest.mark.parametrize("reading", list(Reading))
@pytest.mark.parametrize(
    "line, expected",
    [
        ("a=1", {"a": "1"}),
        (" a\t= 1 ;Path=/", {"a": "1"}),
        ("a=1=2; HttpOnly", {"a": "1=2"}),
        ("a=", {"a": ""}),
        ("a=1; Max-Age=0", {}),
        ("a=1; mAx-aGe = -1", {}),
        ("a=1; Max-Age=0; Max-Age=5", {"a": "1"}),
        ("a=1; Max-Age=0; Max-Age=5x", {}),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", {}),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=5", {"a": "1"}),
        ("a=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT; Max-Age=0", {}),
        ("a=1; Expires=1 jan 70 0:0:0", {}),
        ("a=1; Expires=Tue, 01-Jan-69 00:00:00 GMT", {"a": "1"}),
        ("a=1; Expires=Fri, 01 Jan 1600 00:00:00 GMT", {"a": "1"}),
        ("a=1; Expires=Fri, 31 Feb 1999 00:00:00 GMT", {"a": "1"}),
    ],
)
def test_the_store_reads_as_the_standards_say(reading: Reading, line: str, expected: dict[str, str]) -> None:
    found = kept(reading, [line]).cookies

    assert {name: value for (name, _, _), value in found.items()} == expected


def test_the_readings_differ_where_browsers_do() -> None:
    def found(line: str) -> list[list[str]]:
        return [[name for name, _, _ in kept(reading, [line]).cookies] for reading in Reading]

    assert found("word") == [[], [""], [""]]
    assert found("a=1; Max-Age=" + "0" * 1025) == [[], ["a"], ["a"]]
    assert found("a=1\0; Max-Age=0") == [[], [], ["a"]]
    assert kept(Reading.RFC6265BIS, ["=visitor=1"]).sent_names() == {"visitor"}


def test_the_table_of_owners_is_the_hosts(make_app: MakeApp) -> None:
    """The examples do hold what must be held back."""
    register = deployment(make_app()).register

    names = ["visitor", "_ga_A", "layout", "campaign", "stray", "VISITOR", "", *NECESSARY]
    assert {name: register.category_of(name) for name in names} == {name: owner(name) for name in names}
