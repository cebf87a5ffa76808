"""For hosts' tests: a database that is ready, and a browser that has decided.

Nothing is pretended: the choice is made through the public form and recorded,
so a test sees exactly what a visitor gets::

    app = create_app({"TESTING": True, "CONSENT_WIDGET_DATABASE_URL": "sqlite://"})
    prepare(app)
    client = decided_client(app, granted=("analytics",))
    assert "visitor" in client.get("/").headers["Set-Cookie"]
"""

from collections.abc import Iterable

from flask import Flask
from flask.testing import FlaskClient

from .core.errors import ConsentWidgetError
from .services.deployment import Deployment
from .services.setup import upgrade_database


def prepare(app: Flask) -> None:
    """Bring the test database of ``app`` to the schema of this release; twice does no harm.

    ``sqlite://`` as DATABASE_URL keeps it in memory and fresh for each app. No
    notice is imported: choices are made under version 0 until a test imports one.

    Raises:
        ConsentWidgetError: there is no ConsentWidget on ``app``.
        StoreUnavailable: the database did not answer.
    """
    upgrade_database(_deployment(app).database)


def decided_client(
    app: Flask, granted: Iterable[str] = ("analytics",), *, base_url: str | None = None
) -> FlaskClient:
    """A test client whose visitor granted exactly ``granted`` and refused the rest.

    Args:
        app: a prepared app (:func:`prepare`).
        granted: names of optional categories; none of them is a refusal.
        base_url: where the choice is made. Choices over http do not count over
            https: tests of https pages give ``"https://localhost"`` here and to
            their requests.

    Raises:
        UnknownCategory: the register has no such category.
        ConsentWidgetError: the choice was not taken; the message says why.
    """
    deployment = _deployment(app)
    names = sorted(deployment.register[name].name for name in granted)
    client = app.test_client()
    answer = client.post(
        f"{deployment.settings.url_prefix}/preferences",
        json={"action": "save", "categories": names},
        base_url=base_url,
    )
    if answer.status_code != 200:
        raise ConsentWidgetError(
            f"The choice was answered with {answer.status}: {answer.get_data(as_text=True)[:200]} "
            "Call prepare(app) first."
        )
    return client


def _deployment(app: Flask) -> Deployment:
    try:
        deployment: Deployment = app.extensions["consent_widget"].deployment
    except KeyError:
        raise ConsentWidgetError(
            f"There is no ConsentWidget on the app {app.name!r}; call init_app first."
        ) from None
    return deployment
