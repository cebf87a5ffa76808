"""The pages of a subscription: GET shows, POST acts, every address gets the same answer, nothing needs a script."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from jinja2 import ChoiceLoader, DictLoader
from werkzeug.test import TestResponse

from consent_widget.core.links import MANAGE, UNDO
from consent_widget.core.subscription import State, Subscription
from consent_widget.storage import subscription as storage
from tests.conftest import MakeApp
from tests.factories import Clock, Element, announce, decide, deployment, read_page
from tests.letterbox import Letterbox
from tests.mailroom import MAIL

READER = "an@good.example"
SUBSCRIBE = "/privacy/subscribe"


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(config=MAIL)


@pytest.fixture
def box(app: Flask) -> Letterbox:
    return Letterbox(deployment(app))


def sign_up(client: FlaskClient, email: str = READER, **data: str) -> TestResponse:
    return client.post(SUBSCRIBE, data={"email": email, "lang": "vi"} | data)


def load(app: Flask, address: str = READER) -> Subscription:
    with deployment(app).database.reading() as connection:
        found = storage.find_by_identity(connection, address)
    assert found is not None
    return found


@pytest.fixture
def confirmed(app: Flask, client: FlaskClient, box: Letterbox) -> Callable[[], Subscription]:
    def make() -> Subscription:
        sign_up(client)
        box.collect()
        assert client.post(box.link(READER, "confirm")).status_code == 200
        return load(app)

    return make


def link(app: Flask, page: str, one: Subscription, purpose: str = "") -> str:
    purpose = purpose or {"subscription": MANAGE}.get(page, page)
    return f"/privacy/{page}/{deployment(app).links.seal(purpose, one.id, one.salt)}"


def heading(response: TestResponse | str) -> str:
    return read_page(response).one("h1").text


# Signing up


@pytest.mark.parametrize("language, words", [("vi", "Địa chỉ email"), ("en", "Email address")])
def test_the_form_is_a_plain_form(client: FlaskClient, language: str, words: str) -> None:
    page = read_page(client.get(f"{SUBSCRIBE}?lang={language}"))

    (form,) = page.one("main").all("form")
    assert (form["method"], form["action"]) == ("post", f"{SUBSCRIBE}?lang={language}")
    field = form.one("input", name="email")
    assert form.one("label", for_=field["id"]).text == words
    assert [one["value"] for one in form.all("option")] == ["vi", "en"]
    assert form.one("option", selected=None)["value"] == language
    assert not form.all("input", type="checkbox")


def test_the_form_says_what_one_agrees_to(client: FlaskClient) -> None:
    """Kind of data, purpose, controller, rights and age (Law 91/2025/QH15 Art. 9)."""
    text = read_page(client.get(f"{SUBSCRIBE}?lang=en")).one("main").one("form").text

    assert "HTEK keeps your address and language for this purpose alone, and sends no advertising." in text
    assert "unsubscribe with one click or have your data erased" in text
    assert "16 and over" in text


def test_a_sign_up_is_accepted_and_a_letter_goes_out(client: FlaskClient, box: Letterbox) -> None:
    response = sign_up(client)

    assert (response.status_code, heading(response)) == (202, "Hãy kiểm tra hộp thư của bạn")
    assert READER in read_page(response).one("main").text, "so that a slip is seen"
    assert box.collect() == [READER]


def test_the_answer_is_the_same_for_every_address(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription], clock: Clock
) -> None:
    confirmed()
    clock.tick(days=2)

    known, again, new = sign_up(client), sign_up(client), sign_up(client, "new@good.example")

    assert {known.status_code, again.status_code, new.status_code} == {202}
    assert known.data == again.data == new.data.replace(b"new@good.example", READER.encode())
    lengths = [int(one.headers.pop("Content-Length")) for one in (known, again, new)]
    assert lengths == [lengths[0], lengths[0], lengths[0] + len("new@good.example") - len(READER)]
    assert known.headers == again.headers == new.headers


@pytest.mark.parametrize("email", ["an", "an@localhost", "a@b@c.example", "<b>an</b>"])
def test_what_is_no_address_is_shown_again_with_what_is_wrong(client: FlaskClient, email: str) -> None:
    response = sign_up(client, email, lang="en")

    assert response.status_code == 400
    page = read_page(response)
    field = page.one("input", name="email")
    assert field["value"] == email
    assert "autofocus" in field
    assert field["aria-invalid"] == "true"
    assert page.one(id=field["aria-describedby"]).text.startswith(f"“{email}” is not an email address")
    assert page.one("title").text.startswith("Error: ")


@pytest.mark.parametrize("lang, words", [("vi", "không dấu"), ("en", "without them")])
def test_an_address_that_a_keyboard_gave_marks_is_told_so(client: FlaskClient, lang: str, words: str) -> None:
    """Telex and VNI turn "thuw" into "thư" while one types."""
    response = sign_up(client, "thư@good.example", lang=lang)

    assert response.status_code == 400
    assert words in read_page(response).one(id="consent-widget-email-error").text


def test_an_empty_address_is_asked_for(client: FlaskClient) -> None:
    page = read_page(sign_up(client, "", lang="vi"))

    assert page.one(id="consent-widget-email-error").text == "Vui lòng nhập địa chỉ email của bạn."


def test_programs_get_json(client: FlaskClient, box: Letterbox) -> None:
    response = client.post(SUBSCRIBE, json={"email": READER, "lang": "en"})

    assert response.status_code == 202
    assert response.json is not None
    assert response.json["status"] == "accepted"
    assert box.collect() == [READER]


@pytest.mark.parametrize(
    "body, code, field",
    [
        ({"email": "an"}, "email", "email"),
        ({}, "email", "email"),
        ({"email": ["an@good.example"]}, "bad_value", "email"),
        ({"email": {"a": 1}}, "bad_value", "email"),
        ({"email": READER, "lang": 5}, "bad_value", "lang"),
        ([READER], "bad_json", None),
    ],
)
def test_programs_are_told_what_is_wrong(
    client: FlaskClient, body: object, code: str, field: str | None
) -> None:
    response = client.post(SUBSCRIBE, json=body)

    assert response.status_code == 400
    assert response.json is not None
    error = response.json["error"]
    assert (error["code"], error["field"]) == (code, field)


def test_the_field_for_the_language_goes_before_the_browser(client: FlaskClient, box: Letterbox) -> None:
    response = client.post(SUBSCRIBE, data={"email": READER, "lang": "en"}, headers={"Accept-Language": "vi"})

    assert heading(response) == "Look into your mailbox"
    box.collect()
    assert box.mails(READER)[0]["Content-Language"] == "en"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("page", ["subscribe", "confirm", "subscription"])
def test_other_sites_may_not_post(
    app: Flask, client: FlaskClient, box: Letterbox, headers: dict[str, str], page: str
) -> None:
    sign_up(client)
    box.collect()
    one = load(app)
    path = {
        "subscribe": SUBSCRIBE,
        "confirm": box.link(READER, "confirm"),
        "subscription": link(app, "subscription", one),
    }[page]

    response = client.post(path, data={"action": "erase", "email": "b@good.example"}, headers=headers)

    assert response.status_code == 403
    assert load(app) == one


def test_too_many_from_one_network_are_told_when_to_come_back(client: FlaskClient, clock: Clock) -> None:
    for number in range(20):
        assert sign_up(client, f"reader{number}@good.example").status_code == 202

    response = sign_up(client, "one.more@good.example")

    assert (response.status_code, response.headers["Retry-After"]) == (429, "3600")
    page = read_page(response)
    assert page.one("main").one(role="alert").text.startswith("Có quá nhiều yêu cầu từ mạng của bạn")
    assert page.one("main").one("input", name="email")["value"] == "one.more@good.example"
    assert page.all(data_consent_widget="banner"), "one can still decide about cookies"
    as_json = client.post(SUBSCRIBE, json={"email": READER})
    assert as_json.json is not None
    assert (as_json.status_code, as_json.json["error"]["code"]) == (429, "too_many")
    assert client.get(SUBSCRIBE).status_code == 200
    clock.tick(hours=1)
    assert sign_up(client).status_code == 202


def test_a_database_that_is_away_is_said_in_the_readers_language(app: Flask, client: FlaskClient) -> None:
    with deployment(app).database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE cw_count RENAME TO elsewhere")

    response = sign_up(client, lang="en")

    assert (response.status_code, response.headers["Retry-After"]) == (503, "60")
    page = read_page(response)
    assert page.one("main").one(role="alert").text.startswith("We could not save this")
    assert page.one("main").one("input", name="email")["value"] == READER
    assert client.get(SUBSCRIBE).status_code == 200, "the page itself needs no database"


def test_a_body_that_is_too_large_is_refused(client: FlaskClient) -> None:
    assert client.post(SUBSCRIBE, data={"email": "a" * 20_000}).status_code == 413
    assert client.post(SUBSCRIBE, data="a@b.example", content_type="text/plain").status_code == 415
    assert (
        client.post(
            SUBSCRIBE, data="email=a&email=b", content_type="application/x-www-form-urlencoded"
        ).status_code
        == 400
    )


# The form in other pages


def test_the_notice_holds_the_form(client: FlaskClient) -> None:
    form = read_page(client.get("/privacy/vi/")).one("form", data_consent_widget="subscribe")

    assert (form["method"], form["action"]) == ("post", SUBSCRIBE)
    assert form.one("input", name="lang")["value"] == "vi"
    assert form.one("label").all("input", name="email")


def test_a_form_in_the_hosts_footer_stands_beside_no_other(make_app: MakeApp) -> None:
    app = make_app(config=MAIL | {"CONSENT_WIDGET_BASE_TEMPLATE": "host.html"})
    layout = (
        "<title>x</title>{% block content %}{% endblock %}<footer>{{ consent_subscribe_form() }}</footer>"
    )
    app.jinja_loader = ChoiceLoader([DictLoader({"host.html": layout}), app.jinja_loader or DictLoader({})])
    client, box = app.test_client(), Letterbox(deployment(app))
    answers = [client.get(SUBSCRIBE), sign_up(client, "an"), sign_up(client)]
    box.collect()
    one = load(app)
    answers += [client.get(box.link(READER, "confirm")), client.get("/privacy/confirm/nobody")]
    answers += [client.get(link(app, page, one)) for page in ("subscription", "unsubscribe")]

    for response in answers:
        assert not read_page(response).one("footer").all("form")
    notice = read_page(client.get("/privacy/vi/"))
    assert len(notice.all("form", data_consent_widget="subscribe")) == 1
    assert not notice.all("footer")[-1].all("form")
    assert read_page(client.get("/privacy/preferences")).one("footer").all("form")


# Confirming


def test_a_confirm_link_shows_one_button(client: FlaskClient, box: Letterbox, app: Flask) -> None:
    sign_up(client)
    box.collect()

    response = client.get(box.link(READER, "confirm"))

    (form,) = read_page(response).one("main").all("form")
    assert [button.text for button in form.all("button")] == ["Xác nhận"]
    assert READER not in response.text
    assert load(app).state is State.PENDING
    assert client.post(form["action"]).status_code == 200
    assert load(app).state is State.CONFIRMED


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
def test_only_post_changes_anything(app: Flask, client: FlaskClient, box: Letterbox, method: str) -> None:
    sign_up(client)
    box.collect()
    one = load(app)
    paths = [box.link(READER, "confirm"), link(app, "subscription", one), link(app, "unsubscribe", one)]

    for path in paths:
        response = client.open(f"{path}?action=erase&List-Unsubscribe=One-Click", method=method)
        assert response.status_code == (200 if method in ("GET", "HEAD") else 405)

    assert load(app) == one
    assert box.collect() == []


def test_a_used_link_says_so_kindly(
    client: FlaskClient, box: Letterbox, confirmed: Callable[[], Subscription]
) -> None:
    confirmed()

    for method in ("GET", "POST"):
        response = client.open(box.link(READER, "confirm"), method=method)
        assert (response.status_code, heading(response)) == (200, "Đã được xác nhận trước đó")
        assert not read_page(response).one("main").all("button")


def test_an_expired_link_offers_a_new_one_without_naming_the_address(
    app: Flask, client: FlaskClient, box: Letterbox, clock: Clock
) -> None:
    sign_up(client)
    box.collect()
    expired = box.link(READER, "confirm")
    clock.tick(days=4)

    response = client.post(expired)

    assert response.status_code == 410
    assert READER not in response.text
    button = read_page(response).one("main").one("button")
    assert (button["name"], button["value"]) == ("action", "again")
    sent = client.post(expired, data={"action": "again"})
    assert (sent.status_code, box.collect()) == (202, [READER])
    assert heading(sent) == "Hãy kiểm tra hộp thư của bạn"
    assert READER not in sent.text
    assert "đã nhập" not in sent.text, "nothing was typed"
    assert client.post(box.link(READER, "confirm")).status_code == 200
    assert load(app).state is State.CONFIRMED


def test_an_expired_link_of_a_new_address_asks_nobody_to_subscribe_again(
    app: Flask, client: FlaskClient, box: Letterbox, clock: Clock, confirmed: Callable[[], Subscription]
) -> None:
    client.post(
        link(app, "subscription", confirmed()),
        data={"action": "save", "email": "b@other.example", "lang": "vi"},
    )
    box.collect()
    clock.tick(days=4)

    page = read_page(client.get(box.link("b@other.example", "confirm"))).one("main")

    assert page.one("button")["value"] == "again"
    assert not [one for one in page.all("a") if one["href"].startswith(SUBSCRIBE)]


def test_a_link_that_another_replaced_says_that_all_is_well(client: FlaskClient, box: Letterbox) -> None:
    sign_up(client)
    box.collect()
    older = box.link(READER, "confirm")
    sign_up(client)
    box.collect()
    client.post(box.link(READER, "confirm"))

    response = client.get(older)

    assert response.status_code == 410
    assert "bạn đang nhận thông báo" in response.text
    assert not read_page(response).one("main").all("button")


def test_a_link_after_leaving_brings_nobody_back(
    app: Flask, client: FlaskClient, box: Letterbox, confirmed: Callable[[], Subscription]
) -> None:
    one = confirmed()
    client.post(link(app, "unsubscribe", one), data={"List-Unsubscribe": "One-Click"})

    response = client.post(box.link(READER, "confirm"))

    assert (response.status_code, heading(response)) == (200, "Bạn đã hủy đăng ký sau khi xác nhận")
    assert load(app).state is State.UNSUBSCRIBED


@pytest.mark.parametrize("page", ["confirm", "subscription", "unsubscribe"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", ["nobody", "A" * 43, "%00", "é", "a" * 5000, "WzEsIngiXQ.x.y"])
def test_an_unknown_link_is_not_found(client: FlaskClient, page: str, method: str, token: str) -> None:
    data = {"List-Unsubscribe": "One-Click", "action": "leave"} if page != "confirm" else None

    response = client.open(f"/privacy/{page}/{token}?lang=en", method=method, data=data)

    assert response.status_code == 404
    assert heading(response) == "This link does not work"


@pytest.mark.parametrize("page", ["confirm", "subscription", "unsubscribe"])
def test_pages_with_a_link_are_for_its_owner_alone(
    app: Flask, client: FlaskClient, box: Letterbox, page: str
) -> None:
    sign_up(client)
    box.collect()
    path = box.link(READER, "confirm") if page == "confirm" else link(app, page, load(app))

    for response in (client.get(path), client.get(f"/privacy/{page}/nobody")):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "strict-origin"
        assert response.headers["X-Robots-Tag"] == "noindex"
        assert not response.headers.getlist("Set-Cookie")
        assert not read_page(response).all(data_consent_widget="banner")


@pytest.mark.parametrize("page", ["confirm", "subscription", "unsubscribe"])
def test_the_host_cannot_loosen_who_learns_of_a_link(
    app: Flask, client: FlaskClient, box: Letterbox, page: str
) -> None:
    @app.after_request
    def set_own(response: Response) -> Response:
        response.headers["Referrer-Policy"] = "unsafe-url"
        response.headers["X-Robots-Tag"] = "all"
        return response

    sign_up(client)
    box.collect()
    path = box.link(READER, "confirm") if page == "confirm" else link(app, page, load(app))

    for response in (client.get(path), client.post(path), client.get(f"/privacy/{page}/nobody")):
        assert response.headers.getlist("Referrer-Policy") == ["strict-origin"]
        assert response.headers.getlist("X-Robots-Tag") == ["noindex"]
    assert client.get(SUBSCRIBE).headers["Referrer-Policy"] == "unsafe-url"


HOST_LAYOUT = """<!doctype html><title>{% block title %}{% endblock %}</title>{{ consent_head() }}
{{ consent_script("analytics", "https://stats.example/a.js") }}
{% if consent_granted("analytics") %}<script src="https://stats.example/b.js"></script>{% endif %}
{% call consent_script("analytics") %}/* inline */{% endcall %}
{{ consent_script("necessary", "/needed.js") }}
{{ consent_iframe("analytics", "https://stats.example/frame", "Stats") }}
<main>{% block content %}{% endblock %}</main>"""


@pytest.mark.parametrize("granted", [(), ("analytics",)])
@pytest.mark.parametrize("page", ["confirm", "subscription", "unsubscribe"])
def test_no_optional_script_can_read_a_link(make_app: MakeApp, page: str, granted: tuple[str, ...]) -> None:
    """Whoever has the address of such a page may leave, read and erase: location.href would hand it on."""
    app = make_app(config=MAIL | {"CONSENT_WIDGET_BASE_TEMPLATE": "host.html"})
    app.jinja_loader = ChoiceLoader(
        [DictLoader({"host.html": HOST_LAYOUT}), app.jinja_loader or DictLoader({})]
    )
    client, box = app.test_client(), Letterbox(deployment(app))
    decide(client, *granted)
    sign_up(client)
    box.collect()
    path = box.link(READER, "confirm") if page == "confirm" else link(app, page, load(app))
    assert "stats.example" in client.get(SUBSCRIBE).text

    for response in (client.get(path), client.post(path), client.get(f"/privacy/{page}/nobody")):
        assert "stats.example" not in response.text
        assert "inline" not in response.text
        assert [one["src"] for one in read_page(response).all("script")] == ["/needed.js"]


def test_nothing_else_is_asked_on_a_page_with_a_link(
    app: Flask, client: FlaskClient, box: Letterbox, clock: Clock
) -> None:
    """Neither the banner nor the bar of a coming version, whose form would take the link along."""
    sign_up(client)
    box.collect()
    announce(deployment(app).database, 2, effective_at=clock.now + timedelta(days=20))
    clock.tick(minutes=1)
    one = load(app)
    assert read_page(client.get(SUBSCRIBE)).all(data_consent_widget="notice-bar")

    for path in (box.link(READER, "confirm"), link(app, "unsubscribe", one)):
        (form,) = read_page(client.get(path)).all("form")
        assert len(form.all("button")) == 1


def test_the_page_speaks_the_language_of_the_mail(client: FlaskClient, box: Letterbox) -> None:
    client.post(SUBSCRIBE, data={"email": READER, "lang": "en"}, headers={"Accept-Language": "vi"})
    box.collect()
    path = box.link(READER, "confirm")

    assert heading(client.get(path, headers={"Accept-Language": "vi"})) == "Confirm your subscription"
    in_vietnamese = client.get(f"{path}?lang=vi")
    assert heading(in_vietnamese) == "Xác nhận đăng ký nhận thông báo"
    (form,) = read_page(in_vietnamese).one("main").all("form")
    assert heading(client.post(form["action"])) == "Bạn đã đăng ký nhận thông báo"


# Unsubscribing


ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def test_one_button_unsubscribes(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription]
) -> None:
    path = link(app, "unsubscribe", confirmed())

    (form,) = read_page(client.get(path)).one("main").all("form")
    (button,) = form.all("button")
    assert (button["name"], button["value"]) == ("List-Unsubscribe", "One-Click")
    response = client.post(form["action"], data={button["name"]: button["value"]})

    assert (response.status_code, heading(response)) == (200, "Bạn đã hủy đăng ký")
    assert "09:00" in response.text, "it says when that was received"
    assert load(app).state is State.UNSUBSCRIBED


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_mail_services_post_it_from_anywhere(
    app: Flask, confirmed: Callable[[], Subscription], kind: str
) -> None:
    """RFC 8058 section 3.2: neither cookie nor sign-in; either form."""
    path = link(app, "unsubscribe", confirmed())
    bare = app.test_client(use_cookies=False)

    for _ in range(3):
        response = bare.post(
            path,
            data=ONE_CLICK,
            content_type=kind,
            headers={"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"},
        )
        assert response.status_code == 200
        assert "Location" not in response.headers
        assert not response.headers.getlist("Set-Cookie")

    assert load(app).state is State.UNSUBSCRIBED


def test_the_field_counts_where_its_kind_is_not_told(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription]
) -> None:
    path = link(app, "unsubscribe", confirmed())

    assert client.post(path, data=b"List-Unsubscribe=One-Click").status_code == 200
    assert load(app).state is State.UNSUBSCRIBED


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"List-Unsubscribe": ""},
        {"List-Unsubscribe": "one-click"},
        {"list-unsubscribe": "One-Click"},
        {"action": "x"},
    ],
)
def test_without_the_field_nobody_leaves(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription], data: dict[str, str]
) -> None:
    path = link(app, "unsubscribe", confirmed())

    response = client.post(path, data=data)

    assert response.status_code == 400
    assert heading(response) == "Không đọc được yêu cầu này"
    assert load(app).state is State.CONFIRMED


def test_the_answer_offers_to_undo(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription]
) -> None:
    one = confirmed()
    left = client.post(link(app, "unsubscribe", one), data=ONE_CLICK)
    (form,) = read_page(left).one("main").all("form")
    button = form.one("button")

    response = client.post(form["action"], data={button["name"]: button["value"]})

    assert (response.status_code, heading(response)) == (200, "Bạn đã đăng ký nhận thông báo")
    assert load(app).state is State.CONFIRMED


@pytest.mark.parametrize("action", ["save", "export", "leave", "erase"])
def test_the_link_to_undo_opens_nothing_else(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription], action: str
) -> None:
    """An unsubscribe link stands in a header that mail services read; the page behind it leads to this one."""
    one = confirmed()
    client.post(link(app, "unsubscribe", one), data=ONE_CLICK)
    left = load(app)

    response = client.post(
        link(app, "subscription", one, UNDO), data={"action": action, "email": "b@c.example"}
    )

    assert READER not in response.text
    assert load(app) == left
    assert READER not in client.get(link(app, "subscription", one, UNDO)).text


def test_after_the_undo_its_address_says_that_one_is_subscribed(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription]
) -> None:
    one = confirmed()
    client.post(link(app, "unsubscribe", one), data=ONE_CLICK)
    path = link(app, "subscription", one, UNDO)
    client.post(path, data={"action": "undo"})

    assert heading(client.get(path)) == "Bạn đã đăng ký nhận thông báo"
    assert heading(client.get(f"{path}?lang=en")) == "You are subscribed"
    assert heading(client.post(path, data={"action": "leave"})) == "Bạn đã đăng ký nhận thông báo"
    assert load(app).state is State.CONFIRMED


def test_a_second_visit_says_that_one_has_left(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription]
) -> None:
    path = link(app, "unsubscribe", confirmed())
    client.post(path, data=ONE_CLICK)

    assert heading(client.get(path)) == "Bạn đã hủy đăng ký"


# Managing


def fields(page: Element) -> set[str]:
    return {one["value"] for one in page.one("main").all("button", name="action")}


def test_the_page_to_manage_shows_everything(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription]
) -> None:
    response = client.get(link(app, "subscription", confirmed()))

    page = read_page(response)
    assert READER in page.one("main").text
    assert "Đang nhận thông báo" in page.one("main").text
    assert fields(page) == {"save", "export", "leave"}


def test_language_and_address_are_saved(
    app: Flask, client: FlaskClient, box: Letterbox, confirmed: Callable[[], Subscription]
) -> None:
    path = link(app, "subscription", confirmed())

    response = client.post(path, data={"action": "save", "lang": "en", "email": "b@other.example"})

    page = read_page(response)
    assert response.status_code == 200
    assert page.one(role="status").text.startswith("Saved.")
    assert "b@other.example waits to be confirmed" in page.one("main").text
    assert box.collect() == ["b@other.example"]
    asked = client.get(box.link("b@other.example", "confirm"))
    assert heading(asked) == "Confirm your new address"
    done = client.post(box.link("b@other.example", "confirm"))
    assert heading(done) == "Your new address is confirmed"
    assert load(app, "b@other.example").language == "en"


def test_a_new_address_that_is_subscribed_itself_leads_to_its_own_subscription(
    app: Flask, client: FlaskClient, box: Letterbox, confirmed: Callable[[], Subscription]
) -> None:
    """The link of the one that has ended would show somebody who has just confirmed that they have left."""
    other = "b@other.example"
    path = link(app, "subscription", confirmed())
    sign_up(client, other)
    box.collect()
    client.post(path, data={"action": "save", "lang": "en", "email": other})
    box.collect()

    done = client.post(box.link(other, "confirm"))

    led = client.get(
        next(a["href"] for a in read_page(done).all("a") if "/subscription/" in (a["href"] or ""))
    )
    assert heading(done) == "Your new address is confirmed"
    assert other in read_page(led).one("main").text
    assert fields(read_page(led)) == {"save", "export", "leave"}
    for again in (client.get, client.post):
        assert heading(again(box.link(other, "confirm"))) == "This is confirmed already"


def test_one_keeps_reading_in_ones_language(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription]
) -> None:
    path = link(app, "subscription", confirmed())

    response = client.post(f"{path}?lang=en", data={"action": "save", "lang": "vi", "email": ""})

    assert read_page(response).one(role="status").text == "Your changes are saved."


def test_a_wrong_new_address_is_shown_again(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription]
) -> None:
    one = confirmed()

    response = client.post(
        link(app, "subscription", one), data={"action": "save", "lang": "en", "email": "b@"}
    )

    assert response.status_code == 400
    field = read_page(response).one("input", name="email")
    assert field["value"] == "b@"
    assert "consent-widget-email-error" in field["aria-describedby"].split()
    assert load(app) == one


def test_programs_read_and_change_a_subscription(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription]
) -> None:
    path = link(app, "subscription", confirmed())

    read = client.get(path, headers={"Accept": "application/json"})
    assert read.json is not None
    assert (read.status_code, read.json["address"]) == (200, READER)
    wrong = client.post(path, json={"action": "save", "lang": "fr"})
    assert wrong.json is not None
    assert (wrong.status_code, wrong.json["error"]["field"]) == (400, "lang")
    client.post(path, json={"action": "leave"})
    refused = client.post(path, json={"action": "save", "lang": "en"})
    assert refused.json is not None
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "wrong_state")


def test_the_copy_is_a_file(app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription]) -> None:
    response = client.post(link(app, "subscription", confirmed()), data={"action": "export"})

    assert response.headers["Content-Disposition"] == 'attachment; filename="subscription.json"'
    assert response.headers["Cache-Control"] == "no-store"
    assert json.loads(response.data)["address"] == READER


def test_leaving_and_coming_back_on_the_page(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription]
) -> None:
    path = link(app, "subscription", confirmed())

    left = read_page(client.post(path, data={"action": "leave"}))

    assert left.one(role="status").text.startswith("Bạn đã hủy đăng ký.")
    assert fields(left) == {"undo", "export"}
    assert (load(app).state, load(app).reason) == (State.UNSUBSCRIBED, "page")
    client.post(path, data={"action": "undo"})
    assert load(app).state is State.CONFIRMED


def test_erasing_is_asked_for_twice(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription]
) -> None:
    path = link(app, "subscription", confirmed())
    (way,) = [
        one["href"] for one in read_page(client.get(path)).one("main").all("a") if "step=erase" in one["href"]
    ]
    asked = read_page(client.get(way))
    assert asked.one("h1").text == "Xóa dữ liệu của bạn?"
    assert load(app).address == READER
    (form,) = asked.one("main").all("form")

    done = client.post(form["action"], data={"action": form.one("button")["value"]})

    assert (done.status_code, heading(done)) == (200, "Dữ liệu của bạn đã được xóa")
    gone = client.get(path)
    assert (gone.status_code, heading(gone)) == (410, "Dữ liệu của bạn đã được xóa")
    assert client.post(path, data={"action": "undo"}).status_code == 200
    with deployment(app).database.reading() as connection:
        assert storage.find_by_identity(connection, READER) is None


def test_links_of_one_who_was_erased_answer_kindly(
    app: Flask, client: FlaskClient, box: Letterbox, confirmed: Callable[[], Subscription]
) -> None:
    one = confirmed()
    client.post(link(app, "subscription", one), data={"action": "erase"})

    assert client.get(link(app, "unsubscribe", one)).status_code == 200
    assert client.post(link(app, "unsubscribe", one), data=ONE_CLICK).status_code == 200
    assert client.post(box.link(READER, "confirm")).status_code == 404


@pytest.mark.parametrize("action", ["", "nonsense", "SAVE"])
def test_an_unknown_action_is_refused(
    app: Flask, client: FlaskClient, confirmed: Callable[[], Subscription], action: str
) -> None:
    one = confirmed()

    response = client.post(link(app, "subscription", one), data={"action": action})

    assert response.status_code == 400
    assert load(app) == one


def test_nothing_is_cached_and_no_address_reaches_the_log(
    app: Flask, client: FlaskClient, box: Letterbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    sign_up(client)
    box.collect()
    token = box.link(READER, "confirm").rpartition("/")[2]
    client.post(box.link(READER, "confirm"))
    with deployment(app).database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE cw_subscription RENAME TO elsewhere")
    assert sign_up(client).status_code == 503
    assert client.get(box.link(READER, "confirm")).status_code == 503

    assert READER not in caplog.text
    assert token not in caplog.text
