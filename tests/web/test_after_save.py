"""After a save by a plain form: was the cookie kept? The marker asks, and disappears."""

from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import TestResponse

from tests.conftest import MakeApp
from tests.factories import (
    PAGE,
    add_pages,
    bare_client,
    count_records,
    decide,
    read_page,
    sent_cookie,
    set_cookies,
)

URL = "/privacy/preferences"
FORM = {"action": "reject_all", "next": "/?a=1", "verify": "1"}
MARK = "consent_widget_saved"


@pytest.fixture
def app(app: Flask) -> Flask:
    add_pages(app)

    @app.get("/echo")
    def echo() -> dict[str, str]:
        return {"query": request.query_string.decode("latin-1"), "path": request.full_path}

    @app.post("/echo")
    def post() -> dict[str, str]:
        return {"query": request.query_string.decode("latin-1")}

    return app


def alerts(response: TestResponse) -> str:
    return " ".join(one.text for one in read_page(response).all(role="alert"))


def test_a_browser_without_cookies_is_told_so_on_the_page_after_the_save(app: Flask) -> None:
    client = bare_client(app)
    saved = client.post(URL, data=FORM)
    assert saved.headers["Location"] == f"/?a=1&{MARK}=1"

    page = client.get(saved.headers["Location"] + "&lang=en")

    assert page.status_code == 200
    assert "did not keep your choice" in alerts(page)
    form = read_page(page).one(data_consent_widget="banner")
    assert form.one("input", name="next")["value"] == "/?a=1&lang=en"
    assert MARK not in page.text
    assert page.headers["Cache-Control"].startswith("private")


def test_a_browser_that_keeps_cookies_is_led_on_to_the_clean_address(client: FlaskClient) -> None:
    saved = client.post(URL, data=FORM)

    back = client.get(saved.headers["Location"])

    assert back.status_code == 303
    assert back.headers["Location"] == "./?a=1"
    assert back.headers["Cache-Control"] == "no-store"
    assert set_cookies(back) == {}
    assert alerts(client.get("/?a=1")) == ""


def test_a_proxy_fix_inside_the_gate_does_not_hide_that_cookies_are_kept(make_app: MakeApp) -> None:
    """The gate looks before the host's ProxyFix says https: the cookie's name tells nothing then."""
    app = make_app()
    add_pages(app)
    gate = app.wsgi_app
    gate._app = ProxyFix(gate._app, x_proto=1, x_prefix=1)  # type: ignore[attr-defined]
    behind = {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/shop"}
    saved = bare_client(app).post(URL, data=FORM, headers=behind)
    name, value = next(iter(set_cookies(saved).items()))

    back = bare_client(app).get(f"/?a=1&{MARK}=1", headers=behind | {"Cookie": f"{name}=kept"})

    assert name.startswith("__Host-")
    assert value
    assert back.headers["Location"] == "./?a=1"


def test_a_browser_that_already_sent_cookies_is_not_sent_around(client: FlaskClient) -> None:
    client.set_cookie("session", "x")

    saved = client.post(URL, data=FORM)

    assert saved.headers["Location"] == "/?a=1"


def test_without_verify_there_is_no_marker(app: Flask) -> None:
    form = {"action": "reject_all", "next": "/"}

    assert bare_client(app).post(URL, data=form).headers["Location"] == "/"


def test_the_marker_stands_before_a_fragment(app: Flask) -> None:
    form = FORM | {"next": "/services#prices"}

    assert bare_client(app).post(URL, data=form).headers["Location"] == f"/services?{MARK}=1#prices"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_link_with_the_marker_tells_nobody_that_a_choice_was_not_kept(app: Flask, site: str) -> None:
    """After a save of ours browsers say same-origin, redirects included (Fetch Metadata section 2.2)."""
    client = bare_client(app)

    back = client.get(f"/?a=1&{MARK}=1", headers={"Sec-Fetch-Site": site})

    assert (back.status_code, back.headers["Location"]) == (303, "./?a=1")
    assert "did not keep" not in alerts(client.get("/?a=1&lang=en", headers={"Sec-Fetch-Site": site}))


def test_after_a_save_of_ours_the_marker_is_believed(app: Flask) -> None:
    page = bare_client(app).get(f"/?a=1&{MARK}=1&lang=en", headers={"Sec-Fetch-Site": "same-origin"})

    assert "did not keep" in alerts(page)


def test_whoever_was_asked_by_the_preferences_is_told_there_too(app: Flask) -> None:
    client = bare_client(app)
    saved = client.post(URL, data=FORM | {"next": URL})

    assert "did not keep" in alerts(client.get(saved.headers["Location"] + "&lang=en"))


def test_the_view_never_sees_the_marker(app: Flask) -> None:
    found = bare_client(app).get(f"/echo?a=1&{MARK}=1&b=%C3%A9&a=2").get_json()

    assert found == {"query": "a=1&b=%C3%A9&a=2", "path": "/echo?a=1&b=%C3%A9&a=2"}


def test_only_the_exact_marker_is_taken_away(app: Flask) -> None:
    query = f"x{MARK}=1&{MARK}x=1&q={MARK}"

    assert bare_client(app).get(f"/echo?{query}").get_json()["query"] == query


def test_a_post_is_not_led_around(client: FlaskClient) -> None:
    decide(client, "analytics")

    response = client.post(f"/echo?{MARK}=1")

    assert response.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        f"//evil.example/?{MARK}=1",
        f"/%2F/evil.example/?{MARK}=1",
        f"/%5Cevil.example/?{MARK}=1",
        f"/\\evil.example/?{MARK}=1",
        f"/%09/evil.example?{MARK}=1",
        f"/.//evil.example?{MARK}=1",
        f"/a%0d%0aLocation:%20https://evil.example?{MARK}=1",
        f"/?{MARK}=1&next=https://evil.example",
        f"/@evil.example?{MARK}=1",
        f"/?{MARK}=https://evil.example",
    ],
)
def test_the_marker_is_no_open_redirect(app: Flask, client: FlaskClient, path: str) -> None:
    cookie = {"Cookie": sent_cookie(decide(client, "analytics"))}

    response = bare_client(app).get(path, headers=cookie)

    location = response.headers.get("Location", "./")
    assert urlsplit(urljoin("http://localhost/", location)).netloc == "localhost"
    assert location.startswith("./")
    assert "/" not in location.removeprefix("./").partition("?")[0]
    assert "\\" not in location
    assert not any(ord(char) < 0x21 for char in location)


def test_a_path_in_vietnamese_comes_back_as_it_was(app: Flask, client: FlaskClient) -> None:
    cookie = {"Cookie": sent_cookie(decide(client, "analytics"))}

    response = bare_client(app).get(f"/dịch-vụ/100%25?{MARK}=1&q=ph%E1%BB%9F", headers=cookie)

    assert response.status_code == 303
    assert response.headers["Location"] == "./100%25?q=ph%E1%BB%9F"


def test_a_marker_alone_makes_no_record_and_no_cookie(app: Flask) -> None:
    response = bare_client(app).get(f"/?{MARK}=1")

    assert response.status_code == 200
    assert count_records(app) == 0
    assert set_cookies(response) == {}


def test_the_marker_on_a_page_everybody_shares_does_not_poison_it(make_app: MakeApp) -> None:
    app = make_app(config={"CONSENT_WIDGET_SHARED_CACHE": True})
    add_pages(app)

    told = bare_client(app).get(f"/?{MARK}=1&lang=en")
    plain = bare_client(app).get("/?lang=en")

    assert "did not keep your choice" in alerts(told)
    assert "public" not in told.headers["Cache-Control"]
    assert "did not keep your choice" not in alerts(plain)


def test_the_page_is_still_the_hosts(app: Flask) -> None:
    assert "Home" in PAGE
    assert "Home" in bare_client(app).get(f"/?{MARK}=1").text
