"""AU, XS, CV: the staff's pages of subscriptions and campaigns, whatever subscribers and mail servers wrote."""

import itertools
import json
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert, update
from werkzeug.test import TestResponse

from consent_widget.core.campaign import PauseReason
from consent_widget.core.delivery import State as Row
from consent_widget.services.audience import prepare
from consent_widget.services.campaign import pause_for
from consent_widget.storage.delivery import bounces, deliveries
from consent_widget.storage.subscription import subscriptions
from tests.attacks import newsroom, threats
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.newsroom import ADMIN, STAFF, make_newsroom, signed_in, token_for
from tests.attacks.target import Target
from tests.attacks.test_exports import cells, formulas
from tests.factories import Clock
from tests.volume import volume

ADDRESS = "nguyen.lan@good.example"
SUBSCRIPTIONS, CAMPAIGN = f"{ADMIN}/subscriptions", f"{ADMIN}/campaigns/1"

DECIDERS = {"approver", "officer", "everything"}
READERS = DECIDERS | {"auditor"}


@pytest.fixture
def staffed(make_target: MakeTarget, database_url: str, clock: Clock) -> Target:
    """A site whose one subscriber is being told of version 2, and a report that nobody could read."""
    target = make_newsroom(make_target, database_url, clock=clock)
    _tell(target, ADDRESS)
    return target


def _tell(target: Target, *addresses: str) -> None:
    _subscribe(target, *addresses)
    newsroom.publish(target, change_class="important", effective_at="2027-06-01T00:00")
    prepare(target.deployment, now=target.deployment.clock)
    with target.deployment.database.writing() as connection:
        connection.execute(update(deliveries).values(state=Row.UNKNOWN))
        connection.execute(
            insert(bounces),
            [
                {"received_at": target.deployment.clock(), "kind": "unread", "code": "", "digest": f"{at}",
                 "raw": f"Hello, this is {one}", "subscription_id": 1}
                for at, one in enumerate(addresses)
            ],
        )  # fmt: skip


def _subscribe(target: Target, *addresses: str) -> None:
    now = target.deployment.clock()
    rows: list[dict[str, Any]] = [
        {"address": one, "identity": one.lower(), "address_hash": target.deployment.pseudonyms.of(one),
         "domain": one.rpartition("@")[2], "language": "vi", "state": "confirmed", "salt": "salt", "created_at": now,
         "requested_at": now, "confirmed_at": now}
        for one in addresses
    ]  # fmt: skip
    with target.deployment.database.writing() as connection:
        connection.execute(insert(subscriptions), rows)


def press(target: Target, who: str, path: str, **fields: str) -> TestResponse:
    """Send a form with a good token for ``who``."""
    browser = signed_in(target, who)
    return browser.post(path, data=fields | {"csrf_token": token_for(target, browser, who)})


# Rights ------------------------------------------------------------------------------


@attack("AU-002")
def test_who_may_read_which_page_of_subscribers(case: Case, staffed: Target) -> None:
    """The published matrix; whoever may only look sees no address, and an author nobody at all."""
    pages = {
        SUBSCRIPTIONS: READERS | {"author"},
        f"{SUBSCRIPTIONS}?state=confirmed": READERS | {"author"},
        f"{SUBSCRIPTIONS}/1": READERS,
        f"{SUBSCRIPTIONS}/1/proof": READERS,
        f"{SUBSCRIPTIONS}/1/proof.json": READERS,
        f"{ADMIN}/campaigns": READERS | {"author"},
        CAMPAIGN: READERS | {"author"},
        f"{ADMIN}/bounces": READERS,
    }
    for (path, allowed), who in itertools.product(pages.items(), STAFF):
        answer = signed_in(staffed, who).get(path)
        assert answer.status_code == (200 if who in allowed else 403), f"{who} {path}"
        assert "nguyen" not in answer.text
        assert who in READERS or "•••" not in answer.text


#: What a button sends, and on what; all need a role that decides.
BUTTONS: dict[str, tuple[str, dict[str, str]]] = {
    "reveal": (f"{SUBSCRIPTIONS}/1", {"action": "reveal"}),
    "suppress": (f"{SUBSCRIPTIONS}/1", {"action": "suppress", "reason": "Because"}),
    "release": (f"{SUBSCRIPTIONS}/1", {"action": "release", "reason": "Because"}),
    "csv": (SUBSCRIPTIONS, {"action": "export", "format": "csv"}),
    "json": (SUBSCRIPTIONS, {"action": "export", "format": "json"}),
    "proof": (f"{SUBSCRIPTIONS}/1/proof", {"address": ADDRESS}),
    "report": (f"{ADMIN}/bounces/1", {}),
    "pause": (CAMPAIGN, {"action": "pause", "reason": "Because"}),
    "resume": (CAMPAIGN, {"action": "resume"}),
    "policy": (CAMPAIGN, {"action": "policy", "policy": "resend_same_id"}),
    "resend_unknown": (CAMPAIGN, {"action": "resend_unknown"}),
    "retry_failed": (CAMPAIGN, {"action": "retry_failed"}),
}


@attack("AU-002")
@pytest.mark.parametrize("button", BUTTONS)
def test_who_may_press_which_button_of_subscribers(case: Case, button: str, staffed: Target) -> None:
    path, fields = BUTTONS[button]
    if button == "release":
        assert press(staffed, "officer", path, action="suppress", reason="Because").status_code == 303
    if button == "resume":
        assert press(staffed, "officer", path, action="pause").status_code == 303
    for who in sorted(set(STAFF) - DECIDERS):
        before = staffed.stored()
        answer = press(staffed, who, path, **fields)
        assert answer.status_code == 403, who
        assert ADDRESS not in answer.text
        assert staffed.stored() == before
    before = staffed.stored()
    answer = press(staffed, "approver", path, **fields)
    assert answer.status_code in (200, 303)
    assert staffed.stored()["cw_ledger"] == before["cw_ledger"] + 1


@attack("AU-002")
def test_search_by_who_may_only_look(case: Case, staffed: Target) -> None:
    """Masked addresses stay masked: no search tells whether a guess is getting closer."""
    shown = f'href="{SUBSCRIPTIONS}/1"'
    for typed in (*(ADDRESS[:at] for at in range(1, len(ADDRESS))), "@good", "good.example", "%", "_"):
        assert shown not in press(staffed, "auditor", SUBSCRIPTIONS, q=typed).text, typed
    assert shown in press(staffed, "auditor", SUBSCRIPTIONS, q=ADDRESS).text
    assert shown not in press(staffed, "author", SUBSCRIPTIONS, q=ADDRESS).text


# Hostile texts -------------------------------------------------------------------------


def seen(target: Target) -> Iterator[str]:
    """Every page on which words of subscribers, of mail servers and of staff stand."""
    browser = signed_in(target, "everything")
    for path in (
        SUBSCRIPTIONS, f"{SUBSCRIPTIONS}/1", f"{SUBSCRIPTIONS}/1/proof", f"{ADMIN}/campaigns", CAMPAIGN,
        f"{ADMIN}/bounces", f"{ADMIN}/audit",
    ):  # fmt: skip
        answer = browser.get(path)
        assert answer.status_code == 200, path
        yield answer.text
    yield press(target, "everything", f"{SUBSCRIPTIONS}/1", action="reveal").text
    yield press(target, "everything", f"{ADMIN}/bounces/1").text


@attack("XS-035")
def test_address_of_a_subscriber(case: Case, make_target: MakeTarget, sqlite_url: str, clock: Clock) -> None:
    """Refused at the form; in a table that was filled by other means it is text on every page, whoever looks for it."""
    target = make_newsroom(make_target, sqlite_url, clock=clock)
    browser = target.browser()
    for payload in case.payloads:
        assert browser.post("/privacy/subscribe", data={"email": payload, "lang": "en"}).status_code == 400
    _tell(target, *case.payloads)

    for page in seen(target):
        assert threats.threats_in_page(page) == []
    for payload in (*case.payloads, '"><script>alert(1)</script>', "' onfocus=alert(1) autofocus x='"):
        for who in READERS:
            page = press(target, who, SUBSCRIPTIONS, q=payload).text
            assert threats.threats_in_page(page) == []


@attack("XS-032")
def test_reasons_of_staff_and_words_of_mail_servers(
    case: Case, make_target: MakeTarget, sqlite_url: str, clock: Clock
) -> None:
    for at, payload in enumerate(case.payloads):
        target = make_newsroom(make_target, sqlite_url.replace("consent.sqlite", f"{at}.sqlite"), clock=clock)
        _tell(target, ADDRESS)
        press(target, "officer", f"{SUBSCRIPTIONS}/1", action="suppress", reason=payload)
        with target.deployment.database.writing() as connection:
            connection.execute(update(deliveries).values(code=payload[:32], state=Row.FAILED))
            connection.execute(update(bounces).values(raw=payload, code=payload[:32]))
            pause_for(
                target.deployment, connection, 1, reason=PauseReason.POLICY, detail=payload, now=clock()
            )

        pages = list(seen(target))
        for page in pages:
            assert threats.threats_in_page(page) == []
            assert "49" not in page or "{{7*7}}" in page or "cw-admin-hash" in page
        assert any("alert(1)" in page or "7*7" in page for page in pages)


@attack("SQ-001", "SQ-002")
def test_sql_in_what_staff_look_for(case: Case, staffed: Target) -> None:
    """In each field and query value of these pages: a value like others, and nothing is changed."""
    before = staffed.stored()
    for payload in case.payloads:
        begun = time.perf_counter()
        answers = [press(staffed, "approver", SUBSCRIPTIONS, q=payload)]
        for path in (SUBSCRIPTIONS, CAMPAIGN, f"{ADMIN}/campaigns"):
            browser = signed_in(staffed, "approver")
            names = ("state", "before", "format", "q")
            answers += [browser.get(path, query_string={name: payload}) for name in names]
        for path in (
            f"{SUBSCRIPTIONS}/{payload}",
            f"{ADMIN}/campaigns/{payload}",
            f"{ADMIN}/bounces/{payload}",
        ):
            assert signed_in(staffed, "approver").get(path).status_code in (400, 404, 405)
        for fields in ({"action": "policy", "policy": payload}, {"action": payload}):
            assert press(staffed, "approver", CAMPAIGN, **fields).status_code == 400
        assert {answer.status_code for answer in answers} == {200}, payload
        assert time.perf_counter() - begun < 20
    assert staffed.stored() == before


# Exports -------------------------------------------------------------------------------


@attack("CV-001")
def test_formula_in_an_address(case: Case, make_target: MakeTarget, database_url: str, clock: Clock) -> None:
    """No address of the form can hold these; one from an import is text to a spreadsheet all the same."""
    target = make_newsroom(make_target, database_url, clock=clock)
    hostile = [f"{payload}@good.example" for payload in case.payloads]
    _subscribe(target, *hostile, "+a;=b@good.example")

    text = press(target, "officer", SUBSCRIPTIONS, action="export", format="csv").data.decode()

    assert len({len(row) for row in cells(text)}) == 1
    assert len(cells(text)) == len(hostile) + 2
    for separator in (",", ";", "\t"):
        assert formulas(cells(text, separator)) == [], separator
    told = json.loads(press(target, "officer", SUBSCRIPTIONS, action="export", format="json").data)
    assert [one["address"] for one in told][:-1] == hostile


@attack("CV-003")
@pytest.mark.parametrize("wanted", ["csv", "json"])
def test_long_export_of_subscribers(
    case: Case, wanted: str, make_target: MakeTarget, database_url: str, clock: Clock
) -> None:
    """A sample of the million: a few megabytes at most, whole, while visitors go on; noted, and for few roles."""
    number = volume(6_000, 20_000)
    target = make_newsroom(make_target, database_url, clock=clock)
    for start in range(0, number, 1000):
        _subscribe(target, *(f"reader{start + at}@good.example" for at in range(1000)))
    browser = signed_in(target, "officer")
    data = {"action": "export", "format": wanted, "csrf_token": token_for(target, browser, "officer")}

    tracemalloc.start()
    answer = browser.post(SUBSCRIPTIONS, data=data, buffered=False)
    rows = 0
    for at, chunk in enumerate(answer.iter_encoded()):
        rows += chunk.count(b"@good.example")
        if at == 10:  # visitors go on meanwhile
            target.browser().post("/privacy/preferences", data={"action": "accept_all"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    answer.close()

    assert rows == number
    assert peak < 1000 * number, "far less than the whole"
    with target.deployment.database.reading() as connection:
        last = connection.exec_driver_sql('SELECT body FROM cw_ledger ORDER BY "index" DESC').scalar()
    assert json.loads(str(last))["action"] == "export_subscriptions"
    for who in ("author", "auditor", "nothing"):
        assert press(target, who, SUBSCRIPTIONS, action="export", format=wanted).status_code == 403
