"""POST /preferences: what is asked for is recorded, then answered; what cannot be is refused and leaves no trace."""

import json
import re
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent_widget import Cookie
from consent_widget.core.consent import Choice
from consent_widget.storage.consent import wordings
from tests.conftest import MakeApp
from tests.factories import (
    NOW,
    OPTIONAL,
    Clock,
    add_page,
    add_pages,
    announce,
    bare_client,
    category,
    count_records,
    decide,
    deployment,
    preferences_form,
    read_page,
    records,
    sent_cookie,
    set_cookies,
    varies_by,
)
from tests.web.conftest import BreakStore

URL = "/privacy/preferences"
HALF_A_YEAR = 182 * 24 * 3600
ALL = dict.fromkeys(OPTIONAL, True)
NONE = dict.fromkeys(OPTIONAL, False)


def opened(app: Flask, response: TestResponse, name: str = "consent") -> Choice:
    line = set_cookies(response)[name]
    found = deployment(app).signer.open(line.partition(";")[0].partition("=")[2], now=NOW)
    assert found is not None
    return found


def attributes(line: str) -> set[str]:
    return {part.strip() for part in line.split(";")[1:]}


def nothing_stored(app: Flask, response: TestResponse) -> None:
    assert count_records(app) == 0
    assert set_cookies(response) == {}
    assert response.headers["Cache-Control"] == "no-store"


# What is saved


@pytest.mark.parametrize(
    "form, expected",
    [
        pytest.param({"action": "accept_all"}, ALL, id="accept all"),
        pytest.param({"action": "reject_all"}, NONE, id="reject all"),
        pytest.param({"action": "save"}, NONE, id="save without category refuses all"),
        pytest.param({"action": "save", "category": "analytics"}, NONE | {"analytics": True}, id="save one"),
        pytest.param(
            {"action": "save", "category": ["analytics", "marketing"]},
            NONE | {"analytics": True, "marketing": True},
            id="save two",
        ),
        pytest.param(
            {"action": "save", "category": ["analytics"] * 5}, NONE | {"analytics": True}, id="repeated"
        ),
        pytest.param({"action": "save", "category": "necessary"}, NONE, id="save what needs no consent"),
        pytest.param({"action": "add", "category": "marketing"}, {"marketing": True}, id="add one"),
        pytest.param({"action": "accept_all", "notice": "1"}, ALL, id="with the version shown"),
        pytest.param({"action": "accept_all", "notice": ""}, ALL, id="with no version shown"),
        pytest.param(
            {"action": "accept_all", "other": "x", "csrf_token": "y"}, ALL, id="with foreign fields"
        ),
    ],
)
@pytest.mark.parametrize("kind", ["form", "multipart", "json"])
def test_every_button_is_recorded_and_answered(
    app: Flask, client: FlaskClient, form: dict[str, Any], expected: dict[str, bool], kind: str
) -> None:
    if kind == "json":
        body: dict[str, Any] = {
            name: value for name, value in form.items() if name not in ("category", "notice")
        }
        if "category" in form:
            body["categories"] = (
                form["category"] if isinstance(form["category"], list) else [form["category"]]
            )
        if form.get("notice"):
            body["notice"] = int(form["notice"])
        response = client.post(URL, json=body)
    else:
        response = client.post(
            URL, data=form, content_type="multipart/form-data" if kind == "multipart" else None
        )

    assert response.status_code == (200 if kind == "json" else 303)
    (row,) = records(deployment(app).database)
    assert row["decisions"] == expected
    assert (row["notice"], row["decided_at"], row["action"]) == (1, NOW, form["action"])
    assert row["mechanism"] == ("script" if kind == "json" else "form")
    assert dict(opened(app, response).decisions) == expected
    shown = dict.fromkeys(OPTIONAL, "undecided") | {
        name: "granted" if granted else "denied" for name, granted in expected.items()
    }
    assert client.get("/privacy/state").get_json()["categories"] == shown


def test_a_form_goes_on_and_says_nothing_more(client: FlaskClient) -> None:
    response = client.post(URL, data={"action": "accept_all", "next": "/services?a=1&b=%C3%A9#top"})

    assert response.status_code == 303
    assert response.headers["Location"] == "/services?a=1&b=%C3%A9#top"
    assert response.headers["Cache-Control"] == "no-store"


def test_a_program_gets_the_body_of_state(client: FlaskClient) -> None:
    saved = decide(client, "analytics")

    assert saved.get_json() == client.get("/privacy/state").get_json()
    assert saved.get_json() == {
        "decided": True,
        "categories": {"preferences": "denied", "analytics": "granted", "marketing": "denied"},
        "notice": 1,
        "signal": None,
    }
    assert saved.headers["Cache-Control"] == "no-store"


def test_a_form_that_asks_for_json_gets_it(client: FlaskClient) -> None:
    response = client.post(URL, data={"action": "reject_all"}, headers={"Accept": "application/json"})

    assert response.status_code == 200
    assert response.get_json()["decided"] is True


# The cookies


def test_over_https_the_cookies_are_bound_to_this_host(client: FlaskClient) -> None:
    response = decide(client, "analytics", base_url="https://localhost")

    cookies = set_cookies(response)
    common = {"Secure", "Path=/", "SameSite=Lax", f"Max-Age={HALF_A_YEAR}"}
    assert {name for name in cookies if "consent" in name} == {"__Host-consent", "__Host-consent_view"}
    assert common | {"HttpOnly"} <= attributes(cookies["__Host-consent"])
    assert common <= attributes(cookies["__Host-consent_view"])
    assert "HttpOnly" not in attributes(cookies["__Host-consent_view"])
    assert not any("domain" in cookies[name].lower() for name in ("__Host-consent", "__Host-consent_view"))


def test_over_http_the_cookies_have_plain_names_and_no_secure(client: FlaskClient) -> None:
    cookies = set_cookies(decide(client, "analytics"))

    assert {name for name in cookies if "consent" in name} == {"consent", "consent_view"}
    assert "Secure" not in attributes(cookies["consent"])
    assert {"HttpOnly", "Path=/", "SameSite=Lax", f"Max-Age={HALF_A_YEAR}"} <= attributes(cookies["consent"])


def test_with_a_cookie_domain_the_prefix_is_secure(make_app: MakeApp) -> None:
    app = make_app(config={"CONSENT_WIDGET_COOKIE_DOMAIN": "example.com"})
    client = app.test_client()

    cookies = set_cookies(decide(client, "analytics", base_url="https://www.example.com"))

    assert {name for name in cookies if "consent" in name} == {"__Secure-consent", "__Secure-consent_view"}
    assert "Domain=example.com" in attributes(cookies["__Secure-consent"])
    assert "Secure" in attributes(cookies["__Secure-consent"])
    state = client.get("/privacy/state", base_url="https://shop.example.com").get_json()
    assert state["categories"]["analytics"] == "granted"


def test_another_cookie_name_is_used_for_both(make_app: MakeApp) -> None:
    app = make_app(config={"CONSENT_WIDGET_COOKIE_NAME": "htek_choice"})
    client = app.test_client()

    response = decide(client, "analytics", base_url="https://localhost")

    assert {"__Host-htek_choice", "__Host-htek_choice_view"} <= set(set_cookies(response))
    assert client.get("/privacy/state", base_url="https://localhost").get_json()["decided"]


def test_the_plain_name_is_ignored_over_https(app: Flask, client: FlaskClient) -> None:
    """Anybody on the way can plant a cookie over http; it must not speak over https."""
    plain = {"Cookie": sent_cookie(decide(client, *OPTIONAL))}

    over = {
        scheme: bare_client(app)
        .get("/privacy/state", base_url=f"{scheme}://localhost", headers=plain)
        .get_json()
        for scheme in ("http", "https")
    }

    assert over["http"]["decided"] is True
    assert over["https"]["decided"] is False


def test_the_mirror_says_the_choices_and_nothing_else(client: FlaskClient) -> None:
    cookies = set_cookies(decide(client, "analytics"))

    assert cookies["consent_view"].startswith("consent_view=analytics:1.marketing:0.preferences:0;")


def test_the_mirror_leaves_out_what_is_undecided(client: FlaskClient) -> None:
    cookies = set_cookies(decide(client, "marketing", action="add"))

    assert cookies["consent_view"].startswith("consent_view=marketing:1;")


@pytest.mark.parametrize("base_url", ["https://localhost", "http://localhost"])
def test_name_and_value_stay_within_300_bytes(client: FlaskClient, base_url: str) -> None:
    response = decide(client, *OPTIONAL, base_url=base_url)

    for line in set_cookies(response).values():
        assert len(line.partition(";")[0].encode()) <= 300


def test_a_refusal_carries_no_identifier_anywhere(app: Flask, client: FlaskClient) -> None:
    response = decide(client, action="reject_all")

    assert opened(app, response).subject is None
    assert records(deployment(app).database)[0]["subject"] is None


def test_after_a_withdrawal_the_cookie_forgets_the_identifier(app: Flask, client: FlaskClient) -> None:
    decide(client, *OPTIONAL)

    response = decide(client, action="reject_all")

    assert opened(app, response).subject is None
    subjects = [row["subject"] for row in records(deployment(app).database)]
    assert subjects[0] is not None
    assert subjects[0] == subjects[1]


def test_two_visitors_get_two_identifiers(app: Flask) -> None:
    subjects = {opened(app, decide(app.test_client(), "analytics")).subject for _ in range(3)}

    assert len(subjects) == 3


def test_adding_does_not_prolong_the_cookie(app: Flask, client: FlaskClient, clock: Clock) -> None:
    decide(client, "analytics")
    clock.tick(days=100)

    response = decide(client, "marketing", action="add")

    assert opened(app, response).decided_at == NOW
    assert f"Max-Age={82 * 24 * 3600}" in attributes(set_cookies(response)["consent"])


def test_no_cookie_claims_a_decision_that_was_not_recorded(app: Flask, client: FlaskClient) -> None:
    response = decide(client, "analytics")

    found = opened(app, response)
    (row,) = records(deployment(app).database)
    assert (row["subject"], row["decisions"]) == (found.subject, dict(found.decisions))


# Withdrawal


def test_a_withdrawal_expires_cookies_over_their_declared_paths_and_domains(client: FlaskClient) -> None:
    decide(client, *OPTIONAL)

    response = decide(client, "analytics")

    removed = {
        (line.partition("=")[0], *sorted(attributes(line) & {"Path=/", "Path=/shop", "Domain=shop.example"}))
        for line in response.headers.getlist("Set-Cookie")
        if "Max-Age=0" in line
    }
    assert removed == {
        ("layout", "Path=/"),
        ("campaign", "Path=/"),
        ("campaign", "Path=/shop"),
        ("campaign", "Domain=shop.example", "Path=/"),
        ("campaign", "Domain=shop.example", "Path=/shop"),
    }
    assert all(
        "HttpOnly" in attributes(line) and "Expires=Thu, 01 Jan 1970 00:00:00 GMT" in attributes(line)
        for line in response.headers.getlist("Set-Cookie")
        if "Max-Age=0" in line
    )


def test_a_withdrawal_expires_what_matches_a_pattern_and_was_sent(client: FlaskClient) -> None:
    for name in ("_ga_ABC", "_ga_DEF", "_gaX", "other"):
        client.set_cookie(name, "1")
    decide(client, "analytics")
    assert client.get_cookie("_ga_ABC") is not None

    decide(client, action="reject_all")

    assert client.get_cookie("_ga_ABC") is None
    assert client.get_cookie("_ga_DEF") is None
    assert client.get_cookie("_gaX") is not None
    assert client.get_cookie("other") is not None


def test_a_pattern_does_not_take_a_cookie_of_another_category_along(make_app: MakeApp) -> None:
    """As at the gate: an exact name goes before a pattern, and an earlier pattern before a later one."""
    needed = category(
        "necessary",
        necessary=True,
        cookies=[
            Cookie(name="shop_cart", justification="Keeps what is in the cart."),
            Cookie(pattern="shop_pay_*", justification="Pays for it."),
        ],
    )
    client = make_app(
        categories=[
            needed,
            category("marketing", cookies=[Cookie(pattern="shop_*"), Cookie(pattern="sess*")]),
        ]
    ).test_client()
    for name in ("shop_cart", "shop_pay_1", "session", "shop_banner", "sessa"):
        client.set_cookie(name, "1")
    decide(client, "marketing")

    removed = {
        line.partition("=")[0]
        for line in decide(client, action="reject_all").headers.getlist("Set-Cookie")
        if "Max-Age=0" in line
    }

    assert removed == {"shop_banner", "sessa"}
    fields = read_page(client.get("/privacy/preferences")).all("fieldset", data_cookies="shop_* sess*")
    assert [set(one["data-keep"].split()) for one in fields] == [{"shop_cart", "session", "shop_pay_*"}]


def test_an_httponly_cookie_is_gone_after_the_withdrawal(client: FlaskClient) -> None:
    client.set_cookie("visitor", "1", httponly=True)
    decide(client, "analytics")
    assert client.get_cookie("visitor") is not None

    decide(client, action="reject_all")

    assert client.get_cookie("visitor") is None


def test_a_first_refusal_expires_what_was_stored_before_we_came(client: FlaskClient) -> None:
    client.set_cookie("visitor", "1")

    decide(client, action="reject_all")

    assert client.get_cookie("visitor") is None


# Where to go


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http:/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/%09/evil.example\t",
        "/\t/evil.example",
        "/\n/evil.example",
        "/a\r\nSet-Cookie: x=y",
        "/\x00",
        " /services",
        "/" + "a" * 3000,
        "",
    ],
    ids=repr,
)
def test_one_never_leaves_this_host(client: FlaskClient, target: str) -> None:
    response = client.post(URL, data={"action": "reject_all", "next": target})

    assert response.status_code == 303
    assert response.headers["Location"] == "/"


@pytest.mark.parametrize(
    "referrer, target",
    [
        ("http://localhost/services?x=1#part", "/services?x=1"),
        ("http://localhost", "/"),
        ("http://localhost:80/services", "/"),
        ("https://localhost/services", "/"),
        ("http://localhost:8080/services", "/"),
        ("http://evil.example/services", "/"),
        ("http://localhost.evil.example/", "/"),
        ("http://localhost@evil.example/", "/"),
        ("http://localhost//evil.example/", "/"),
        ("http://[/", "/"),
        ("no address", "/"),
    ],
)
def test_without_next_one_goes_back_to_the_page_of_this_site(
    client: FlaskClient, referrer: str, target: str
) -> None:
    response = client.post(URL, data={"action": "reject_all"}, headers={"Referer": referrer})

    if referrer == "http://localhost:80/services":
        target = response.headers["Location"]  # the default port may be told or not
        assert target in ("/", "/services")
    assert response.headers["Location"] == target


def test_next_goes_before_the_referrer(client: FlaskClient) -> None:
    response = client.post(
        URL, data={"action": "reject_all", "next": "/a"}, headers={"Referer": "http://localhost/b"}
    )

    assert response.headers["Location"] == "/a"


def test_a_link_cannot_choose(app: Flask, client: FlaskClient) -> None:
    """The query string is ignored, and GET saves nothing."""
    client.get(f"{URL}?action=accept_all&category=analytics")
    response = client.post(f"{URL}?action=accept_all&next=/evil", data={"action": "reject_all"})

    assert response.headers["Location"] == "/"
    assert [row["decisions"] for row in records(deployment(app).database)] == [NONE]


# Who may ask


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "http://localhost"},
    ],
    ids=str,
)
def test_our_own_pages_may_save(app: Flask, client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post(URL, data={"action": "reject_all"}, headers=headers).status_code == 303
    assert count_records(app) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "Same-Origin"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost:8080"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://["},
    ],
    ids=str,
)
@pytest.mark.parametrize("as_json", [False, True], ids=["form", "json"])
def test_foreign_pages_may_not(
    app: Flask, client: FlaskClient, headers: dict[str, str], as_json: bool
) -> None:
    body: dict[str, Any] = {"json" if as_json else "data": {"action": "accept_all"}}
    response = client.post(URL, headers=headers, **body)

    assert response.status_code == 403
    nothing_stored(app, response)
    if as_json:
        assert response.get_json()["error"]["code"] == "foreign_origin"
    else:
        assert read_page(response).one("h1").text


# What cannot be read

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "body, kind, status, code, field",
    [
        ("", FORM, 400, "unknown_action", "action"),
        ("action=", FORM, 400, "unknown_action", "action"),
        ("action=accept", FORM, 400, "unknown_action", "action"),
        ("action=ACCEPT_ALL", FORM, 400, "unknown_action", "action"),
        ("action=reject_all&action=accept_all", FORM, 400, "repeated_field", "action"),
        ("action=save&notice=1&notice=1", FORM, 400, "repeated_field", "notice"),
        ("action=save&next=/a&next=/b", FORM, 400, "repeated_field", "next"),
        ("action=save&category=analytic", FORM, 400, "unknown_category", "category"),
        ("action=save&category=", FORM, 400, "unknown_category", "category"),
        ("action=save&category=%00", FORM, 400, "unknown_category", "category"),
        ("action=accept_all&category=x", FORM, 400, "unknown_category", "category"),
        ("action=add", FORM, 400, "missing_category", "category"),
        ("action=save&notice=2", FORM, 400, "unknown_notice", "notice"),
        ("action=save&notice=0", FORM, 400, "unknown_notice", "notice"),
        ("action=save&notice=-1", FORM, 400, "unknown_notice", "notice"),
        ("action=save&notice=1.0", FORM, 400, "unknown_notice", "notice"),
        ("action=save&notice=x", FORM, 400, "unknown_notice", "notice"),
        ("action=save&notice=%D9%A1", FORM, 400, "unknown_notice", "notice"),
        ("action=save&notice=" + "9" * 400, FORM, 400, "unknown_notice", "notice"),
        ("a=" + "x" * 20_000, FORM, 413, "too_large", None),
        ("&".join(f"category=c{n}" for n in range(1001)), FORM, None, None, None),
        ("action=accept_all", "text/plain", 415, "unsupported_type", None),
        ("action=accept_all", "application/xml", 415, "unsupported_type", None),
        ("action=accept_all", None, 415, "unsupported_type", None),
        ("{", "application/json", 400, "bad_json", None),
        ("", "application/json", 400, "bad_json", None),
        ("[]", "application/json", 400, "bad_json", None),
        ('"accept_all"', "application/json", 400, "bad_json", None),
        ("null", "application/json", 400, "bad_json", None),
        ('{"action": "reject_all", "action": "accept_all"}', "application/json", 400, "bad_json", None),
        ("[" * 8000, "application/json", 400, "bad_json", None),
        ('{"a":' * 3000 + "1" + "}" * 3000, "application/json", None, None, None),
        ('{"action": ' + "9" * 9000 + "}", "application/json", 400, None, None),
        ("\xff\xfe", "application/json", 400, "bad_json", None),
        ("{}", "application/json", 400, "unknown_action", "action"),
        ('{"action": null}', "application/json", 400, "unknown_action", "action"),
        ('{"action": ["accept_all"]}', "application/json", 400, "unknown_action", "action"),
        ('{"action": {"a": 1}}', "application/json", 400, "unknown_action", "action"),
        ('{"action": "save", "categories": "analytics"}', "application/json", 400, "bad_value", "categories"),
        (
            '{"action": "save", "categories": {"analytics": true}}',
            "application/json",
            400,
            "bad_value",
            "categories",
        ),
        ('{"action": "save", "categories": [1]}', "application/json", 400, "bad_value", "categories"),
        (
            '{"action": "save", "categories": [["analytics"]]}',
            "application/json",
            400,
            "bad_value",
            "categories",
        ),
        ('{"action": "save", "categories": null}', "application/json", 400, "bad_value", "categories"),
        (
            '{"action": "save", "categories": ["analytic"]}',
            "application/json",
            400,
            "unknown_category",
            "category",
        ),
        (
            '{"action": "save", "categories": ["\\ud800"]}',
            "application/json",
            400,
            "unknown_category",
            "category",
        ),
        ('{"action": "save", "notice": "1"}', "application/json", 400, "unknown_notice", "notice"),
        ('{"action": "save", "notice": 1.0}', "application/json", 400, "unknown_notice", "notice"),
        ('{"action": "save", "notice": true}', "application/json", 400, "unknown_notice", "notice"),
        ('{"action": "save", "notice": NaN}', "application/json", 400, None, None),
        ('{"action": "save", "notice": 99999999999}', "application/json", 400, "unknown_notice", "notice"),
        ('{"x": "' + "x" * 20_000 + '"}', "application/json", 413, "too_large", None),
    ],
    ids=lambda one: None if isinstance(one, int) else str(one)[:40],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_what_cannot_be_read_is_refused_and_leaves_no_trace(
    app: Flask,
    client: FlaskClient,
    body: str,
    kind: str | None,
    status: int | None,
    code: str | None,
    field: str | None,
    accept: str,
) -> None:
    raw = body.encode("latin-1")
    response = client.post(URL, data=raw, content_type=kind, headers={"Accept": accept})

    assert 400 <= response.status_code < 500
    assert status is None or response.status_code == status
    nothing_stored(app, response)
    if accept == "application/json" or kind == "application/json":
        error = response.get_json()["error"]
        assert set(error) == {"code", "message", "field"}
        assert len(error["message"]) < 300
        if code:
            assert (error["code"], error["field"]) == (code, field)
    else:
        page = read_page(response)
        assert page.one("h1").text
        assert "Traceback" not in response.text


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_body_without_length_is_limited_too(app: Flask, client: FlaskClient, accept: str) -> None:
    response = client.post(
        URL,
        input_stream=BytesIO(b"action=accept_all&x=" + b"x" * 100_000),
        content_type=FORM,
        headers={"Accept": accept, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert response.status_code == 413
    nothing_stored(app, response)


def test_a_multipart_body_with_thousands_of_parts_is_refused(app: Flask, client: FlaskClient) -> None:
    part = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    response = client.post(
        URL, data=(part * 2000 + "--b--\r\n").encode(), content_type="multipart/form-data; boundary=b"
    )

    assert response.status_code == 413
    nothing_stored(app, response)


def test_a_file_in_place_of_a_field_is_refused(app: Flask, client: FlaskClient) -> None:
    body = '--b\r\nContent-Disposition: form-data; name="action"; filename="a"\r\n\r\naccept_all\r\n--b--\r\n'

    response = client.post(URL, data=body.encode(), content_type="multipart/form-data; boundary=b")

    assert response.status_code == 400
    nothing_stored(app, response)


@pytest.mark.parametrize("lang, word", [("vi", "không"), ("en", "nothing was saved")])
def test_the_refusal_speaks_the_visitors_language(client: FlaskClient, lang: str, word: str) -> None:
    response = client.post(f"{URL}?lang={lang}", data={"action": "x", "category": "y"})

    page = read_page(client.post(f"{URL}?lang={lang}", data={"action": "save", "category": "y"}))

    assert response.status_code == 400
    assert page.one("html")["lang"] == lang
    assert word in page.text.lower()


def test_a_hosts_own_error_pages_do_not_answer_for_ours(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code in (400, 403, 404, 405, 413, 415, 500, 503):
        app.register_error_handler(code, lambda error: (f"the host's {error.code}", error.code))
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setitem(app.view_functions, "consent_widget.show_state", broken)
    form = {"action": "reject_all"}
    answers = {
        400: client.post(URL, data={"action": "maybe"}),
        403: client.post(URL, data=form, headers={"Sec-Fetch-Site": "cross-site"}),
        404: client.get("/privacy/nowhere"),
        405: client.put(URL),
        413: client.post(URL, data="x" * 20_000, content_type="application/x-www-form-urlencoded"),
        415: client.post(URL, data="x", content_type="text/plain"),
        500: client.get("/privacy/state"),
    }

    for code, answer in answers.items():
        assert answer.status_code == code
        assert "the host's" not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert len(read_page(answer).all("h1")) == 1
    assert answers[405].headers["Allow"]
    assert client.get("/nowhere").text == "the host's 404"


def test_the_refusal_leads_back_to_the_page_one_was_on(client: FlaskClient) -> None:
    response = client.post(URL, data={"action": "x"}, headers={"Referer": "http://localhost/services"})

    back = read_page(response).one("a", class_="consent-widget-back")
    assert (back["href"], back.text) == ("/services", "Quay lại trang trước")


def test_the_refusal_leads_home_where_nobody_knows_the_page_one_was_on(client: FlaskClient) -> None:
    response = client.post(URL, data={"action": "x"}, headers={"Referer": "https://evil.example/services"})

    back = read_page(response).one("a", class_="consent-widget-back")
    assert (back["href"], back.text) == ("/", "Về trang chủ")


# While the store is down


def test_a_store_that_is_down_is_said_on_the_form_as_it_was_filled_in(
    app: Flask, client: FlaskClient, store_down: BreakStore
) -> None:
    client.get("/privacy/state")
    with store_down(app):
        response = client.post(
            f"{URL}?lang=en", data={"action": "save", "category": "analytics", "next": "/services"}
        )

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "60"
    nothing_stored(app, response)
    page = read_page(response)
    assert [one["value"] for one in page.all("input", type="checkbox") if "checked" in one] == ["analytics"]
    assert preferences_form(page).one("input", name="next")["value"] == "/services"
    assert any("could not record" in one.text for one in page.all(role="alert"))
    assert "10.0.0.7" not in response.text


def test_a_store_that_is_down_is_said_to_programs(
    app: Flask, client: FlaskClient, store_down: BreakStore
) -> None:
    with store_down(app):
        response = decide(client, "analytics")

    assert response.status_code == 503
    assert response.get_json()["error"]["code"] == "store_unavailable"
    nothing_stored(app, response)
    assert "10.0.0.7" not in response.text


def test_the_choice_before_stands_when_the_store_fails(
    app: Flask, client: FlaskClient, store_down: BreakStore
) -> None:
    decide(client, "analytics")

    with store_down(app):
        response = decide(client, action="reject_all")

    assert response.status_code == 503
    assert set_cookies(response) == {}
    assert client.get("/privacy/state").get_json()["categories"]["analytics"] == "granted"


# What is proved by the record


def test_the_record_points_to_the_words_the_visitor_read(app: Flask, client: FlaskClient) -> None:
    client.post(f"{URL}?lang=en", data={"action": "accept_all"})
    client.post(f"{URL}?lang=en", data={"action": "reject_all"})
    client.post(f"{URL}?lang=vi", data={"action": "accept_all"})

    rows = records(deployment(app).database)
    assert [row["language"] for row in rows] == ["en", "en", "vi"]
    assert rows[0]["wording_hash"] == rows[1]["wording_hash"] != rows[2]["wording_hash"]
    version = deployment(app).schedule.at(NOW).versions[0]
    assert [row["notice_hash"] for row in rows] == [version.content_hashes[row["language"]] for row in rows]
    with deployment(app).database.reading() as connection:
        kept = {row.hash: row.body for row in connection.execute(sa.select(wordings))}
    assert set(kept) == {row["wording_hash"] for row in rows}
    assert all(sha256(body.encode()).hexdigest() == digest for digest, body in kept.items())
    english = read_page(kept[rows[0]["wording_hash"]]).text
    for one in deployment(app).register:
        assert one.title["en"] in english
        assert one.purpose["en"] in english
    assert "Sensitive personal data under Vietnamese law" in english
    assert "HTEK" in english


@pytest.mark.parametrize("asked, header", [("en", "vi"), ("vi", "en")])
@pytest.mark.parametrize("kind", ["data", "json"])
def test_the_record_names_the_language_of_the_form_not_of_the_browser(
    app: Flask, client: FlaskClient, kind: str, asked: str, header: str
) -> None:
    """A page may speak another language than the browser asks for; the form says which."""
    body: dict[str, Any] = {"action": "accept_all", "lang": asked}

    client.post(URL, headers={"Accept-Language": header}, **{kind: body})

    (row,) = records(deployment(app).database)
    assert row["language"] == asked
    version = deployment(app).schedule.at(NOW).versions[0]
    assert row["notice_hash"] == version.content_hashes[asked]


def test_the_placeholder_of_a_frame_says_which_version_was_shown(make_app: MakeApp) -> None:
    client = add_page(
        make_app(), "{{ consent_iframe('marketing', 'https://v.example/', 'Video') }}"
    ).test_client()

    form = read_page(client.get("/page")).one("form")

    assert form.one("input", name="notice")["value"] == "1"


def test_every_form_says_in_which_language_it_asks(make_app: MakeApp) -> None:
    client = add_pages(make_app()).test_client()

    for path in ("/", URL):
        page = read_page(client.get(path, headers={"Accept-Language": "en"}))
        assert [one["value"] for one in page.all("input", name="lang")]
        assert {one["value"] for one in page.all("input", name="lang")} == {"en"}


def test_the_words_on_record_hold_nothing_of_the_visitor(make_app: MakeApp) -> None:
    app = add_pages(make_app(csp_nonce=lambda: "a-nonce-of-one-page"))
    client = app.test_client()
    client.get("/?email=lan@demo.example")

    client.post(URL, data={"action": "accept_all", "next": "/?email=lan@demo.example"})

    with deployment(app).database.reading() as connection:
        (body,) = connection.execute(sa.select(wordings.c.body)).scalars()
    assert "lan@demo.example" not in body
    assert "a-nonce-of-one-page" not in body
    assert not re.search(r" checked\b", body)


def test_the_record_holds_no_address_and_no_browser(app: Flask, client: FlaskClient) -> None:
    client.post(
        URL,
        data={"action": "accept_all"},
        headers={"User-Agent": "A-Very-Special-Browser", "X-Forwarded-For": "203.0.113.7"},
        environ_overrides={"REMOTE_ADDR": "198.51.100.9"},
    )

    everything = json.dumps(
        [{k: str(v) for k, v in row.items()} for row in records(deployment(app).database)]
    )
    assert not any(one in everything for one in ("A-Very-Special-Browser", "203.0.113.7", "198.51.100.9"))


def test_a_choice_made_under_the_version_before_is_recorded_so_and_asks_again(
    app: Flask, client: FlaskClient
) -> None:
    announce(deployment(app).database, 2, ask_again=["analytics"])

    response = client.post(URL, json={"action": "accept_all", "notice": 1})

    assert response.get_json()["categories"]["analytics"] == "undecided"
    assert response.get_json()["decided"] is False
    assert records(deployment(app).database)[0]["notice"] == 1


def test_a_choice_before_the_first_notice_is_recorded_under_zero(make_app: MakeApp, clock: Clock) -> None:
    clock.tick(days=-365)
    app = make_app()

    response = decide(app.test_client(), "analytics")

    assert response.get_json()["notice"] is None
    (row,) = records(deployment(app).database)
    assert (row["notice"], row["notice_hash"]) == (0, None)


def test_a_replayed_acceptance_cannot_be_built_upon(app: Flask, client: FlaskClient) -> None:
    replay = sent_cookie(decide(client, "analytics"))
    decide(client, action="reject_all")

    response = bare_client(app).post(
        URL, json={"action": "add", "categories": ["preferences"]}, headers={"Cookie": replay}
    )

    assert response.get_json()["categories"] == {
        "preferences": "granted",
        "analytics": "denied",
        "marketing": "denied",
    }


def test_the_answer_belongs_to_this_visitor_alone(client: FlaskClient) -> None:
    assert "Cookie" in varies_by(decide(client, "analytics"))
