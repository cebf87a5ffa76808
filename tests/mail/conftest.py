"""Servers that are scripted, and transports that lose patience soon."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from consent_widget.core.reply import Reply
from consent_widget.mail.connection import Relay, Security, Timeouts
from consent_widget.mail.smtp import SmtpTransport
from tests.mail.certificates import server_context
from tests.mail.scripted import Script, ScriptedServer, no_fault, scripted
from tests.mail.sink import Sink, running_sink

SENDER = "bounce+7-abc@good.example"
RECIPIENT = "alice@good.example"
MESSAGE = (
    b"From: privacy@good.example\r\nTo: alice@good.example\r\nMessage-ID: <1.7.abc@good.example>\r\n"
    b"Subject: A new version\r\n\r\nFrom 1 February 2027 on it applies.\r\n"
)

#: So long a test waits for a server that says nothing.
PATIENCE = Timeouts(connect=2, command=0.4, dot=0.4)

MakeServer = Callable[..., ScriptedServer]
MakeTransport = Callable[..., SmtpTransport]


def send(transport: SmtpTransport, message: bytes = MESSAGE, recipient: str = RECIPIENT) -> Reply:
    return transport.send(message, sender=SENDER, recipient=recipient)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    """Takes every mail."""
    folder = tmp_path / "sink"
    folder.mkdir()
    with running_sink(folder) as found:
        yield found


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Makes servers that do as their script says."""
    numbers = count()
    with ExitStack() as stack:

        def make(script: Script = no_fault, **options: Any) -> ScriptedServer:
            return stack.enter_context(scripted(tmp_path / f"server{next(numbers)}", script, **options))

        yield make


@pytest.fixture
def make_transport() -> Iterator[MakeTransport]:
    """Makes transports to a server; ``trusted`` is the authority they believe."""
    made: list[SmtpTransport] = []

    def make(
        server: ScriptedServer,
        security: Security = Security.NONE,
        *,
        host: str = "127.0.0.1",
        trusted: Path | None = None,
        user: str = "",
        patience: Timeouts = PATIENCE,
    ) -> SmtpTransport:
        relay = Relay(
            host=host, port=server.port, security=security, user=user, password=user and "s3cret-word"
        )
        context = ssl.create_default_context(cafile=trusted)
        made.append(SmtpTransport(relay, context=context, timeouts=patience))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's side for localhost and 127.0.0.1, and the authority that clients have to trust."""
    return server_context(tmp_path_factory.mktemp("tls"), "localhost", "127.0.0.1")
