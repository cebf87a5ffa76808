"""The gate: no response stores a cookie that was not declared and agreed to; every answer says who may keep it."""

import logging
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import pytest
from flask import (
    Flask,
    Response,
    abort,
    after_this_request,
    make_response,
    redirect,
    render_template_string,
    session,
    stream_template_string,
    url_for,
)
from flask.testing import FlaskClient
from werkzeug import Response as BaseResponse
from werkzeug.test import TestResponse, create_environ

from consent_widget import ConsentWidget, current_consent
from tests.conftest import MakeApp
from tests.factories import (
    HOST_CATEGORIES,
    KEY,
    NOW,
    OPTIONAL,
    Clock,
    add_pages,
    announce,
    bare_client,
    decide,
    deployment,
    host_app,
    sent_cookie,
    set_cookies,
    varies_by,
)

NAMES = ("visitor", "_ga_X", "layout", "campaign", "stray")


def set_all(response: BaseResponse) -> None:
    for name in NAMES:
        response.set_cookie(name, "1", max_age=3600)


def add_cookie_pages(app: Flask) -> Flask:
    """Every kind of answer, each with a cookie of every category and one that is not declared."""

    @app.get("/response")
    def response() -> Response:
        answer = make_response("hello")
        set_all(answer)
        return answer

    @app.get("/redirect")
    def redirected() -> BaseResponse:
        answer = redirect("/elsewhere")
        set_all(answer)
        return answer

    @app.get("/error")
    def error() -> Response:
        @after_this_request
        def cookies(answer: Response) -> Response:
            set_all(answer)
            return answer

        abort(500)

    @app.get("/crash")
    def crash() -> str:
        raise ZeroDivisionError

    @app.errorhandler(ZeroDivisionError)
    def crashed(_: Exception) -> tuple[Response, int]:
        answer = make_response("broken")
        set_all(answer)
        return answer, 500

    @app.after_request
    def on_missing(answer: Response) -> Response:
        if answer.status_code == 404:
            set_all(answer)
        return answer

    return add_stream(app)


def add_stream(app: Flask) -> Flask:
    @app.get("/stream")
    def stream() -> Response:
        def lines() -> Iterator[str]:
            yield "one\n"
            yield "two\n"

        answer = Response(lines(), mimetype="text/plain")
        set_all(answer)
        return answer

    return app


@pytest.fixture
def app(app: Flask) -> Flask:
    return add_cookie_pages(add_pages(app))


PATHS = ["/response", "/redirect", "/error", "/crash", "/stream", "/nowhere", "/privacy/nowhere"]


def stored(response: TestResponse) -> set[str]:
    return set(set_cookies(response))


# Which cookies pass


@pytest.mark.parametrize("path", PATHS)
def test_an_undecided_visitor_stores_nothing_optional_on_any_kind_of_answer(
    client: FlaskClient, path: str
) -> None:
    assert stored(client.get(path)) == set()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "granted, expected",
    [
        ((), set()),
        (("analytics",), {"visitor", "_ga_X"}),
        (("preferences",), {"layout"}),
        (OPTIONAL, {"visitor", "_ga_X", "layout", "campaign"}),
    ],
    ids=["refused", "analytics", "preferences", "all"],
)
def test_exactly_what_was_granted_is_stored(
    client: FlaskClient, path: str, granted: tuple[str, ...], expected: set[str]
) -> None:
    decide(client, *granted)

    assert stored(client.get(path)) == expected


def test_the_answer_itself_is_left_as_it_is(client: FlaskClient) -> None:
    assert client.get("/response").text == "hello"
    assert client.get("/stream").text == "one\ntwo\n"
    assert client.get("/redirect").headers["Location"] == "/elsewhere"
    assert client.get("/error").status_code == 500


def test_what_a_head_request_stores_is_held_back_too(client: FlaskClient) -> None:
    assert stored(client.head("/response")) == set()


@pytest.mark.parametrize("header", ["1", "1, 1"])
def test_the_signal_holds_back_what_is_undecided(client: FlaskClient, header: str) -> None:
    assert stored(client.get("/response", headers={"Sec-GPC": header})) == set()


def test_a_choice_on_this_site_goes_before_the_signal(client: FlaskClient) -> None:
    decide(client, "analytics", headers={"Sec-GPC": "1"})

    assert stored(client.get("/response", headers={"Sec-GPC": "1"})) == {"visitor", "_ga_X"}


@pytest.mark.parametrize(
    "line",
    [
        "visitor=; Max-Age=0",
        "stray=x; Max-Age=-1",
        "campaign=; max-age = 0",
        "visitor=; Max-Age=000",
        "visitor=; Max-Age=10; Max-Age=0",
        "visitor=; Expires=Thu, 01-Jan-1970 00:00:01 GMT",
        "visitor=; Expires=Sun, 22 Nov 2026 00:00:00 GMT",
        "visitor=; Expires=Thursday, 01-Jan-70 00:00:00 GMT",
    ],
)
def test_a_deletion_always_passes(app: Flask, line: str) -> None:
    @app.get("/delete")
    def delete() -> Response:
        return Response("", headers=[("Set-Cookie", line)])

    assert bare_client(app).get("/delete").headers.getlist("Set-Cookie") == [line]


def test_werkzeugs_own_deletion_passes(app: Flask, client: FlaskClient) -> None:
    @app.get("/delete")
    def delete() -> Response:
        response = make_response("")
        response.delete_cookie("visitor")
        return response

    assert stored(client.get("/delete")) == {"visitor"}


@pytest.mark.parametrize(
    "line",
    [
        "visitor=1",
        "visitor=1; Max-Age=10; Max-Age=0; Max-Age=10",
        "visitor=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=10",
        "visitor=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
        "visitor=1; Max-Age=zero",
        "visitor=1; Max-Age=",
        "visitor=1; Max-Age=+0x",
        "visitor=1; X-Max-Age=0",
        'visitor="a; Max-Age=10"',
        "  visitor  =1",
        "\tvisitor=1",
        "visitor",
        "visitor=",
        "=visitor",
        "=visitor=1",
        "",
        ";",
        "stray=1; HttpOnly; Secure",
        "VISITOR=1",
        "visitor=1; Max-Age=0; Max-Age=10",
        "visitor=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age = 10",
        "visitor=1; Max-Age=--5",
        "visitor=1; Max-Age=\xb2",
        "visitor=1; Max-Age=-",
        "visitor=1; Max-Age=0.0",
        "visitor=1; Max-Age=" + "9" * 5000,
        "visitor=1; Expires=Thu, 01 Jan 1970",
        "visitor=1; Expires=1970",
        "visitor=1; Expires=0",
        "visitor=1; Max-Age=0; Max-Age=x",
        "visitor=1; Max-Age=0; Max-Age=",
        "visitor=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=never",
        "visitor=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=Tue Jan 19 2038 03:14:07 GMT",
        "visitor=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=x",
        "visitor=1; Expires=Tue, 01-Jan-69 00:00:00 GMT",
        "visitor=1; Expires=Fri, 01 Jan 1600 00:00:00 GMT",
        "\xa0session=1",
        "session",
        "visitor=1; Expires=",
        "visitor=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
    ],
    ids=lambda one: one[:60],
)
def test_what_stores_a_value_is_held_back_however_it_is_written(
    app: Flask, client: FlaskClient, line: str
) -> None:
    """Where browsers read an attribute twice the last one counts (RFC 6265 section 5.2)."""

    @app.get("/raw")
    def raw() -> Response:
        return Response("", headers=[("Set-Cookie", line)])

    assert client.get("/raw").headers.getlist("Set-Cookie") == []


@pytest.mark.parametrize(
    "line",
    [
        "visitor=1; Max-Age=" + "0" * 1025,
        "visitor=1; Max-Age=-" + "9" * 1025,
        "visitor=1; Expires=Dec, 31 Jan 2026 00:00:00 GMT",
        "visitor=1\0; Max-Age=0",
        "visitor=1; \x01Max-Age=0; Max-Age=0",
    ],
    ids=lambda one: one[:40],
)
def test_a_deletion_that_some_browser_takes_for_a_cookie_is_held_back(make_app: MakeApp, line: str) -> None:
    """Lengthy values are passed over, the first month counts, and a control ends a line for older browsers."""
    app = make_app()
    app.wsgi_app._app = _answering(line)  # type: ignore[attr-defined]

    assert _sent(app) == []


@pytest.mark.parametrize("line", ["visitor", "=visitor=1", " = visitor=1", "visitor\0x=1", "a\nvisitor=1"])
def test_where_undeclared_cookies_pass_none_is_handed_out_as_a_declared_one(
    make_app: MakeApp, line: str
) -> None:
    """A cookie without a name comes back as its value alone: as a cookie called visitor (RFC 6265bis)."""
    app = make_app(config={"CONSENT_WIDGET_UNDECLARED_COOKIES": "report"})
    app.wsgi_app._app = _answering(line)  # type: ignore[attr-defined]

    assert _sent(app) == []


def _answering(line: str) -> Callable[..., Any]:
    """A WSGI app below Flask, which would refuse such a header itself."""

    def inner(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Set-Cookie", line)])
        return [b""]

    return inner


def _sent(app: Flask) -> list[str]:
    """The Set-Cookie lines that leave ``app``, as a WSGI server gets them."""
    sent: list[str] = []

    def start(
        _status: str, headers: list[tuple[str, str]], _exc_info: Any = None
    ) -> Callable[[bytes], object]:
        sent.extend(value for name, value in headers if name == "Set-Cookie")
        return bytes

    list(app.wsgi_app(create_environ(), start))
    return sent


def test_the_header_name_may_be_spelled_in_any_way(make_app: MakeApp) -> None:
    app = make_app()
    inner = app.wsgi_app._app  # type: ignore[attr-defined]

    def lower(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [*headers, ("SET-COOKIE", "visitor=1"), ("set-cookie", "stray=1")])

        return inner(environ, start)

    app.wsgi_app._app = lower  # type: ignore[attr-defined]

    assert app.test_client().get("/privacy/state").headers.getlist("Set-Cookie") == []


def test_an_answer_that_is_started_again_after_an_error_is_gated_again(make_app: MakeApp) -> None:
    """PEP 3333: start_response may be called a second time with exc_info."""
    app = make_app()
    started: list[tuple[str, list[tuple[str, str]], Any]] = []

    def erring(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Set-Cookie", "visitor=1")])
        start_response("500 Oh", [("Set-Cookie", "stray=1"), ("Set-Cookie", "visitor=2")], "the error")
        return [b""]

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        started.append((status, headers, exc_info))
        return bytes

    app.wsgi_app._app = erring  # type: ignore[attr-defined]
    app.wsgi_app(create_environ(), start)

    assert [(status, exc_info) for status, _, exc_info in started] == [
        ("200 OK", None),
        ("500 Oh", "the error"),
    ]
    assert not [name for _, headers, _ in started for name, _ in headers if name == "Set-Cookie"]


# Necessary ones


def test_flasks_session_cookie_passes(app: Flask, client: FlaskClient) -> None:
    @app.get("/session")
    def write() -> str:
        session["visits"] = 1
        return ""

    assert stored(client.get("/session")) == {"session"}


def test_a_session_cookie_of_another_name_passes(make_app: MakeApp) -> None:
    app = make_app(config={"SESSION_COOKIE_NAME": "htek_session"})

    @app.get("/session")
    def write() -> str:
        session["visits"] = 1
        return ""

    assert stored(app.test_client().get("/session")) == {"htek_session"}


# Undeclared ones


def test_an_undeclared_cookie_is_let_through_and_reported_once_where_the_host_wants_it(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    app = add_cookie_pages(make_app(config={"CONSENT_WIDGET_UNDECLARED_COOKIES": "report"}))
    client = app.test_client()

    with caplog.at_level(logging.WARNING, "consent_widget"):
        assert stored(client.get("/response")) == {"stray"}
        client.get("/response")

    (told,) = [one.getMessage() for one in caplog.records if "stray" in one.getMessage()]
    assert "not declared in the register and was let through; declare it" in told


def test_an_undeclared_cookie_is_reported_without_its_value(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/secret")
    def secret() -> Response:
        return Response("", headers=[("Set-Cookie", "s" * 500 + "=very-secret-value")])

    with caplog.at_level(logging.WARNING, "consent_widget"):
        client.get("/secret")

    (told,) = [one.getMessage() for one in caplog.records]
    assert "held back" in told
    assert "very-secret-value" not in told
    assert len(told) < 300


def test_a_flood_of_names_does_not_flood_the_log(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/flood")
    def flood() -> Response:
        return Response("", headers=[("Set-Cookie", f"n{number}=1") for number in range(1500)])

    with caplog.at_level(logging.WARNING, "consent_widget"):
        client.get("/flood")

    assert len(caplog.records) == 1000


# Views left out


def test_an_ungated_view_answers_for_its_cookies_itself(
    clock: Clock, prepared_url: str, tmp_path: Any
) -> None:
    app = Flask("host", instance_path=str(tmp_path))
    app.config.update(
        SECRET_KEY=KEY,
        TESTING=True,
        CONSENT_WIDGET_CONTROLLER={"name": "HTEK"},
        CONSENT_WIDGET_UNDECLARED_COOKIES="block",
        CONSENT_WIDGET_DATABASE_URL=prepared_url,
    )
    widget = ConsentWidget(categories=HOST_CATEGORIES, clock=clock)

    def logged(view: Callable[[], Response]) -> Callable[[], Response]:
        @wraps(view)
        def inner() -> Response:
            return view()

        return inner

    @app.get("/free")
    @widget.ungated
    def free() -> Response:
        answer = make_response("")
        set_all(answer)
        return answer

    @app.get("/wrapped")
    @logged
    @widget.ungated
    def wrapped() -> Response:
        answer = make_response("")
        set_all(answer)
        return answer

    @app.get("/gated")
    def gated() -> Response:
        answer = make_response("")
        set_all(answer)
        return answer

    widget.init_app(app)
    client = app.test_client()

    assert stored(client.get("/free")) == set(NAMES)
    assert stored(client.get("/wrapped")) == set(NAMES)
    assert stored(client.get("/gated")) == set()
    deployment(app).database.engine.dispose()


# Who may keep the answer


def test_an_untouched_page_stays_publicly_cacheable(client: FlaskClient) -> None:
    response = client.get("/plain")

    assert response.headers["Cache-Control"] == "public, max-age=600"
    assert "Vary" not in response.headers


def test_a_page_with_the_banner_is_for_this_visitor_alone(client: FlaskClient) -> None:
    response = client.get("/")

    assert response.headers["Cache-Control"] == "private"
    assert varies_by(response) >= {"Cookie", "Sec-GPC"}


def test_holding_back_a_cookie_makes_the_answer_private(client: FlaskClient) -> None:
    """Whether it is there depends on the visitor: another one's copy must not be handed out."""
    assert client.get("/response").headers["Cache-Control"] == "private"


def test_an_undeclared_cookie_alone_reads_nothing_of_the_visitor(app: Flask, client: FlaskClient) -> None:
    @app.get("/stray")
    def stray() -> Response:
        answer = make_response("")
        answer.cache_control.public = True
        answer.set_cookie("stray", "1")
        return answer

    assert client.get("/stray").headers["Cache-Control"] == "public"


@pytest.mark.parametrize(
    "given, expected",
    [
        (None, "private"),
        ("public", "private"),
        ("public, max-age=600", "private, max-age=600"),
        ("public, s-maxage=600, max-age=5, must-revalidate", "private, max-age=5, must-revalidate"),
        ("private", "private"),
        ("no-store", "no-store"),
        ("no-store, public", "no-store"),
        ("no-cache", "private, no-cache"),
        ("max-age=10", "private, max-age=10"),
        ("PUBLIC, S-MaxAge=5", "private"),
    ],
)
def test_reading_the_consent_takes_back_what_was_said_about_shared_caches(
    app: Flask, client: FlaskClient, given: str | None, expected: str
) -> None:
    @app.get("/read")
    def read() -> Response:
        answer = make_response(str(current_consent().granted("analytics")))
        if given is not None:
            answer.headers["Cache-Control"] = given
        for name in elsewhere:
            answer.headers[name] = "max-age=600"
        return answer

    # RFC 9213 and its predecessors: what caches outside the browser read in place of Cache-Control.
    elsewhere = (
        "CDN-Cache-Control",
        "Cloudflare-CDN-Cache-Control",
        "Vercel-CDN-Cache-Control",
        "Surrogate-Control",
        "X-Accel-Expires",
    )

    response = client.get("/read")

    assert response.headers.getlist("Cache-Control") == [expected]
    assert not [name for name in elsewhere if name in response.headers]


@pytest.mark.parametrize(
    "given, expected",
    [
        ([], {"Cookie", "Sec-GPC"}),
        (["Accept-Encoding"], {"Accept-Encoding", "Cookie", "Sec-GPC"}),
        (["cookie"], {"cookie", "Sec-GPC"}),
        (["Accept-Encoding, Cookie", "Origin"], {"Accept-Encoding", "Cookie", "Origin", "Sec-GPC"}),
        (["*"], {"*"}),
    ],
)
def test_vary_keeps_what_was_there(
    app: Flask, client: FlaskClient, given: list[str], expected: set[str]
) -> None:
    @app.get("/read")
    def read() -> Response:
        current_consent()
        return Response("", headers=[("Vary", one) for one in given])

    assert varies_by(client.get("/read")) == expected


def test_what_a_shared_cache_holds_is_never_another_visitors(app: Flask) -> None:
    """The acceptance and the refusal of one address are told apart by Vary or kept out by private."""
    granted, refused = app.test_client(), app.test_client()
    decide(granted, *OPTIONAL)
    decide(refused, action="reject_all")

    for path in ("/", "/response", "/privacy/state", "/privacy/preferences"):
        for client in (granted, refused):
            response = client.get(path)
            assert "public" not in response.headers["Cache-Control"]
            assert "Cookie" in varies_by(response)


# Reading late


def late(template: str) -> Callable[[Flask], None]:
    def add(app: Flask) -> None:
        @app.get("/late")
        def view() -> Response:
            return Response(stream_template_string(template), mimetype="text/html")

    return add


def test_a_read_after_the_headers_went_out_is_undecided_and_warns(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    late("start {{ consent_granted('analytics') }} end")(app)
    decide(client, *OPTIONAL)

    with caplog.at_level(logging.WARNING, "consent_widget"):
        response = client.get("/late")

    assert response.text == "start False end"
    (told,) = [one.getMessage() for one in caplog.records]
    assert "/late" in told
    assert "Cache-Control: private" in told


@pytest.mark.parametrize("declared", ["private", "private, no-cache", "no-store"])
def test_a_stream_that_was_declared_private_may_read_late(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture, declared: str
) -> None:
    @app.get("/late")
    def view() -> Response:
        answer = Response(stream_template_string("{{ consent_granted('analytics') }}"))
        answer.headers["Cache-Control"] = declared
        return answer

    decide(client, "analytics")

    with caplog.at_level(logging.WARNING, "consent_widget"):
        assert client.get("/late").text == "True"
    assert caplog.records == []


def test_a_stream_whose_view_read_the_consent_first_may_read_late(app: Flask, client: FlaskClient) -> None:
    @app.get("/late")
    def view() -> Response:
        current_consent()
        return Response(stream_template_string("{{ consent_granted('analytics') }}"))

    decide(client, "analytics")

    response = client.get("/late")
    assert response.text == "True"
    assert response.headers["Cache-Control"] == "private"


def test_late_template_functions_print_what_suits_everybody(app: Flask, client: FlaskClient) -> None:
    late("{{ consent_script('analytics', 'https://a.example/a.js') }}")(app)
    decide(client, *OPTIONAL)

    text = client.get("/late").text

    assert 'type="text/plain"' in text
    assert ' src="' not in text


# Cookies that are none


@pytest.mark.parametrize(
    "cookie",
    [
        "consent=",
        "consent",
        "consent=x",
        "consent=\x00",
        "consent=" + "A" * 8192,
        "consent=eyJ2IjoxfQ.x; consent=y; consent=z",
        "consent=.....",
        'consent="quoted"',
        "=; ; ;=x;;",
        "consent=%00%ff",
        "consent=é\xff",
        "consent_view=" + ":0." * 2000,
        "; ".join("consent=x" for _ in range(500)),
    ],
    ids=lambda one: one[:20],
)
@pytest.mark.parametrize("path", ["/", "/response", "/privacy/state", "/privacy/preferences", "/privacy/vi/"])
def test_any_cookie_gives_at_most_nothing_and_never_an_error(app: Flask, path: str, cookie: str) -> None:
    response = bare_client(app).get(path, headers={"Cookie": cookie})

    assert response.status_code == 200
    assert not stored(response)
    if path == "/privacy/state":
        assert response.get_json()["categories"] == dict.fromkeys(OPTIONAL, "undecided")


def test_two_cookies_of_our_name_grant_what_both_grant(app: Flask) -> None:
    """A sibling domain can add one ("cookie tossing"); it must never widen what the visitor gave."""
    own = sent_cookie(decide(app.test_client(), "analytics"))
    tossed = sent_cookie(decide(app.test_client(), "analytics", "marketing"))

    for header in (f"{own}; {tossed}", f"{tossed}; {own}"):
        assert stored(bare_client(app).get("/response", headers={"Cookie": header})) == {"visitor", "_ga_X"}


def test_a_foreign_cookie_beside_ours_changes_nothing(app: Flask) -> None:
    own = sent_cookie(decide(app.test_client(), "analytics"))

    response = bare_client(app).get("/response", headers={"Cookie": f"a=b; consent=garbage; {own}; c=d"})

    assert stored(response) == {"visitor", "_ga_X"}


def test_the_mirror_lowers_what_the_gate_lets_through(client: FlaskClient) -> None:
    decide(client, *OPTIONAL)
    client.set_cookie("consent_view", "analytics:0.marketing:1.preferences:1")

    assert stored(client.get("/response")) == {"layout", "campaign"}


def test_a_material_version_closes_the_gate_for_its_categories(
    app: Flask, client: FlaskClient, clock: Clock
) -> None:
    decide(client, *OPTIONAL)
    announce(deployment(app).database, 2, effective_at=NOW, ask_again=["analytics"])

    clock.tick(seconds=30)

    assert stored(client.get("/response")) == {"layout", "campaign"}


def test_the_gate_closes_after_182_days(client: FlaskClient, clock: Clock) -> None:
    decide(client, *OPTIONAL)

    clock.tick(days=181)
    assert "visitor" in stored(client.get("/response"))
    clock.tick(days=1)
    assert stored(client.get("/response")) == set()


def test_a_visit_is_weighed_in_a_test_request_context_too(app: Flask) -> None:
    """A host's own unit tests call views without the gate."""
    with app.test_request_context("/"):
        assert current_consent().granted("analytics") is False
        assert "Home" in render_template_string("Home {{ consent_banner() }}")
        assert url_for("consent_widget.show_preferences") == "/privacy/preferences"


def test_outside_a_request_there_is_no_visitor(app: Flask) -> None:
    with app.app_context(), pytest.raises(RuntimeError, match="request context"):
        current_consent()


def test_the_gate_is_put_around_whatever_the_host_had_there(
    clock: Clock, prepared_url: str, tmp_path: Any
) -> None:
    app = add_cookie_pages(host_app(database_url=prepared_url, clock=clock, folder=tmp_path))

    assert app.wsgi_app.__class__.__name__ == "Gate"
    assert stored(app.test_client().get("/response")) == set()
    deployment(app).database.engine.dispose()
