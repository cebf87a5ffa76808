"""In which language a request is answered: path, ?lang=, the host's word, Accept-Language, Vietnamese."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import MakeApp
from tests.factories import add_page, add_pages, read_page, varies_by


def language_of(
    client: FlaskClient, query: str = "", accept: str = "", path: str = "/privacy/preferences"
) -> str:
    headers = {"Accept-Language": accept} if accept else {}
    return read_page(client.get(path + query, headers=headers)).one("html")["lang"]


@pytest.mark.parametrize(
    "accept, lang",
    [
        ("", "vi"),
        ("en", "en"),
        ("EN", "en"),
        ("en-GB", "en"),
        ("vi-VN", "vi"),
        ("en_US", "en"),
        ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "en"),
        ("fr", "vi"),
        ("*", "vi"),
        ("en;q=0", "vi"),
        ("en;q=0.1, vi;q=0.9", "vi"),
        ("en;q=x", "vi"),
        ("english", "vi"),
        ("a" * 5000, "vi"),
        (",;=,;,", "vi"),
    ],
)
def test_the_browser_is_asked_last_and_vietnamese_is_the_last_resort(
    client: FlaskClient, accept: str, lang: str
) -> None:
    assert language_of(client, accept=accept) == lang


@pytest.mark.parametrize(
    "query, lang",
    [
        ("?lang=en", "en"),
        ("?lang=vi", "vi"),
        ("?lang=en-GB", "en"),
        ("?lang=fr", "vi"),
        ("?lang=", "vi"),
        ("?lang=%00", "vi"),
    ],
)
def test_the_query_goes_before_the_browser(client: FlaskClient, query: str, lang: str) -> None:
    assert language_of(client, query, accept="vi") == lang


@pytest.mark.parametrize(
    "selected, lang", [("en", "en"), ("en_GB", "en"), ("vi", "vi"), ("fr", "en"), (None, "en"), ("", "en")]
)
def test_the_hosts_selector_goes_before_the_browser(
    make_app: MakeApp, selected: str | None, lang: str
) -> None:
    client = make_app(locale_selector=lambda: selected).test_client()

    assert language_of(client, accept="en") == lang


def test_the_query_goes_before_the_hosts_selector(make_app: MakeApp) -> None:
    assert language_of(make_app(locale_selector=lambda: "vi").test_client(), "?lang=en") == "en"


def test_the_path_goes_before_everything(make_app: MakeApp) -> None:
    client = make_app(locale_selector=lambda: "vi").test_client()

    assert language_of(client, "?lang=vi", accept="vi", path="/privacy/en/") == "en"


@pytest.mark.parametrize(
    "locale_selector, query, varies",
    [(None, "", True), (None, "?lang=en", False), (lambda: "en", "", False), (lambda: "fr", "", True)],
    ids=["browser", "query", "selector", "selector without an answer"],
)
def test_the_answer_varies_by_the_browsers_languages_only_where_they_were_asked(
    make_app: MakeApp, locale_selector: Callable[[], str] | None, query: str, varies: bool
) -> None:
    app = add_page(make_app(locale_selector=locale_selector), "{{ consent_settings_link() }}")

    response = app.test_client().get(f"/page{query}")

    assert ("Accept-Language" in varies_by(response)) is varies


def test_a_variable_of_the_hosts_own_routes_is_not_mistaken_for_ours(app: Flask) -> None:
    """A host may well have <lang> in its routes and mean something else."""

    @app.get("/docs/<lang>")
    def docs(lang: str) -> str:
        return str(app.jinja_env.from_string("{{ consent_settings_link() }}").render())

    assert 'lang="vi"' in app.test_client().get("/docs/en").text


def test_words_with_percent_signs_and_tags_stay_plain_text(make_app: MakeApp) -> None:
    app = add_pages(make_app(config={"CONSENT_WIDGET_CONTROLLER": {"name": "100 % <b>HTEK</b> %(name)s"}}))

    for lang in ("vi", "en"):
        page = read_page(app.test_client().get(f"/?lang={lang}"))
        assert "100 % <b>HTEK</b> %(name)s" in page.text
        assert page.all("b") == []
