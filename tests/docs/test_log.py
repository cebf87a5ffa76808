"""The log is described well enough: a verifier that takes nothing from us comes to the same result."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from consent_widget.core.ledger_key import LogKey
from consent_widget.services.ledger import append, newest_head, public_keys, read_lines
from tests.conftest import MakeApp
from tests.factories import NOW, deployment

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "check-the-log.md"


@pytest.fixture
def folder(make_app: MakeApp, tmp_path: Path) -> Path:
    """A log of nine entries and a changed key, its keys, and the verifier that the page prints."""
    old, new = LogKey.derived("the old secret"), LogKey.derived("the new secret")
    made = deployment(make_app())
    for number, keys in enumerate([(old,)] * 4 + [(new, old)] * 3):
        here = replace(made, log_keys=keys)
        with here.database.writing() as connection:
            append(here, connection, kind="version", body={"number": number, "texts": "Ấ\n"}, now=NOW)
            append(here, connection, kind="audit", body={"action": "announce"}, now=NOW)
    (tmp_path / "log.jsonl").write_bytes(b"".join(read_lines(made.database, newest_head(made, now=NOW))))
    current = replace(made, log_keys=(new, old))
    (tmp_path / "log-key.pem").write_text("".join(key.pem for key in public_keys(current)))
    code = re.search(r"^`check_log.py`:\n\n```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert code is not None
    (tmp_path / "check_log.py").write_text(code[1])
    return tmp_path


def run(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "ignore", "check_log.py", "log.jsonl", "log-key.pem"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_verifier_of_the_page_finds_a_real_log_good(folder: Path) -> None:
    done = run(folder)

    assert done.returncode == 0, done.stderr
    assert re.match(r"\d+ entries are good, root [0-9a-f]{64}\n", done.stdout)


@pytest.mark.parametrize(
    "old, new",
    [(b'"number":2', b'"number":9'), (b"T02:00:00.000Z", b"T02:00:00.001Z"), (b'{"head":', b'{"head": ')],
)
def test_it_finds_what_was_changed(folder: Path, old: bytes, new: bytes) -> None:
    path = folder / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(old, new, 1))

    assert run(folder).returncode == 1
