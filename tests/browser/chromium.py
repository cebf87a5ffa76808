"""Which Chromium the browser tests and the benchmarks run.

`python -m tests.browser.chromium` makes sure that there is one: `make test` calls it first.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

VARIABLE = "CONSENT_WIDGET_TEST_BROWSER"
_ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# What a browser does of its own accord would stand among the requests that tests count.
_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


class ChromiumMissing(Exception):
    """No Chromium starts here; the message holds the cure."""


@contextmanager
def launched(*flags: str) -> Iterator[Browser]:
    """A running headless Chromium.

    Raises:
        ChromiumMissing: none is found, or the one that is found does not start.
    """
    # Root may not have a sandbox; everybody else keeps it.
    sandbox = () if os.geteuid() else ("--no-sandbox",)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=_found(), args=[*_FLAGS, *sandbox, *flags])
        except Error as error:
            raise ChromiumMissing(
                f"No Chromium starts here. `make test` finds or installs one; {VARIABLE}=/path/to/chromium"
                f" names another.\n{error.message}"
            ) from error
        try:
            yield browser
        finally:
            browser.close()


def _found() -> str | None:
    """The path of a browser, or None for the one that Playwright keeps itself."""
    if given := os.environ.get(VARIABLE):
        return given
    return next(filter(_answers, filter(None, map(shutil.which, _ON_PATH))), None)


def _answers(path: str) -> bool:
    # Ubuntu's package is a stub that only says where the real one is to be had.
    return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


def _starts() -> bool:
    try:
        with launched():
            return True
    except ChromiumMissing:
        return False


def _ensure() -> str | None:
    """Install a Chromium where none starts; the words to print if that is not possible."""
    if os.environ.get(VARIABLE) or _found() or _starts():
        return None

    is_root = os.geteuid() == 0
    if is_root and _is_debian():
        print("Installing the distribution's chromium for the browser tests ...", flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "-qq", *step], env=environment, stdin=subprocess.DEVNULL, check=False)
        if _found():
            return None

    print("Fetching Playwright's chromium for the browser tests ...", flush=True)
    playwright = [sys.executable, "-m", "playwright"]
    if subprocess.run([*playwright, "install", "chromium"], check=False).returncode:
        return (
            "No Chromium was found and none could be fetched. Install one by the system's package manager,"
            f" or name one: {VARIABLE}=/path/to/chromium make test"
        )
    if is_root and not _starts():
        subprocess.run([*playwright, "install-deps", "chromium"], check=False)
    if _starts():
        return None
    command = f"{Path(sys.executable).absolute()} -m playwright install-deps chromium"
    return (
        "Chromium is here, but libraries of the system that it needs are missing."
        f" Run this once, then `make test` again:\n    {'' if is_root else 'sudo '}{command}"
    )


def _is_debian() -> bool:
    try:
        release = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return False
    return "\nID=debian\n" in f"\n{release}" and shutil.which("apt-get") is not None


if __name__ == "__main__":
    sys.exit(_ensure())
