"""A set-up that cannot be served is refused at once, by name and with the cure."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import FlaskGroup

from consent_widget import Category, ConsentWidget
from consent_widget.config import PREFIX, Settings, read_settings
from consent_widget.core.errors import RegisterError, SchemaError, SecretKeyError, SettingError, StartupError
from tests.conftest import MakeApp
from tests.factories import (
    CONTROLLER,
    KEY,
    add_pages,
    bare_client,
    decide,
    deployment,
    plain_app,
    sent_cookie,
    set_cookies,
)


def production(folder: Path, **config: Any) -> Flask:
    usual: dict[str, Any] = {"TESTING": False, "CONSENT_WIDGET_CONTROLLER": CONTROLLER}
    return plain_app(folder=folder, **usual | config)


# Settings


@pytest.mark.parametrize(
    "key, value, told",
    [
        ("CONTROLLER", None, "the name of the controller is missing"),
        ("CONTROLLER", {}, "the name of the controller is missing"),
        ("CONTROLLER", {"name": " "}, "the name of the controller is missing"),
        ("CONTROLLER", "HTEK", "the name of the controller is missing"),
        ("CONTROLLER", {"name": "HTEK", "email": "x"}, "'email'"),
        ("DATABASE_URL", 5, "must be text"),
        ("DATABASE_URL", "", "must be text"),
        ("PUBLIC_URL", "www.example.com", "https://www.example.com"),
        ("PUBLIC_URL", "ftp://www.example.com", "https://www.example.com"),
        ("PUBLIC_URL", "https://www.example.com/?a=b", "https://www.example.com"),
        ("URL_PREFIX", "privacy", "/privacy"),
        ("URL_PREFIX", "/privacy/", "/privacy"),
        ("URL_PREFIX", "//evil.example", "/privacy"),
        ("URL_PREFIX", "/", "/privacy"),
        ("URL_PREFIX", "/<lang>", "/privacy"),
        ("URL_PREFIX", "", "must be text"),
        ("COOKIE_NAME", "__Host-consent", "__Host-"),
        ("COOKIE_NAME", "con sent", "letters"),
        ("COOKIE_NAME", "chọn", "letters"),
        ("COOKIE_NAME", "a;b", "letters"),
        ("COOKIE_DOMAIN", "localhost", "example.com"),
        ("COOKIE_DOMAIN", "https://example.com", "example.com"),
        ("COOKIE_DOMAIN", "a.example; Path=/", "example.com"),
        ("UNDECLARED_COOKIES", "ignore", "'report' or 'block'"),
        ("UNDECLARED_COOKIES", None, "'report' or 'block'"),
        ("SHARED_CACHE", "false", "True or False"),
        ("SHARED_CACHE", 1, "True or False"),
        ("BASE_TEMPLATE", None, "must be text"),
        ("CATEGORIES_FILE", "/nowhere/categories.toml", "cannot be read"),
        ("TIMEZONE", "Hanoi", "Asia/Ho_Chi_Minh"),
        ("TIMEZONE", "", "Asia/Ho_Chi_Minh"),
        ("TIMEZONE", 7, "Asia/Ho_Chi_Minh"),
        ("TIMEZONE", "../../etc/passwd", "Asia/Ho_Chi_Minh"),
        ("SCHEDULE_SECONDS", 0, "1 to 3600"),
        ("SCHEDULE_SECONDS", "30", "1 to 3600"),
        ("SCHEDULE_SECONDS", True, "1 to 3600"),
        ("SCHEDULE_SECONDS", 3601, "1 to 3600"),
        ("LEAD_DAYS", 30, "days"),
        ("LEAD_DAYS", {"grave": 30}, "editorial, important, material"),
        ("LEAD_DAYS", {"material": -1}, "whole days"),
        ("LEAD_DAYS", {"material": 1.5}, "whole days"),
        ("LEAD_DAYS", {"material": True}, "whole days"),
        ("GPC_DECLARED", "yes", "True or False"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_the_settings_full_name(
    tmp_path: Path, key: str, value: Any, told: str
) -> None:
    app = plain_app(
        folder=tmp_path, **{"CONSENT_WIDGET_CONTROLLER": CONTROLLER, f"CONSENT_WIDGET_{key}": value}
    )

    with pytest.raises(SettingError) as refused:
        ConsentWidget(app)

    assert refused.value.key == f"CONSENT_WIDGET_{key}"
    assert str(refused.value).startswith(f"CONSENT_WIDGET_{key}: ")
    assert told in str(refused.value)
    assert "consent_widget" not in app.extensions


@pytest.mark.parametrize(
    "wrong, nearest",
    [
        ("CONTROLER", "CONTROLLER"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("URLPREFIX", "URL_PREFIX"),
        ("UNDECLARED_COOKIE", "UNDECLARED_COOKIES"),
        ("SCHEDULE_SECOND", "SCHEDULE_SECONDS"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_nearest_name(
    tmp_path: Path, wrong: str, nearest: str
) -> None:
    app = production(tmp_path, **{f"CONSENT_WIDGET_{wrong}": "x"})

    with pytest.raises(
        SettingError, match=rf"CONSENT_WIDGET_{wrong}: .*did you mean CONSENT_WIDGET_{nearest}\?"
    ):
        ConsentWidget(app)


@pytest.mark.parametrize(
    "wrong, nearest",
    [
        ("categoris", "categories"),
        ("category", "categories"),
        ("enigne", "engine"),
        ("csp_nonse", "csp_nonce"),
        ("locale_select", "locale_selector"),
        ("staff_loder", "staff_loader"),
        ("url_prefx", "url_prefix"),
        ("categories_fil", "categories_file"),
        ("URL_PREFIX", "url_prefix"),
        ("CONSENT_WIDGET_COOKIE_NAME", "cookie_name"),
    ],
)
def test_a_misspelt_option_is_refused_where_it_is_given_with_the_nearest_name(
    wrong: str, nearest: str
) -> None:
    """Options and settings alike, before any app is there: an app factory may be far away."""
    options: dict[str, Any] = {wrong: "x"}

    with pytest.raises(SettingError) as refused:
        ConsentWidget(**options)

    assert str(refused.value) == (
        f"ConsentWidget({wrong}=...): there is no such option; did you mean {nearest}=...?"
    )


def test_a_misspelt_option_leaves_the_app_alone(tmp_path: Path) -> None:
    app = plain_app(folder=tmp_path)

    with pytest.raises(SettingError, match=r"did you mean categories=\.\.\.\?"):
        ConsentWidget(app, controller=CONTROLLER, categoris=[])

    assert "consent_widget" not in app.extensions


@pytest.mark.parametrize(
    "key, option", [("CATEGORIES", "categories"), ("CATEGORIS", "categories"), ("CSP_NONCE", "csp_nonce")]
)
def test_an_option_among_the_settings_is_told_its_place(tmp_path: Path, key: str, option: str) -> None:
    app = production(tmp_path, **{f"CONSENT_WIDGET_{key}": "x"})

    with pytest.raises(
        SettingError, match=rf"CONSENT_WIDGET_{key}: .*did you mean ConsentWidget\({option}=\.\.\.\)\?"
    ):
        ConsentWidget(app)


def test_a_name_like_nothing_lists_what_there_is(tmp_path: Path) -> None:
    app = plain_app(folder=tmp_path, CONSENT_WIDGET_QQQQ=1, CONSENT_WIDGET_CONTROLLER=CONTROLLER)

    with pytest.raises(SettingError, match=r"known are .*CONSENT_WIDGET_CONTROLLER, "):
        ConsentWidget(app)
    with pytest.raises(SettingError, match=r"known are categories=\.\.\., .*controller=\.\.\., "):
        ConsentWidget(plain_app(folder=tmp_path), qqqq=1)


def test_the_defaults_are_those_of_the_interface() -> None:
    settings = read_settings({"CONSENT_WIDGET_CONTROLLER": {"name": "HTEK"}}, {})

    assert {
        name: getattr(settings, name) for name in ("url_prefix", "cookie_name", "undeclared_cookies")
    } == {
        "url_prefix": "/privacy",
        "cookie_name": "consent",
        "undeclared_cookies": "report",
    }
    assert (settings.shared_cache, settings.gpc_declared, settings.schedule_seconds) == (False, False, 30)
    assert str(settings.timezone) == "Asia/Ho_Chi_Minh"
    assert {one.value: days for one, days in settings.lead_days.items()} == {
        "editorial": 0,
        "important": 15,
        "material": 30,
    }
    assert settings.secure_prefix() == "__Host-"


def test_every_setting_of_the_interface_is_known() -> None:
    named = {
        "CONTROLLER", "DATABASE_URL", "PUBLIC_URL", "URL_PREFIX", "COOKIE_NAME", "COOKIE_DOMAIN",
        "UNDECLARED_COOKIES", "SHARED_CACHE", "BASE_TEMPLATE", "CATEGORIES_FILE", "TIMEZONE",
        "SCHEDULE_SECONDS", "LEAD_DAYS", "MAIL_URL", "MAIL_FROM", "QUEUE_URL", "ERASURE_FILE", "GPC_DECLARED",
    }  # fmt: skip

    assert {name.upper() for name in Settings.__dataclass_fields__} == named
    assert PREFIX == "CONSENT_WIDGET_"


def test_one_lead_time_keeps_the_others(tmp_path: Path) -> None:
    settings = read_settings({}, {"controller": {"name": "HTEK"}, "lead_days": {"material": 60}})

    assert {one.value: days for one, days in settings.lead_days.items()} == {
        "editorial": 0,
        "important": 15,
        "material": 60,
    }


# The register


def test_default_on_is_refused_at_start_up_by_name(tmp_path: Path) -> None:
    text = {"vi": "x", "en": "x"}

    with pytest.raises(StartupError, match=r"categories\.video\.default"):
        ConsentWidget(
            plain_app(folder=tmp_path),
            controller=CONTROLLER,
            categories=[Category("video", text, text, default=True)],
        )


def test_an_incomplete_categories_file_is_refused_at_start_up(tmp_path: Path) -> None:
    path = tmp_path / "categories.toml"
    path.write_text("[categories.video]\ntitle = { vi = 'V', en = 'V' }\n")
    app = plain_app(folder=tmp_path, CONSENT_WIDGET_CATEGORIES_FILE=str(path))

    with pytest.raises(RegisterError, match=r"categories\.video\.purpose\.vi"):
        ConsentWidget(app, controller=CONTROLLER)


# Keys


@pytest.mark.parametrize(
    "config, told",
    [
        ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "dev"}, "SECRET_KEY has 3 bytes"),
        ({"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": ["dev"]}, r"SECRET_KEY_FALLBACKS\[0\] has 3 bytes"),
    ],
)
def test_a_weak_key_is_refused_in_production_with_the_cure(
    tmp_path: Path, config: dict[str, Any], told: str
) -> None:
    app = production(tmp_path, **config)

    with pytest.raises(SecretKeyError, match=told) as refused:
        ConsentWidget(app)

    assert "secrets.token_hex(32)" in str(refused.value)


@pytest.mark.parametrize("mode", ["TESTING", "DEBUG"])
def test_a_weak_key_is_taken_while_debugging_or_testing(tmp_path: Path, mode: str) -> None:
    app = production(tmp_path, SECRET_KEY="dev", **{mode: True})

    ConsentWidget(app)

    assert "consent_widget" in app.extensions


# The schema


@pytest.fixture
def unprepared(tmp_path: Path) -> Iterator[Flask]:
    app = production(tmp_path, CONSENT_WIDGET_DATABASE_URL=f"sqlite:///{tmp_path / 'consent.sqlite'}")
    ConsentWidget(app)
    yield add_pages(app)
    deployment(app).database.engine.dispose()


@pytest.mark.parametrize("path", ["/", "/plain", "/privacy/state"])
def test_a_database_without_tables_is_refused_at_the_first_request_with_the_cure(
    unprepared: Flask, path: str, tmp_path: Path
) -> None:
    for _ in range(2):
        with pytest.raises(SchemaError, match="Run `flask consent upgrade`"):
            unprepared.test_client().get(path)
    assert not (tmp_path / "consent.sqlite").exists()


def test_after_the_upgrade_the_same_process_serves(unprepared: Flask) -> None:
    with pytest.raises(SchemaError):
        unprepared.test_client().get("/")

    assert unprepared.test_cli_runner().invoke(args=["consent", "upgrade"]).exit_code == 0

    assert unprepared.test_client().get("/").status_code == 200


@pytest.mark.parametrize("args", [["routes"], ["consent", "--help"], ["consent", "upgrade"], ["--help"]])
def test_commands_still_work_without_tables(unprepared: Flask, args: list[str]) -> None:
    flask_command = FlaskGroup(create_app=lambda: unprepared)

    result = CliRunner().invoke(flask_command, args)

    assert result.exit_code == 0, result.output


def test_an_app_whose_database_is_out_of_reach_still_shows_pages(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    app = add_pages(make_app(database_url="postgresql://user:hidden@localhost:1/consent?connect_timeout=1"))

    with caplog.at_level(logging.WARNING, "consent_widget"):
        response = app.test_client().get("/")

    assert response.status_code == 200
    assert any("out of reach" in one.getMessage() for one in caplog.records)
    assert not any("hidden" in one.getMessage() for one in caplog.records)
    assert decide(app.test_client(), "analytics").status_code == 503


@pytest.mark.parametrize(
    "url",
    [
        "no address",
        "sqlite",
        "mysql://user:hidden@localhost/x",
        "postgresql+nothing://user:hidden@localhost/x",
    ],
)
def test_a_database_address_that_cannot_be_used_is_refused_without_its_password(
    tmp_path: Path, url: str
) -> None:
    app = production(tmp_path, CONSENT_WIDGET_DATABASE_URL=url)

    with pytest.raises(SettingError, match="CONSENT_WIDGET_DATABASE_URL: ") as refused:
        ConsentWidget(app)

    assert "hidden" not in str(refused.value)


def test_the_keys_of_a_worker_that_serves_are_remembered(make_app: MakeApp) -> None:
    """So that a key promoted in one step is told even where nobody ran `flask consent check` before."""
    first = add_pages(make_app())
    first.test_client().get("/")

    second = make_app(
        database_url=first.config["CONSENT_WIDGET_DATABASE_URL"], config={"SECRET_KEY": "n" * 40}
    )
    result = second.test_cli_runner().invoke(args=["consent", "check"])

    assert "Put a new key into SECRET_KEY_FALLBACKS first" in result.output


# Plain http


def test_plain_http_in_production_is_warned_of_once(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(config={"TESTING": False})

    with caplog.at_level(logging.WARNING, "consent_widget"):
        for _ in range(3):
            decide(app.test_client(), "analytics")
        decide(app.test_client(), "analytics", base_url="https://localhost")

    told = [one.getMessage() for one in caplog.records if "plain http" in one.getMessage()]
    assert len(told) == 1
    assert "__Host-" in told[0]


def test_a_cookie_of_an_app_with_another_key_is_no_choice(make_app: MakeApp) -> None:
    cookie = sent_cookie(decide(make_app(config={"SECRET_KEY": "x" * 40}).test_client(), "analytics"))

    response = bare_client(make_app()).get("/privacy/state", headers={"Cookie": cookie})

    assert response.get_json()["decided"] is False
    assert set_cookies(response) == {}


@pytest.mark.parametrize("option", ["clock", "csp_nonce", "locale_selector"])
def test_an_option_that_is_not_callable_is_refused_at_the_start(option: str) -> None:
    with pytest.raises(SettingError, match=option):
        ConsentWidget(**{option: "abc"})  # type: ignore[arg-type]


def test_a_category_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(SettingError, match="Category objects"):
        ConsentWidget(categories=["analytics"])  # type: ignore[list-item]


@pytest.mark.parametrize("name", ["session", "remember_token"])
def test_the_choice_does_not_take_the_name_of_a_cookie_of_the_host(make_app: MakeApp, name: str) -> None:
    with pytest.raises(SettingError, match="COOKIE_NAME"):
        make_app(config={"CONSENT_WIDGET_COOKIE_NAME": name})


def test_a_layout_that_is_not_there_is_told_by_the_check(make_app: MakeApp) -> None:
    app = make_app(config={"CONSENT_WIDGET_BASE_TEMPLATE": "nowhere.html"})

    done = app.test_cli_runner().invoke(args=["consent", "check"])

    assert done.exit_code == 1
    assert "BASE_TEMPLATE" in done.output
    assert app.test_client().get("/privacy/health").status_code == 503
