"""`flask consent verify`: the log, offline, and the ledger in the database."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from consent_widget.services.ledger import append
from tests.conftest import MakeApp
from tests.factories import KEY, NOW, deployment

Run = Callable[..., Result]


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    app = make_app()
    here = deployment(app)
    with here.database.writing() as connection:
        for number in (7, 8):
            append(here, connection, kind="version", body={"number": number}, now=NOW)
    return app


@pytest.fixture
def run(app: Flask) -> Run:
    return lambda *args, **options: app.test_cli_runner().invoke(
        args=["consent", "verify", *(str(arg) for arg in args)], **options
    )


@pytest.fixture
def log(app: Flask, tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_bytes(app.test_client().get("/privacy/log.jsonl").data)
    return path


@pytest.fixture
def pem(app: Flask, tmp_path: Path) -> Path:
    path = tmp_path / "log-key.pem"
    path.write_bytes(app.test_client().get("/privacy/log-key.pem").data)
    return path


@pytest.fixture
def elsewhere(make_app: MakeApp, sqlite_url: str) -> Run:
    """Another host with another key, and no database: it knows nothing of this log."""
    app = make_app(database_url=sqlite_url, config={"SECRET_KEY": f"{KEY}, of another host"})
    return lambda *args: app.test_cli_runner().invoke(args=["consent", "verify", *(str(arg) for arg in args)])


def test_the_own_ledger_is_good(run: Run) -> None:
    result = run()

    assert result.exit_code == 0
    assert result.output.startswith("ok: ")
    assert "entries, root " in result.output


def test_a_published_log_is_good_with_the_own_key(run: Run, log: Path) -> None:
    result = run(log, "--json")

    assert result.exit_code == 0
    found = json.loads(result.output)
    head = json.loads(log.read_bytes().splitlines()[-1])["head"]
    assert found == {
        "ok": True,
        "entries": head["size"],
        "root": head["root"],
        "at": head["at"],
        "key": head["key"],
        "problem": None,
        "notes": [],
    }


def test_a_published_log_is_checked_elsewhere_with_its_key(elsewhere: Run, log: Path, pem: Path) -> None:
    assert elsewhere(log, "--key", pem).exit_code == 0
    assert elsewhere(log).exit_code == 1


def test_a_log_can_come_from_standard_input(run: Run, log: Path) -> None:
    assert run("-", input=log.read_bytes()).exit_code == 0


def test_the_entry_that_was_changed_is_named(run: Run, log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    row = next(number for number, line in enumerate(lines) if b'"number":7' in line)
    lines[row] = lines[row].replace(b'"number":7', b'"number":9')
    log.write_bytes(b"".join(lines))

    told, shown = run(log), run(log, "--json")

    assert told.exit_code == shown.exit_code == 1
    assert told.output == (
        f"wrong: entry {row} (line {row + 1}): its body does not have the hash that was entered.\n"
    )
    found = json.loads(shown.output)
    assert found["ok"] is False
    assert found["entries"] == row
    assert (found["problem"]["code"], found["problem"]["entry"]) == ("body", row)


def test_a_head_that_is_missing_is_named(run: Run, log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-1]))

    result = run(log)

    assert result.exit_code == 1
    assert result.output == f"wrong: the head (line {len(lines)}): the log ends before its head.\n"


def test_a_row_that_was_changed_in_the_database_is_named(app: Flask, run: Run) -> None:
    with deployment(app).database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER cw_ledger_no_update")
        connection.exec_driver_sql("""UPDATE cw_ledger SET body = '{}' WHERE body LIKE '%"number":8%'""")
        last = connection.exec_driver_sql('SELECT MAX("index") FROM cw_ledger').scalar_one()

    result = run()

    assert result.exit_code == 1
    assert result.output.startswith(f"wrong: entry {last}: its body")


def test_a_key_that_is_none_is_a_wrong_call(run: Run, log: Path) -> None:
    result = run(log, "--key", log)

    assert result.exit_code == 2
    assert "--key: no public key in PEM form." in result.output


def test_a_file_that_is_not_there_is_a_wrong_call(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path / "nowhere").exit_code == 2


def test_an_empty_ledger_is_good_and_a_database_without_tables_names_the_cure(elsewhere: Run) -> None:
    result = elsewhere()

    assert result.exit_code == 1
    assert "flask consent upgrade" in result.output
    assert "Traceback" not in result.output


def test_a_ledger_without_entries_is_good(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(database_url=sqlite_url)
    runner = app.test_cli_runner()
    runner.invoke(args=["consent", "upgrade"])

    result = runner.invoke(args=["consent", "verify"])

    assert (result.exit_code, result.output) == (0, "ok: 0 entries.\n")


def test_a_ledger_whose_key_was_dropped_is_gone_on_with(make_app: MakeApp, app: Flask, pem: Path) -> None:
    url = app.config["CONSENT_WIDGET_DATABASE_URL"]
    after = make_app(database_url=url, config={"SECRET_KEY": f"{KEY}, another one"})
    runner = after.test_cli_runner()

    alone = runner.invoke(args=["consent", "verify"])
    adopted = runner.invoke(args=["consent", "verify", "--key", str(pem), "--adopt"])

    assert alone.exit_code == 1
    assert "none of the keys you trust" in alone.output
    assert adopted.exit_code == 0, adopted.output
    assert adopted.output.startswith("ok: ")
    assert runner.invoke(args=["consent", "verify"]).exit_code == 0


@pytest.mark.parametrize("with_file, with_key", [(True, True), (False, False)])
def test_what_cannot_be_adopted_is_a_wrong_call(
    run: Run, log: Path, pem: Path, with_file: bool, with_key: bool
) -> None:
    args = [*([log] if with_file else []), *(["--key", pem] if with_key else [])]

    assert run(*args, "--adopt").exit_code == 2
