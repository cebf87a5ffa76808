"""The built files: one request, packed, kept for a year; another release's address still works."""

import gzip
import re
from hashlib import sha256

import brotli
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.factories import set_cookies, varies_by


def urls(app: Flask) -> dict[str, str]:
    found: dict[str, str] = app.extensions["consent_widget"].host.asset_urls
    return found


NAMES = [
    "admin.css",
    "admin.js",
    "bar.css",
    "consent.js",
    "dialog.css",
    "loader.js",
    "page.css",
    "sign-in.css",
    "widget.css",
]


def test_every_built_file_has_an_address_with_its_hash(app: Flask, client: FlaskClient) -> None:
    assert sorted(urls(app)) == sorted(NAMES)
    for name in NAMES:
        stem, _, ending = name.rpartition(".")
        digest = sha256(client.get(urls(app)[name]).data).hexdigest()[:8]
        assert urls(app)[name] == f"/privacy/assets/{stem}.{digest}.{ending}"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_kept_for_a_year_by_everybody(app: Flask, client: FlaskClient, name: str) -> None:
    response = client.get(urls(app)[name])

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert varies_by(response) == {"Accept-Encoding"}
    assert response.mimetype == ("text/javascript" if name.endswith("js") else "text/css")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert set_cookies(response) == {}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "accept, coding",
    [
        ("br, gzip", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("gzip;q=1.0, br;q=0.1", "br"),
        ("br;q=0, gzip", "gzip"),
        ("gzip;q=0", None),
        ("", None),
        ("identity", None),
        ("zstd", None),
        (None, None),
    ],
)
def test_a_file_comes_in_the_best_coding_the_browser_takes(
    app: Flask, client: FlaskClient, name: str, accept: str | None, coding: str | None
) -> None:
    plain = client.get(urls(app)[name]).data

    response = client.get(urls(app)[name], headers={} if accept is None else {"Accept-Encoding": accept})

    assert response.headers.get("Content-Encoding") == coding
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[coding]
    assert unpack(response.data) == plain
    assert int(response.headers["Content-Length"]) == len(response.data)


def test_codings_do_not_share_an_etag(app: Flask, client: FlaskClient) -> None:
    tags = {
        client.get(urls(app)["consent.js"], headers={"Accept-Encoding": one}).headers["ETag"]
        for one in ("br", "gzip", "identity")
    }

    assert len(tags) == 3


def test_who_has_it_gets_304(app: Flask, client: FlaskClient) -> None:
    first = client.get(urls(app)["consent.js"])

    again = client.get(urls(app)["consent.js"], headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")


def test_the_address_of_another_release_gives_todays_file_and_is_not_kept(
    app: Flask, client: FlaskClient
) -> None:
    """During a rolling deploy a page of the other release asks here."""
    response = client.get("/privacy/assets/consent.0123abcd.js")

    assert response.status_code == 200
    assert response.data == client.get(urls(app)["consent.js"]).data
    assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "name",
    [
        "consent.js",
        "consent.0123ABCD.js",
        "consent.0123456.js",
        "consent.012345678.js",
        "other.0123abcd.js",
        "consent.0123abcd.css",
        "consent.0123abcd.js.br",
        "consent.0123abcd.js.map",
        "../src/consent.ts",
        "..%2fsrc%2fconsent.ts",
        "%2e%2e/package.json",
        "",
        ".",
        "\x00",
        "a" * 3000,
    ],
)
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    response = client.get(f"/privacy/assets/{name}")

    assert response.status_code == 404
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE"])
def test_files_are_only_read(app: Flask, client: FlaskClient, method: str) -> None:
    assert client.open(urls(app)["consent.js"], method=method).status_code == 405


def test_head_gives_the_length_without_the_file(app: Flask, client: FlaskClient) -> None:
    head = client.head(urls(app)["consent.js"], headers={"Accept-Encoding": "br"})
    get = client.get(urls(app)["consent.js"], headers={"Accept-Encoding": "br"})

    assert head.data == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_no_file_names_a_foreign_address(app: Flask, client: FlaskClient) -> None:
    for name in NAMES:
        text = client.get(urls(app)[name]).text
        # The namespace of SVG is a name, not an address; the toolbar writes the start of one.
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`)]*", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}
        assert "sourceMappingURL" not in text
