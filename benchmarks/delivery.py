"""How fast mails leave, and that nobody who signs up waits for one.

Our sender and a raw loop of smtplib hand over the same mails to the same server by turns, over as many
connections that are kept open; the loop keeps no record of what it sent, ours has committed each mail
before it leaves and what became of it afterwards. The server is a process of its own that takes
everything: `aiosmtpd`, a real one, for which the limit holds, and one that does next to nothing, which
shows what a mail costs us alone. A loop waits for each mail before the next; what a loop in a thread
for each connection reaches is shown beside it.

Whoever signs up is answered by the web process, which only queues a letter: with a relay that never
answers it takes as long as with one that does, while a worker process sends to each.
"""

import smtplib
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median
from threading import Thread
from time import perf_counter, sleep

from consent_widget.core.reply import Reply
from consent_widget.mail.transport import Transport
from consent_widget.mail.url import open_transport
from consent_widget.services.deployment import Deployment
from consent_widget.services.sending import CONNECTIONS, deliver
from tests.factories import NOW, close
from tests.mailroom import Mailroom
from tests.tasks.crew import Crew

from .audience import measure_audience
from .figures import Figure, ratio, spread
from .relay import running_relay
from .stores import NewDatabase, announce, make_host, stores, subscribe

_ROUNDS = 5
_BATCH = 500
_SIGN_UPS = 30

#: A mail as a raw loop takes it: envelope sender, recipient, bytes.
Mail = tuple[str, str, bytes]


def measure_delivery(folder: Path) -> list[Figure]:
    folder.mkdir()
    figures: list[Figure] = []
    with ExitStack() as stack:
        ports = {kind: stack.enter_context(running_relay(kind)) for kind in ("aiosmtpd", "bare")}
        for store, new_database in stack.enter_context(stores(folder)).items():
            home = folder / store
            figures += _measure_rate(store, new_database, home / "rate", ports)
            figures.append(_measure_sign_up(store, new_database, home, ports["bare"]))
            figures += measure_audience(store, new_database, home, port=ports["bare"])
    return figures


def _measure_rate(
    store: str, new_database: NewDatabase, folder: Path, ports: dict[str, int]
) -> Iterator[Figure]:
    mailroom = make_host(folder, new_database(), port=ports["bare"])
    subscribe(mailroom, _BATCH * (_ROUNDS + 1) * len(ports))
    announce(mailroom)
    began = perf_counter()
    # The clock of the tests' processes reads a file each time.
    deployment = replace(
        mailroom.deployment, clock=lambda: NOW + timedelta(minutes=5, seconds=perf_counter() - began)
    )
    for kind, port in ports.items():
        transports = open_transport(f"smtp://127.0.0.1:{port}")
        sent: list[Mail] = []
        _deliver(deployment, lambda: _Copying(transports(), sent))  # noqa: B023
        with _raw_loops(port) as send:
            rounds = [
                (_deliver(deployment, transports), send(sent, threads=1), send(sent, threads=CONNECTIONS))
                for _ in range(_ROUNDS)
            ]
        loop, threads = [(ours, one) for ours, one, _ in rounds], [(ours, all_) for ours, _, all_ in rounds]
        limit = 1.25 if kind == "aiosmtpd" else None
        yield _rate(f"mails to {kind} against a raw loop, {store}", loop, limit)
        yield _rate(f"mails to {kind} against a loop for each connection, {store}", threads, None)
    close(mailroom.app)


def _rate(name: str, pairs: list[tuple[float, float]], limit: float | None) -> Figure:
    # 80 % of the mails per second is 1.25 times the time for each.
    ratios = [ours / raw for ours, raw in pairs]
    ours, raw = (median(one) for one in zip(*pairs, strict=True))
    size = f"{spread(ratios)} of {len(ratios)} pairs, {CONNECTIONS} connections"
    return Figure(
        name=name,
        value=round(median(ratios), 2),
        unit="times",
        limit=limit,
        detail=f"{_BATCH / ours:.0f} mails a second against {_BATCH / raw:.0f}; {size}",
    )


def _deliver(deployment: Deployment, transports: Callable[[], Transport]) -> float:
    """The seconds of a worker's run for a batch of mails, its connections opened and closed again."""
    start = perf_counter()
    if deliver(deployment, transports, owner="benchmark", limit=_BATCH) != _BATCH:
        raise RuntimeError("there were not as many mails to send as should be measured")
    return perf_counter() - start


class _Copying:
    """A transport that keeps what it sends."""

    def __init__(self, transport: Transport, sent: list[Mail]) -> None:
        self._transport, self._sent = transport, sent

    def send(self, message: bytes, *, sender: str, recipient: str) -> Reply:
        self._sent.append((sender, recipient, message))
        return self._transport.send(message, sender=sender, recipient=recipient)

    def close(self) -> None:
        self._transport.close()


@contextmanager
def _raw_loops(port: int) -> Iterator[Callable[..., float]]:
    """Sends mails as fast as smtplib can, over all connections by turns, and gives the seconds it took."""
    with ExitStack() as stack:
        lines = [
            stack.enter_context(smtplib.SMTP("127.0.0.1", port, local_hostname="localhost"))
            for _ in range(CONNECTIONS)
        ]

        def loop(mails: list[Mail], lines: list[smtplib.SMTP]) -> None:
            for place, (sender, recipient, message) in enumerate(mails):
                lines[place % len(lines)].sendmail(sender, [recipient], message)

        def send(mails: list[Mail], *, threads: int) -> float:
            shares = [
                Thread(target=loop, args=(mails[place::threads], lines[place::threads]))
                for place in range(threads)
            ]
            start = perf_counter()
            for one in shares:
                one.start()
            for one in shares:
                one.join()
            return perf_counter() - start

        yield send


def _measure_sign_up(store: str, new_database: NewDatabase, folder: Path, port: int) -> Figure:
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        hosts = [
            stack.enter_context(_staffed(folder / name, new_database(), number))
            for name, number in (("silent", silent.getsockname()[1]), ("answering", port))
        ]
        pairs = []
        for number in range(-2, _SIGN_UPS):
            first, second = (_sign_up(one, number + 3) for one in hosts)
            if number >= 0:
                pairs.append((first, second))
        _wait_for_letters(hosts[1])
        if hosts[0].states().get("accepted"):
            raise RuntimeError("a relay that never answers took mails")
    return ratio(f"sign-up, relay silent against answering, {store}", pairs, limit=1.1, unit="ms")


@contextmanager
def _staffed(folder: Path, url: str, port: int) -> Iterator[Mailroom]:
    """A host with a worker process."""
    mailroom = make_host(folder, url, port=port)
    crew = Crew(folder)
    crew.start()
    try:
        yield mailroom
    finally:
        crew.close()
        close(mailroom.app)


def _sign_up(mailroom: Mailroom, number: int) -> float:
    """The milliseconds until somebody from a network of their own is answered."""
    client = mailroom.app.test_client(use_cookies=False)
    environ = {"REMOTE_ADDR": f"10.0.{number}.1"}
    form = {"email": f"visitor{number}@reader.example", "lang": "vi"}
    start = perf_counter()
    answer = client.post("/privacy/subscribe", data=form, environ_overrides=environ)
    took = (perf_counter() - start) * 1000
    if answer.status_code != 202:
        raise RuntimeError(f"the sign-up was answered with {answer.status_code}")
    return took


def _wait_for_letters(mailroom: Mailroom) -> None:
    """The worker was at work all along: its letters have left, or do within a few seconds."""
    for _ in range(100):
        if mailroom.states().get("accepted"):
            return
        sleep(0.1)
    raise RuntimeError("no letter left")
