"""A host with Flask-Login: its cookies are declared necessary by themselves."""

import pytest
from flask import Flask
from flask_login import LoginManager, UserMixin, login_required, login_user, logout_user

from tests.conftest import MakeApp
from tests.factories import read_page, set_cookies

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


class User(UserMixin):  # type: ignore[misc]  # comes without types
    id = "7"


def add_login(app: Flask) -> Flask:
    manager = LoginManager(app)
    manager.user_loader(lambda _: User())

    @app.post("/sign-in")
    def sign_in() -> str:
        login_user(User(), remember=True)
        return "in"

    @app.post("/sign-out")
    def sign_out() -> str:
        logout_user()
        return "out"

    @app.get("/members")
    @login_required  # type: ignore[untyped-decorator]
    def members() -> str:
        return "members"

    return app


@pytest.mark.parametrize("name", ["remember_token", "htek_remember"])
def test_the_remember_cookie_passes_the_gate_undecided_or_not(make_app: MakeApp, name: str) -> None:
    client = add_login(make_app(config={"REMEMBER_COOKIE_NAME": name})).test_client()

    response = client.post("/sign-in")

    assert {"session", name} <= set(set_cookies(response))
    client.delete_cookie("session")
    assert client.get("/members").text == "members"


def test_signing_out_removes_it(make_app: MakeApp) -> None:
    client = add_login(make_app()).test_client()
    client.post("/sign-in")

    client.post("/sign-out")
    client.get("/members")

    assert client.get_cookie("remember_token") is None
    assert client.get("/members").status_code == 401


def test_it_stands_in_the_table_with_its_reason(make_app: MakeApp) -> None:
    client = add_login(make_app()).test_client()

    page = read_page(client.get("/privacy/en/"))

    (row,) = [one for one in page.all("tr") if "remember_token" in one.text]
    assert "Keeps you signed in where you asked for it." in row.text
