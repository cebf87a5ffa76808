"""``python -m demo_site``: one parent that prepares the data, starts the processes and ends them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from types import FrameType

from .parent import PARENT
from .settings import DemoError, Settings, read_settings, ticking_clock
from .staff import read_passwords

#: Modules that run as processes of their own, in the order of their start.
PROCESSES = ("demo_site.web", "demo_site.worker")
_SECONDS_TO_START = 30
_SECONDS_TO_END = 5


def main() -> int:
    """Run the demonstration until Ctrl-C or SIGTERM; the exit status."""
    # Both by name: a shell that starts this in the background has Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        settings = read_settings()
        check_port(settings.port)
        clock = ticking_clock(settings.start) if settings.start else None
        passwords = prepare(settings, clock)
        return serve(settings, clock, passwords)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def check_port(port: int) -> None:
    """Raises DemoError if another program answers on ``port``."""
    busy = DemoError(f"port {port} is taken by another program; choose another: PORT={port + 1} make demo")
    with socket.socket() as probe:
        # Without this, connections of the last run that are still closing would count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise busy from None
    # The second origin: some systems look up localhost as ::1 first, where another program may listen.
    if _answers("::1", port):
        raise busy


def prepare(settings: Settings, clock: Callable[[], datetime] | None) -> dict[str, str]:
    """Make the folder, the tables, the first notice and the staff; what is there stays (demo_site.prepare).

    The staff's passwords by address.

    Raises:
        DemoError: it failed; its own message is in the error.
    """
    settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "demo_site.prepare"]
    done = subprocess.run(  # noqa: S603  # ours
        command, env=_environment(clock), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DemoError(_complaint(done.stderr))
    return read_passwords(settings.directory)


def serve(settings: Settings, clock: Callable[[], datetime] | None, passwords: dict[str, str]) -> int:
    """Start the processes and wait: 0 when told to end, 1 when one of them ended by itself."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        running.extend(_start(module, clock) for module in PROCESSES)
        _wait_for(settings.port, running)
        print(f"HTEK's demo site: {settings.site}/", flush=True)
        print(f"Staff sign in at {settings.site}/privacy/admin/ with:", flush=True)
        for email, password in passwords.items():
            print(f"  {email}  {password}", flush=True)
        print(f"Every mail that it sends: {settings.site}/mailbox", flush=True)
        print(f"Data: {settings.directory}. Ctrl-C ends it.", flush=True)
        while all(process.poll() is None for process in running):
            time.sleep(0.2)
        raise DemoError("a process of the demo ended by itself; what it printed stands above.")
    finally:
        _end(running)


def _start(module: str, clock: Callable[[], datetime] | None) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C is for the parent, which ends the others in its own order.
    environment = _environment(clock) | {PARENT: str(os.getpid())}
    return subprocess.Popen(  # noqa: S603  # ours
        [sys.executable, "-m", module], env=environment, start_new_session=True
    )


def _complaint(output: str) -> str:
    """What went wrong: the message alone where it is an error of ours, which names its cure."""
    name, _, message = output.strip().rpartition("\n")[2].partition(": ")
    return message if name.startswith(("consent_widget.", "demo_site.")) else output.strip()


def _environment(clock: Callable[[], datetime] | None) -> dict[str, str]:
    """The environment of a process that starts now: it takes over the clock as it stands."""
    return {**os.environ, "DEMO_NOW": clock().isoformat()} if clock else dict(os.environ)


def _wait_for(port: int, running: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while not _answers("127.0.0.1", port):
        if any(process.poll() is not None for process in running):
            raise DemoError("the web process did not start; what it printed stands above.")
        if time.monotonic() > deadline:
            raise DemoError(f"the web process did not answer within {_SECONDS_TO_START} seconds.")
        time.sleep(0.05)


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def _end(running: list[subprocess.Popen[bytes]]) -> None:
    # A second Ctrl-C while ending must not leave a process behind.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for process in reversed(running):
        process.terminate()
    for process in reversed(running):
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
