"""A host whose staff sign in with accounts of ours, and what its staff do."""

from base64 import b32decode
from collections.abc import Callable, Iterable
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from consent_widget.accounts import StaffAccounts
from consent_widget.services.staff import add_staff
from consent_widget.storage.database import Database, metadata
from tests.factories import Element, deployment, host_app, read_page

EMAIL, PASSWORD = "mai@htek.example", "bốn từ chẳng liên quan"
SIGN_IN, ACCOUNT = "/privacy/admin/sign-in", "/privacy/admin/account"

#: The staff's cookie over https, where these tests happen.
COOKIE, DEVICE = "__Host-consent_staff", "__Host-consent_device"


class Office:
    """A host over https with accounts; ``/whoami`` tells who is signed in."""

    def __init__(
        self, database_url: str, *, folder: Path, clock: Callable[[], datetime], **options: Any
    ) -> None:
        self.clock = clock
        self.mails: list[EmailMessage] = []
        accounts = StaffAccounts()
        config = {"PREFERRED_URL_SCHEME": "https", "CONSENT_WIDGET_PUBLIC_URL": "https://htek.example"}
        self.app = host_app(
            database_url=database_url,
            clock=clock,
            folder=folder,
            config=config | options.pop("config", {}),
            staff_loader=accounts.staff_loader,
            staff_directory=accounts.staff_directory,
            **{"mailer": self.mails.append} | options,
        )
        accounts.init_app(self.app)
        self.accounts = accounts

        @self.app.get("/whoami")
        def whoami() -> str:
            found = accounts.staff_loader()
            return found.name if found else ""

    @property
    def database(self) -> Database:
        return deployment(self.app).database

    def hire(
        self,
        email: str = EMAIL,
        *,
        password: str = PASSWORD,
        name: str = "Mai",
        roles: Iterable[str] = ("author",),
        one_time: bool = False,
    ) -> None:
        add_staff(
            deployment(self.app),
            email=email,
            name=name,
            roles=tuple(roles),
            password=password,
            one_time=one_time,
            now=self.clock(),
        )

    def browser(self, address: str = "192.0.2.1") -> FlaskClient:
        """A browser without cookies, at this network address."""
        client = self.app.test_client()
        client.environ_base["REMOTE_ADDR"] = address
        return client

    def run(self, *arguments: str, given: str = "") -> tuple[int, str]:
        """The exit code of ``flask consent staff ...`` and what it printed."""
        result = self.app.test_cli_runner().invoke(args=["consent", "staff", *arguments], input=given)
        return result.exit_code, result.output


def token_of(page: TestResponse | Element) -> str:
    """The token of the page's first form."""
    element = page if isinstance(page, Element) else read_page(page)
    return element.all("input", name="token")[0]["value"]


def sign_in(
    browser: FlaskClient, email: str = EMAIL, password: str = PASSWORD, **fields: str
) -> TestResponse:
    """Open the form, fill it in, send it."""
    token = token_of(browser.get(SIGN_IN))
    return browser.post(SIGN_IN, data={"email": email, "password": password, "token": token} | fields)


def signed_in(office: Office, email: str = EMAIL, password: str = PASSWORD, **at: str) -> FlaskClient:
    browser = office.browser(**at)
    assert sign_in(browser, email, password).status_code == 303
    assert whoami(browser)
    return browser


def whoami(browser: FlaskClient) -> str:
    return browser.get("/whoami").text


def post(browser: FlaskClient, path: str, page: str | None = None, **fields: str) -> TestResponse:
    """Send a form of ``page`` (the same path, unless told) to ``path`` with its token."""
    # To the end of the answer, where what is sent by mail goes out.
    return browser.post(path, data={"token": token_of(browser.get(page or path))} | fields, buffered=True)


def turn_on_second_factor(browser: FlaskClient, clock: Callable[[], datetime]) -> bytes:
    """As its owner does with an app; the secret."""
    page = read_page(browser.get(ACCOUNT))
    secret = secret_of(page.one("code").text)
    answer = browser.post(
        f"{ACCOUNT}/second-factor",
        data={
            "token": token_of(page),
            "sealed": page.one("input", name="sealed")["value"],
            "code": code(secret, clock()),
            "current": PASSWORD,
            "action": "on",
        },
    )
    assert answer.status_code == 303, answer.text
    return secret


def secret_of(shown: str) -> bytes:
    """The secret that the page shows to be typed into an app."""
    return b32decode(shown.replace(" ", ""))


def code(secret: bytes, now: datetime) -> str:
    """What an authenticator app shows at ``now``, computed apart from the product's own code."""
    return TOTP(secret, 6, SHA1(), 30).generate(int(now.timestamp())).decode()


def values_of(app: Flask) -> list[str]:
    """Every value in the accounts' tables as text."""
    with deployment(app).database.reading() as connection:
        return [
            str(value)
            for table in metadata.sorted_tables
            if table.name.startswith("cw_staff")
            for row in connection.execute(select(table))
            for value in row
        ]
