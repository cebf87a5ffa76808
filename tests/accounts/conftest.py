"""Offices, on each kind of database where something is stored and on SQLite where that is not the subject."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.accounts.office import Office
from tests.factories import Clock

MakeOffice = Callable[..., Office]


@pytest.fixture
def make_office(prepared_url: str, clock: Clock, tmp_path: Path) -> Iterator[MakeOffice]:
    """Makes offices; all on one database unless another is given."""
    made: list[Office] = []

    def make(database_url: str = prepared_url, **options: Any) -> Office:
        folder = tmp_path / f"office{len(made)}"
        folder.mkdir()
        made.append(Office(database_url, folder=folder, clock=clock, **options))
        return made[-1]

    yield make
    for one in made:
        one.database.engine.dispose()


@pytest.fixture
def office(make_office: MakeOffice) -> Office:
    """An office on SQLite with one author."""
    made = make_office()
    made.hire()
    return made


@pytest.fixture
def stored_office(make_office: MakeOffice, migrated_url: str) -> Office:
    """The same on each kind of database."""
    made = make_office(migrated_url)
    made.hire()
    return made
