"""The demonstration's staff: made at the first start, kept by the second."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from demo_site import create_app
from demo_site.prepare import commands
from demo_site.staff import STAFF, add_staff


class Site:
    """The demonstration's data in a folder, and ``flask consent`` on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.orders: list[str] = []
        self._run = commands(create_app())

    def run(self, *arguments: str, given: str = "") -> str:
        self.orders.append(" ".join(arguments[:2]))
        return self._run(*arguments, given=given)

    def accounts(self) -> dict[str, Any]:
        return {one["email"]: one for one in json.loads(self.run("staff", "list", "--json"))}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("DEMO_DIR", str(tmp_path))
    made = Site(tmp_path)
    made.run("upgrade")
    made.orders.clear()
    return made


def test_staff_are_made_once_and_found_again(site: Site) -> None:
    passwords = add_staff(site.directory, site.run)
    assert site.orders == ["staff list"] + ["staff add"] * 4
    file = site.directory / "passwords.json"

    assert json.loads(file.read_text()) == passwords
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(passwords) == [f"{role}@demo.example" for role in STAFF]
    assert len(set(passwords.values())) == 4
    found = site.accounts()
    for role in STAFF:
        account = found[f"{role}@demo.example"]
        assert (account["roles"], account["state"], account["second_factor"]) == ([role], "open", False)

    site.orders.clear()
    assert add_staff(site.directory, site.run) == passwords
    assert site.orders == ["staff list"]

    # A start that was broken off before it wrote one down: that one gets a new password.
    lost = {email: one for email, one in passwords.items() if not email.startswith("officer")}
    file.write_text(json.dumps(lost))
    site.orders.clear()
    renewed = add_staff(site.directory, site.run)
    assert site.orders == ["staff list", "staff reset"]
    assert renewed["officer@demo.example"] != passwords["officer@demo.example"]
    assert {email: renewed[email] for email in lost} == lost
