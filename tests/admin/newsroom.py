"""A host with staff: it has a sign-in of its own, a directory and a mailer, all of them real and small."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from flask import Flask, Response, session
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from consent_widget import Staff
from consent_widget.core.draft import Draft, DraftFields
from consent_widget.core.notice import ChangeClass
from consent_widget.services.decision import announce_draft, approve_draft
from consent_widget.services.deployment import Deployment
from consent_widget.services.draft import create_draft, load_draft, submit_draft
from consent_widget.storage.database import metadata
from tests import factories

ADMIN = "/privacy/admin"

STAFF = {
    one.id: one
    for one in (
        Staff("lan", "Lan", frozenset({"author"}), "lan@demo.example"),
        Staff("minh", "Minh", frozenset({"approver"}), "minh@demo.example"),
        Staff("oanh", "Oanh", frozenset({"officer"}), "oanh@demo.example"),
        Staff("hoa", "Hoa", frozenset({"auditor"}), "hoa@demo.example"),
        Staff("boss", "Boss", frozenset({"author", "approver"}), "boss@demo.example"),
        Staff("guest", "Guest", frozenset()),
    )
}

VI = "## Mục đích {#muc-dich .purposes}\n\nChúng tôi xử lý đơn hàng trong 12 tháng.\n"
EN = "## Purposes {#purposes .purposes}\n\nWe process orders for 12 months.\n"

#: A whole form, as the editor sends it.
FORM: dict[str, Any] = {
    "title_vi": "Chính sách",
    "title_en": "Policy",
    "text_vi": VI,
    "text_en": EN,
    "summary_vi": "Đơn hàng được xử lý.",
    "summary_en": "Orders are processed.",
    "change_class": "important",
    "effective_at": "2027-01-15T08:00",
}


class Newsroom:
    """An app on ``url``, version 1 in force; ``mails`` are those that its mailer was given."""

    def __init__(self, url: str, folder: Path, clock: factories.Clock, **options: Any) -> None:
        self.clock = clock
        self.mails: list[EmailMessage] = []
        given: dict[str, Any] = {
            "staff_loader": lambda: STAFF.get(session.get("user", "")),
            "staff_directory": STAFF.values,
            "mailer": self.mails.append,
        }
        config = {"CONSENT_WIDGET_PUBLIC_URL": "https://www.demo.example"} | options.pop("config", {})
        self.app: Flask = factories.host_app(
            database_url=url, clock=clock, folder=folder, config=config, **given | options
        )
        self.app.add_url_rule("/host/sign-in/<user>", "host_sign_in", _sign_in)
        self.app.add_url_rule("/host/sign-out", "host_sign_out", _sign_out)

    @property
    def deployment(self) -> Deployment:
        return factories.deployment(self.app)

    def browser(self, user: str | None = None) -> FlaskClient:
        """A browser of its own, signed in as ``user``."""
        client = self.app.test_client()
        if user is not None:
            client.get(f"/host/sign-in/{user}")
        return client

    def write(self, by: str = "lan", **values: Any) -> Draft:
        """A draft that is complete unless ``values`` (of :class:`DraftFields`) leave something out."""
        return create_draft(self.deployment, fields(**values), staff=STAFF[by], now=self.clock())

    def submitted(self, by: str = "lan", **values: Any) -> Draft:
        draft = self.write(by, **values)
        return submit_draft(
            self.deployment, draft.id, revision=draft.revision, staff=STAFF[by], now=self.clock()
        )

    def approved(self, by: str = "lan", **values: Any) -> Draft:
        draft = self.submitted(by, **values)
        return approve_draft(
            self.deployment, draft.id, revision=draft.revision, staff=STAFF["oanh"], now=self.clock()
        )

    def announced(self, by: str = "lan", **values: Any) -> Draft:
        draft = self.approved(by, **values)
        return announce_draft(
            self.deployment, draft.id, revision=draft.revision, staff=STAFF["oanh"], now=self.clock()
        )

    def load(self, version_id: int) -> Draft:
        return load_draft(self.deployment, version_id)

    def token(self, client: FlaskClient) -> str:
        """A good token for a person who is shown no form."""
        with client.session_transaction() as kept:
            kept["consent_widget_staff"] = [kept["user"], "nonce"]
            return self.deployment.stamps.seal("form", kept["user"], "nonce", now=self.clock())

    def stored(self) -> tuple[dict[str, int], list[Any]]:
        """What is in every table, and every row of the versions: equal answers mean that nothing was changed."""
        with self.deployment.database.reading() as connection:
            counts = {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in metadata.sorted_tables
                if table.name != "cw_key"
            }
            rows = [
                tuple(row)
                for name in ("cw_notice_version", "cw_notice_text")
                for row in connection.execute(
                    select(metadata.tables[name]).order_by(*metadata.tables[name].primary_key)
                )
            ]
        return counts, rows


def _sign_in(user: str) -> Response:
    session["user"] = user
    return Response("welcome")


def _sign_out() -> Response:
    session.clear()
    return Response("bye")


def fields(**values: Any) -> DraftFields:
    given: dict[str, Any] = {
        "titles": {"vi": FORM["title_vi"], "en": FORM["title_en"]},
        "texts": {"vi": VI, "en": EN},
        "summaries": {"vi": FORM["summary_vi"], "en": FORM["summary_en"]},
        "change_class": ChangeClass.IMPORTANT,
        "effective_at": factories.NOW + timedelta(days=40),
    }
    return DraftFields(**given | values)


def hidden(page: str, name: str) -> str:
    """The value of a hidden field; every form of a page carries the same."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return found[1]


Post = Callable[..., TestResponse]


def post(
    client: FlaskClient, path: str, data: Mapping[str, Any] | None = None, **options: Any
) -> TestResponse:
    """Send a form of the page at ``path`` (a full path, or below /privacy/admin), as a browser does."""
    address = path if path.startswith("/privacy") else f"{ADMIN}{path}"
    page = client.get(options.pop("page", address.partition("/preview")[0]))
    known = {
        name: hidden(page.text, name) for name in ("csrf_token", "revision") if f'name="{name}"' in page.text
    }
    return client.post(address, data=known | dict(data or {}), **options)


def error_of(answer: TestResponse, field: str) -> str:
    """The message beside ``field``."""
    found = re.search(rf'id="cw-admin-problem-{field}">([^<]*)<', answer.text)
    assert found, f"no message beside {field}"
    return found[1]
