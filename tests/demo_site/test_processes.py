"""``make demo``: one parent, a web process and a worker; they start, work and end together."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Demo:
    """The demonstration in a folder of its own, on a free port."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self._output = (folder / "output").open("wb+")
        self._folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo_site"],
            cwd=ROOT,
            env=os.environ | {"DEMO_DIR": str(folder / "demo"), "PORT": str(self.port)},
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        return (self._folder / "output").read_text(encoding="utf-8")

    def open(self, path: str, **fields: str) -> str:
        url = path if path.startswith("http") else f"http://127.0.0.1:{self.port}{path}"
        body = urllib.parse.urlencode(fields).encode() if fields else None
        with urllib.request.urlopen(url, data=body, timeout=10) as answer:
            return str(answer.read().decode())

    def children(self) -> list[int]:
        """The processes that it started, by what the system says."""
        told = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = [tuple(map(int, line.split())) for line in told.splitlines()]
        return [pid for pid, parent in pairs if parent == self.process.pid]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._output.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first start fills it, the others find what they need."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture
def demo(folder: Path) -> Iterator[Demo]:
    made = Demo(folder)
    wait_for(lambda: "Ctrl-C ends it." in made.output or made.process.poll() is not None, 90)
    yield made
    made.close()


def wait_for(condition: Callable[[], object], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.05)


def is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_visitor_subscribes_and_finds_the_mail_and_one_signal_ends_all(demo: Demo) -> None:
    assert f"http://127.0.0.1:{demo.port}/mailbox" in demo.output, demo.output
    children = demo.children()
    assert len(children) == 2

    demo.open("/privacy/subscribe", email="khach@vidu.example", lang="vi")
    wait_for(lambda: 'data-to="khach@vidu.example"' in demo.open("/mailbox"), 15)
    (link,) = re.findall(r'href="(http[^"]+/privacy/confirm/[^"]+)"', demo.open("/mailbox"))
    assert link.startswith(f"http://127.0.0.1:{demo.port}/")
    demo.open(link, action="")

    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(20) == 0
    wait_for(lambda: not any(map(is_alive, children)), 5)
    assert "Traceback" not in demo.output


def test_a_parent_that_is_killed_leaves_no_process(demo: Demo) -> None:
    children = demo.children()
    assert len(children) == 2

    demo.process.kill()

    wait_for(lambda: not any(map(is_alive, children)), 20)


def test_a_worker_that_falls_ends_the_demonstration_with_a_word(demo: Demo) -> None:
    web, worker = sorted(demo.children())

    os.kill(worker, signal.SIGKILL)

    assert demo.process.wait(20) == 1
    assert "ended by itself" in demo.output
    wait_for(lambda: not is_alive(web), 5)
    passwords = json.loads((demo._folder / "demo" / "passwords.json").read_text())
    assert len(passwords) == 4
