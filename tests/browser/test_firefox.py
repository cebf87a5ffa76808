"""One walk in Firefox, where there is one."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests import factories
from tests.browser.conftest import Serve
from tests.browser.host import MakeApp, Policy, make_host
from tests.browser.visitor import BANNER, DIALOG, SETTINGS, STATUS

#: Seconds that a slow machine may take for anything.
_PATIENCE = 60


class _Firefox:
    """As much of Marionette, the remote control that Firefox brings along, as one walk needs."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        self._sent = 0
        self._answer()  # its greeting
        self.call("WebDriver:NewSession")

    def call(self, command: str, **parameters: Any) -> Any:
        """The result of a command of WebDriver's, in the names of Marionette."""
        self._sent += 1
        message = json.dumps([0, self._sent, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._answer()
        assert error is None, error
        return result["value"] if isinstance(result, dict) and "value" in result else result

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        return self.call("WebDriver:ExecuteScript", script=f"return {expression}", args=[])

    def until(self, expression: str) -> None:
        _until(lambda: self.run(expression), expression)

    def click(self, selector: str) -> None:
        found = self.call("WebDriver:FindElement", using="css selector", value=selector)
        self.call("WebDriver:ElementClick", id=next(iter(found.values())))

    def close(self) -> None:
        self._socket.close()

    def _answer(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            length += self._read(1)
        return json.loads(self._read(int(length[:-1])))

    def _read(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            part = self._socket.recv(count - len(found))
            assert part, "Firefox hung up"
            found += part
        return found


def _until(condition: Callable[[], Any], told: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{told} was never true"
        time.sleep(0.05)


def _is_ready(process: subprocess.Popen[bytes], port: Path) -> bool:
    end = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < end:
        if port.exists() and port.read_text():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def firefox(tmp_path: Path) -> Iterator[_Firefox]:
    """A Firefox whose owner reads Vietnamese."""
    path = shutil.which("firefox") or shutil.which("firefox-esr")
    if path is None:
        pytest.skip("there is no firefox on the PATH")
    profile = tmp_path / "profile"
    profile.mkdir()
    settings = {"marionette.port": 0, "intl.accept_languages": "vi", "app.update.auto": False}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in settings.items()]
    (profile / "user.js").write_text("\n".join(lines))
    command = [path, "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port = profile / "MarionetteActivePort"
            if not _is_ready(process, port):
                # A packager's stub, for one, or a confined one that does not see the profile.
                pytest.skip(f"{path} does not start here")
            made = _Firefox(int(port.read_text()))
            yield made
            made.close()
        finally:
            process.terminate()


def test_refusing_and_choosing_under_the_strict_policy(
    firefox: _Firefox, make_app: MakeApp, serve: Serve
) -> None:
    app: Flask = make_host(make_app, Policy.STRICT)
    site = serve(app)

    def granted() -> list[set[str]]:
        rows = factories.records(factories.deployment(app).database)
        return [{name for name, yes in row["decisions"].items() if yes} for row in rows]

    firefox.call("WebDriver:Navigate", url=site.url + "/scripts")
    assert firefox.run(f"document.querySelector('{BANNER}').closest('[lang]').getAttribute('lang')") == "vi"
    firefox.click(f'{BANNER} [value="reject_all"]')
    firefox.until(f"document.querySelector('{STATUS}').textContent")
    assert firefox.run(f"document.querySelector('{BANNER}').closest('[hidden]') !== null")
    assert granted() == [set()]
    assert {one["name"] for one in firefox.call("WebDriver:GetCookies")} == {"consent", "consent_view"}

    firefox.call("WebDriver:Refresh")
    assert firefox.run(f"document.querySelector('{BANNER}')") is None
    firefox.click(SETTINGS)
    firefox.until(f"document.querySelector('{DIALOG}')?.open")
    firefox.click(f'{DIALOG} [value="analytics"]')
    firefox.click(f'{DIALOG} [value="save"]')

    firefox.until("window.ran?.includes('module')")
    assert firefox.run("ran.filter(one => one !== 'async')") == ["late", "handwritten", "deferred", "module"]
    assert granted() == [set(), {"analytics"}]
    assert firefox.run("consentWidget.state().marketing") == "denied"
