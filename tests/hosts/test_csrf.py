"""A host with its own CSRFProtect: our public forms are guarded by origin, its forms by its token."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask_wtf import CSRFProtect

from consent_widget import ConsentWidget
from tests.factories import CONTROLLER, HOST_CATEGORIES, Clock, count_records, decide, deployment, plain_app


def widget_first(app: Flask, widget: ConsentWidget) -> None:
    widget.init_app(app)
    CSRFProtect(app)


def csrf_first(app: Flask, widget: ConsentWidget) -> None:
    CSRFProtect(app)
    widget.init_app(app)


def csrf_late(app: Flask, widget: ConsentWidget) -> None:
    """In a module that is made before the app."""
    csrf = CSRFProtect()
    widget.init_app(app)
    csrf.init_app(app)


@pytest.mark.parametrize("set_up", [widget_first, csrf_first, csrf_late])
def test_both_orders_work(
    clock: Clock, prepared_url: str, tmp_path: Path, set_up: Callable[[Flask, ConsentWidget], None]
) -> None:
    app = plain_app(folder=tmp_path)
    widget = ConsentWidget(
        categories=HOST_CATEGORIES, clock=clock, controller=CONTROLLER, database_url=prepared_url
    )
    set_up(app, widget)

    @app.post("/order")
    def order() -> str:
        return "ordered"

    client = app.test_client()

    assert client.post("/privacy/preferences", data={"action": "accept_all"}).status_code == 303
    assert decide(client, "analytics").status_code == 200
    assert client.post("/order").status_code == 400
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (
        client.post("/privacy/preferences", data={"action": "accept_all"}, headers=foreign).status_code == 403
    )
    assert count_records(app) == 2
    deployment(app).database.engine.dispose()
