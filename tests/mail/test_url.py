"""MAIL_URL: what it means, and what is refused without a word of the password."""

import logging
from pathlib import Path

import pytest

from consent_widget.core.errors import SettingError
from consent_widget.mail.connection import Relay, Security
from consent_widget.mail.maildir import MaildirTransport
from consent_widget.mail.smtp import SmtpTransport
from consent_widget.mail.url import check_url, is_this_machine, open_transport, read_relay
from tests.conftest import MakeApp

PASSWORD = "tr0ub4dor"


def relay(host: str, port: int, security: str, user: str = "", password: str = "") -> Relay:
    return Relay(host=host, port=port, security=Security(security), user=user, password=password)


@pytest.mark.parametrize(
    "url, expected",
    [
        ("smtp://mail.example.com", relay("mail.example.com", 587, "starttls")),
        ("smtp://mail.example.com:25", relay("mail.example.com", 25, "starttls")),
        ("smtp://Mail.Example.com/", relay("mail.example.com", 587, "starttls")),
        ("smtp://mail.example.com?tls=starttls", relay("mail.example.com", 587, "starttls")),
        ("smtp://mail.example.com:2525?tls=none", relay("mail.example.com", 2525, "none")),
        ("smtp://u:p@mail.example.com", relay("mail.example.com", 587, "starttls", "u", "p")),
        ("smtp://u%40x:p%2F%3A%40%25@mail.example.com", relay("mail.example.com", 587, "starttls", "u@x", "p/:@%")),
        ("smtps://u:p@mail.example.com", relay("mail.example.com", 465, "implicit", "u", "p")),
        ("smtps://mail.example.com:2465", relay("mail.example.com", 2465, "implicit")),
        ("smtp://localhost", relay("localhost", 25, "none")),
        ("smtp://127.0.0.1:1025", relay("127.0.0.1", 1025, "none")),
        ("smtp://u:p@127.0.0.1:1025", relay("127.0.0.1", 1025, "none", "u", "p")),
        ("smtp://[::1]:1025", relay("::1", 1025, "none")),
        ("smtp://localhost?tls=starttls", relay("localhost", 25, "starttls")),
        ("smtp://10.0.0.5", relay("10.0.0.5", 587, "starttls")),
        ("smtp://[2001:db8::5]", relay("2001:db8::5", 587, "starttls")),
    ],
)  # fmt: skip
def test_an_address_names_a_relay(url: str, expected: Relay) -> None:
    assert read_relay(url) == expected
    assert PASSWORD not in repr(read_relay(url.replace("p@", f"{PASSWORD}@")))
    transport = open_transport(url)()
    assert isinstance(transport, SmtpTransport)


@pytest.mark.parametrize(
    "url, told",
    [
        ("", "must begin with"),
        (f"user:{PASSWORD}@mail.example.com", "must begin with"),
        (f"http://user:{PASSWORD}@mail.example.com", "must begin with"),
        (f"SMTPX://user:{PASSWORD}@mail.example.com", "must begin with"),
        (f"smtp:user:{PASSWORD}@mail.example.com", "names no host"),
        (f"smtp://user:{PASSWORD}@", "names no host"),
        (f"smtp://user:{PASSWORD}@mail_.example.com ", "names no host"),
        (f"smtp://user:{PASSWORD}@thư.example", "names no host"),
        (f"smtp://user:{PASSWORD}@mail.example.com:port", "cannot be read"),
        (f"smtp://user:{PASSWORD}@mail.example.com:70000", "cannot be read"),
        (f"smtp://user:{PASSWORD}@mail.example.com:0", "port 0"),
        (f"smtp://user:{PASSWORD}@[::1", "cannot be read"),
        (f"smtp://user:{PASSWORD}/x@mail.example.com", "%2F"),
        (f"smtp://user:12/{PASSWORD}@mail.example.com", "%2F"),
        (f"smtp://user:{PASSWORD}#x@mail.example.com", "%23"),
        (f"smtp://user:12#{PASSWORD}@mail.example.com", "%23"),
        (f"smtp://user:12?{PASSWORD}@mail.example.com", "nothing else"),
        (f"smtp://user:{PASSWORD}@mail.example.com/path", "nothing but"),
        (f"smtp://user:{PASSWORD}@mail.example.com?tls=maybe", "nothing else"),
        (f"smtp://user:{PASSWORD}@mail.example.com?tls=none", "in clear"),
        (f"smtp://user:{PASSWORD}@mail.example.com?tls=starttls&x=1", "nothing else"),
        (f"smtps://user:{PASSWORD}@mail.example.com?tls=none", "TLS from the start"),
        ("smtp://user@mail.example.com", "go together"),
        (f"smtp://:{PASSWORD}@mail.example.com", "go together"),
        (f"smtp://user:{PASSWORD}ữ@mail.example.com", "ASCII"),
        (f"smtp://user:{PASSWORD}%0d%0aRSET@mail.example.com", "ASCII"),
        ("maildir:", "names no folder"),
        ("maildir:/", "names no folder"),
        ("maildir:///", "names no folder"),
    ],
)
def test_a_wrong_address_stops_the_start_and_keeps_the_password(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, url: str, told: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SettingError) as caught:
        make_app(config={"CONSENT_WIDGET_MAIL_URL": url})

    said = str(caught.value)
    assert said.startswith("CONSENT_WIDGET_MAIL_URL: ")
    assert told in said
    assert PASSWORD not in said + caplog.text
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("value", [25, b"smtp://mail.example.com", ["smtp://mail.example.com"]])
def test_an_address_is_text(make_app: MakeApp, value: object) -> None:
    with pytest.raises(SettingError, match="MAIL_URL: must be text"):
        make_app(config={"CONSENT_WIDGET_MAIL_URL": value})


@pytest.mark.parametrize("form", ["maildir:{}", "maildir://{}"])
def test_a_folder_is_made_with_the_first_mail_only(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "not" / "yet"
    url = form.format(folder)

    check_url(url)
    transport = open_transport(url)()

    assert isinstance(transport, MaildirTransport)
    assert not folder.exists()
    assert transport.send(b"x\r\n", sender="a@good.example", recipient="b@good.example").outcome == "accepted"
    assert len(list((folder / "new").iterdir())) == 1


@pytest.mark.parametrize(
    "value",
    [
        "",
        "privacy",
        "HTEK <privacy@example.com>",
        "a@example.com, b@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "privacy@localhost",
        25,
    ],
)
def test_a_wrong_sender_stops_the_start(make_app: MakeApp, value: object) -> None:
    with pytest.raises(SettingError, match="MAIL_FROM"):
        make_app(config={"CONSENT_WIDGET_MAIL_FROM": value})


def test_a_sender_is_kept_as_mail_is_sent(make_app: MakeApp) -> None:
    app = make_app(config={"CONSENT_WIDGET_MAIL_FROM": "Privacy@Thư.example"})

    assert app.extensions["consent_widget"].deployment.settings.mail_from == "Privacy@xn--th-e0a.example"


@pytest.mark.parametrize(
    "host, expected",
    [("localhost", True), ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("10.0.0.1", False),
     ("localhost.example.com", False), ("127.0.0.1.example.com", False), ("", False)],
)  # fmt: skip
def test_what_never_leaves_this_machine(host: str, expected: bool) -> None:
    assert is_this_machine(host) is expected
