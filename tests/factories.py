"""Makes what tests need: a clock that can be set, registers, notice versions, apps that are hosts.

Everything is the real thing on a real database; only time and keys are given.
"""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from flask import Flask, Response, render_template_string
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, event, func, select
from werkzeug.test import TestResponse

from consent_widget import Category, ConsentWidget, Cookie, Service
from consent_widget.core.category import Register
from consent_widget.core.consent import Choice
from consent_widget.core.draft import draft_of
from consent_widget.core.language import Localized
from consent_widget.core.notice import ChangeClass, Edition, NoticeText, Schedule, Version
from consent_widget.core.workflow import State
from consent_widget.services.deployment import Deployment
from consent_widget.services.notice import import_notices
from consent_widget.storage import consent as consent_storage
from consent_widget.storage.consent import Evidence
from consent_widget.storage.database import Database
from consent_widget.storage.draft import insert_draft
from consent_widget.tasks.wake import Waker

#: The moment at which tests happen unless they say otherwise.
NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)

#: When version 1 of the prepared notice took effect.
IN_FORCE_SINCE = NOW - timedelta(days=30)

KEY = "a key for tests alone, forty-two bytes long"

#: The client's own policy as the demonstration site imports it.
NOTICES = Path(__file__).parent.parent / "demo_site" / "notices"

DATA = Path(__file__).with_name("data")

CONTROLLER = {"name": "HTEK", "address": "12 Phố Huế, Hà Nội", "contact": "privacy@demo.example"}

OPTIONAL = ("preferences", "analytics", "marketing")


class Clock:
    """The time as a test sets it."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def tick(self, **span: float) -> None:
        """Go on by a timedelta's keywords: ``clock.tick(days=181)``."""
        self.now += timedelta(**span)


def words(text: str = "Words") -> Localized:
    return {"vi": f"{text} (vi)", "en": f"{text} (en)"}


def service(name: str = "Counter", *, cookies: Iterable[Cookie] = (), **values: Any) -> Service:
    given: dict[str, Any] = {"provider": "Counter Ltd", "country": "Việt Nam", "purpose": words("Counts")}
    return Service(name=name, cookies=tuple(cookies), **given | values)


def category(name: str = "analytics", *, cookies: Iterable[Cookie] = (), **values: Any) -> Category:
    """An optional category with ``cookies`` in one service of its own."""
    services = (service(f"{name} service", cookies=cookies),) if cookies else ()
    given: dict[str, Any] = {"title": words(name.title()), "purpose": words(name), "services": services}
    return Category(name=name, **given | values)


def register(*optional: str) -> Register:
    """A register of ``necessary`` and the ``optional`` names, the product's own three by default."""
    names = optional or OPTIONAL
    return Register([category("necessary", necessary=True), *(category(name) for name in names)])


#: One cookie of each kind, as a host would declare them.
HOST_CATEGORIES = (
    category(
        "preferences",
        title={"vi": "Tùy chỉnh cá nhân", "en": "Preferences"},
        cookies=[Cookie(name="layout", lifetime=timedelta(days=30))],
    ),
    category(
        "analytics",
        title={"vi": "Phân tích truy cập", "en": "Analytics"},
        cookies=[
            Cookie(name="visitor", lifetime=timedelta(days=90)),
            Cookie(pattern="_ga_*", lifetime=timedelta(days=90)),
        ],
    ),
    category(
        "marketing",
        title={"vi": "Tiếp thị", "en": "Marketing"},
        cookies=[
            Cookie(
                name="campaign",
                lifetime=timedelta(days=30),
                paths=("/", "/shop"),
                domains=(None, "shop.example"),
            )
        ],
    ),
)


def choice(
    decisions: Mapping[str, bool] | None = None,
    *,
    notice: int = 1,
    decided_at: datetime = NOW,
    subject: str | None = None,
) -> Choice:
    """A choice; one that grants gets an identifier, as in real life."""
    made = dict.fromkeys(OPTIONAL, False) | {"analytics": True} if decisions is None else dict(decisions)
    if subject is None and any(made.values()):
        subject = "subject-of-tests"
    return Choice(decisions=made, notice=notice, decided_at=decided_at, subject=subject)


def edition(
    text: str = "A notice",
    *,
    change_class: ChangeClass = ChangeClass.MATERIAL,
    ask_again: Iterable[str] = (),
) -> Edition:
    return Edition(
        texts={
            language: NoticeText(
                title=f"{text} ({language})",
                summary=f"What changed ({language})",
                markdown=f"{text}\n\n## One {{#one}}\n\nFirst ({language}).",
            )
            for language in ("vi", "en")
        },
        change_class=change_class,
        ask_again=frozenset(ask_again),
    )


def version(
    number: int = 1,
    *,
    effective_at: datetime = IN_FORCE_SINCE,
    change_class: ChangeClass = ChangeClass.MATERIAL,
    ask_again: Iterable[str] = (),
) -> Version:
    return Version(
        number=number,
        change_class=change_class,
        effective_at=effective_at,
        announced_at=effective_at,
        ask_again=frozenset(ask_again),
    )


def schedule(*versions: Version) -> Schedule:
    return Schedule(versions or (version(),))


def announce(
    database: Database,
    number: int,
    *,
    effective_at: datetime = NOW,
    change_class: ChangeClass = ChangeClass.MATERIAL,
    ask_again: Iterable[str] = (),
    now: datetime = NOW,
) -> None:
    """Announce a later version, as staff will."""
    with database.writing() as connection:
        store_edition(
            connection,
            edition(f"Version {number}", change_class=change_class, ask_again=ask_again),
            now=now,
            number=number,
            effective_at=effective_at,
        )


def store_edition(
    connection: Connection,
    written: Edition,
    *,
    now: datetime = NOW,
    number: int | None = None,
    effective_at: datetime | None = None,
) -> int:
    """Put a version into the database: a draft, or approved and announced under ``number``; its row's id."""
    draft = replace(draft_of(written, editor="author", now=now), effective_at=effective_at)
    if number is not None:
        draft = replace(
            draft,
            state=State.ANNOUNCED,
            number=number,
            approved_by="approver",
            approved_at=now,
            approved_hash=draft.edition_hash,
            announced_by="approver",
            announced_at=now,
        )
    return insert_draft(connection, draft)


def close(app: Flask) -> None:
    """Leave nothing behind: no connection, and no thread that still puts a wake into a queue."""
    wake = deployment(app).wake
    if isinstance(wake, Waker):
        wake.finish()
    deployment(app).database.engine.dispose()


def evidence(**values: Any) -> Evidence:
    given: dict[str, Any] = {
        "action": "save",
        "mechanism": "form",
        "language": "vi",
        "signal": None,
        "notice_hash": "n" * 64,
        "wording": "Words",
        "wording_hash": "w" * 64,
        "sensitive": frozenset({"analytics", "marketing"}),
    }
    return Evidence(**given | values)


def deployment(app: Flask) -> Deployment:
    found: Deployment = app.extensions["consent_widget"].deployment
    return found


def records(database: Database) -> list[dict[str, Any]]:
    """What is on record, oldest first: each row with its ``decisions``."""
    with database.reading() as connection:
        found = [
            dict(row)
            for row in connection.execute(
                select(consent_storage.records).order_by(consent_storage.records.c.id)
            ).mappings()
        ]
        for row in found:
            decided = consent_storage.decisions
            row["decisions"] = {
                one.category: one.granted
                for one in connection.execute(select(decided).where(decided.c.record_id == row["id"]))
            }
    return found


def count_records(app: Flask) -> int:
    with deployment(app).database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(consent_storage.records)).scalar_one())


@contextmanager
def counted_statements(engine: Engine) -> Iterator[list[str]]:
    """Every statement that reaches the database within the block."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def plain_app(name: str = "host", *, folder: Path, **config: Any) -> Flask:
    """A host without the widget; its instance folder and templates lie in ``folder``."""
    app = Flask(name, instance_path=str(folder), root_path=str(folder))
    app.config.update({"SECRET_KEY": KEY, "TESTING": True} | config)
    return app


def host_app(
    *,
    database_url: str,
    clock: Callable[[], datetime],
    folder: Path,
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> Flask:
    """A small host with the widget; ``options`` go to ConsentWidget, ``config`` to the app."""
    settings = {
        "CONSENT_WIDGET_CONTROLLER": CONTROLLER,
        "CONSENT_WIDGET_UNDECLARED_COOKIES": "block",
        "CONSENT_WIDGET_DATABASE_URL": database_url,
    }
    app = plain_app(folder=folder, **settings | dict(config or {}))
    given: dict[str, Any] = {"categories": HOST_CATEGORIES, "clock": clock}
    ConsentWidget(app, **given | options)
    return app


def import_first(database: Database) -> None:
    """Version 1 of the demonstration's notice, in force since IN_FORCE_SINCE."""
    import_notices(
        database,
        NOTICES,
        now=IN_FORCE_SINCE,
        categories=OPTIONAL,
        parse_time=_no_time,
        announced=lambda connection, draft: None,
        announce=True,
    )


def _no_time(value: object) -> datetime:
    raise AssertionError(f"the first notice names no date, but {value!r}")


def copy_database(prepared: Path, folder: Path) -> str:
    """A copy of a prepared SQLite file, and its URL."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "consent.sqlite"
    shutil.copyfile(prepared, target)
    return f"sqlite:///{target}"


def decide(client: FlaskClient, *granted: str, action: str = "save", **options: Any) -> TestResponse:
    """Decide as the banner's script does."""
    body = {"action": action, "categories": list(granted)}
    return client.post("/privacy/preferences", json=body, **options)


def bare_client(app: Flask) -> FlaskClient:
    """A client that keeps no cookies and sends exactly the Cookie header it is given."""
    return app.test_client(use_cookies=False)


def preferences_form(page: "Element") -> "Element":
    """The form of the preferences, among those that stand ready for blocked frames."""
    preferences = page.one(data_consent_widget="preferences")
    (form,) = preferences.all("form", class_="consent-widget-form")
    return form


def sent_cookie(response: TestResponse, name: str = "consent") -> str:
    """``name=value`` as the browser would send it back."""
    return set_cookies(response)[name].partition(";")[0]


def set_cookies(response: TestResponse) -> dict[str, str]:
    """The whole Set-Cookie lines by cookie name; the last one of a name wins."""
    return {line.partition("=")[0]: line for line in response.headers.getlist("Set-Cookie")}


def varies_by(response: TestResponse) -> set[str]:
    return {name.strip() for name in response.headers.get("Vary", "").split(",")} - {""}


_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})


@dataclass
class Element:
    """One element of a page: attributes without value are None in ``attributes``."""

    tag: str
    attributes: dict[str, str | None]
    children: list["Element | str"] = field(default_factory=list)

    def all(self, tag: str = "", **attributes: str | None) -> list["Element"]:
        """The elements below, in order; ``data_x`` stands for ``data-x``, ``class_`` for ``class``."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if (not tag or child.tag == tag) and wanted.items() <= child.attributes.items():
                    found.append(child)
                found += child.all(tag, **attributes)
        return found

    def one(self, tag: str = "", **attributes: str | None) -> "Element":
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} elements <{tag}> {attributes}"
        return found[0]

    @property
    def text(self) -> str:
        """The text within, white space collapsed."""
        return re.sub(r"\s+", " ", self._raw()).strip()

    def _raw(self) -> str:
        return " ".join(child if isinstance(child, str) else child._raw() for child in self.children)

    def __getitem__(self, name: str) -> str:
        value = self.attributes[name]
        assert value is not None
        return value

    def __contains__(self, name: str) -> bool:
        return name in self.attributes


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute stands twice in <{tag}>"
        element = Element(tag, dict(attrs))
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def read_page(page: TestResponse | str) -> Element:
    """The page as a tree; markup that is not well nested fails."""
    reader = _Reader()
    reader.feed(page if isinstance(page, str) else page.text)
    reader.close()
    assert reader._open == [reader.root], f"<{reader._open[-1].tag}> is not closed"
    return reader.root


PAGE = """<!doctype html>
<html lang="en"><head><title>Home</title>{{ consent_head() }}</head><body>{{ consent_skip_link() }}
<main><h1>Home</h1></main>
<footer>{{ consent_settings_link() }} {{ consent_notice_link() }}</footer>
{{ consent_banner() }}</body></html>"""


def add_pages(app: Flask) -> Flask:
    """A home page with the banner, and a plain one that everybody may keep."""

    @app.get("/")
    def home() -> str:
        return render_template_string(PAGE)

    @app.get("/plain")
    def plain() -> Response:
        response = Response("the same for everybody")
        response.cache_control.public = True
        response.cache_control.max_age = 600
        return response

    return app


def add_page(app: Flask, template: str, rule: str = "/page") -> Flask:
    """One page of a template's text."""

    def page() -> str:
        return render_template_string(template)

    app.add_url_rule(rule, endpoint=f"page {rule}", view_func=page)
    return app


#: A host's layout as BASE_TEMPLATE may name it.
LAYOUT = """<!doctype html>
<html><head><title>{% block title %}{% endblock %}</title>{% block head %}{% endblock %}</head>
<body><header>The host</header><main>{% block content %}{% endblock %}</main></body></html>"""


def write_template(app: Flask, name: str, text: str) -> None:
    """Put a template into the host's own folder."""
    path = Path(app.root_path) / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
