"""consent_widget.testing: what hosts use in their own tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response, make_response

from consent_widget import ConsentWidget, ConsentWidgetError
from consent_widget.core.errors import UnknownCategory
from consent_widget.testing import decided_client, prepare
from tests.factories import (
    CONTROLLER,
    HOST_CATEGORIES,
    OPTIONAL,
    add_pages,
    count_records,
    plain_app,
    records,
    set_cookies,
)
from tests.factories import deployment as widget_of


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """As a host writes it: in memory, the real clock, no notice."""
    app = plain_app(folder=tmp_path, CONSENT_WIDGET_DATABASE_URL="sqlite://")
    ConsentWidget(app, categories=HOST_CATEGORIES, controller=CONTROLLER)

    @app.get("/cookie")
    def cookie() -> Response:
        response = make_response("")
        response.set_cookie("visitor", "1")
        response.set_cookie("campaign", "1")
        return response

    yield add_pages(app)
    widget_of(app).database.engine.dispose()


@pytest.mark.parametrize(
    "granted, stored",
    [((), set()), (("analytics",), {"visitor"}), (["analytics", "marketing"], {"visitor", "campaign"})],
)
def test_a_decided_client_has_really_decided(app: Flask, granted: tuple[str, ...], stored: set[str]) -> None:
    prepare(app)

    client = decided_client(app, granted)

    state = client.get("/privacy/state").get_json()
    assert state["decided"] is True
    assert {name for name, one in state["categories"].items() if one == "granted"} == set(granted)
    assert count_records(app) == 1
    assert set(set_cookies(client.get("/cookie"))) == stored


def test_analytics_is_granted_where_nothing_is_said(app: Flask) -> None:
    prepare(app)
    client = decided_client(app)

    (row,) = records(widget_of(app).database)
    assert row["decisions"] == dict.fromkeys(OPTIONAL, False) | {"analytics": True}
    assert client.get("/").status_code == 200


def test_over_https_the_choice_is_made_there(app: Flask) -> None:
    prepare(app)

    client = decided_client(app, base_url="https://localhost")

    assert client.get("/privacy/state", base_url="https://localhost").get_json()["decided"] is True
    assert client.get("/privacy/state").get_json()["decided"] is False


def test_an_app_that_was_not_prepared_says_what_to_do(app: Flask) -> None:
    with pytest.raises(ConsentWidgetError, match=r"prepare\(app\)|flask consent upgrade"):
        decided_client(app)


def test_an_unknown_category_is_named_and_nothing_is_recorded(app: Flask) -> None:
    prepare(app)

    with pytest.raises(UnknownCategory, match="analytic"):
        decided_client(app, granted=("analytic",))

    assert count_records(app) == 0


def test_preparing_twice_keeps_what_is_there(app: Flask) -> None:
    prepare(app)
    decided_client(app)

    prepare(app)

    assert count_records(app) == 1


def test_an_app_without_the_widget_is_told_so(tmp_path: Path) -> None:
    app = plain_app("bare", folder=tmp_path)

    for use in (prepare, decided_client):
        with pytest.raises(ConsentWidgetError, match="There is no ConsentWidget on the app 'bare'"):
            use(app)


def test_a_url_prefix_is_found(tmp_path: Path) -> None:
    app = plain_app(
        folder=tmp_path, CONSENT_WIDGET_DATABASE_URL="sqlite://", CONSENT_WIDGET_URL_PREFIX="/legal"
    )
    ConsentWidget(app, controller=CONTROLLER)
    prepare(app)

    assert decided_client(app).get("/legal/state").get_json()["decided"] is True
    widget_of(app).database.engine.dispose()
