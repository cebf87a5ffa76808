"""The demonstration's mailbox: what was sent, as its readers see it."""

import shutil
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask

from consent_widget.mail.url import open_transport
from demo_site import create_app
from tests import factories
from tests.factories import Element, read_page


@pytest.fixture
def app(tmp_path: Path, prepared_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setenv("DEMO_DIR", str(tmp_path))
    monkeypatch.setenv("DEMO_NOW", factories.NOW.isoformat())
    monkeypatch.setenv("PORT", "5999")
    shutil.copyfile(prepared_sqlite, tmp_path / "consent.sqlite3")
    made = create_app()
    yield made
    factories.close(made)


def post(app: Flask, subject: str = "Chào bạn", text: str = "", html: str = "", **headers: str) -> bytes:
    """Put a mail where the worker puts them; its bytes."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = "Công ty Cổ phần Đầu tư Phát triển Công nghệ HTEK <privacy@demo.example>"
    mail["To"] = "khach@vidu.example"
    mail["Subject"] = subject
    mail["Content-Language"] = "vi"
    mail["Date"] = "Tue, 01 Dec 2026 18:30:00 +0000"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text or "Xin chào.", cte="quoted-printable")
    if html:
        mail.add_alternative(html, subtype="html", cte="quoted-printable")
    transport = open_transport(app.config["CONSENT_WIDGET_MAIL_URL"])()
    reply = transport.send(mail.as_bytes(), sender="bounce@demo.example", recipient="khach@vidu.example")
    transport.close()
    assert reply.code == "2.0.0", reply
    return mail.as_bytes()


def shown(app: Flask, path: str = "/mailbox?lang=en") -> list[Element]:
    response = app.test_client().get(path)
    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"]
    return read_page(response).all("article")


def test_an_empty_one_leads_to_the_notice_and_its_form(app: Flask) -> None:
    page = read_page(app.test_client().get("/mailbox?lang=vi"))

    assert page.all("article") == []
    assert "Chưa có email nào" in page.text
    (message,) = page.all(class_="message")
    assert message.one("a")["href"].startswith("/privacy/")


def test_a_mail_stands_with_its_reader_text_and_links(app: Flask) -> None:
    post(
        app,
        text="Mở trang này: http://127.0.0.1:5999/privacy/confirm/a-b_c.\nHết.",
        List_Unsubscribe="<http://127.0.0.1:5999/privacy/unsubscribe/x.y>",
    )

    (mail,) = shown(app)

    assert (mail["data-to"], mail["data-subject"]) == ("khach@vidu.example", "Chào bạn")
    assert "Mở trang này" in mail.text
    assert "HTEK <privacy@demo.example>" in mail.text.replace("&lt;", "<")
    assert "Phát triển" in mail.text, "a long name that was cut is joined"
    assert "2/12/2026 1:30" in mail.text, "the time in Viet Nam"
    assert [link["href"] for link in mail.all("a")] == [
        "http://127.0.0.1:5999/privacy/unsubscribe/x.y",
        "http://127.0.0.1:5999/privacy/confirm/a-b_c",
        "/mailbox/1.eml",
    ]


def test_the_newest_stands_first_and_addresses_stay(app: Flask) -> None:
    for number in range(1, 4):
        post(app, subject=f"Thư {number}")

    assert [one["data-subject"] for one in shown(app)] == ["Thư 3", "Thư 2", "Thư 1"]
    before = app.test_client().get("/mailbox/2.eml").data
    post(app, subject="Thư 4")
    assert app.test_client().get("/mailbox/2.eml").data == before


def test_the_raw_mail_is_the_one_that_left(app: Flask) -> None:
    sent = post(app, text="Một dòng.\n.một dấu chấm đầu dòng\n")

    response = app.test_client().get("/mailbox/1.eml")

    assert response.mimetype == "message/rfc822"
    assert response.data.replace(b"\r\n", b"\n").endswith(sent.replace(b"\r\n", b"\n"))
    found = message_from_bytes(response.data, policy=policy.default)
    assert (found["Delivered-To"], found["Return-Path"]) == ("khach@vidu.example", "<bounce@demo.example>")


@pytest.mark.parametrize("path", ["/mailbox/0.eml", "/mailbox/2.eml", "/mailbox/2.html", "/mailbox/1.html"])
def test_what_is_not_there_is_not_found(app: Flask, path: str) -> None:
    post(app)

    assert app.test_client().get(path).status_code == 404


def test_the_html_of_a_mail_can_run_nothing(app: Flask) -> None:
    post(
        app,
        html="<html><head><title>x</title></head><body><p>Chào</p><script>alert(1)</script></body></html>",
    )

    response = app.test_client().get("/mailbox/1.html")

    rules = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in rules
    assert "sandbox" in rules
    assert "allow-scripts" not in rules
    assert "frame-ancestors 'none'" not in rules, "the page shows it in a frame"
    (frame,) = shown(app)[0].all("iframe")
    assert frame["src"] == "/mailbox/1.html"
    assert "allow-scripts" not in frame["sandbox"]
    assert "allow-same-origin" not in frame["sandbox"]


def test_hostile_words_are_words(app: Flask) -> None:
    post(app, subject='"><script>alert(1)</script>', text="<b>đậm</b> javascript:alert(1)")

    (mail,) = shown(app)

    assert mail["data-subject"] == '"><script>alert(1)</script>'
    assert mail.all("script") == []
    assert mail.all("b") == []
    assert [link["href"] for link in mail.all("a")] == ["/mailbox/1.eml"]


def test_many_mails_are_not_all_shown(app: Flask) -> None:
    for number in range(103):
        post(app, subject=f"Thư {number}")

    page = read_page(app.test_client().get("/mailbox?lang=en"))

    assert len(page.all("article")) == 100
    assert "3 older mails are not shown." in page.text
    assert app.test_client().get("/mailbox/1.eml").status_code == 200


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_every_page_leads_to_it(app: Flask, lang: str) -> None:
    page = read_page(app.test_client().get(f"/?lang={lang}"))

    (link,) = [one for one in page.all("a") if one.attributes.get("href") == "/mailbox"]
    assert link.text == {"vi": "Hộp thư", "en": "Mailbox"}[lang]


@pytest.mark.parametrize("page", ["confirm", "unsubscribe", "subscription"])
def test_a_page_of_a_link_tells_no_other_site_its_address(app: Flask, page: str) -> None:
    """This site sends a looser policy with its other pages."""
    client = app.test_client()

    assert client.get("/").headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert client.get(f"/privacy/{page}/nobody").headers.getlist("Referrer-Policy") == ["strict-origin"]
