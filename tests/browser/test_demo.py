"""The demonstration site: a real host, walked under its strictest policy and looked at by axe."""

import shutil
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import expect

from consent_widget.mail.url import open_transport
from demo_site import create_app
from tests import factories
from tests.browser.axe import findings
from tests.browser.conftest import Arrive, Serve, Site
from tests.browser.visitor import complaints_of


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Holds a port: the site has to know its own before it is served, and nobody may take it until then."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as made:
        yield made


@pytest.fixture
def app(
    tmp_path: Path, prepared_sqlite: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    """The site with its first notice in force."""
    monkeypatch.setenv("DEMO_DIR", str(tmp_path))
    monkeypatch.setenv("DEMO_NOW", factories.NOW.isoformat())
    monkeypatch.setenv("PORT", str(listener.getsockname()[1]))
    shutil.copyfile(prepared_sqlite, tmp_path / "consent.sqlite3")
    made = create_app()
    yield made
    factories.deployment(made).database.engine.dispose()


@pytest.fixture
def site(app: Flask, serve: Serve, listener: socket.socket) -> Site:
    return serve(app, listener=listener)


@pytest.mark.parametrize("query", ["", "?csp=strict"], ids=["nonce", "strict"])
def test_walk_violates_nothing(arrive: Arrive, app: Flask, site: Site, query: str) -> None:
    """Refuse, allow the film alone, allow all, withdraw: the third parties run when they may, and only then."""
    visitor = arrive(None, app=app, site=site)
    page = visitor.page
    complaints = complaints_of(page)

    visitor.open(f"/{query}")
    visitor.save(visitor.button("reject_all"))
    assert page.evaluate("[window.demoAnalytics, window.demoCampaign]") == [None, None]

    visitor.open(f"/video{query}")
    visitor.save(page.locator("[data-consent-widget=frame]").get_by_role("button"))
    expect(page.locator("iframe").content_frame.locator(".player")).to_be_visible()

    visitor.open(f"/{query}")
    visitor.until("window.demoCampaign?.runs === 1")
    assert page.evaluate("window.demoAnalytics") is None
    visitor.open_preferences()
    visitor.save(visitor.button("accept_all", visitor.preferences))
    visitor.until("window.demoAnalytics?.runs === 1")
    expect(page.locator("[data-watch=analytics] [data-when=granted]")).to_be_visible()
    assert {"_demo_visitor", "_demo_campaign"} <= visitor.cookies().keys()

    visitor.open_preferences()
    visitor.save(visitor.button("reject_all", visitor.preferences))
    visitor.until("!/_demo_/.test(document.cookie)")
    expect(page.locator("[data-watch=analytics] [data-when=blocked]")).to_be_visible()
    assert visitor.granted() == [set(), {"marketing"}, {"analytics", "marketing", "preferences"}, set()]
    assert complaints == []


@pytest.mark.parametrize(
    "path", ["/cookies/response", "/cookies/redirect", "/cookies/error", "/cookies/stream"]
)
def test_cookies_of_answers_wait_for_the_consent(arrive: Arrive, app: Flask, site: Site, path: str) -> None:
    visitor = arrive("/demo" + path, app=app, site=site)
    assert visitor.cookies() == {}

    visitor.open("/")
    visitor.save_in_preferences("analytics")
    visitor.open("/demo" + path)

    assert "demo_analytics" in visitor.cookies()
    assert "demo_stray" not in visitor.cookies(), "declared nowhere, so never"


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("path", ["/", "/video", "/contact", "/privacy/{lang}/", "/privacy/preferences"])
def test_pages_without_a_finding(arrive: Arrive, app: Flask, site: Site, path: str, lang: str) -> None:
    visitor = arrive(path.format(lang=lang), app=app, site=site, lang=lang)

    expect(visitor.page.locator("html")).to_have_attribute("lang", lang)
    assert findings(visitor.page) == []


@pytest.mark.parametrize("query", ["", "?csp=strict"], ids=["nonce", "strict"])
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_mail_is_shown_without_a_finding(
    arrive: Arrive, app: Flask, site: Site, lang: str, query: str
) -> None:
    """Its text, and in a frame what mail programs show, whose links open in the whole window."""
    mail = EmailMessage()
    for name, value in {"From": "privacy@demo.example", "To": "khach@vidu.example", "Subject": "Hi"}.items():
        mail[name] = value
    mail.set_content(f"{site.url}/contact", cte="quoted-printable")
    html = f'<html lang="en"><head><title>x</title></head><body><a href="{site.url}/contact">Go</a></body></html>'
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    transport = open_transport(app.config["CONSENT_WIDGET_MAIL_URL"])()
    transport.send(mail.as_bytes(policy=SMTP), sender="a@demo.example", recipient="khach@vidu.example")
    page = arrive(None, app=app, site=site, lang=lang).page
    complaints = complaints_of(page)
    page.goto(f"{site.url}/mailbox{query}")

    page.locator("article details summary").click()
    frame = page.locator("article iframe").content_frame
    expect(frame.get_by_role("link")).to_be_visible()
    assert findings(page) == []
    assert complaints == []
    frame.get_by_role("link").click()
    expect(page).to_have_url(f"{site.url}/contact")


def test_the_preview_stands_in_the_editor(arrive: Arrive, app: Flask, site: Site) -> None:
    """The site's own policy lets nobody frame it; the staff's pages go by theirs."""
    password = "a-quiet-lake-behind-seven-hills"
    person = ("author@demo.example", "--name", "Author", "--role", "author", "--ask")
    made = app.test_cli_runner().invoke(
        args=["consent", "staff", "add", *person], input=f"{password}\n{password}\n"
    )
    assert made.exit_code == 0, made.output
    page = arrive("/privacy/admin/versions/new", app=app, site=site).page

    page.fill("[name=email]", "author@demo.example")
    page.fill("[name=password]", password)
    page.locator("main form button").first.click()

    preview = page.locator("iframe[data-preview]:not([inert])").content_frame
    expect(preview.locator("article[data-notice]")).to_be_visible()
