"""A list of a million is looked at by its indexes: the last page costs no more than the first."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event

from consent_widget.core.subscription import State
from consent_widget.storage import delivery
from consent_widget.storage import subscriber_list as storage
from consent_widget.storage.database import Database

LOOKS: dict[str, Callable[[Connection], object]] = {
    "newest": lambda connection: storage.list_rows(connection, limit=50),
    "a later page": lambda connection: storage.list_rows(connection, limit=50, before=900_000),
    "one state": lambda connection: storage.list_rows(connection, limit=50, state=State.PENDING, before=9),
    "export": lambda connection: storage.read_rows(connection, after=5, upto=900_000, limit=1000),
    "export of one state": lambda connection: storage.read_rows(
        connection, after=5, upto=900_000, limit=1000, state=State.CONFIRMED
    ),
    "whole address": lambda connection: storage.rows_of(connection, ["0" * 64, "1" * 64]),
    "beginning": lambda connection: storage.rows_like(connection, "nguyen", limit=50),
    "domain": lambda connection: storage.rows_like(connection, "@example", limit=50),
    "states": storage.count_states,
    "newest id": storage.newest_id,
    "late rows": lambda connection: delivery.count_states(connection, 1, late=True),
    "refusals": lambda connection: delivery.count_refusals(connection, 1),
    "last accepted": lambda connection: delivery.last_accepted(connection, 1),
    "unknown": lambda connection: storage.unknown_mails(connection, 1, limit=50),
    "told": lambda connection: storage.told(connection, 1),
    "bounces": lambda connection: storage.bounces_of(connection, 1, limit=50),
}

#: One person's rows are put in order after they were found.
FEW = ("told", "bounces", "whole address")

#: A campaign's own index would do as well, and read all of its rows.
INDEX = {"late rows": "ix_cw_delivery_late", "refusals": "ix_cw_delivery_code"}

_COVERED = "SCAN cw_subscription USING COVERING INDEX"


@pytest.mark.parametrize("look", LOOKS)
def test_no_look_reads_a_whole_table(database: Database, look: str) -> None:
    plans = []
    with database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # The tables are empty here, and then it would not trouble to use an index; this asks whether it could.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        asked: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
            if statement.startswith("SELECT"):
                asked.append((statement, values))

        event.listen(database.engine, "before_cursor_execute", note)
        LOOKS[look](connection)
        event.remove(database.engine, "before_cursor_execute", note)
        explain = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        for statement, values in asked:
            rows = connection.exec_driver_sql(f"{explain} {statement}", values)
            plans.append("\n".join(str(row[-1]) for row in rows))

    assert plans
    for plan in plans:
        assert plan
        assert "Seq Scan" not in plan, plan
        # The newest fifty in the order of the key are where a scan begins.
        assert look == "newest" or "SCAN cw_" not in plan.replace(_COVERED, ""), plan
        if look in INDEX:
            assert INDEX[look] in plan, plan
        if look not in FEW:
            assert not re.search(r"(?<!Incremental )Sort  \(", plan), plan
            assert "TEMP B-TREE" not in plan, plan
