"""A host with Flask-SQLAlchemy: its engine, its tables, its sessions, and ours beside them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from consent_widget import ConsentWidget
from consent_widget.testing import prepare
from tests.factories import CONTROLLER, HOST_CATEGORIES, Clock, count_records, decide, plain_app, records
from tests.factories import deployment as widget_of


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "shop_order"
    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.fixture
def db() -> SQLAlchemy:
    return SQLAlchemy(model_class=Base)


@pytest.fixture
def app(database_url: str, clock: Clock, db: SQLAlchemy, tmp_path: Path) -> Iterator[Flask]:
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    app = plain_app(folder=tmp_path / "host", SQLALCHEMY_DATABASE_URI=url)
    db.init_app(app)
    with app.app_context():
        Base.metadata.create_all(db.engine)
        ConsentWidget(app, engine=db.engine, categories=HOST_CATEGORIES, clock=clock, controller=CONTROLLER)

    @app.post("/order")
    def order() -> str:
        db.session.add(Order())
        db.session.commit()
        return str(db.session.scalar(sa.select(sa.func.count(Order.id))))

    prepare(app)
    yield app
    with app.app_context():
        db.engine.dispose()


def test_decisions_go_into_the_hosts_database(app: Flask, db: SQLAlchemy) -> None:
    client = app.test_client()

    assert decide(client, "analytics").status_code == 200

    assert count_records(app) == 1
    with app.app_context():
        assert widget_of(app).database.engine is db.engine
        assert {"shop_order", "cw_consent_record"} <= set(sa.inspect(db.engine).get_table_names())


def test_the_hosts_sessions_go_on_working_before_and_after(app: Flask, db: SQLAlchemy) -> None:
    client = app.test_client()

    assert client.post("/order").text == "1"
    assert decide(client, "analytics").status_code == 200
    assert client.get("/privacy/state").get_json()["decided"] is True
    assert decide(client, action="reject_all").status_code == 200
    assert client.post("/order").text == "2"

    assert [row["action"] for row in records(widget_of(app).database)] == ["save", "reject_all"]


def test_our_tables_are_not_in_the_hosts_metadata(db: SQLAlchemy) -> None:
    """What the host creates, drops or autogenerates stays its own."""
    assert set(Base.metadata.tables) == {"shop_order"}
    assert not [name for name in db.metadata.tables if name.startswith("cw_")]
