"""Which Chromium the browser tests and the benchmarks run.

`python -m tests.browser.chromium` makes sure that there is one: `make test` calls it first.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, sync_playwright

VARIABLE = "TEST_BROWSER"
#: Chromium without windows, as Playwright takes by itself: each visitor costs a third of what a window does.
_SHELL = "chromium-headless-shell"
_ON_PATH = (_SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# What a browser does of its own accord would stand among the requests that tests count.
_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


#: So many seconds may a package take.
_PATIENCE = 300


class ChromiumMissing(Exception):
    """No Chromium starts here; the message holds the cure."""


@contextmanager
def launched(*flags: str, is_whole: bool = False) -> Iterator[Browser]:
    """A running headless Chromium; a whole one, windows and all, is what people have.

    Raises:
        ChromiumMissing: none is found, or the one that is found does not start.
    """
    # Root may not have a sandbox; everybody else keeps it.
    sandbox = () if os.geteuid() else ("--no-sandbox",)
    with sync_playwright() as playwright:
        try:
            which = whole() if is_whole else {"executable_path": _found()}
            painter = () if is_whole else ("--disable-gpu",)  # nobody watches
            browser = playwright.chromium.launch(**which, args=[*_FLAGS, *painter, *sandbox, *flags])
        except Error as error:
            raise ChromiumMissing(
                f"No Chromium starts here. `make test` finds or installs one; {VARIABLE}=/path/to/chromium"
                f" names another.\n{error.message}"
            ) from error
        try:
            yield browser
        finally:
            browser.close()


def whole() -> dict[str, Any]:
    """Options for Playwright to launch a Chromium with settings and a history of its own, which the shell lacks."""
    named = os.environ.get(VARIABLE, "")
    path = named if named and _SHELL not in named else _on_path(name for name in _ON_PATH if name != _SHELL)
    return {"executable_path": path} if path else {"channel": "chromium"}


def _found() -> str | None:
    """The path of a browser, or None for the one that Playwright keeps itself."""
    return os.environ.get(VARIABLE) or _on_path(_ON_PATH)


def _on_path(names: Iterable[str]) -> str | None:
    return next(filter(_answers, filter(None, map(shutil.which, names))), None)


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
    if os.environ.get(VARIABLE):
        return None
    is_root = os.geteuid() == 0
    if is_root and _is_debian():
        _install()
    if _found() or _starts():
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


def _install() -> None:
    """The distribution's packages, each tried once for this environment: a release may lack one."""
    tried = Path(sys.prefix) / "browser-packages-tried"
    missing = [name for name in ("chromium", _SHELL) if not shutil.which(name)]
    if not missing or tried.exists():
        return
    print(f"Installing the distribution's {' and '.join(missing)} for the browser tests ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], *(["install", "--yes", "--no-install-recommends", name] for name in missing)):
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                ["apt-get", "-qq", *step],
                env=environment,
                stdin=subprocess.DEVNULL,
                check=False,
                timeout=_PATIENCE,
            )
    tried.touch()


def _is_debian() -> bool:
    try:
        release = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return False
    return "\nID=debian\n" in f"\n{release}" and shutil.which("apt-get") is not None


if __name__ == "__main__":
    sys.exit(_ensure())
