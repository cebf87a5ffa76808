"""What the template functions print: markup the script, the styles and the hosts rely on."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from consent_widget.core.errors import UnknownCategory
from consent_widget.core.language import Localized
from consent_widget.core.notice import ChangeClass
from tests.conftest import MakeApp
from tests.factories import (
    OPTIONAL,
    Clock,
    Element,
    add_page,
    add_pages,
    announce,
    counted_statements,
    decide,
    deployment,
    read_page,
)

FUNCTIONS = {
    "consent_head",
    "consent_skip_link",
    "consent_banner",
    "consent_granted",
    "consent_script",
    "consent_iframe",
    "consent_settings_link",
    "consent_notice_link",
    "consent_cookie_table",
    "consent_subscribe_form",
}


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return add_pages(app).test_client()


def home(client: FlaskClient, path: str = "/?lang=en", **options: Any) -> Element:
    return read_page(client.get(path, **options))


def printed(app: Flask, template: str, *granted: str, lang: str = "en") -> str:
    """What ``template`` gives for a visitor who granted ``granted``; nobody decided where there is none."""
    client = add_page(app, template).test_client()
    if granted:
        decide(client, *granted)
    return client.get(f"/page?lang={lang}").text


def test_every_function_of_this_release_is_there(app: Flask) -> None:
    assert set(app.jinja_env.globals) >= FUNCTIONS


# consent_head


def test_the_undecided_get_the_whole_script(app: Flask, client: FlaskClient) -> None:
    (script,) = home(client).one("head").all("script")

    assert "async" in script
    assert script["src"].startswith("/privacy/assets/consent.")
    assert script["data-consent-widget"] == "script"
    assert script["data-cookie"] == "consent_view"
    assert script["data-notice"] == "1"
    assert script["data-state"] == ".".join(f"{name}:-1" for name in sorted(OPTIONAL))
    assert "data-signal" not in script
    assert "nonce" not in script
    assert client.get(script["src"]).status_code == 200


def test_who_has_decided_gets_the_small_one(client: FlaskClient) -> None:
    decide(client, "analytics")

    (script,) = home(client).one("head").all("script")

    assert script["src"].startswith("/privacy/assets/loader.")
    assert script["data-state"] == "analytics:1.marketing:0.preferences:0"
    assert client.get(script["src"]).status_code == 200


def test_the_small_script_names_the_whole_one_as_it_is_served(app: Flask, client: FlaskClient) -> None:
    urls = app.extensions["consent_widget"].host.asset_urls
    name = urls["consent.js"].rpartition("/")[2]

    assert f'import("./{name}")' in client.get(urls["loader.js"]).text


def test_the_signal_stands_in_the_first_bytes(client: FlaskClient) -> None:
    (script,) = home(client, headers={"Sec-GPC": "1"}).one("head").all("script")

    assert script["data-signal"] == "gpc"
    assert script["data-state"] == "analytics:0.marketing:0.preferences:0"


def test_over_https_the_script_reads_the_prefixed_mirror(client: FlaskClient) -> None:
    script = home(client, base_url="https://localhost").one("script", data_consent_widget="script")

    assert script["data-cookie"] == "__Host-consent_view"


def test_everything_of_ours_carries_the_hosts_nonce(make_app: MakeApp) -> None:
    app = make_app(csp_nonce=lambda: "n0nce")
    add_page(
        app,
        "{{ consent_head() }}{{ consent_script('analytics', '/a.js') }}"
        "{{ consent_iframe('marketing', 'https://v.example/', 'Video') }}{{ consent_banner() }}",
    )
    page = read_page(app.test_client().get("/page"))

    inline = page.all("style") + page.all("script")
    assert len(inline) >= 3
    assert {one["nonce"] for one in inline} == {"n0nce"}
    assert all("data-consent-widget" in one for one in page.all("style"))


def test_with_a_nonce_the_style_is_inline_and_before_the_banner(make_app: MakeApp) -> None:
    app = make_app(csp_nonce=lambda: "n0nce")
    page = read_page(add_page(app, "{{ consent_banner() }}").test_client().get("/page"))

    kinds = [one.tag for one in page.all() if one.tag in ("style", "section", "link")]
    assert kinds[:2] == ["style", "section"]
    assert page.all("link") == []


@pytest.mark.parametrize("nonce", [None, ""])
def test_without_a_nonce_the_style_is_linked_right_before_the_banner(
    make_app: MakeApp, nonce: str | None
) -> None:
    app = make_app(csp_nonce=lambda: nonce)
    page = read_page(add_page(app, "{{ consent_banner() }}").test_client().get("/page"))

    kinds = [one.tag for one in page.all() if one.tag in ("style", "section", "link")]
    assert kinds[:2] == ["link", "section"]
    assert page.one("link")["href"].startswith("/privacy/assets/widget.")


# consent_banner


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_banner_is_a_form_that_works_without_scripts(client: FlaskClient, lang: str) -> None:
    page = home(client, f"/?lang={lang}&a=1")

    form = page.one(data_consent_widget="banner")
    assert (form.tag, form["method"], form["action"]) == ("form", "post", "/privacy/preferences")
    accept = form.one("button", name="action", value="accept_all")
    reject = form.one("button", name="action", value="reject_all")
    assert accept["class"] == reject["class"]
    assert accept.text
    assert reject.text
    assert form.one(data_consent="open-preferences")["href"] == f"/privacy/preferences?lang={lang}"
    assert form.one("input", name="next")["value"] == f"/?lang={lang}&a=1"
    assert form.one("input", name="notice")["value"] == "1"
    assert form.one("input", name="verify")["value"] == "1"
    assert form.all("input", type="checkbox") == []
    (section,) = [one for one in page.all("section") if one.all(data_consent_widget="banner")]
    assert section["lang"] == lang
    assert page.one(id=section["aria-labelledby"]).text
    assert "hidden" not in section
    assert "role" not in section or section["role"] != "dialog"


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_banner_says_what_the_law_asks_for(app: Flask, client: FlaskClient, lang: str) -> None:
    """Controller, purposes, what is sensitive, that one may withdraw, and the notice (law.md M02 to M05)."""
    form = home(client, f"/?lang={lang}").one(data_consent_widget="banner")

    assert "HTEK" in form.text
    register = deployment(app).register
    for name in register.optional:
        assert register[name].title[lang] in form.text
        assert register[name].purpose[lang] in form.text
    sensitive = {"vi": "dữ liệu cá nhân nhạy cảm", "en": "sensitive personal data"}[lang]
    assert sensitive in form.text.lower()
    assert {"vi": "rút", "en": "withdraw"}[lang] in form.text.lower()
    assert f"/privacy/{lang}/" in [one["href"] for one in form.all("a")]


def test_a_decided_page_carries_no_banner_markup(client: FlaskClient) -> None:
    decide(client, action="reject_all")

    page = home(client)

    assert page.all(data_consent_widget="banner") == []
    assert page.all(id="consent-widget") == page.all("section") == []
    assert page.all(data_consent_widget="skip") == []
    assert page.all("style") + page.all("link") + page.all("dialog") == []


def test_the_signal_shows_no_banner(client: FlaskClient) -> None:
    assert home(client, headers={"Sec-GPC": "1"}).all(data_consent_widget="banner") == []


@pytest.mark.parametrize("value", ["0", "true", "", " 11", "on", "1;q=1", "-1"])
def test_any_other_value_is_no_signal(client: FlaskClient, value: str) -> None:
    assert home(client, headers={"Sec-GPC": value}).all(data_consent_widget="banner")


def test_a_partly_decided_visitor_is_asked_and_told_what_was_chosen(client: FlaskClient) -> None:
    decide(client, "analytics", action="add")

    form = home(client).one(data_consent_widget="banner")

    (allowed,) = [one for one in form.all("li") if "allowed by you" in one.text]
    assert "Analytics" in allowed.text


def test_who_is_asked_again_is_told_what_changed(app: Flask, client: FlaskClient, clock: Clock) -> None:
    decide(client, *OPTIONAL)
    announce(deployment(app).database, 2, ask_again=["marketing"])
    clock.tick(seconds=30)

    form = home(client).one(data_consent_widget="banner")

    assert "We ask you again about: Marketing." in form.text
    assert "What changed (en)" in form.text
    assert "/privacy/en/versions/2" in [one["href"] for one in form.all("a")]
    assert form.one("input", name="notice")["value"] == "2"


@pytest.mark.parametrize("page", ["/", "/privacy/preferences"])
def test_the_versions_that_ask_again_are_named_not_the_newest(
    app: Flask, client: FlaskClient, clock: Clock, page: str
) -> None:
    """A correction that came later is not why we ask, nor is what was asked about something decided since."""
    decide(client, *OPTIONAL)
    database = deployment(app).database
    announce(database, 2, ask_again=["marketing"])
    announce(database, 3, change_class=ChangeClass.EDITORIAL)
    announce(database, 4, ask_again=["analytics", "preferences"])
    announce(database, 5, change_class=ChangeClass.IMPORTANT, ask_again=["marketing"])
    clock.tick(seconds=30)

    links = [one["href"] for one in read_page(client.get(f"{page}?lang=en")).all("a")]

    assert [one for one in links if "/versions/" in one] == [
        "/privacy/en/versions/2",
        "/privacy/en/versions/4",
    ]


def test_an_expired_choice_is_asked_for_anew_not_again(app: Flask, client: FlaskClient, clock: Clock) -> None:
    decide(client, *OPTIONAL)
    announce(deployment(app).database, 2, ask_again=["marketing"])
    clock.tick(days=183)

    assert "We ask you again" not in home(client).text


def test_what_a_host_named_its_page_is_escaped(client: FlaskClient) -> None:
    text = client.get('/?lang=en&x="><script>alert(1)</script>').text

    assert "<script>alert" not in text
    assert len(read_page(text).all(data_consent_widget="banner")) == 1


def test_the_banner_before_the_first_notice_still_works(make_app: MakeApp, clock: Clock) -> None:
    clock.tick(days=-365)
    app = add_pages(make_app())

    page = home(app.test_client())

    form = page.one(data_consent_widget="banner")
    assert form.all("input", name="notice") == []
    assert page.one("script", data_consent_widget="script")["data-notice"] == "0"


# consent_skip_link


def test_the_skip_link_leads_to_the_banner(client: FlaskClient) -> None:
    page = home(client)

    link = page.one("a", data_consent_widget="skip")
    target = page.one(id=link["href"].removeprefix("#"))
    assert target["data-consent-widget"] == "banner"
    assert target["tabindex"] == "-1"
    assert link.text or link["aria-label"]


# consent_granted


def test_consent_granted_is_true_or_false(make_app: MakeApp) -> None:
    template = (
        "{% for one in ('analytics', 'marketing', 'necessary') %}{{ consent_granted(one) }} {% endfor %}"
    )

    assert printed(make_app(), template) == "False False True "
    assert printed(make_app(), template, "analytics") == "True False True "


@pytest.mark.parametrize(
    "call",
    [
        "consent_granted('analytic')",
        "consent_script('analytic', '/a.js')",
        "consent_iframe('analytic', '/', 'T')",
    ],
)
def test_an_unknown_category_raises_with_the_known_ones(app: Flask, call: str) -> None:
    with pytest.raises(UnknownCategory, match="There is no category 'analytic'"):
        printed(app, "{{ " + call + " }}")


# consent_script


@pytest.mark.parametrize(
    "call, blocked, live",
    [
        (
            "'analytics', 'https://a.example/a.js'",
            {"type": "text/plain", "data-category": "analytics", "data-src": "https://a.example/a.js"},
            {"src": "https://a.example/a.js"},
        ),
        (
            "'analytics', '/a.js', async_=True, defer=False, integrity=None, crossorigin='anonymous'",
            {
                "type": "text/plain",
                "data-category": "analytics",
                "data-src": "/a.js",
                "async": None,
                "crossorigin": "anonymous",
            },
            {"src": "/a.js", "async": None, "crossorigin": "anonymous"},
        ),
        (
            "'analytics', '/a.js', type='module', data_service='ga4'",
            {
                "type": "text/plain",
                "data-category": "analytics",
                "data-src": "/a.js",
                "data-type": "module",
                "data-service": "ga4",
            },
            {"src": "/a.js", "type": "module", "data-service": "ga4"},
        ),
        (
            "'analytics', '/a.js?x=1&y=\"<'",
            {"type": "text/plain", "data-category": "analytics", "data-src": '/a.js?x=1&y="<'},
            {"src": '/a.js?x=1&y="<'},
        ),
    ],
)
def test_a_script_is_blocked_until_it_is_granted(
    make_app: MakeApp, call: str, blocked: dict[str, Any], live: dict[str, Any]
) -> None:
    template = "{{ consent_script(" + call + ") }}"

    for granted, expected in (((), blocked), (("marketing",), blocked), (("analytics",), live)):
        (script,) = read_page(printed(make_app(), template, *granted)).all()
        assert script.tag == "script"
        assert script.attributes == expected


def test_a_script_of_a_necessary_category_is_live_at_once(app: Flask) -> None:
    assert printed(app, "{{ consent_script('necessary', '/a.js') }}") == '<script src="/a.js"></script>'


def test_an_inline_body_stays_as_it_was_written(make_app: MakeApp) -> None:
    body = 'if (1 < 2 && "a") { run(); }'
    template = "{% call consent_script('analytics') %}" + body + "{% endcall %}"

    assert (
        printed(make_app(), template)
        == f'<script type="text/plain" data-category="analytics">{body}</script>'
    )
    assert printed(make_app(), template, "analytics") == f"<script>{body}</script>"


def test_an_inline_body_carries_the_nonce_blocked_and_live(make_app: MakeApp) -> None:
    template = "{% call consent_script('analytics') %}run(){% endcall %}"

    for granted in ((), ("analytics",)):
        text = printed(make_app(csp_nonce=lambda: "n0nce"), template, *granted)
        assert read_page(text).one("script")["nonce"] == "n0nce"


def test_a_variable_in_an_inline_body_is_escaped_like_everywhere(app: Flask) -> None:
    template = "{% set x = '</script><b>' %}{% call consent_script('analytics') %}v = '{{ x }}'{% endcall %}"

    assert "</script><b>" not in printed(app, template)


# consent_iframe

FRAME = (
    "{{ consent_iframe('marketing', 'https://v.example/x?a=1&b=2', 'Our video',"
    " width='560', allowfullscreen=True) }}"
)


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_blocked_frame_has_no_address_and_a_placeholder_that_asks(app: Flask, lang: str) -> None:
    page = read_page(printed(app, FRAME, lang=lang))

    frame = page.one("iframe")
    assert "src" not in frame
    assert frame["data-src"] == "https://v.example/x?a=1&b=2"
    assert (frame["data-category"], frame["title"], frame["width"]) == ("marketing", "Our video", "560")
    assert frame.attributes["allowfullscreen"] is None
    form = page.one("form")
    assert (form["method"], form["action"]) == ("post", "/privacy/preferences")
    assert form.one("button", name="action", value="add").text
    assert form.one("input", name="category")["value"] == "marketing"
    assert form.one("input", name="next")["value"] == f"/page?lang={lang}"
    assert form.one("input", name="verify")["value"] == "1"
    assert "v.example" in form.text
    assert {"vi": "Tiếp thị", "en": "Marketing"}[lang] in form.text
    assert f"/privacy/{lang}/" in [one["href"] for one in form.all("a")]


def test_a_granted_frame_is_live_and_alone(app: Flask) -> None:
    page = read_page(printed(app, FRAME, "marketing"))

    (frame,) = page.all()
    assert frame.tag == "iframe"
    assert frame["src"] == "https://v.example/x?a=1&b=2"
    assert "data-src" not in frame
    assert (frame["data-category"], frame["title"]) == ("marketing", "Our video")


def test_the_style_is_printed_with_the_first_blocked_frame_only(app: Flask) -> None:
    page = read_page(printed(app, FRAME + FRAME))

    assert len(page.all("iframe")) == 2
    assert len(page.all("link")) == 1


def test_the_placeholder_grants_that_category_alone_and_leads_back(app: Flask) -> None:
    client = add_page(app, FRAME).test_client()
    form = read_page(client.get("/page")).one("form")

    answer = client.post(
        form["action"], data={one["name"]: one["value"] for one in form.all("input")} | {"action": "add"}
    )

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/page")
    assert client.get("/privacy/state").get_json()["categories"] == {
        "preferences": "undecided",
        "analytics": "undecided",
        "marketing": "granted",
    }


@pytest.mark.parametrize(
    "src",
    [
        "/own/frame",
        "//v.example/x",
        "https://v.example:8080/",
        "about:blank",
        "https://[::1]/",
        "https://[bad",
    ],
)
def test_a_frame_of_any_address_is_printed(app: Flask, src: str) -> None:
    page = read_page(printed(app, "{{ consent_iframe('marketing', '" + src + "', 'T') }}"))

    assert page.one("iframe")["data-src"] == src


# Links and the table


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("granted", [(), ("analytics",)])
def test_settings_and_notice_are_always_one_click_away(
    make_app: MakeApp, lang: str, granted: tuple[str, ...]
) -> None:
    page = read_page(
        printed(make_app(), "{{ consent_settings_link() }} {{ consent_notice_link() }}", *granted, lang=lang)
    )

    settings, notice = page.all("a")
    assert (settings["href"], settings["data-consent"]) == (
        f"/privacy/preferences?lang={lang}",
        "open-preferences",
    )
    assert notice["href"] == f"/privacy/{lang}/"
    assert settings["lang"] == notice["lang"] == lang
    assert settings.text
    assert notice.text


def _in(lang: str, words: str | Localized) -> str:
    return words if isinstance(words, str) else words[lang]


@pytest.mark.parametrize(
    "lang, expected",
    [
        (
            "vi",
            "và đăng nhập HTEK, ngay trên trang web này Giữ phiên làm việc và phiên đăng nhập của bạn. Nhận",
        ),
        (
            "en",
            "Session and sign-in HTEK, on this website Keeps your session and your sign-in. Recognises you",
        ),
    ],
)
def test_the_table_tells_of_our_own_cookies_in_the_readers_language(
    app: Flask, lang: str, expected: str
) -> None:
    """What for, and why it needs no consent."""
    assert expected in read_page(printed(app, "{{ consent_cookie_table() }}", lang=lang)).text


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_table_names_every_cookie_with_service_country_and_time(app: Flask, lang: str) -> None:
    page = read_page(printed(app, "{{ consent_cookie_table() }}", lang=lang))

    tables = page.all("table")
    assert len(tables) == 4
    assert all(one.all("caption") and len(one.all("th", scope="col")) == 3 for one in tables)
    text = page.text
    for category in deployment(app).register:
        assert category.title[lang] in text
        for service in category.services:
            assert _in(lang, service.name) in text
            assert f"{_in(lang, service.provider)}, {_in(lang, service.country)}" in text
            assert service.purpose[lang] in text
            for cookie in service.cookies:
                in_use = not cookie.label.startswith("__") and cookie.label != "remember_token"
                assert (cookie.label in [one.text for one in page.all("code")]) is in_use
    assert {"vi": "90 ngày", "en": "90 days"}[lang] in text


def test_the_table_names_the_cookies_of_the_scheme_one_came_by(app: Flask) -> None:
    client = add_page(app, "{{ consent_cookie_table() }}").test_client()

    for base_url, name in (("http://localhost", "consent"), ("https://localhost", "__Host-consent")) * 2:
        names = [one.text for one in read_page(client.get("/page", base_url=base_url)).all("code")]
        assert [one for one in names if "consent" in one] == [name, f"{name}_view", "consent_seen"]


def test_the_table_and_the_links_read_nothing_of_the_visitor(app: Flask) -> None:
    client = add_page(
        app,
        "{{ consent_cookie_table() }}{{ consent_settings_link() }}{{ consent_notice_link() }}"
        "{{ consent_subscribe_form() }}",
    ).test_client()

    response = client.get("/page?lang=en")

    assert "private" not in response.headers.get("Cache-Control", "")
    assert "Vary" not in response.headers


def test_flask_logins_cookie_is_shown_where_flask_login_is_in_use_only(make_app: MakeApp) -> None:
    plain, login = make_app(), make_app()
    login.login_manager = object()  # type: ignore[attr-defined]

    assert "remember_token" not in printed(plain, "{{ consent_cookie_table() }}")
    assert "remember_token" in printed(login, "{{ consent_cookie_table() }}")


# Together


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("granted", [(), ("analytics",)])
def test_a_page_holds_no_handler_no_style_attribute_and_no_foreign_address(
    client: FlaskClient, lang: str, granted: tuple[str, ...]
) -> None:
    if granted:
        decide(client, *granted)

    page = home(client, f"/?lang={lang}")

    for element in page.all():
        assert not [name for name in element.attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href", "action"):
            assert not element.attributes.get(name) or element[name].startswith(("/", "#"))


def test_ids_stand_once_and_references_lead_somewhere(client: FlaskClient) -> None:
    page = home(client)

    ids = [one["id"] for one in page.all() if "id" in one]
    assert len(ids) == len(set(ids))
    for one in page.all():
        for name in ("aria-labelledby", "aria-describedby"):
            if name in one:
                assert set(one[name].split()) <= set(ids)


@pytest.mark.parametrize("granted", [("analytics",), (), OPTIONAL], ids=["some", "none", "all"])
def test_a_decided_visitors_page_view_asks_no_database(
    app: Flask, client: FlaskClient, granted: tuple[str, ...]
) -> None:
    decide(client, *granted)
    home(client)

    with counted_statements(deployment(app).database.engine) as statements:
        for _ in range(3):
            home(client)

    assert statements == []


def test_an_undecided_visitors_page_view_asks_no_database_either(app: Flask, client: FlaskClient) -> None:
    home(client)

    with counted_statements(deployment(app).database.engine) as statements:
        home(client)

    assert statements == []


def _nonce_that_fails() -> str:
    raise ZeroDivisionError


@pytest.mark.parametrize("path, csp_nonce", [("/plain", _nonce_that_fails)])
def test_the_nonce_is_asked_for_only_where_something_of_ours_is_printed(
    make_app: MakeApp, path: str, csp_nonce: Callable[[], str]
) -> None:
    client = add_pages(make_app(csp_nonce=csp_nonce)).test_client()

    assert client.get(path).status_code == 200


@pytest.mark.parametrize("lang, button", [("vi", "Đăng ký nhận thông báo"), ("en", "Subscribe")])
def test_the_form_to_subscribe_stands_in_a_page_once(app: Flask, lang: str, button: str) -> None:
    page = read_page(
        printed(app, "{{ consent_subscribe_form() }}<hr>{{ consent_subscribe_form() }}", lang=lang)
    )

    forms = page.all("form", data_consent_widget="subscribe")
    assert len(forms) == 1
    for form in forms:
        assert (form["method"], form["action"], form["lang"]) == ("post", "/privacy/subscribe", lang)
        assert form.one("button").text == button
        assert form.one("label").all("input", name="email", type="email")
        assert form.one("input", name="lang")["value"] == lang
        assert form.one("a")["href"] == f"/privacy/{lang}/"
        assert "HTEK" in form.text, "who keeps the address"
        assert not [one for one in form.all() if "id" in one]
