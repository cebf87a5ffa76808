"""The sites that are attacked."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.attacks.target import Target
from tests.attacks.wire import Wire, served

MakeTarget = Callable[..., Target]


@pytest.fixture
def database_url(migrated_url: str) -> str:
    """A database of each kind with our tables: making them again for each attack would take longer than it."""
    return migrated_url


@pytest.fixture
def make_target(tmp_path: Path) -> Iterator[MakeTarget]:
    """Makes sites on a database URL; several on one database are workers of one site."""
    made: list[Target] = []

    def make(url: str, **options: object) -> Target:
        made.append(Target(url, tmp_path, **options))  # type: ignore[arg-type]  # Target's own
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def target(make_target: MakeTarget, database_url: str) -> Target:
    """A fresh site on each kind of database: for attacks on what is stored."""
    return make_target(database_url)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A site that all tests of a module share: for attacks after which nothing may be stored."""
    folder = tmp_path_factory.mktemp("site")
    found = Target(f"sqlite:///{folder / 'consent.sqlite'}", folder)
    yield found
    found.close()


@pytest.fixture(scope="module")
def wire(site: Target) -> Iterator[Wire]:
    """The shared site behind a real socket, over plain http."""
    with served(site.app) as found:
        yield found
