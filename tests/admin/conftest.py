"""Newsrooms, on each kind of database where something is stored and on SQLite where that is not the subject."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.admin.newsroom import Newsroom
from tests.factories import Clock, close

MakeNewsroom = Callable[..., Newsroom]


@pytest.fixture
def make_newsroom(prepared_url: str, clock: Clock, tmp_path: Path) -> Iterator[MakeNewsroom]:
    """Makes newsrooms; all on one prepared database unless another is given."""
    made: list[Newsroom] = []

    def make(database_url: str = prepared_url, **options: Any) -> Newsroom:
        folder = tmp_path / f"newsroom{len(made)}"
        folder.mkdir()
        made.append(Newsroom(database_url, folder, clock, **options))
        return made[-1]

    yield make
    for one in made:
        close(one.app)


@pytest.fixture
def newsroom(make_newsroom: MakeNewsroom) -> Newsroom:
    """A newsroom on SQLite."""
    return make_newsroom()


@pytest.fixture
def stored_newsroom(make_newsroom: MakeNewsroom, in_force_url: str) -> Newsroom:
    """The same on each kind of database."""
    return make_newsroom(in_force_url)
