"""The proof as staff read it and take it along."""

import json

import pytest
from werkzeug.test import TestResponse

from consent_widget.core.delivery import State as Row
from consent_widget.core.ledger_key import read_pem
from consent_widget.services.erasure import erase
from consent_widget.services.proof import verify_proof
from tests.admin.newsroom import ADMIN, Newsroom, post
from tests.admin.post_office import ADDRESS, campaign_of, settle, subscribe
from tests.factories import NOW


@pytest.fixture
def told(stored_newsroom: Newsroom) -> Newsroom:
    """A newsroom whose first subscriber was told of version 2."""
    subscribe(stored_newsroom.deployment)
    campaign_of(stored_newsroom, stored_newsroom.announced())
    settle(stored_newsroom.deployment, 1, Row.ACCEPTED, code="2.0.0", at=NOW)
    return stored_newsroom


def take(newsroom: Newsroom, user: str = "minh", **fields: str) -> TestResponse:
    """Press the button for the document with the address."""
    return post(newsroom.browser(user), "/subscriptions/1/proof?lang=en", fields)


def test_the_page_says_accepted_and_no_more(told: Newsroom) -> None:
    page = told.browser("hoa").get(f"{ADMIN}/subscriptions/1/proof?lang=en").text

    assert "The mail was accepted by the mail server on 1 December 2026, 09:00" in page
    assert "That is not yet proof that it arrived in the mailbox." in page
    assert "elivered" not in page
    assert told.load(2).content_hashes["vi"] in page


def test_the_document_is_good_under_the_key_that_is_published(told: Newsroom) -> None:
    """Only what anybody may fetch is used to check it: PEM and log."""
    answer = told.browser("hoa").get(f"{ADMIN}/subscriptions/1/proof.json")
    visitor = told.browser()
    trusted = read_pem(visitor.get("/privacy/log-key.pem").get_data())
    lines = visitor.get("/privacy/log.jsonl").get_data().splitlines(keepends=True)

    report = verify_proof(told.deployment, answer.get_data(), trusted=trusted, log=lines)

    assert answer.headers["Content-Disposition"] == 'attachment; filename="proof-1.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert report.problem == ""
    assert ADDRESS not in answer.text


def test_the_document_with_the_address(told: Newsroom) -> None:
    answer = take(told)

    assert answer.headers["Content-Disposition"] == 'attachment; filename="proof-1.json"'
    assert json.loads(answer.get_data())["proof"]["subscriber"]["address"] == ADDRESS


def test_after_an_erasure_somebody_presents_the_address(told: Newsroom) -> None:
    with told.deployment.database.writing() as connection:
        erase(told.deployment, connection, 1, now=NOW)

    page = told.browser("minh").get(f"{ADMIN}/subscriptions/1/proof?lang=en").text
    wrong = take(told, address="nguyen.lan@example.com")
    right = take(told, address=ADDRESS)

    assert "The address that somebody presents" in page
    assert wrong.status_code == 400
    assert "That is not the address of this subscription." in wrong.text
    assert json.loads(right.get_data())["proof"]["subscriber"]["address"] == ADDRESS
    with told.deployment.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT address, new_address FROM cw_subscription").all()
    assert [tuple(row) for row in rows] == [(None, None)]


def test_an_auditor_gets_no_address(told: Newsroom) -> None:
    auditor = told.browser("hoa")

    assert take(told, "hoa", csrf_token=told.token(auditor)).status_code == 403
    assert "<form" not in auditor.get(f"{ADMIN}/subscriptions/1/proof").text.partition("<main")[2]
