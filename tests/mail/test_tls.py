"""TLS and sign-in: nothing is sent in clear where TLS is asked for, and no failure blames an address (SM-011)."""

import socket
import ssl
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from consent_widget.core.campaign import State
from consent_widget.core.reply import Outcome, Reply
from consent_widget.mail.connection import Security
from consent_widget.mail.url import open_transport
from tests.mail.certificates import server_context
from tests.mail.conftest import MESSAGE, RECIPIENT, SENDER, MakeServer, MakeTransport, send
from tests.mail.scripted import Drop, Hang, Moment, Say, ScriptedServer, always
from tests.mailroom import Mailroom

Tls = tuple[ssl.SSLContext, Path]

USER = "consent-widget"
IN_BASE64 = b"AGNvbnNlbnQtd2lkZ2V0AHMzY3JldC13b3Jk"  # NUL user NUL s3cret-word


def assert_nothing_in_clear(server: ScriptedServer) -> None:
    for said in server.clear:
        verbs = {
            line.partition(b" ")[0].upper() for line in bytes(said).split(b"\r\n") if line.isascii() and line
        }
        assert verbs <= {b"EHLO", b"STARTTLS"} or bytes(said[:1]) == b"\x16"
        assert b"AUTH" not in said
        assert RECIPIENT.encode() not in said


def assert_ours(reply: Reply, code: str) -> None:
    assert (reply.outcome, reply.code, reply.stage) == ("certain_failure", code, "connect")
    assert reply.is_ours
    assert reply.concerns_all
    assert not reply.suppresses
    assert "s3cret-word" not in reply.text


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.IMPLICIT])
def test_a_mail_goes_encrypted_after_a_sign_in(
    make_server: MakeServer, make_transport: MakeTransport, tls: Tls, security: Security
) -> None:
    context, trusted = tls
    server = make_server(speaks_tls=security.value, context=context, offers=("AUTH PLAIN LOGIN",))
    transport = make_transport(server, security, trusted=trusted, user=USER)

    replies = [send(transport), send(transport)]

    assert {reply.outcome for reply in replies} == {Outcome.ACCEPTED}
    assert [mail.raw for mail in server.accepted] == [MESSAGE, MESSAGE]
    assert server.connections == 1
    assert b"AUTH PLAIN " + IN_BASE64 in server.received[0]
    assert_nothing_in_clear(server)


def test_a_server_that_offers_no_starttls_gets_nothing(
    make_server: MakeServer, make_transport: MakeTransport
) -> None:
    """Somebody in between may have taken the offer away."""
    server = make_server(offers=("AUTH PLAIN",))

    reply = send(make_transport(server, Security.STARTTLS, user=USER))

    assert_ours(reply, "tls")
    assert reply.pauses
    assert "STARTTLS" in reply.text
    assert_nothing_in_clear(server)
    assert server.commands == {"greeting": 1, "ehlo": 1}


@pytest.mark.parametrize(
    "stage, action, code",
    [
        ("starttls", Say("501 5.5.4 Not like this"), "tls"),
        ("starttls", Say("454 4.7.0 Not now"), "4.7.0"),
        ("starttls", Say("250 Ok"), "connection"),
        ("starttls", Drop(), "connection"),
        ("starttls", Hang(), "timeout"),
        ("handshake", Drop(), "connection"),
        ("handshake", Hang(), "timeout"),
    ],
    ids=str,
)
def test_a_broken_starttls_gets_nothing(
    make_server: MakeServer,
    make_transport: MakeTransport,
    tls: Tls,
    stage: str,
    action: Say | Drop | Hang,
    code: str,
) -> None:
    context, trusted = tls
    server = make_server(always(stage, action), speaks_tls="starttls", context=context)

    reply = send(make_transport(server, Security.STARTTLS, trusted=trusted, user=USER))

    assert_ours(reply, code)
    assert reply.pauses is (code == "tls")
    assert_nothing_in_clear(server)
    assert server.accepted == []


def test_words_slipped_in_before_the_handshake_are_not_taken_for_the_servers(
    make_server: MakeServer, make_transport: MakeTransport, tls: Tls
) -> None:
    """RFC 3207 section 6: else whoever sits in between could answer for it, or offer what it does not."""
    context, trusted = tls
    slipped = Say("220 Go ahead\r\n250-evil.example\r\n250 SIZE 1", goes_on=True)
    server = make_server(always("starttls", slipped), speaks_tls="starttls", context=context)

    reply = send(make_transport(server, Security.STARTTLS, trusted=trusted))

    assert reply.outcome is Outcome.ACCEPTED
    assert_nothing_in_clear(server)


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.IMPLICIT])
def test_a_certificate_that_nobody_vouches_for_gets_nothing(
    make_server: MakeServer, make_transport: MakeTransport, tls: Tls, security: Security
) -> None:
    server = make_server(speaks_tls=security.value, context=tls[0])

    reply = send(make_transport(server, security, user=USER))

    assert_ours(reply, "tls")
    assert reply.pauses
    assert "certificate verify failed" in reply.text
    assert_nothing_in_clear(server)


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.IMPLICIT])
def test_a_certificate_of_another_host_gets_nothing(
    make_server: MakeServer, make_transport: MakeTransport, tmp_path: Path, security: Security
) -> None:
    context, trusted = server_context(tmp_path, "mail.evil.example")
    server = make_server(speaks_tls=security.value, context=context)

    reply = send(make_transport(server, security, trusted=trusted, user=USER))

    assert_ours(reply, "tls")
    assert_nothing_in_clear(server)


def end(met: socket.socket) -> None:
    met.shutdown(socket.SHUT_WR)


def say_ok(met: socket.socket) -> None:
    met.sendall(b"250 Ok\r\n")


def reset(met: socket.socket) -> None:
    met.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.IMPLICIT])
@pytest.mark.parametrize(
    "act, code",
    [
        pytest.param(end, "connection", id="end"),
        pytest.param(reset, "connection", id="reset"),
        pytest.param(say_ok, "tls", id="in clear"),
    ],
)
def test_a_handshake_that_is_cut_off_is_no_distrust_and_one_in_clear_is(
    make_transport: MakeTransport,
    tls: Tls,
    security: Security,
    act: Callable[[socket.socket], None],
    code: str,
) -> None:
    """Its first bytes are read before the server acts, so that nothing but this is what the client meets."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as pool:
        transport = make_transport(SimpleNamespace(port=listening.getsockname()[1]), security, trusted=tls[1])
        replying = pool.submit(send, transport)
        met, _ = listening.accept()
        with met:
            if security is Security.STARTTLS:
                for lines in (b"220 mail.example\r\n", b"250-mail.example\r\n250 STARTTLS\r\n"):
                    met.sendall(lines)
                    met.recv(65536)
                met.sendall(b"220 Go ahead\r\n")
            assert met.recv(65536).startswith(b"\x16")
            act(met)
        reply = replying.result(timeout=10)

    assert_ours(reply, code)
    assert reply.pauses is (code == "tls")


def test_a_handshake_that_is_cut_off_once_does_not_stop_a_campaign(
    make_server: MakeServer, make_transport: MakeTransport, tls: Tls, mailroom: Mailroom
) -> None:
    context, trusted = tls
    mailroom.subscribe(3)
    mailroom.announce()

    def script(moment: Moment) -> Drop | None:
        return Drop() if moment.stage == "handshake" and moment.connection == 1 else None

    server = make_server(script, speaks_tls="starttls", context=context)
    transport = make_transport(server, Security.STARTTLS, trusted=trusted)
    mailroom.deliver(lambda: transport)
    between = mailroom.campaign().state
    mailroom.clock.tick(hours=1)
    mailroom.deliver(lambda: transport)

    assert between is State.RUNNING
    assert mailroom.states() == {"accepted": 3}
    assert len(server.accepted) == 3
    assert_nothing_in_clear(server)


@pytest.mark.parametrize(
    "action, code, pauses",
    [
        (Say("535 5.7.8 Wrong password"), "auth", True),
        (Say("534 Too weak"), "auth", True),
        (Say("454 4.7.0 Directory is away"), "4.7.0", False),
        (Say("334 A"), "connection", False),
        (Drop(), "connection", False),
        (Hang(), "timeout", False),
    ],
    ids=str,
)
def test_a_sign_in_that_fails_is_our_fault(
    make_server: MakeServer,
    make_transport: MakeTransport,
    tls: Tls,
    action: Say | Drop | Hang,
    code: str,
    pauses: bool,
) -> None:
    context, trusted = tls
    script = always("auth", action)
    server = make_server(script, speaks_tls="starttls", context=context, offers=("AUTH PLAIN",))

    reply = send(make_transport(server, Security.STARTTLS, trusted=trusted, user=USER))

    assert_ours(reply, code)
    assert reply.pauses is pauses
    assert "mail" not in server.commands


@pytest.mark.parametrize("offers", [(), ("AUTH GSSAPI",)])
def test_a_server_that_takes_no_password_is_our_fault(
    make_server: MakeServer, make_transport: MakeTransport, tls: Tls, offers: tuple[str, ...]
) -> None:
    context, trusted = tls
    server = make_server(speaks_tls="starttls", context=context, offers=offers)

    reply = send(make_transport(server, Security.STARTTLS, trusted=trusted, user=USER))

    assert_ours(reply, "auth")
    assert reply.pauses


def test_an_authority_of_ones_own_is_trusted_by_ssl_cert_file(
    make_server: MakeServer, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = tls
    server = make_server(speaks_tls="implicit", context=context)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))

    transport = open_transport(f"smtps://127.0.0.1:{server.port}")()
    reply = transport.send(MESSAGE, sender=SENDER, recipient=RECIPIENT)
    transport.close()

    assert reply.outcome is Outcome.ACCEPTED
