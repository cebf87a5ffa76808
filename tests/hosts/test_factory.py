"""The widget in app factories: any number of apps, each on its own."""

from pathlib import Path

import pytest
from flask import Flask

from consent_widget import ConsentWidget, ConsentWidgetError, current_consent
from tests.conftest import MakeApp
from tests.factories import (
    CONTROLLER,
    HOST_CATEGORIES,
    Clock,
    add_pages,
    bare_client,
    category,
    count_records,
    decide,
    deployment,
    plain_app,
    sent_cookie,
)


def test_init_app_in_a_factory_is_the_same_as_the_constructor(
    clock: Clock, prepared_url: str, tmp_path: Path
) -> None:
    widget = ConsentWidget(
        categories=HOST_CATEGORIES, clock=clock, controller=CONTROLLER, database_url=prepared_url
    )

    def create_app() -> Flask:
        app = plain_app(folder=tmp_path)
        widget.init_app(app)
        return add_pages(app)

    client = create_app().test_client()

    assert decide(client, "analytics").status_code == 200
    assert client.get("/").status_code == 200
    deployment(client.application).database.engine.dispose()


def test_one_widget_serves_several_apps(clock: Clock, tmp_path: Path, make_app: MakeApp) -> None:
    made = make_app()
    url = made.config["CONSENT_WIDGET_DATABASE_URL"]
    widget = ConsentWidget(clock=clock, controller=CONTROLLER, database_url=url)
    apps = [plain_app(f"app{number}", folder=tmp_path) for number in range(2)]
    for app in apps:
        widget.init_app(app)

    assert [decide(app.test_client(), "analytics").status_code for app in apps] == [200, 200]
    assert deployment(apps[0]) is not deployment(apps[1])
    for app in apps:
        deployment(app).database.engine.dispose()


def test_two_apps_in_one_process_do_not_meet(make_app: MakeApp) -> None:
    one = make_app(config={"SECRET_KEY": "1" * 40})
    two = make_app(
        config={"SECRET_KEY": "2" * 40, "CONSENT_WIDGET_URL_PREFIX": "/legal"}, categories=[category("video")]
    )
    cookie = sent_cookie(decide(one.test_client(), "analytics"))

    assert count_records(two) == 0
    found = bare_client(two).get("/legal/state", headers={"Cookie": cookie}).get_json()
    assert found["decided"] is False
    assert "video" in found["categories"]
    assert "video" not in bare_client(one).get("/privacy/state").get_json()["categories"]
    assert one.test_client().get("/legal/state").status_code == 404


def test_an_app_that_calls_another_one_within_a_request_keeps_its_own_visitor(make_app: MakeApp) -> None:
    """A dispatcher may hand one environ from app to app."""
    outer, inner = make_app(), make_app()

    @inner.get("/ask")
    def ask() -> str:
        return str(current_consent().granted("analytics"))

    @outer.get("/ask")
    def through() -> str:
        own = current_consent().granted("analytics")
        within = inner.test_client().get("/ask").text
        return f"{own} {within} {current_consent().granted('analytics')}"

    client = outer.test_client()
    decide(client, "analytics")

    assert client.get("/ask").text == "True False True"


def test_twice_on_one_app_raises_and_leaves_the_first_one_working(make_app: MakeApp) -> None:
    app = make_app()

    with pytest.raises(ConsentWidgetError, match="There is a ConsentWidget on the app 'host' already"):
        ConsentWidget(app, controller=CONTROLLER)

    assert decide(app.test_client(), "analytics").status_code == 200


def test_a_start_that_failed_leaves_the_app_without_half_a_widget(tmp_path: Path) -> None:
    app = plain_app(folder=tmp_path)

    with pytest.raises(ConsentWidgetError):
        ConsentWidget(app, controller={})

    assert "consent_widget" not in app.extensions
    assert "consent_widget" not in app.blueprints
    assert "consent_head" not in app.jinja_env.globals


def test_app_config_goes_before_the_constructor(clock: Clock, prepared_url: str, tmp_path: Path) -> None:
    app = plain_app(folder=tmp_path, CONSENT_WIDGET_URL_PREFIX="/from-config")

    ConsentWidget(
        app, clock=clock, controller=CONTROLLER, database_url=prepared_url, url_prefix="/from-constructor"
    )

    assert app.test_client().get("/from-config/state").status_code == 200
    assert app.test_client().get("/from-constructor/state").status_code == 404
    deployment(app).database.engine.dispose()


def test_without_an_address_the_database_lies_in_the_instance_folder(tmp_path: Path) -> None:
    app = plain_app(folder=tmp_path / "instance")
    ConsentWidget(app, controller=CONTROLLER)

    result = app.test_cli_runner().invoke(args=["consent", "upgrade"])

    assert result.exit_code == 0
    deployment(app).database.engine.dispose()
    assert [path.name for path in (tmp_path / "instance").iterdir()] == ["consent_widget.db"]


def test_addresses_can_be_built_with_url_for(make_app: MakeApp) -> None:
    app = make_app(config={"CONSENT_WIDGET_URL_PREFIX": "/legal"})

    with app.test_request_context():
        assert app.url_for("consent_widget.show_preferences") == "/legal/preferences"
        assert app.url_for("consent_widget.show_notice", lang="en") == "/legal/en/"
        assert app.url_for("consent_widget.show_version", lang="vi", number=3) == "/legal/vi/versions/3"
