"""Subscriptions, campaigns and mails as the workers leave them, put into the tables by a few lines of a test."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, select, update

from consent_widget.core.address import domain_of, identity_of
from consent_widget.core.delivery import State as Row
from consent_widget.core.draft import Draft
from consent_widget.core.subscription import State
from consent_widget.services.audience import prepare
from consent_widget.services.deployment import Deployment
from consent_widget.storage.campaign import campaigns
from consent_widget.storage.delivery import bounces, deliveries
from consent_widget.storage.subscription import subscriptions
from tests.admin.newsroom import Newsroom
from tests.factories import NOW

ADDRESS = "nguyen.lan@example.vn"


def subscribe(deployment: Deployment, address: str = ADDRESS, **values: Any) -> int:
    """A subscription that was confirmed a day ago unless ``values`` say otherwise; its id."""
    given: dict[str, Any] = {
        "address": address,
        "identity": identity_of(address),
        "address_hash": deployment.pseudonyms.of(address),
        "domain": domain_of(address),
        "language": "vi",
        "state": State.CONFIRMED,
        "salt": "salt",
        "created_at": NOW - timedelta(days=2),
        "requested_at": NOW - timedelta(days=2),
        "confirmed_at": NOW - timedelta(days=1),
        "reason": "",
        "bounce_score": 0.0,
    } | values
    with deployment.database.writing() as connection:
        made = connection.execute(insert(subscriptions).values(**given))
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def campaign_of(newsroom: Newsroom, draft: Draft) -> int:
    """The campaign that the announcement of ``draft`` made, its rows made as well."""
    prepare(newsroom.deployment, now=newsroom.clock)
    with newsroom.deployment.database.reading() as connection:
        found = connection.execute(select(campaigns.c.id).where(campaigns.c.version_id == draft.id)).scalars()
        return int(max(found))


def settle(
    deployment: Deployment, subscription_id: int, state: Row, *, code: str = "", at: datetime | None = None
) -> None:
    """What a worker writes behind the answer of a mail server."""
    values: dict[str, Any] = {"state": state, "code": code, "attempts": 1}
    if at is not None:
        values["at"] = at
    with deployment.database.writing() as connection:
        connection.execute(
            update(deliveries).where(deliveries.c.subscription_id == subscription_id).values(**values)
        )


def report(deployment: Deployment, raw: str | None, **values: Any) -> int:
    """A report of a mail that came back."""
    given: dict[str, Any] = {
        "received_at": NOW,
        "delivery_id": None,
        "subscription_id": None,
        "kind": "unknown",
        "code": "",
        "digest": sha256(repr((raw, values)).encode()).hexdigest(),
        "raw": raw,
    } | values
    with deployment.database.writing() as connection:
        made = connection.execute(insert(bounces).values(**given))
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def row_of(connection: Connection, subscription_id: int) -> dict[str, Any]:
    found = connection.execute(select(subscriptions).where(subscriptions.c.id == subscription_id))
    return dict(found.mappings().one())
