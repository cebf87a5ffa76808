"""The notice: the client's words, the same for everybody, and no longer than they apply."""

import re
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

import pytest
import sqlalchemy as sa
from flask import Flask, Response, session
from flask.testing import FlaskClient

from consent_widget.core.notice import ChangeClass
from tests.conftest import MakeApp
from tests.factories import (
    DATA,
    IN_FORCE_SINCE,
    LAYOUT,
    NOW,
    Clock,
    add_pages,
    announce,
    bare_client,
    count_records,
    decide,
    deployment,
    edition,
    read_page,
    sent_cookie,
    set_cookies,
    store_edition,
    varies_by,
    write_template,
)

SEED = (DATA / "htek-privacy-policy.vi.txt").read_text(encoding="utf-8")

#: Links into the text are kept by others, so these never change.
ANCHORS_VI = [
    "notice-thong-tin-khach-hang",
    "notice-du-lieu-cua-khach-hang",
    "notice-thu-thap-thong-tin-khach-hang",
]


def collapsed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def seed_text() -> str:
    """The policy as one reads it aloud: without its list marks, white space collapsed."""
    return collapsed(re.sub(r"^\s*(?:1\.|•)\s+", "", SEED, flags=re.MULTILINE))


def article(client: FlaskClient, path: str) -> str:
    return read_page(client.get(path)).one("article", data_notice="1").text


# The text


def test_the_vietnamese_notice_is_the_clients_policy_word_for_word(client: FlaskClient) -> None:
    assert article(client, "/privacy/vi/") == seed_text()


def test_the_clauses_are_the_ten_of_the_policy(client: FlaskClient) -> None:
    titles = [collapsed(line) for line in re.findall(r"^\s*1\.\s+(.+)$", SEED, flags=re.MULTILINE)]
    page = read_page(client.get("/privacy/vi/"))

    clauses = page.one("article", data_notice="1").all("h2")

    assert [one.text for one in clauses] == titles
    assert len(clauses) == 10
    assert [one["id"] for one in clauses][:3] == ANCHORS_VI
    assert len({one["id"] for one in clauses}) == 10


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_contents_list_leads_to_every_clause_in_order(client: FlaskClient, lang: str) -> None:
    page = read_page(client.get(f"/privacy/{lang}/"))

    clauses = page.one("article", data_notice="1").all("h2")
    contents = page.one("nav", class_="consent-widget-contents")

    assert [(one["href"], one.text) for one in contents.all("a")] == [
        (f"#{one['id']}", one.text) for one in clauses
    ]
    assert len(clauses) == 10
    assert len(contents.all("ol")) == 1


def test_both_languages_have_the_same_anchors(client: FlaskClient) -> None:
    ids = [
        [
            one["id"]
            for one in read_page(client.get(f"/privacy/{lang}/")).one("article", data_notice="1").all("h2")
        ]
        for lang in ("vi", "en")
    ]

    assert ids[0] == ids[1]


def test_the_translation_says_that_the_vietnamese_governs(client: FlaskClient) -> None:
    english = read_page(client.get("/privacy/en/"))
    vietnamese = read_page(client.get("/privacy/vi/"))

    (note,) = english.all(class_="consent-widget-translation")
    assert "translation" in note.text
    assert "Vietnamese" in note.text
    assert note.one("a")["href"] == "/privacy/vi/"
    assert vietnamese.all(class_="consent-widget-translation") == []


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_page_tells_version_date_with_zone_and_hash(client: FlaskClient, lang: str) -> None:
    response = client.get(f"/privacy/{lang}/")
    page = read_page(response)

    (time,) = page.all("time")
    assert time["datetime"] == IN_FORCE_SINCE.isoformat()
    assert {"vi": "lúc 09:00 ngày 1 tháng 11 năm 2026", "en": "1 November 2026, 09:00"}[lang] in time.text
    assert "GMT+7)" in time.text
    (shown,) = page.all("code", data_content_hash=None)
    markdown = client.get(f"/privacy/{lang}/versions/1.md").data
    assert shown.text == sha256(markdown).hexdigest()
    assert page.one("html")["lang"] == page.one("article", data_notice="1")["lang"] == lang
    assert len(page.all("h1")) == 1
    assert "HTEK" in page.one("title").text


def test_the_language_switch_and_the_head_name_both_languages(client: FlaskClient) -> None:
    for path in ("", "versions/1"):
        page = read_page(client.get(f"/privacy/en/{path}"))
        links = page.one("head").all("link", rel="alternate")
        switch = page.one("nav", class_="consent-widget-languages").all("a")

        expected = [("vi", f"/privacy/vi/{path}"), ("en", f"/privacy/en/{path}")]
        assert [(one["hreflang"], one["href"]) for one in links if "hreflang" in one] == expected
        assert [(one["hreflang"], one["href"]) for one in switch] == expected
        assert [one.attributes.get("aria-current") for one in switch] == [None, "true"]


def test_the_register_stands_below_the_frozen_text_and_not_in_it(client: FlaskClient) -> None:
    page = read_page(client.get("/privacy/en/"))

    table = page.one("section", class_="consent-widget-cookies")
    assert "visitor" in table.text
    assert page.one("article", data_notice="1").all("section") == []


# The machine form


def test_the_markdown_is_the_bytes_that_were_hashed(app: Flask, client: FlaskClient) -> None:
    response = client.get("/privacy/vi/versions/1.md")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert response.headers["Content-Language"] == "vi"
    assert not response.data.startswith(b"---")
    assert b"\r" not in response.data
    assert response.data.endswith(b"\n")
    version = deployment(app).schedule.at(NOW).versions[0]
    assert sha256(response.data).hexdigest() == version.content_hashes["vi"]


# Caching

PAGES = [
    "/privacy/vi/",
    "/privacy/en/",
    "/privacy/vi/versions/1",
    "/privacy/en/versions/1",
    "/privacy/vi/versions/1.md",
    "/privacy/en/versions/1.md",
]


@pytest.mark.parametrize("path", PAGES)
def test_everybody_may_keep_it_for_a_minute(client: FlaskClient, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "public, max-age=60"
    assert "Cookie" not in varies_by(response)
    assert "Accept-Language" not in varies_by(response)
    assert set_cookies(response) == {}
    assert response.headers["Content-Language"] == path.split("/")[2]


@pytest.mark.parametrize("path", PAGES)
def test_who_has_it_already_gets_304(client: FlaskClient, path: str) -> None:
    first = client.get(path)

    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert again.data == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == "public, max-age=60"
    assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("path", ["/privacy/vi/", "/privacy/en/versions/1"])
def test_it_is_the_same_for_everybody_whoever_asks(app: Flask, client: FlaskClient, path: str) -> None:
    """These pages never read the consent, or a shared cache would hand one visitor's page to another."""
    nobody = client.get(path)
    cookie = sent_cookie(decide(client, "analytics"))

    for headers in (
        {},
        {"Sec-GPC": "1"},
        {"Accept-Language": "en"},
        {"Cookie": cookie},
        {"Cookie": "consent=x; session=y"},
    ):
        again = bare_client(app).get(path, headers=headers)
        assert again.data == nobody.data
        assert again.headers["Cache-Control"] == nobody.headers["Cache-Control"]
        assert set_cookies(again) == {}


@pytest.mark.parametrize("seconds_left, max_age", [(3600, 60), (60, 60), (59.9, 59), (10, 10), (0.5, 0)])
def test_it_is_kept_no_longer_than_to_the_next_change(
    app: Flask, client: FlaskClient, seconds_left: float, max_age: int
) -> None:
    announce(deployment(app).database, 2, effective_at=NOW + timedelta(seconds=seconds_left))

    for path in ("/privacy/vi/", "/privacy/vi/versions/1", "/privacy/vi/versions/2"):
        assert client.get(path).headers["Cache-Control"] == f"public, max-age={max_age}"


def test_a_new_version_shows_at_its_instant(app: Flask, client: FlaskClient, clock: Clock) -> None:
    announce(deployment(app).database, 2, effective_at=NOW + timedelta(seconds=10))
    before = client.get("/privacy/en/")

    clock.tick(seconds=10)
    after = client.get("/privacy/en/", headers={"If-None-Match": before.headers["ETag"]})

    assert read_page(before).all("article", data_notice="1")
    assert after.status_code == 200
    assert read_page(after).one("article", data_notice="2").text.startswith("Version 2")


def test_a_host_layout_that_reads_the_session_makes_it_private(make_app: MakeApp) -> None:
    app = make_app(config={"CONSENT_WIDGET_BASE_TEMPLATE": "host.html"})
    write_template(app, "host.html", LAYOUT.replace("<body>", "<body>{{ session.get('name', '') }}"))

    response = app.test_client().get("/privacy/vi/")

    assert response.headers["Cache-Control"] == "private, no-cache"
    assert "Cookie" in varies_by(response)


def test_a_cookie_of_the_host_makes_it_private(app: Flask) -> None:
    @app.after_request
    def visit(response: Response) -> Response:
        session["visits"] = 1
        return response

    response = app.test_client().get("/privacy/vi/")

    assert "session" in set_cookies(response)
    assert response.headers["Cache-Control"] == "private, no-cache"


# What is where


@pytest.mark.parametrize(
    "headers, cookie, lang",
    [
        ({}, "", "vi"),
        ({"Accept-Language": "en-GB,en;q=0.9"}, "", "en"),
        ({"Accept-Language": "fr, de;q=0.5"}, "", "vi"),
        ({"Accept-Language": "en;q=0, vi"}, "", "vi"),
        ({"Accept-Language": "fr, en;q=0.3, vi;q=0.2"}, "", "en"),
    ],
)
def test_the_front_door_leads_to_the_visitors_language(
    client: FlaskClient, headers: dict[str, str], cookie: str, lang: str
) -> None:
    response = client.get("/privacy/", headers=headers)

    assert response.status_code == 302
    assert response.headers["Location"] == f"/privacy/{lang}/"
    assert varies_by(response) >= {"Accept-Language", "Cookie"}
    assert set_cookies(response) == {}


@pytest.mark.parametrize(
    "path",
    [
        "/privacy/vi/versions/2",
        "/privacy/vi/versions/0",
        "/privacy/vi/versions/2.md",
        "/privacy/vi/versions/-1",
        "/privacy/vi/versions/one",
        "/privacy/vi/versions/1.txt.md",
        "/privacy/vi/versions/99999999999999999999",
        "/privacy/fr/",
        "/privacy/VI/",
        "/privacy/nothing",
        "/privacy/vi/nothing",
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["page", "json"])
def test_what_does_not_exist_is_404(client: FlaskClient, path: str, as_json: bool) -> None:
    response = client.get(path, headers={"Accept": "application/json"} if as_json else {})

    assert response.status_code == 404
    assert response.headers["Cache-Control"] == "no-store"
    if as_json:
        assert response.get_json()["error"]["code"] == "not_found"
    else:
        assert read_page(response).one("h1").text


def test_a_draft_has_no_address(app: Flask, client: FlaskClient) -> None:
    with deployment(app).database.writing() as connection:
        store_edition(connection, edition("A secret draft"), now=NOW)

    for number in (1, 2):
        assert "secret draft" not in client.get(f"/privacy/vi/versions/{number}").text
        assert "secret draft" not in client.get(f"/privacy/vi/versions/{number}.md").text
    assert client.get("/privacy/vi/versions/2").status_code == 404


def test_before_version_1_there_is_no_notice(make_app: MakeApp, clock: Clock) -> None:
    clock.now = IN_FORCE_SINCE - timedelta(days=1)
    client = make_app().test_client()

    assert client.get("/privacy/vi/").status_code == 404


def test_a_coming_version_can_be_read_at_its_own_address(app: Flask, client: FlaskClient) -> None:
    announce(deployment(app).database, 2, effective_at=NOW + timedelta(days=30))

    page = read_page(client.get("/privacy/en/versions/2"))

    assert page.one("article", data_notice="2").text
    assert "31 December 2026" in page.one(class_="consent-widget-stamp").text
    assert read_page(client.get("/privacy/en/")).all("article", data_notice="1")


def test_a_superseded_version_stays_at_its_address_with_a_stamp(app: Flask, client: FlaskClient) -> None:
    announce(deployment(app).database, 2, change_class=ChangeClass.EDITORIAL)

    old = read_page(client.get("/privacy/en/versions/1"))

    assert "Superseded" in old.one(class_="consent-widget-stamp").text
    assert read_page(client.get("/privacy/en/")).all(class_="consent-widget-stamp") == []
    assert read_page(client.get("/privacy/en/versions/2")).all(class_="consent-widget-stamp") == []


def test_a_link_without_the_last_slash_leads_on(client: FlaskClient) -> None:
    for path in ("/privacy", "/privacy/vi", "/privacy/en"):
        assert client.get(path).status_code == 308


@pytest.mark.parametrize("path", PAGES)
def test_head_answers_like_get_without_a_body(client: FlaskClient, path: str) -> None:
    head, get = client.head(path), client.get(path)

    assert head.status_code == 200
    assert head.data == b""
    assert head.headers["ETag"] == get.headers["ETag"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/privacy/", "/privacy/vi/", "/privacy/vi/versions/1", "/privacy/vi/versions/1.md"]
)
def test_a_notice_is_only_read(app: Flask, client: FlaskClient, path: str, method: str) -> None:
    response = client.open(path, method=method)

    assert response.status_code == 405
    assert sorted(response.headers["Allow"].split(", ")) == ["GET", "HEAD"]
    assert count_records(app) == 0


def test_the_path_decides_the_language_whatever_else_is_asked(client: FlaskClient) -> None:
    response = client.get("/privacy/vi/?lang=en", headers={"Accept-Language": "en"})

    assert response.headers["Content-Language"] == "vi"
    assert read_page(response).one("html")["lang"] == "vi"


# While the database is down


def _break(app: Flask) -> Callable[[], None]:
    engine = deployment(app).database.engine

    def refuse(*_: object) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("connection refused"))

    sa.event.listen(engine, "before_cursor_execute", refuse)
    return lambda: sa.event.remove(engine, "before_cursor_execute", refuse)


@pytest.mark.parametrize("as_json", [False, True], ids=["page", "json"])
def test_a_notice_never_read_before_is_503_while_the_store_is_down(
    app: Flask, client: FlaskClient, as_json: bool
) -> None:
    client.get("/privacy/vi/")
    mend = _break(app)

    response = client.get("/privacy/en/", headers={"Accept": "application/json"} if as_json else {})

    assert response.status_code == 503
    assert "connection refused" not in response.text
    assert response.headers["Cache-Control"] == "no-store"
    if as_json:
        assert response.get_json()["error"]["code"] == "store_unavailable"
    mend()
    assert client.get("/privacy/en/").status_code == 200


def test_a_notice_read_before_stands_while_the_store_is_down(
    app: Flask, client: FlaskClient, clock: Clock
) -> None:
    before = client.get("/privacy/vi/")
    _break(app)

    clock.tick(minutes=10)
    after = client.get("/privacy/vi/")

    assert (after.status_code, after.data) == (200, before.data)


# For those who have not decided


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_same_hidden_banner_stands_in_everybodys_page(client: FlaskClient, lang: str) -> None:
    page = read_page(client.get(f"/privacy/{lang}/"))

    banner = page.one("section", class_="consent-widget consent-widget-banner")
    assert "hidden" in banner
    assert banner.one("form", data_consent_widget="banner")["action"] == "/privacy/preferences"
    (noscript,) = page.all("noscript")
    assert noscript.one("a")["href"] == f"/privacy/preferences?lang={lang}"
    script = page.one("script", data_consent_widget="script")
    assert "data-shared" in script
    assert set(re.findall(r":(-?\d)", script["data-state"])) == {"-1"}


@pytest.mark.parametrize("csp_nonce", [None, lambda: "abc"], ids=["no nonce", "the host has nonces"])
def test_style_and_script_come_from_our_assets_alone_and_carry_no_nonce(
    make_app: MakeApp, csp_nonce: Callable[[], str] | None
) -> None:
    page = read_page(make_app(csp_nonce=csp_nonce).test_client().get("/privacy/vi/"))

    loaded = [one["src"] for one in page.all("script")]
    loaded += [one["href"] for one in page.all("link", rel="stylesheet")]
    assert loaded
    assert all(one.startswith("/privacy/assets/") for one in loaded)
    assert not page.all("style")
    assert not [one for one in page.all() if "nonce" in one or "style" in one]


def test_our_own_pages_forbid_everything_they_do_not_need(client: FlaskClient) -> None:
    headers = client.get("/privacy/vi/").headers

    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "require-trusted-types-for 'script'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"


def test_a_page_of_the_host_keeps_its_own_headers(app: Flask) -> None:
    add_pages(app)

    headers = app.test_client().get("/plain").headers

    assert "Content-Security-Policy" not in headers
    assert "X-Frame-Options" not in headers
