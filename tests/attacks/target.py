"""The site under attack: a small host with everything a choice can switch, and what it gives away.

Each optional category has a script, a frame and a cookie on every page, so that
:func:`granted_in` sees any consent too many, wherever it slips through.
"""

import json
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from flask import Flask, Response, render_template
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from consent_widget import Category, ConsentWidget, Cookie, Service, Staff, current_consent
from consent_widget.accounts import StaffAccounts
from consent_widget.core.consent import Choice
from consent_widget.core.notice import ChangeClass, Edition, NoticeText
from consent_widget.core.signing import ChoiceSigner
from consent_widget.services.deployment import Deployment
from consent_widget.services.setup import upgrade_database
from consent_widget.storage import notice as notice_table
from consent_widget.storage.consent import decisions, records
from consent_widget.storage.database import metadata
from tests.factories import store_edition

OPTIONAL = ("preferences", "analytics", "marketing")
ALL = frozenset(OPTIONAL)
NOTHING: frozenset[str] = frozenset()

KEY = "3c6e0b8a9c15224a8228b9a98ca1531d-first"
NEWER_KEY = "9f86d081884c7d659a2feaa0c55ad015-second"

#: The choice cookie's name over https and over the plain http of a socket test.
SECURE_NAME, PLAIN_NAME = "__Host-consent", "consent"

_PAGE = """<!doctype html><html lang="en"><head><title>Home</title>{{ consent_head() }}</head><body>
{{ consent_skip_link() }}<h1>Home</h1>
{% for name in names %}{{ consent_script(name, src="https://" ~ name ~ ".example/tag.js") }}
{{ consent_iframe(name, "https://" ~ name ~ ".example/frame", name) }}{% endfor %}
{{ consent_settings_link() }}{{ consent_notice_link() }}{{ consent_banner() }}</body></html>"""


class _CompiledOnce(BytecodeCache):
    """Two hundred sites compile the same templates: the first one does it for all."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _CompiledOnce()


class Target:
    """One running host: an app with the widget on the database ``url``, migrated, version 1 in force.

    ``keys`` is the signing key followed by its fallbacks; ``clock`` the time of all of it;
    ``has_accounts``: its staff sign in with accounts of ours.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        keys: Iterable[str] = (KEY,),
        clock: Callable[[], datetime] | None = None,
        categories: Iterable[str] = OPTIONAL,
        staff_loader: Callable[[], Staff | None] | None = None,
        has_accounts: bool = False,
        **settings: Any,
    ) -> None:
        key, *fallbacks = keys
        self.app = Flask("target", instance_path=str(folder))
        self.app.jinja_options = {"bytecode_cache": _COMPILED}
        self.app.config.update(
            SECRET_KEY=key,
            SECRET_KEY_FALLBACKS=fallbacks,
            PREFERRED_URL_SCHEME="https",  # the test client's
            CONSENT_WIDGET_CONTROLLER={"name": "Example"},
            CONSENT_WIDGET_DATABASE_URL=url,
            CONSENT_WIDGET_UNDECLARED_COOKIES="block",
        )
        self.names = tuple(categories)
        self.accounts = StaffAccounts() if has_accounts else None
        if self.accounts is not None:
            staff_loader = self.accounts.staff_loader
        ConsentWidget(
            self.app,
            categories=[_category(name) for name in self.names],
            clock=clock,
            staff_loader=staff_loader,
            **settings,
        )
        if self.accounts is not None:
            self.accounts.init_app(self.app)
        self._add_pages()
        upgrade_database(self.deployment.database)
        with self.deployment.database.reading() as connection:
            is_empty = not notice_table.list_versions(connection)
        if is_empty:
            self.announce(1)

    @property
    def deployment(self) -> Deployment:
        deployment: Deployment = self.app.extensions["consent_widget"].deployment
        return deployment

    @property
    def signer(self) -> ChoiceSigner:
        return self.deployment.signer

    def browser(self) -> FlaskClient:
        """A browser of its own, over https."""
        return self.app.test_client()

    def genuine(self, action: str, *categories: str) -> str:
        """The value of the cookie that a new visitor gets for this choice; it is on record."""
        browser = self.browser()
        browser.post("/privacy/preferences", data={"action": action, "category": list(categories)})
        return cookie_of(browser)

    def seal(self, *granted: str, categories: Iterable[str] = OPTIONAL, **fields: Any) -> str:
        """A cookie value with a good signature that is not on record."""
        choice = Choice(
            decisions={one: one in granted for one in categories},
            notice=1,
            decided_at=self.deployment.clock(),
        )
        return self.signer.seal(replace(choice, **fields))

    def announce(
        self,
        number: int,
        *,
        effective_at: datetime | None = None,
        change: ChangeClass = ChangeClass.MATERIAL,
        ask_again: Iterable[str] = (),
    ) -> None:
        """Put notice version ``number`` into the database, as another process would."""
        now = self.deployment.clock()
        texts = {
            language: NoticeText(
                title=f"Notice {number} {language}",
                summary=f"Summary {number} {language}",
                markdown=f"## Clause {{#clause}}\n\nThis is version {number} in {language}.",
            )
            for language in ("vi", "en")
        }
        edition = Edition(texts=texts, change_class=change, ask_again=frozenset(ask_again))
        with self.deployment.database.writing() as connection:
            store_edition(connection, edition, now=now, number=number, effective_at=effective_at or now)

    def draft(self) -> None:
        """Put a version into the database that is not announced."""
        text = NoticeText(title="Draft", summary="Draft", markdown="## Draft {#draft}\n\nA draft.")
        edition = Edition(texts={"vi": text, "en": text}, change_class=ChangeClass.MATERIAL)
        with self.deployment.database.writing() as connection:
            store_edition(connection, edition, now=self.deployment.clock())

    def close(self) -> None:
        self.deployment.database.engine.dispose()

    def stored(self) -> dict[str, int]:
        """How many rows each of our tables has: two equal answers mean that nothing was stored.

        Without the fingerprints of the keys, which every start notes by itself.
        """
        with self.deployment.database.reading() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in metadata.sorted_tables
                if table.name != "cw_key"
            }

    def recorded(self) -> list[tuple[frozenset[str], int]]:
        """What was recorded: the granted categories and the notice version of each record, oldest first."""
        with self.deployment.database.reading() as connection:
            granted: dict[int, set[str]] = {}
            for row in connection.execute(select(decisions).where(decisions.c.granted)):
                granted.setdefault(row.record_id, set()).add(row.category)
            rows = connection.execute(select(records.c.id, records.c.notice).order_by(records.c.id)).all()
        return [(frozenset(granted.get(row.id, ())), row.notice) for row in rows]

    def everything_stored(self) -> str:
        """All rows of all tables as text, to look for what must not be there."""
        with self.deployment.database.reading() as connection:
            return "\n".join(
                repr(tuple(row))
                for table in metadata.sorted_tables
                for row in connection.execute(select(table))
            )

    def _add_pages(self) -> None:
        # Compiled once: thousands of pages are asked for.
        template = self.app.jinja_env.from_string(_PAGE)

        def with_cookies(response: Response) -> Response:
            for name in self.names:
                response.set_cookie(f"demo_{name}", "1")
            return response

        @self.app.get("/")
        def page() -> Response:
            return with_cookies(Response(render_template(template, names=self.names)))

        @self.app.get("/redirected")
        def redirected() -> Response:
            return with_cookies(Response(status=302, headers={"Location": "/"}))

        @self.app.get("/article")
        def article() -> Response:
            article = render_template(template, names=self.names)
            return Response(article, headers={"Cache-Control": "public, s-maxage=60"})

        @self.app.get("/consent")
        def consent() -> dict[str, str]:
            return {name: one.value for name, one in current_consent().decisions.items()}

        @self.app.get("/untouched")
        def untouched() -> Response:
            return Response("the same for everybody", headers={"Cache-Control": "public, max-age=60"})

        @self.app.get("/broken")
        def broken() -> Response:
            raise RuntimeError("a fault of the host")


def _category(name: str) -> Category:
    words = {"vi": f"Nhóm {name}", "en": f"Category {name}"}
    service = Service(
        name=name,
        provider=name,
        country="VN",
        purpose=words,
        cookies=(Cookie(name=f"demo_{name}"),),
        origins=(f"https://{name}.example",),
    )
    return Category(name, words, words, services=(service,))


def cookie_of(browser: FlaskClient) -> str:
    """The value of the choice cookie that the browser keeps."""
    cookie = browser.get_cookie(SECURE_NAME)
    assert cookie is not None, "the browser has no choice cookie"
    return cookie.value


def ask(
    target: Target, cookies: str | bytes, path: str = "/", *, method: str = "GET", **options: Any
) -> TestResponse:
    """The answer to a request with this raw Cookie header, over https."""
    header = cookies.decode("latin-1") if isinstance(cookies, bytes) else cookies
    client = target.app.test_client(use_cookies=False)
    return client.open(path, method=method, environ_overrides={"HTTP_COOKIE": header}, **options)


def granted_in(response: TestResponse) -> frozenset[str]:
    """Every category that an answer treats as granted: by a cookie, a live tag, the script's state or JSON."""
    return granted_by(response.headers.getlist("Set-Cookie"), response.text)


def granted_by(set_cookies: Iterable[str], body: str) -> frozenset[str]:
    """The same for an answer that came in pieces."""
    found = {
        name.removeprefix("demo_")
        for name, _, rest in (one.partition("=") for one in set_cookies)
        if name.startswith("demo_") and not rest.startswith(";")
    }
    if body.startswith("{"):
        answer = json.loads(body)
        found |= {name for name, one in answer.get("categories", answer).items() if one == "granted"}
    else:
        tags = _LiveTags()
        tags.feed(body)
        found |= tags.found
    return frozenset(found)


class _LiveTags(HTMLParser):
    """Collects the categories whose script or frame would load, is ticked, or is told to the script."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        source = given.get("src") or ""
        if tag in ("script", "iframe") and ".example/" in source and given.get("type") != "text/plain":
            self.found.add(source.removeprefix("https://").partition(".")[0])
        if tag == "input" and given.get("name") == "category" and "checked" in given:
            self.found.add(given.get("value") or "")
        for entry in (given.get("data-state") or "").split("."):
            if entry.endswith(":1"):
                self.found.add(entry[:-2])


def at_once(*calls: Callable[[], TestResponse]) -> list[TestResponse]:
    """The answers to calls that a barrier releases together."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], TestResponse]) -> TestResponse:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
