"""The examples run: the tutorial is built and visited as a site, the other pages are run block by block.

What a page promises about a file stands in the line before the block: ``app.py`` and a colon. Python
blocks without a file run with ``app``, a fresh host without a widget, and the names of the blocks above.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from consent_widget import ConsentWidget
from consent_widget.storage import schema
from consent_widget.testing import decided_client, prepare

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
KEY = "a key for examples alone, long enough"
CONTROLLER = {"name": "Example Ltd"}
#: What the pages speak of without making it.
GIVEN = {"OLD": KEY, "NEW": f"{KEY}, the new one"}

_FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^(?P<adds>Add to )?`(?P<path>[\w./-]+)`(?: becomes)?:$")
_LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<target>[^)\s]+)\)")


@dataclass(frozen=True, kw_only=True)
class Example:
    """One fenced block; ``path`` is the file it is, or None; ``adds`` to what the file holds already."""

    language: str
    code: str
    path: str | None
    adds: bool


def examples(page: Path) -> Iterator[Example]:
    text = page.read_text(encoding="utf-8")
    for block in _FENCE.finditer(text):
        named = _FILE.match(text[: block.start()].rstrip().rpartition("\n")[2])
        yield Example(
            language=block["language"],
            code=block["code"],
            path=named["path"] if named else None,
            adds=bool(named and named["adds"]),
        )


def write(example: Example) -> None:
    assert example.path is not None
    path = Path(example.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8") if example.adds else ""
    path.write_text(before + example.code, encoding="utf-8")


def is_named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Examples run in a folder of their own, as a reader's would."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def host(folder: Path, number: int) -> Flask:
    app = Flask(f"example_{number}", root_path=str(folder), instance_path=str(folder / f"instance-{number}"))
    app.config.update(SECRET_KEY=KEY, CONSENT_WIDGET_CONTROLLER=CONTROLLER)
    return app


def close(app: Flask) -> None:
    app.extensions["consent_widget"].deployment.database.engine.dispose()


PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((DOCS / "how-to").glob("*.md")))
    if any(one.language == "python" for one in examples(page))
]
TEMPLATES = [
    pytest.param(one.code, id=f"{is_named(page)}-{number}")
    for page in (ROOT / "README.md", *sorted((DOCS / "how-to").glob("*.md")))
    for number, one in enumerate(examples(page))
    if one.language == "jinja" and one.path is None
]


@pytest.mark.parametrize("page", PAGES, ids=is_named)
def test_python_of_a_page_runs_and_its_site_answers(page: Path, folder: Path) -> None:
    shutil.copytree(ROOT / "demo_site" / "notices", folder / "notices")
    blocks = list(examples(page))
    for block in blocks:
        if block.path is not None:
            write(block)
    names: dict[str, Any] = dict(GIVEN)

    for number, block in enumerate(blocks):
        if block.language != "python" or block.path is not None:
            continue
        app = names["app"] = host(folder, number)
        exec(compile(block.code, f"{is_named(page)}, block {number}", "exec"), names)
        if "consent_widget" in app.extensions:
            answers(app)
            close(app)


def answers(app: Flask) -> None:
    """The site serves; where its database is only an example, that it could be set up is enough."""
    if app.extensions["consent_widget"].deployment.database.engine.dialect.name == "postgresql":
        return
    prepare(app)

    response = app.test_client().get("/privacy/preferences", base_url="https://www.example.com")

    assert response.status_code == 200, response.text
    assert 'data-consent-widget="preferences"' in response.text


@pytest.mark.parametrize("template", TEMPLATES)
def test_template_of_a_page_renders(template: str, folder: Path) -> None:
    app = host(folder, 0)
    ConsentWidget(app)
    prepare(app)

    with app.test_request_context("/"):
        assert render_template_string(template).strip()

    close(app)


def test_tests_of_the_how_to_pass(folder: Path) -> None:
    for block in examples(DOCS / "how-to" / "test-your-site.md"):
        if block.path is not None:
            write(block)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shop.py"],
        # The reader's pytest has none of our plugins, and starts sooner without them.
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


#: Lines of the tutorial that prepare the machine or wait for a reader.
_BY_HAND = ("python3 -m venv", ". .venv", "python -m pip", "flask --app app run")


def run(line: str) -> str:
    """A line as the reader's shell runs it, with the commands of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(  # the reader has a shell too
        line,
        shell=True,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"$ {line}\n{done.stdout}{done.stderr}"
    return done.stdout


def follow_tutorial(*, until: str = "") -> str:
    """Write and run everything up to a line that holds ``until``; what the commands printed."""
    printed = ""
    for block in examples(DOCS / "tutorial.md"):
        if block.path is not None:
            write(block)
        elif block.language == "sh":
            for line in block.code.splitlines():
                if until and until in line:
                    return printed
                if not line.startswith(_BY_HAND):
                    printed += run(line)
    return printed


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The tutorial, walked through to its end: where its site lies, and what its commands printed."""

    folder: Path
    printed: str


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    folder = tmp_path_factory.mktemp("tutorial")
    with contextlib.chdir(folder):
        return Walk(folder=folder, printed=follow_tutorial())


def visit(folder: Path) -> FlaskClient:
    """A visitor of the app that was written."""
    spec = importlib.util.spec_from_file_location("tutorial_app", folder / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with patch.dict(sys.modules, {spec.name: module}):  # where Flask looks for the app's own folder
        spec.loader.exec_module(module)
    client: FlaskClient = module.app.test_client()
    return client


def test_tutorial_is_a_site_that_asks_and_holds_back(walk: Walk) -> None:
    visitor = visit(walk.folder)

    page = visitor.get("/")

    reached = f"The database is at schema {schema.newest()}."
    assert reached in walk.printed
    assert reached in (DOCS / "tutorial.md").read_text(encoding="utf-8")
    assert "Version 1: announced, in force from" in walk.printed
    assert "ok: settings, keys, schema, notice and log." in walk.printed
    assert 'data-consent-widget="banner"' in page.text
    assert '<script type="text/plain" data-category="analytics" data-src="/static/counter.js">' in page.text
    with visitor.get("/static/counter.js") as script:
        assert script.status_code == 200
    for language in ("vi", "en"):
        assert 'id="notice-thong-tin"' in visitor.get(f"/privacy/{language}/").text
    assert visitor.get("/counted").text == "You are not counted."
    close(visitor.application)


def test_tutorial_runs_the_script_for_who_agrees(walk: Walk) -> None:
    client = visit(walk.folder)
    visitor = decided_client(client.application, granted=["analytics"])

    page, counted = visitor.get("/"), visitor.get("/counted")

    assert '<script src="/static/counter.js">' in page.text
    assert 'data-consent-widget="banner"' not in page.text
    assert counted.text == "You agreed to be counted."
    assert counted.headers["Cache-Control"] == "private"
    assert "Cookie" in counted.headers["Vary"]
    close(client.application)


def test_tutorial_writes_to_who_subscribes(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(walk.folder)
    client = visit(walk.folder)

    answer = client.post("/privacy/subscribe", data={"email": "reader@example.com", "lang": "en"})
    assert answer.status_code == 202
    run("flask --app app consent deliver")

    (letter,) = (walk.folder / "mails" / "new").iterdir()
    assert "To: reader@example.com" in letter.read_text(encoding="utf-8")
    close(client.application)


def test_tutorial_names_the_command_that_was_forgotten(folder: Path) -> None:
    follow_tutorial(until="consent upgrade")
    visitor = visit(folder)

    with pytest.raises(Exception, match="Run `flask consent upgrade`"):
        visitor.get("/")

    close(visitor.application)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "page",
    [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))],
    ids=is_named,
)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))

    broken = []
    for link in _LINK.finditer(text):
        path, _, anchor = link["target"].partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link["target"])

    assert not broken
