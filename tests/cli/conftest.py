"""What the commands find on the machine."""

import os

import pytest

from tests.services.test_backup import binaries


@pytest.fixture
def _pg_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{binaries()}{os.pathsep}{os.environ['PATH']}")
