"""A host's own Babel, first, last or not at all: its words stay its own, ours follow its language."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from flask import Flask, render_template_string, request
from flask_babel import Babel, get_locale, gettext

from consent_widget import ConsentWidget
from tests.factories import (
    CONTROLLER,
    HOST_CATEGORIES,
    PAGE,
    Clock,
    decide,
    deployment,
    plain_app,
    read_page,
)
from tests.letterbox import Letterbox
from tests.mailroom import MAIL

#: The host has a word that we have too, and translates it in its own way.
WORDS = {"Hello": "Xin chào", "Reject all": "Từ chối của chủ nhà"}

HOST_PAGE = PAGE.replace("<h1>Home</h1>", "<h1>{{ _('Hello') }}</h1><p>{{ _('Reject all') }}</p>").replace(
    "{{ consent_banner() }}", "{{ consent_banner() }}<aside>{{ _('Hello') }}</aside>"
)


LAYOUT = """<!doctype html><html lang="{{ get_locale() }}"><title>{% block title %}{% endblock %}</title>
{% block head %}{% endblock %}<aside>{{ _('Hello') }}</aside>{% block content %}{% endblock %}</html>"""


def write_catalogue(folder: Path) -> None:
    catalogue = Catalog(locale="vi")
    for message, word in WORDS.items():
        catalogue.add(message, word)
    path = folder / "translations" / "vi" / "LC_MESSAGES" / "messages.mo"
    path.parent.mkdir(parents=True)
    packed = BytesIO()
    write_mo(packed, catalogue)
    path.write_bytes(packed.getvalue())


def select() -> str:
    return request.args.get("host", "vi")


@pytest.fixture(params=["first", "last"])
def app(request: pytest.FixtureRequest, clock: Clock, prepared_url: str, tmp_path: Path) -> Iterator[Flask]:
    write_catalogue(tmp_path)
    app = plain_app(folder=tmp_path)
    widget = ConsentWidget(
        categories=HOST_CATEGORIES, clock=clock, controller=CONTROLLER, database_url=prepared_url
    )
    if request.param == "first":
        Babel(app, locale_selector=select)
        widget.init_app(app)
    else:
        widget.init_app(app)
        Babel(app, locale_selector=select)

    @app.get("/")
    def home() -> str:
        return render_template_string(HOST_PAGE)

    @app.get("/code")
    def code() -> str:
        return str(gettext("Hello"))

    yield app
    deployment(app).database.engine.dispose()


def test_the_hosts_own_words_stay_its_own_before_and_after_ours(app: Flask) -> None:
    page = read_page(app.test_client().get("/"))

    assert page.one("h1").text == "Xin chào"
    assert page.one("aside").text == "Xin chào"
    assert "Từ chối của chủ nhà" in page.one("main").text
    assert app.test_client().get("/code").text == "Xin chào"


def test_our_words_are_not_taken_from_the_hosts_catalogue(app: Flask) -> None:
    page = read_page(app.test_client().get("/"))

    assert page.one("button", value="reject_all").text == "Từ chối tất cả"


@pytest.mark.parametrize("host, ours, theirs", [("vi", "vi", "Xin chào"), ("en", "en", "Hello")])
def test_we_follow_the_hosts_language(app: Flask, host: str, ours: str, theirs: str) -> None:
    response = app.test_client().get(
        f"/?host={host}", headers={"Accept-Language": "vi" if ours == "en" else "en"}
    )
    page = read_page(response)

    assert page.one("h1").text == theirs
    (section,) = [one for one in page.all("section") if one.all(data_consent_widget="banner")]
    assert section["lang"] == ours


def test_where_we_do_not_speak_the_hosts_language_the_browser_decides(app: Flask) -> None:
    page = read_page(app.test_client().get("/?host=fr", headers={"Accept-Language": "en"}))

    (section,) = [one for one in page.all("section") if one.all(data_consent_widget="banner")]
    assert section["lang"] == "en"


def test_a_page_of_ours_in_another_language_leaves_the_hosts_alone(app: Flask) -> None:
    client = app.test_client()

    client.get("/privacy/en/")
    decide(client, "analytics")

    assert client.get("/code").text == "Xin chào"


def test_the_hosts_layout_speaks_the_language_of_whoever_follows_a_link_in_a_mail(
    clock: Clock, prepared_url: str, tmp_path: Path
) -> None:
    """A Vietnamese mail, an English browser: one page, one language (WCAG 3.1.1)."""
    write_catalogue(tmp_path)
    (tmp_path / "templates").mkdir(exist_ok=True)
    (tmp_path / "templates" / "host.html").write_text(LAYOUT, encoding="utf-8")
    app = plain_app(folder=tmp_path, **MAIL | {"CONSENT_WIDGET_BASE_TEMPLATE": "host.html"})
    Babel(app, locale_selector=lambda: "en")
    app.jinja_env.globals["get_locale"] = get_locale
    app.add_url_rule("/code", "code", lambda: str(gettext("Hello")))
    ConsentWidget(
        app, categories=HOST_CATEGORIES, clock=clock, controller=CONTROLLER, database_url=prepared_url
    )
    box = Letterbox(deployment(app))
    client = app.test_client()
    client.post("/privacy/subscribe", data={"email": "lan@reader.example", "lang": "vi"})
    box.collect()

    with app.app_context():  # as tests of a host often do: its requests share what hangs on the context
        for ask in (client.get, client.post):
            page = read_page(ask(box.link("lan@reader.example", "confirm")))
            assert page.one("html")["lang"] == "vi"
            assert page.one("aside").text == "Xin chào"
            assert client.get("/code").text == "Hello", "the host's next page is in its own language"

    deployment(app).database.engine.dispose()


def test_a_hosts_own_kind_of_english_stays_where_it_speaks_the_readers_language(
    clock: Clock, prepared_url: str, tmp_path: Path
) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "host.html").write_text(LAYOUT, encoding="utf-8")
    app = plain_app(folder=tmp_path, **MAIL | {"CONSENT_WIDGET_BASE_TEMPLATE": "host.html"})
    Babel(app, locale_selector=lambda: "en_GB")
    app.jinja_env.globals["get_locale"] = get_locale
    ConsentWidget(
        app, categories=HOST_CATEGORIES, clock=clock, controller=CONTROLLER, database_url=prepared_url
    )

    asked = app.test_client().post("/privacy/subscribe", data={"email": "lan@reader.example", "lang": "en"})

    assert read_page(asked).one("html")["lang"] == "en_GB"
    deployment(app).database.engine.dispose()


def test_one_request_may_hold_both_languages(app: Flask) -> None:
    page = read_page(app.test_client().get("/?host=vi&lang=en"))

    assert page.one("h1").text == "Xin chào"
    assert page.one("button", value="reject_all").text == "Reject all"


def test_a_host_without_babel_has_our_words_all_the_same(
    clock: Clock, prepared_url: str, tmp_path: Path
) -> None:
    app = plain_app(folder=tmp_path)
    ConsentWidget(app, clock=clock, controller=CONTROLLER, database_url=prepared_url)

    page = read_page(app.test_client().get("/privacy/preferences?lang=vi"))

    assert page.one("h1").text == "Cài đặt cookie"
    assert "babel" not in app.extensions
    assert "_" not in app.jinja_env.globals
    deployment(app).database.engine.dispose()
