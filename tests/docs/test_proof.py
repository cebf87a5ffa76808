"""The proof is described well enough: a verifier that takes nothing from us comes to the same result."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from consent_widget.core.delivery import State as Row
from consent_widget.services.ledger import newest_head, public_keys, read_lines
from consent_widget.services.proof import make_proof, write_proof
from tests.admin.newsroom import STAFF, Newsroom
from tests.admin.post_office import ADDRESS, campaign_of, settle, subscribe
from tests.factories import NOW, Clock, close

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to" / "prove-a-notification.md").read_text(encoding="utf-8")
REFERENCE = (DOCS / "reference" / "proof.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(prepared_url: str, clock: Clock, tmp_path: Path) -> Path:
    """A proof, the keys and the log of a site, and the verifier that the page prints."""
    room = Newsroom(prepared_url, tmp_path, clock)
    subscribe(room.deployment)
    campaign_of(room, room.announced())
    settle(room.deployment, 1, Row.ACCEPTED, code="2.0.0", at=NOW)
    made = make_proof(room.deployment, 1, staff=STAFF["hoa"], now=NOW)
    (tmp_path / "proof-17.json").write_bytes(write_proof(made))
    (tmp_path / "log-key.pem").write_text("".join(key.pem for key in public_keys(room.deployment)))
    head = newest_head(room.deployment, now=NOW)
    (tmp_path / "log.jsonl").write_bytes(b"".join(read_lines(room.deployment.database, head)))
    code = re.search(r"^`check_proof.py`:\n\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert code is not None
    (tmp_path / "check_proof.py").write_text(code[1], encoding="utf-8")
    runner = room.app.test_cli_runner()
    for name, options in COMMANDS.items():
        done = runner.invoke(args=["consent", "verify-proof", *(str(tmp_path / one) if "." in one and "@" not in one
                                                                else one for one in options)])  # fmt: skip
        (tmp_path / name).write_text(f"{done.exit_code} {done.output}", encoding="utf-8")
    close(room.app)
    return tmp_path


COMMANDS = {
    "plain": ["proof-17.json"],
    "whole": ["proof-17.json", "--key", "log-key.pem", "--log", "log.jsonl"],
    "mine": ["proof-17.json", "--address", ADDRESS],
    "other": ["proof-17.json", "--address", "other@example.vn"],
    "json": ["proof-17.json", "--json"],
    "none": ["log.jsonl"],
    "bad key": ["proof-17.json", "--key", "log.jsonl"],
}


def run(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "ignore", "check_proof.py", "proof-17.json", "log-key.pem", "log.jsonl"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_verifier_of_the_page_finds_a_real_proof_good(folder: Path) -> None:
    done = run(folder)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "signed by HTEK on 2026-12-01T02:00:00.000Z",
        "version 2: accepted 2026-12-01T02:00:00.000Z",
    ]


@pytest.mark.parametrize(
    "old, new", [('"accepted"', '"failed"'), ("HTEK", "HTEk"), ('"version": 2', '"version": 3')]
)
def test_it_finds_what_was_changed(folder: Path, old: str, new: str) -> None:
    path = folder / "proof-17.json"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace(old, new, 1), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != before

    assert run(folder).returncode == 1


def test_the_command_says_what_the_page_promises(folder: Path) -> None:
    def said(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    good = said("whole").splitlines()
    assert good[0] == "0 ok: of 2026-12-01T02:00:00.000Z, by HTEK."
    assert re.fullmatch(r"version 2 \(change\): accepted 2026-12-01T02:00:00.000Z, <[^>]+>\.", good[1])
    assert said("plain") == said("whole") == said("mine")
    assert said("other") == "1 wrong: it is not the proof of this address.\n"
    assert said("none").startswith("1 wrong: it is no proof")
    assert json.loads(said("json")[2:])["proof"]["told"][0]["version"] == 2
    assert said("bad key").startswith("2 ")


def test_every_name_is_described(folder: Path) -> None:
    def names(value: object) -> set[str]:
        if isinstance(value, dict):
            return {*value, *(one for part in value.values() for one in names(part))}
        return {one for part in value for one in names(part)} if isinstance(value, list) else set()

    described = set(re.findall(r"`(\w+)`", REFERENCE))
    assert names(json.loads((folder / "proof-17.json").read_bytes())) - {"vi", "en"} <= described
