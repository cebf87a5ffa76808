"""Mails to staff through MAIL_URL, where the host gives no mailer."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from consent_widget.core.errors import ConsentWidgetError, MailNotSent
from tests.conftest import MakeApp
from tests.factories import NOW
from tests.mail.conftest import MakeServer
from tests.mail.scripted import Drop, Say, always
from tests.mail.sink import Sink

FROM = "privacy@demo.example"


def mail_to(*recipients: str) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = "Có bản chính sách chờ bạn duyệt"
    mail["To"] = ", ".join(recipients)
    mail.set_content("Xin chào Minh,\n\n.bản nháp “Chính sách” vừa được gửi duyệt.\n")
    return mail


def test_staff_are_written_to_through_mail_url(sink: Sink, make_app: MakeApp) -> None:
    mailer = make_app(mail_url=sink.url, mail_from=FROM).extensions["consent_widget"].mailer

    mailer(mail_to("minh@demo.example", "Oanh <oanh@demo.example>"))

    assert [mail.recipients for mail in sink.mails] == [("minh@demo.example",), ("oanh@demo.example",)]
    for one in sink.mails:
        assert one.sender == FROM
        assert one.raw.isascii()
        found = message_from_bytes(one.raw, policy=policy.default)
        assert found["From"] == FROM
        assert found["Date"].datetime == NOW
        assert found["Message-ID"].endswith("@demo.example>")
        assert found["Subject"] == "Có bản chính sách chờ bạn duyệt"
        assert ".bản nháp “Chính sách” vừa được gửi duyệt." in found.get_content()


@pytest.mark.parametrize(
    "stage, action, code",
    [
        ("rcpt", Say("550 5.1.1 <minh@demo.example> unknown"), "5.1.1"),
        ("dot", Drop(), "connection"),
        ("greeting", Say("421 4.3.2 Closing", close=True), "4.3.2"),
    ],
    ids=str,
)
def test_a_mail_that_was_not_taken_is_told_without_the_address(
    make_server: MakeServer, make_app: MakeApp, stage: str, action: Say | Drop, code: str
) -> None:
    server = make_server(always(stage, action))
    mailer = make_app(mail_url=server.url, mail_from=FROM).extensions["consent_widget"].mailer

    with pytest.raises(MailNotSent) as caught:
        mailer(mail_to("minh@demo.example"))

    assert caught.value.code == code
    assert "minh" not in str(caught.value)
    assert isinstance(caught.value, ConsentWidgetError)


def test_the_hosts_own_mailer_goes_first(sink: Sink, make_app: MakeApp) -> None:
    mails: list[EmailMessage] = []

    app = make_app(mail_url=sink.url, mail_from=FROM, mailer=mails.append)
    app.extensions["consent_widget"].mailer(mail_to("minh@demo.example"))

    assert len(mails) == 1
    assert sink.mails == []


@pytest.mark.parametrize("options", [{}, {"mail_url": "smtp://127.0.0.1:9"}, {"mail_from": FROM}])
def test_without_address_or_sender_there_is_no_mailer(make_app: MakeApp, options: dict[str, str]) -> None:
    assert make_app(**options).extensions["consent_widget"].mailer is None
