"""A site whose web workers are processes that can be killed, and a browser that tells what was answered."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from consent_widget.services.setup import upgrade_database
from tests import factories
from tests.mailroom import Mailroom
from tests.tasks.crew import Crew
from tests.tasks.host import SharedClock, create_app, describe


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back, cut off or whole: from its first line on a visitor may believe it."""

    status: int
    cookies: Mapping[str, str]
    text: str


@dataclass
class Browser:
    """Keeps its cookies; ``address`` is the one of this machine's own that it comes from."""

    port: int
    address: str = "127.0.0.1"
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, data: Mapping[str, Any] | None = None, *, as_json: bool = False) -> Reply | None:
        """GET, or POST where there is ``data``; None: no answer came, and nobody knows what was done."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if data is not None:
            body = json.dumps(data) if as_json else urlencode(data, doseq=True)
            kind = "json" if as_json else "x-www-form-urlencoded"
            headers["Content-Type"] = f"application/{kind}"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(self.address, 0))
        try:
            connection.request("POST" if data is not None else "GET", path, body, headers)
            answer = connection.getresponse()
        except (OSError, HTTPException):
            connection.close()
            return None
        text = b""
        with suppress(OSError, HTTPException):
            text = answer.read()
        connection.close()
        sent = SimpleCookie()
        for line in answer.headers.get_all("Set-Cookie", []):
            sent.load(line)
        got = {name: one.value for name, one in sent.items()}
        self.cookies |= got
        return Reply(status=answer.status, cookies=got, text=text.decode("utf-8", "replace"))

    def insist(self, path: str, data: Mapping[str, Any] | None = None) -> Reply:
        """The same again until it is answered, as people do."""
        for _ in range(60):
            reply = self.ask(path, data)
            if reply is not None:
                return reply
        raise AssertionError(f"{path} is never answered")


@dataclass
class Site:
    """The workers behind one listening socket: a request that meets none waits there for the next one."""

    mailroom: Mailroom
    crew: Crew
    port: int

    def browser(self, address: str = "127.0.0.1") -> Browser:
        return Browser(self.port, address)

    def replace(self, number: int) -> None:
        """Kill a worker; another one starts, as whatever watches over them sees to."""
        self.crew.kill(number)
        self.crew.start()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """No process does anything within the block, wherever it was."""
        for number in self.crew.working:
            os.kill(number, signal.SIGSTOP)
        try:
            for number in self.crew.working:
                wait(lambda: _threads(number) <= {"T"}, seconds=10)  # noqa: B023
            yield
        finally:
            for number in self.crew.working:
                os.kill(number, signal.SIGCONT)


def _threads(number: int) -> set[str]:
    """The states of a process's threads."""
    states = set()
    for one in Path(f"/proc/{number}/task").iterdir():
        with suppress(OSError):
            states.add((one / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0])
    return states


def wait(condition: Callable[[], bool], *, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"not within {seconds} s"
        time.sleep(0.002)


@contextmanager
def served_site(folder: Path, database_url: str, *, workers: int) -> Iterator[Site]:
    """A host on ``database_url`` with version 1 in force, served by so many processes."""
    describe(folder, database_url=database_url)
    app = create_app(folder)
    deployment = factories.deployment(app)
    upgrade_database(deployment.database)
    factories.import_first(deployment.database)
    clock = deployment.clock
    assert isinstance(clock, SharedClock)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        number = listener.fileno()
        crew = Crew(folder, "serve", str(number), sockets=(number,))
        try:
            crew.start(workers)
            site = Site(Mailroom(app, clock), crew, listener.getsockname()[1])
            assert site.browser().insist("/privacy/state").status == 200
            yield site
        finally:
            crew.close()
            factories.close(app)
