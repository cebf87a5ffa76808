"""What the tests of the public door share."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.factories import deployment

BreakStore = Callable[[Flask], AbstractContextManager[None]]


@pytest.fixture
def store_down() -> BreakStore:
    """``with store_down(app):`` the database refuses every statement, as one that is out of reach."""

    @contextmanager
    def down(app: Flask) -> Iterator[None]:
        def refuse(*_: object) -> None:
            raise sa.exc.OperationalError("SELECT", {}, Exception("connection refused by 10.0.0.7"))

        engine = deployment(app).database.engine
        sa.event.listen(engine, "before_cursor_execute", refuse)
        try:
            yield
        finally:
            sa.event.remove(engine, "before_cursor_execute", refuse)

    return down
