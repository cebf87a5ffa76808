"""Under another prefix, below another app: every address we print leads back to us."""

from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from tests.conftest import MakeApp
from tests.factories import (
    Element,
    add_page,
    add_pages,
    count_records,
    decide,
    plain_app,
    read_page,
    set_cookies,
)

EVERYTHING = (
    "<!doctype html><html><head>{{ consent_head() }}</head><body>{{ consent_skip_link() }}"
    "{{ consent_iframe('marketing', 'https://v.example/', 'Video') }}{{ consent_settings_link() }}"
    "{{ consent_notice_link() }}{{ consent_cookie_table() }}{{ consent_banner() }}</body></html>"
)


def addresses(page: Element) -> set[str]:
    found = set()
    for one in page.all():
        for name in ("href", "src", "action"):
            if name in one and not one[name].startswith("#"):
                found.add(one[name])
    return found


@pytest.mark.parametrize("prefix", ["/quyen-rieng-tu", "/legal/privacy", "/p"])
def test_another_prefix_is_used_throughout(make_app: MakeApp, prefix: str) -> None:
    app = add_page(make_app(config={"CONSENT_WIDGET_URL_PREFIX": prefix}), EVERYTHING)
    client = app.test_client()

    assert client.get("/privacy/").status_code == 404
    for path in ("/page", f"{prefix}/preferences", f"{prefix}/vi/"):
        page = read_page(client.get(path))
        for address in addresses(page) - {"/"}:
            assert address.startswith(prefix)
            if not address.endswith(prefix):
                assert client.get(address).status_code == 200, address
    assert client.post(f"{prefix}/preferences", json={"action": "accept_all"}).get_json()["decided"]


class Mounted:
    """An app below /shop, and a browser at the door of the whole."""

    def __init__(self, app: Flask, outer: Flask) -> None:
        self.app = app
        self.client = Client(DispatcherMiddleware(outer.wsgi_app, {"/shop": app.wsgi_app}))


@pytest.fixture
def mounted(make_app: MakeApp, tmp_path_factory: pytest.TempPathFactory) -> Mounted:
    app = add_page(add_pages(make_app()), EVERYTHING)

    @app.get("/cookie")
    def cookie() -> tuple[str, dict[str, str]]:
        return "", {"Set-Cookie": "visitor=1; Path=/shop"}

    return Mounted(app, plain_app("outer", folder=tmp_path_factory.mktemp("outer")))


@pytest.mark.parametrize(
    "path", ["/shop/page", "/shop/privacy/preferences", "/shop/privacy/vi/", "/shop/privacy/en/versions/1"]
)
def test_below_a_mount_point_every_address_leads_back(mounted: Mounted, path: str) -> None:
    page = read_page(mounted.client.get(path))

    for address in addresses(page):
        assert address.startswith("/shop/"), address
        if address != "/shop/privacy":
            assert mounted.client.get(address).status_code == 200, address


def test_below_a_mount_point_one_comes_back_to_the_page(mounted: Mounted) -> None:
    form = read_page(mounted.client.get("/shop/page?a=1")).one(data_consent_widget="banner")
    fields = {one["name"]: one["value"] for one in form.all("input")}
    assert fields["next"] == "/shop/page?a=1"

    saved = mounted.client.post(form["action"], data=fields | {"action": "accept_all"})
    assert saved.headers["Location"].startswith("/shop/page?a=1")

    back = mounted.client.get(saved.headers["Location"])
    assert (back.status_code, back.headers["Location"]) == (303, "./page?a=1")
    assert count_records(mounted.app) == 1


def test_below_a_mount_point_the_front_door_leads_inside(mounted: Mounted) -> None:
    assert mounted.client.get("/shop/privacy/").headers["Location"] == "/shop/privacy/vi/"


def test_below_a_mount_point_the_choice_is_for_the_whole_host(mounted: Mounted) -> None:
    """__Host- cookies have Path=/ (RFC 6265bis 4.1.3.2)."""
    saved = mounted.client.post("/shop/privacy/preferences", json={"action": "accept_all"})

    assert all("Path=/;" in f"{line};" for line in set_cookies(saved).values())


def test_the_gate_stands_below_the_mount_point_too(mounted: Mounted) -> None:
    assert set_cookies(mounted.client.get("/shop/cookie")) == {}
    mounted.client.post("/shop/privacy/preferences", json={"action": "accept_all"})
    assert set(set_cookies(mounted.client.get("/shop/cookie"))) == {"visitor"}


def test_the_same_app_at_the_root_and_below_prints_its_own_addresses(mounted: Mounted) -> None:
    """What is kept for everybody must not carry one mount point's addresses to the other."""
    at_root = mounted.app.test_client()

    for _ in range(2):
        for path in ("/privacy/en/", "/privacy/preferences", "/page"):
            assert all(
                one.startswith("/shop/") for one in addresses(read_page(mounted.client.get(f"/shop{path}")))
            )
            assert not [one for one in addresses(read_page(at_root.get(path))) if one.startswith("/shop/")]


def test_below_a_mount_point_a_choice_without_next_leads_to_a_page_of_this_host(mounted: Mounted) -> None:
    saved = mounted.client.post("/shop/privacy/preferences", data={"action": "reject_all"})

    assert saved.headers["Location"] in ("/", "/shop/")


def test_the_root_is_untouched_by_the_mounted_app(mounted: Mounted) -> None:
    assert mounted.client.get("/privacy/").status_code == 404


@pytest.mark.parametrize(
    "strange", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:", "evil", "/\n"]
)
def test_a_strange_mount_point_of_a_proxy_is_not_printed(app: Flask, strange: str) -> None:
    """X-Forwarded-Prefix is a header: //evil.example must not become the start of our links."""
    client: FlaskClient = add_page(app, EVERYTHING).test_client()
    at_root = client.get("/page")

    page = client.get("/page", environ_overrides={"SCRIPT_NAME": strange})

    assert page.text == at_root.text
    assert decide(client, "analytics").status_code == 200


@pytest.mark.parametrize("mount", ["/shop/", "/c\xc3\xa0-ph\xc3\xaa", "/c%C3%A0", "/%3F%23"])
def test_a_mount_point_is_printed_as_an_address(app: Flask, mount: str) -> None:
    """As WSGI gives it, bytes read as Latin-1, or as a proxy's header names it, encoded already."""
    client: FlaskClient = add_page(app, EVERYTHING).test_client()
    expected = "/shop" if mount == "/shop/" else quote(mount, safe="/%-", encoding="latin-1")

    page = read_page(client.get("/page?a=1", environ_overrides={"SCRIPT_NAME": mount}))

    form = page.one(data_consent_widget="banner")
    assert form["action"] == f"{expected}/privacy/preferences"
    assert form.one("input", name="next")["value"] == f"{expected}/page?a=1"


@pytest.mark.parametrize("path", ["/privacy", "/privacy/vi", "/privacy/en"])
@pytest.mark.parametrize("mount", ["", "/shop", "//evil.example", "https://evil.example"])
def test_the_address_with_a_slash_is_one_of_this_host(client: FlaskClient, path: str, mount: str) -> None:
    response = client.get(f"{path}?a=1", environ_overrides={"SCRIPT_NAME": mount})

    assert response.status_code == 308
    assert response.headers["Location"] == f"{mount if mount == '/shop' else ''}{path}/?a=1"
    assert response.headers["Cache-Control"] == "no-cache"
