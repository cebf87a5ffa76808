"""The whole way of a version, by everybody who meets it: author, approver, visitor, and who checks the log."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, expect

from consent_widget.accounts import StaffAccounts
from tests import factories
from tests.browser.conftest import Arrive, Serve
from tests.browser.host import make_host
from tests.browser.member import ADMIN, Member, in_hanoi
from tests.browser.visitor import Visitor

PASSWORD = "a-quiet-lake-behind-seven-hills"
OLD = "First (en)."
NEW = "Second and last (en), see [the list](https://example.com/list)."


@pytest.fixture
def host(make_app: Callable[..., Flask], database_url: str) -> Flask:
    """A host with staff accounts on each database, its first notice in force."""
    accounts = StaffAccounts()
    app = make_host(
        make_app,
        database_url=database_url,
        staff_loader=accounts.staff_loader,
        staff_directory=accounts.staff_directory,
    )
    accounts.init_app(app)
    _run(app, "upgrade")
    with factories.deployment(app).database.writing() as connection:
        factories.store_edition(
            connection, factories.edition(), number=1, effective_at=factories.IN_FORCE_SINCE
        )
    for role in ("author", "approver"):
        _run(
            app,
            "staff",
            "add",
            f"{role}@demo.example",
            "--name",
            role.title(),
            "--role",
            role,
            "--ask",
            given=PASSWORD,
        )
    return app


def _run(app: Flask, *arguments: str, given: str = "") -> str:
    done = app.test_cli_runner().invoke(args=["consent", *arguments], input=f"{given}\n{given}\n")
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_way_of_a_version(
    host: Flask,
    serve: Serve,
    arrive: Arrive,
    new_context: Callable[..., BrowserContext],
    tmp_path: Path,
    scripts: bool,
) -> None:
    site = serve(host)
    clock: Any = factories.deployment(host).clock
    in_force_from = factories.NOW + timedelta(days=31)

    # A visitor accepts everything under version 1.
    visitor = arrive(app=host, site=site)
    visitor.save(visitor.button("accept_all"))

    # The author drafts version 2 in both languages.
    author, approver = (
        Member(new_context(locale="en-GB", java_script_enabled=scripts).new_page(), site.url)
        for _ in range(2)
    )
    author.sign_in("author@demo.example", PASSWORD)
    author.open(f"{ADMIN}versions/new")
    for language in ("vi", "en"):
        text = factories.edition().texts[language].markdown
        new = NEW if language == "en" else f"Thứ hai ({language})."
        author.page.fill(f"[name=title_{language}]", f"Version two ({language})")
        author.page.fill(f"[name=text_{language}]", text.replace(f"First ({language}).", new))
        author.page.fill(f"[name=summary_{language}]", f"One recipient more ({language})")
    author.page.check("[name=change_class][value=material]")
    author.page.check("[name=new][value=recipient]")
    author.page.check("[name=ask_again][value=analytics]")
    author.page.fill("[name=effective_at]", in_hanoi(factories.NOW + timedelta(days=3)))
    assert author.press("save") == 303
    expect(author.page).to_have_url(re.compile(r"/privacy/admin/versions/\d+"))
    draft = re.sub(r"[?#].*", "", author.page.url).removeprefix(site.url)

    # Diff and checklist stand below.
    changes = author.page.locator("main")
    expect(changes.locator("ins", has_text="Second").first).to_be_attached()
    expect(changes.locator("del", has_text="First").first).to_be_attached()
    expect(changes).to_contain_text("https://example.com/list")
    expect(changes).to_contain_text(re.compile("Art|91/2025"))
    assert author.press("submit") == 303
    assert author.state == "in_review"

    # The approver returns it; the author mends and submits again.
    approver.sign_in("approver@demo.example", PASSWORD)
    expect(approver.page.locator("main")).to_contain_text("Version two (en)")
    approver.open(draft)
    approver.page.fill("[name=reason]", "Name the recipient.")
    assert approver.press("return") == 303
    author.open(draft)
    expect(author.page.locator("main")).to_contain_text("Name the recipient.")
    author.page.fill("[name=summary_en]", "Example Ltd receives your address (en)")
    assert author.press("submit") == 303

    # The approver previews and approves; a date too early is refused, a later one is not.
    approver.open(f"{draft}/preview/en")
    expect(approver.page.locator("article[data-notice]")).to_contain_text("Second and last (en)")
    approver.open(draft)
    assert approver.press("approve") == 303
    assert approver.state == "approved"
    assert approver.press("announce") == 400
    expect(approver.page.locator("[aria-invalid=true][name=effective_at]")).to_be_visible()
    assert _versions(host)[-1]["state"] == "approved"
    approver.page.fill("[name=effective_at]", in_hanoi(in_force_from))
    assert approver.press("announce") == 303
    assert _versions(host)[-1]["number"] == 2

    # The visitor is told beforehand, and still reads version 1.
    visitor.open("/")
    bar = visitor.page.locator("[data-consent-widget=notice-bar]")
    expect(bar).to_contain_text("Example Ltd receives your address (en)")
    bar.locator("a[href$='/versions/2']").click()
    expect(visitor.page.locator("article[data-notice]")).to_contain_text("Second and last (en)")
    visitor.open("/privacy/en/versions/2/changes")
    expect(visitor.page.locator("ins", has_text="Second").first).to_be_visible()
    _expect_calendar(visitor, in_force_from)
    visitor.open("/privacy/en/")
    expect(visitor.page.locator("article[data-notice]")).to_contain_text(OLD)
    visitor.open("/")
    expect(visitor.banner).to_have_count(0)

    # The clock passes the date: version 2 is in force, and only what changed is asked.
    clock.now = in_force_from + timedelta(seconds=31)
    visitor.open("/privacy/en/")
    visitor.page.reload()  # the browser's own clock has not moved: it would show what it keeps for a minute
    expect(visitor.page.locator("article[data-notice]")).to_contain_text("Second and last (en)")
    visitor.open("/")
    expect(visitor.banner).to_contain_text("We ask you again about: Analytics.")
    expect(visitor.banner).to_contain_text("Example Ltd receives your address (en)")
    state = visitor.page.request.get(f"{site.url}/privacy/state").json()
    assert state["categories"] == {"analytics": "undecided", "marketing": "granted", "preferences": "granted"}

    # The log verifies, here and as a file.
    log = tmp_path / "log.jsonl"
    log.write_bytes(visitor.page.request.get(f"{site.url}/privacy/log.jsonl").body())
    assert "announced" in log.read_text(encoding="utf-8")
    _run(host, "verify")
    _run(host, "verify", str(log))


def _versions(host: Flask) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_run(host, "versions", "--json"))
    return found


def _expect_calendar(visitor: Visitor, when: datetime) -> None:
    calendar = visitor.page.request.get(f"{visitor.site.url}/privacy/en/versions/2.ics")
    assert calendar.status == 200
    assert f"{when:%Y%m%dT%H%M}" in calendar.text()
