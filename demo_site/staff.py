"""The demonstration's staff: one of each role, with random passwords that stand in DEMO_DIR/passwords.json."""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from .settings import DemoError

#: Named after their work: the role is also the part of the address before the @.
STAFF = {
    "author": "Người soạn thảo",
    "approver": "Người phê duyệt",
    "officer": "Phụ trách dữ liệu cá nhân",
    "auditor": "Kiểm tra nội bộ",
}
_DOMAIN = "demo.example"
_FILE = "passwords.json"

#: Runs ``flask consent`` with arguments and a text for its input, and gives what it prints.
Run = Callable[..., str]


def add_staff(directory: Path, run: Run) -> dict[str, str]:
    """Make the accounts that are missing; the passwords by address."""
    passwords = read_passwords(directory)
    known = {one["email"] for one in json.loads(run("staff", "list", "--json"))}
    for role, name in STAFF.items():
        email = f"{role}@{_DOMAIN}"
        if email in known and email in passwords:
            continue
        password = "-".join(secrets.token_hex(2) for _ in range(4))
        order = ("reset", email) if email in known else ("add", email, "--name", name, "--role", role)
        run("staff", *order, "--ask", given=f"{password}\n")
        # Afterwards: a start that is broken off before this line resets the account the next time.
        passwords[email] = password
        _write(directory, passwords)
    return passwords


def read_passwords(directory: Path) -> dict[str, str]:
    """Those of the accounts that were made, by address."""
    path = directory / _FILE
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise DemoError(f"{path} is damaged; remove it, and the staff get new passwords.") from error
    return found


def _write(directory: Path, passwords: dict[str, str]) -> None:
    path = directory / _FILE
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    # Born with its mode: nobody else can read it, not for a moment.
    number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        json.dump(passwords, file, indent=2)
    draft.replace(path)
