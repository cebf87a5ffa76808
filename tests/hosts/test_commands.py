"""`flask consent ...` on a host."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from tests.conftest import MakeApp
from tests.factories import NOTICES, NOW, count_records, deployment

Run = Callable[..., Result]


@pytest.fixture
def app(make_app: MakeApp, sqlite_url: str) -> Flask:
    """A host on a database that does not exist yet."""
    return make_app(database_url=sqlite_url)


@pytest.fixture
def run(app: Flask) -> Run:
    return lambda *args: app.test_cli_runner().invoke(args=["consent", *args])


def from_json(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_from_nothing_to_a_notice_in_force(app: Flask, run: Run) -> None:
    assert run("upgrade").exit_code == 0
    assert run("upgrade").output == run("upgrade").output

    imported = from_json(run("import-notice", str(NOTICES), "--announce", "--json"))

    assert imported == [{"number": 1, "state": "announced", "effective_at": NOW.isoformat()}]
    (listed,) = from_json(run("versions", "--json"))
    assert (listed["number"], listed["state"], listed["change_class"]) == (1, "in_force", "material")
    assert app.test_client().get("/privacy/vi/").status_code == 200
    assert from_json(run("check", "--json"))["problems"] == []


def test_the_notice_is_seen_by_this_process_at_once(app: Flask, run: Run) -> None:
    run("upgrade")
    assert app.test_client().get("/privacy/vi/").status_code == 404

    run("import-notice", str(NOTICES), "--announce")

    assert app.test_client().get("/privacy/vi/").status_code == 200


def test_check_tells_what_is_missing_and_exits_with_1(run: Run) -> None:
    result = run("check")
    assert result.exit_code == 1
    assert "flask consent upgrade" in result.output

    run("upgrade")
    result = run("check", "--json")
    assert result.exit_code == 1
    found = json.loads(result.output)
    assert found["ok"] is False
    assert "import-notice" in found["problems"][0]


def test_check_says_that_all_is_well(run: Run) -> None:
    run("upgrade")
    run("import-notice", str(NOTICES), "--announce")

    result = run("check")

    assert result.exit_code == 0
    assert "ok: settings, keys, schema, notice and log.\n" in result.output


@pytest.mark.parametrize(
    "given, expected",
    [
        ("2027-01-01T00:00:00+07:00", "2026-12-31T17:00:00+00:00"),
        ("2027-01-01", "2026-12-31T17:00:00+00:00"),
        ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00+00:00"),
    ],
)
def test_an_effective_date_without_zone_is_in_the_deployments(
    app: Flask, run: Run, given: str, expected: str
) -> None:
    run("upgrade")

    assert run("import-notice", str(NOTICES), "--announce", "--effective", given).exit_code == 0

    (version,) = deployment(app).schedule.at(NOW).versions
    assert version.effective_at.isoformat() == expected


@pytest.mark.parametrize(
    "args, code, told",
    [
        (["import-notice", "/nowhere"], 2, "/nowhere"),
        (["import-notice"], 2, "FOLDER"),
        (["import-notice", str(NOTICES), "--announce", "--effective", "tomorrow"], 1, "tomorrow"),
        (["import-notice", str(NOTICES), "--effective", "2027-01-01"], 2, "--announce"),
        (["nothing"], 2, "nothing"),
        (["upgrade", "--wrong"], 2, "--wrong"),
    ],
)
def test_a_mistake_is_one_line_with_the_right_code_and_changes_nothing(
    run: Run, args: list[str], code: int, told: str
) -> None:
    run("upgrade")

    result = run(*args)

    assert result.exit_code == code
    assert told in result.output
    assert "Traceback" not in result.output
    assert from_json(run("versions", "--json")) == []


def test_a_faulty_notice_is_named_and_nothing_is_imported(run: Run, tmp_path: Path) -> None:
    run("upgrade")
    (tmp_path / "1.vi.md").write_text("---\ntitle: T\nsummary: S\nclass: grave\n---\nWords")
    (tmp_path / "1.en.md").write_text("---\ntitle: T\nsummary: S\nclass: grave\n---\nWords")

    result = run("import-notice", str(tmp_path), "--announce")

    assert result.exit_code == 1
    assert "1.vi.md" in result.output
    assert from_json(run("versions", "--json")) == []


@pytest.mark.parametrize("command", ["import-notice", "versions"])
def test_before_the_upgrade_a_command_says_what_to_do(run: Run, command: str) -> None:
    result = run(command, *([str(NOTICES)] if command == "import-notice" else []))

    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "flask consent upgrade" in result.output


def test_a_database_out_of_reach_is_one_line_without_secrets(make_app: MakeApp) -> None:
    app = make_app(database_url="postgresql://user:hidden@localhost:1/consent?connect_timeout=1")

    for command in ("upgrade", "versions", "check"):
        result = app.test_cli_runner().invoke(args=["consent", command])
        assert result.exit_code == 1
        assert "hidden" not in result.output
        assert "Traceback" not in result.output


def test_a_key_promoted_in_one_step_is_warned_of(make_app: MakeApp) -> None:
    first = make_app()
    url = first.config["CONSENT_WIDGET_DATABASE_URL"]
    assert first.test_cli_runner().invoke(args=["consent", "check"]).exit_code == 0

    second = make_app(database_url=url, config={"SECRET_KEY": "n" * 40})
    result = second.test_cli_runner().invoke(args=["consent", "check", "--json"])

    assert result.exit_code == 0
    assert any("SECRET_KEY_FALLBACKS" in one for one in json.loads(result.output)["warnings"])
    assert count_records(second) == 0


def test_every_command_has_help(app: Flask, run: Run) -> None:
    names = app.cli.commands["consent"].commands  # type: ignore[attr-defined]

    assert {"upgrade", "import-notice", "versions", "check"} <= set(names)
    for name in names:
        result = run(name, "--help")
        assert result.exit_code == 0
        assert len(result.output.splitlines()) > 3
