"""A host's layout around our pages, and a host's own template in place of ours."""

import re
from pathlib import Path

import pytest
from flask import Flask, Response
from jinja2 import StrictUndefined

from consent_widget.core.errors import SettingError
from tests.conftest import MakeApp
from tests.factories import (
    LAYOUT,
    OPTIONAL,
    Clock,
    add_page,
    add_pages,
    announce,
    bare_client,
    decide,
    read_page,
    write_template,
)
from tests.factories import deployment as widget_of

PAGES = ["/privacy/vi/", "/privacy/en/versions/1", "/privacy/preferences", "/privacy/nowhere"]

SOURCES = Path(__file__).parents[2] / "consent_widget" / "templates" / "consent_widget"


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    app = make_app(config={"CONSENT_WIDGET_BASE_TEMPLATE": "host.html"})
    write_template(app, "host.html", LAYOUT)
    return app


@pytest.mark.parametrize("path", PAGES)
def test_our_pages_stand_in_the_hosts_layout(app: Flask, path: str) -> None:
    page = read_page(app.test_client().get(path))

    assert page.all("header")[0].text == "The host"
    assert page.one("title").text
    (main,) = page.all("main")
    assert len(main.all("h1")) == 1


def test_a_notice_can_be_read_in_the_hosts_layout(app: Flask) -> None:
    page = read_page(app.test_client().get("/privacy/vi/"))

    assert page.one("main").one("article", data_notice="1").text
    assert page.one("head").all("link", rel="alternate")
    styles = [one["href"] for one in page.all("link", rel="stylesheet")]
    assert any("/page." in one for one in styles)


def test_the_hosts_content_security_policy_stands(app: Flask) -> None:
    @app.after_request
    def policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src 'self' https://cdn.example"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    headers = app.test_client().get("/privacy/vi/").headers

    assert headers.getlist("Content-Security-Policy") == ["default-src 'self' https://cdn.example"]
    assert headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_in_a_hosts_layout_we_add_no_policy_that_would_stop_its_scripts(app: Flask) -> None:
    policy = app.test_client().get("/privacy/vi/").headers["Content-Security-Policy"]

    assert "default-src" not in policy
    assert "script-src" not in policy
    assert "object-src 'none'" in policy


def test_a_layout_that_prints_the_banner_itself_prints_it_once(make_app: MakeApp) -> None:
    app = make_app(config={"CONSENT_WIDGET_BASE_TEMPLATE": "host.html"})
    layout = LAYOUT.replace("{% block head %}", "{{ consent_head() }}{% block head %}").replace(
        "</body>", "{{ consent_banner() }}</body>"
    )
    write_template(app, "host.html", layout)

    page = read_page(app.test_client().get("/privacy/vi/"))

    assert len(page.all(data_consent_widget="banner")) == 1
    assert len(page.all("script", data_consent_widget="script")) == 1


def test_a_layout_that_does_not_exist_is_refused_at_the_first_request_by_its_name(make_app: MakeApp) -> None:
    app = add_pages(make_app(config={"CONSENT_WIDGET_BASE_TEMPLATE": "nowhere.html"}))

    with pytest.raises(SettingError, match=r"CONSENT_WIDGET_BASE_TEMPLATE: .*'nowhere\.html'"):
        app.test_client().get("/")


def test_every_variable_of_our_templates_is_given(make_app: MakeApp, clock: Clock) -> None:
    """With undefined names forbidden, every page in every state still prints."""
    app = make_app(config={"CONSENT_WIDGET_GPC_DECLARED": True})
    app.jinja_env.undefined = StrictUndefined
    add_page(app, "{{ consent_iframe('marketing', 'https://v.example/', 'V') }}{{ consent_cookie_table() }}")
    add_pages(app)
    undecided, decided = app.test_client(), app.test_client()
    decide(decided, *OPTIONAL)
    announce(widget_of(app).database, 2, ask_again=["marketing"])

    for step in range(2):
        for client in (undecided, decided):
            for path in ("/", "/page", *PAGES, "/privacy/en/", "/privacy/vi/versions/2"):
                for headers in ({}, {"Sec-GPC": "1"}):
                    assert client.get(path, headers=headers).status_code in (200, 404), path
        if step == 0:
            clock.tick(seconds=30)
    assert bare_client(app).get("/?consent_widget_saved=1").status_code == 200


def test_a_host_replaces_the_banner_by_a_template_of_the_same_path(make_app: MakeApp) -> None:
    app = add_pages(make_app())
    write_template(
        app,
        "consent_widget/consent/banner.html",
        '<form data-consent-widget="banner" method="post" action="{{ urls.preferences }}">'
        "{{ controller.name }}: {% for one in categories %}{{ one.title }} {% endfor %}{{ t('Reject all') }}</form>",
    )

    page = read_page(app.test_client().get("/?lang=en"))

    assert page.one(data_consent_widget="banner").text == "HTEK: Preferences Analytics Marketing Reject all"


def test_a_host_replaces_the_error_page_by_a_template_of_the_same_path(make_app: MakeApp) -> None:
    app = make_app()
    write_template(app, "consent_widget/consent/error.html", "{{ code }} {{ heading }} {{ back }}")

    response = app.test_client().get("/privacy/nowhere?lang=en")

    assert response.status_code == 404
    assert response.text.startswith("404 This page does not exist")


def test_autoescape_stays_on_where_a_host_is_named_with_tags(make_app: MakeApp) -> None:
    app = add_pages(make_app(config={"CONSENT_WIDGET_CONTROLLER": {"name": "<b>HTEK</b>", "contact": "<i>"}}))
    client = app.test_client()

    for path in ("/", "/privacy/vi/", "/privacy/preferences", "/privacy/nowhere"):
        assert "<b>HTEK</b>" not in client.get(path).text
        assert "<i>" not in client.get(path).text


def test_the_hosts_own_globals_and_filters_are_left_alone(make_app: MakeApp) -> None:
    app = make_app()

    assert "t" not in app.jinja_env.globals
    assert "lang" not in app.jinja_env.globals
    assert not [name for name in app.jinja_env.filters if "consent" in name]
    assert not app.jinja_env.extensions.keys() & {"jinja2.ext.InternationalizationExtension"}


def test_a_hosts_context_processor_cannot_change_our_words(make_app: MakeApp) -> None:
    """Hosts like to call things `t`, `lang` or `urls` too."""
    app = add_pages(make_app())
    app.context_processor(lambda: {"t": None, "lang": "xx", "urls": None, "assets": None, "categories": ()})
    client = app.test_client()

    assert client.get("/").status_code == 200
    assert read_page(client.get("/privacy/preferences?lang=en")).one("h1").text == "Cookie settings"
    assert read_page(client.get("/privacy/en/")).one("html")["lang"] == "en"
    assert decide(client, "analytics").status_code == 200


def test_our_templates_hold_no_logic_but_if_and_for() -> None:
    """The rule of the house: every value is decided in the view.

    Mails have no style sheet: there a macro keeps what each link and heading repeats.
    """
    allowed = {
        "if",
        "elif",
        "else",
        "endif",
        "for",
        "endfor",
        "include",
        "extends",
        "block",
        "endblock",
        "set",
    }
    for path in SOURCES.rglob("*.html"):
        found = set(re.findall(r"{%-?\s*(\w+)", path.read_text(encoding="utf-8")))
        more = {"import", "macro", "endmacro", "endset"} if path.parent.name == "mail" else set()
        assert found <= allowed | more, path
        assert not re.search(r"\|\s*safe\b", path.read_text(encoding="utf-8")), path
