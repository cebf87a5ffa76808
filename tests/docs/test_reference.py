"""What a host can name is described: a test fails when a setting, a command or an event is forgotten."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import click
import pytest

import consent_widget
from consent_widget import testing
from consent_widget.accounts.commands import staff
from consent_widget.cli import commands
from consent_widget.config import PREFIX, Settings
from consent_widget.web.markup import FUNCTIONS
from tests.conftest import MakeApp

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"

#: Of any app, and of one with StaffAccounts.
COMMANDS = {**commands.commands, "staff": staff}

SETTINGS = [f"{PREFIX}{name.upper()}" for name in Settings.__dataclass_fields__]
EVENTS = ["ready", "decided", "changed", "withdrawn"]


def read(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """What stands below ``## heading`` up to the next one."""
    parts = re.split(r"^## ", read(page), flags=re.MULTILINE)
    end = r"(?![\w-])" if heading[-1].isalnum() else ""  # `verify` is not `verify-proof`
    found = [part for part in parts if re.match(re.escape(heading) + end, part)]
    assert len(found) == 1, f"{page} holds {len(found)} headings {heading}"
    return found[0]


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_is_described_in_the_same_order(setting: str) -> None:
    """What, default, unit, what it interacts with, since when (the rule of the house)."""
    text = section("settings.md", f"`{setting}`")

    assert re.findall(r"^- \*\*(.+?):\*\*", text, flags=re.MULTILINE) == [
        "What",
        "Default",
        "Unit",
        "Interacts with",
        "Since",
    ]


def test_no_setting_is_described_that_there_is_not() -> None:
    described = re.findall(rf"^## `({PREFIX}\w+)`", read("settings.md"), flags=re.MULTILINE)

    assert described == SETTINGS


@pytest.mark.parametrize("default", ["/privacy", "consent", "report", "Asia/Ho_Chi_Minh", "30"])
def test_the_defaults_are_told(default: str) -> None:
    assert default in read("settings.md")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_each_of_its_options_is_described(name: str) -> None:
    text = section("command-line.md", f"`flask consent {name}")

    for parameter in COMMANDS[name].params:
        shown = (
            parameter.opts[0] if isinstance(parameter, click.Option) else str(parameter.human_readable_name)
        )
        assert shown in text, f"{name} {shown}"


@pytest.mark.parametrize("name", sorted(staff.commands))
def test_every_command_for_accounts_is_described(name: str) -> None:
    text = section("command-line.md", "`flask consent staff")

    assert f"`{name} " in text
    for parameter in staff.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in text


def test_no_command_is_described_that_there_is_not() -> None:
    described = re.findall(r"^## `flask consent ([\w-]+)", read("command-line.md"), flags=re.MULTILINE)

    assert sorted(described) == sorted(COMMANDS)


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_is_described(event: str) -> None:
    assert f"| `consent-widget:{event}` |" in section("script.md", "Events")


def test_the_script_sends_exactly_the_events_that_are_described() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "static" / "src").glob("*.ts"))

    sent = set(re.findall(r'\bemit\(\s*"(\w+)"', sources))

    assert sent == set(EVENTS)


@pytest.mark.parametrize("member", ["granted", "state", "open", "accept", "reject", "onChange"])
def test_every_member_of_the_scripts_object_is_described(member: str) -> None:
    assert f"| `{member}(" in section("script.md", "`window.consentWidget`")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_template_function_is_described(name: str) -> None:
    assert section("template-functions.md", f"`{name}(")


def test_every_public_name_is_described() -> None:
    source = Path(consent_widget.__file__).read_text(encoding="utf-8")
    public = {
        alias.asname
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    missing = [name for name in public if name and f"`{name}" not in read("python.md")]

    assert not missing


@pytest.mark.parametrize("function", [testing.prepare, testing.decided_client])
def test_the_functions_for_hosts_tests_are_described(function: Callable[..., object]) -> None:
    how_to = (ROOT / "docs" / "how-to" / "test-your-site.md").read_text(encoding="utf-8")

    assert function.__name__ in how_to
    assert function.__doc__


def test_every_route_is_described(make_app: MakeApp) -> None:
    text = read("http.md")
    rules = [
        rule.rule.removeprefix("/privacy")
        for rule in make_app().url_map.iter_rules()
        if rule.endpoint.startswith("consent_widget.")
        and not rule.endpoint.endswith((".refuse", ".add_slash"))
    ]

    shown = {
        re.sub(r"<int:number>", "{n}", re.sub(r"<any\(.*?\):lang>", "{vi,en}", rule)).replace(
            "<path>", "{name}.{digest}.{ending}"
        )
        for rule in rules
    }
    assert len(shown) >= 8
    names = {"<day>": "{YYYY-MM-DD}", "<token>": "{token}"}
    told = [re.sub(r"<\w+>", lambda found: names[found[0]], one) for one in shown]
    missing = [one for one in told if f" `{one}` " not in text]
    assert not missing
