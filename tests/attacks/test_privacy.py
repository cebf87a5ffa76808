"""PI: what is known of a person stands where it is documented, nowhere else, and goes when it must."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from sqlalchemy import select

from consent_widget.core.envelope import verp
from consent_widget.core.links import MANAGE, UNSUBSCRIBE
from consent_widget.core.retention import Rule
from consent_widget.core.staff import COMMAND_LINE
from consent_widget.core.subscription import Subscription
from consent_widget.services.backup import back_up
from consent_widget.services.bounce import take_report
from consent_widget.services.erasure import forget, scrub
from consent_widget.services.proof import make_named_proof, verify_proof, write_proof
from consent_widget.services.retention import purge
from consent_widget.storage.delivery import deliveries
from consent_widget.storage.subscription import find_by_identity, load_subscription
from tests.attacks import newsroom
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.newsroom import ADMIN, STAFF, make_newsroom, signed_in, token_for
from tests.attacks.staff import EMAIL, PASSWORD, SIGN_IN, hire, sign_in, token
from tests.attacks.stores import columns_with, database_files, files_with, holds
from tests.attacks.subscribers import ONE_CLICK, Readers
from tests.attacks.target import KEY, NEWER_KEY, OPTIONAL, Target
from tests.attacks.wire import served
from tests.backups import copies
from tests.browser import chromium
from tests.factories import Clock
from tests.reports import plain
from tests.services.test_backup import binaries

CANARY = "canary-7f3a@good.example"
#: As the person writes it.
TYPED = "Canary-7f3a@GOOD.example"

MAIL = {"public_url": "https://www.good.example", "mail_from": "privacy@good.example"}

#: Where an address may stand while its owner is subscribed (docs/how-to/erase-and-keep.md).
DOCUMENTED = {
    "cw_subscription.address",
    "cw_subscription.identity",
    "cw_subscription.new_address",
    "cw_subscription_link.address",
    "cw_bounce.raw",
}


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All that anybody logs, debugging included, with the tracebacks."""
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.fixture
def readers(make_target: MakeTarget, database_url: str, clock: Clock, tmp_path: Path) -> Readers:
    """A site with subscribers and staff, whose journal lies outside the database."""
    return Readers(
        make_newsroom(
            make_target, database_url, clock=clock, erasure_file=str(tmp_path / "erasures.jsonl"), **MAIL
        )
    )


def confirmed(readers: Readers) -> Subscription:
    """The canary, who signed up in another spelling and pressed the button."""
    assert readers.sign_up(TYPED, lang="vi").status_code == 202
    (to,) = [one for one in readers.box.collect() if one.lower() == CANARY]
    assert readers.send(readers.box.link(to, "confirm")).status_code == 200
    found = readers.find(CANARY)
    assert found is not None
    return found


def report_to(readers: Readers) -> str:
    """The address that the report of the newest mail comes to."""
    deployment = readers.target.deployment
    with deployment.database.reading() as connection:
        number = (
            connection.execute(select(deliveries.c.id).order_by(deliveries.c.id.desc())).scalars().first()
        )
    assert number is not None
    return verp(deployment.links, "privacy@good.example", number)


def live(readers: Readers) -> Subscription:
    """A whole life: subscribed, told of a version, a mail came back, looked for by staff, left."""
    target = readers.target
    one = confirmed(readers)
    newsroom.publish(target, change_class="important", effective_at="2027-06-01T00:00")
    assert len(readers.box.collect()) == 1
    words = f"We could not reach {CANARY}, perhaps."
    take_report(
        target.deployment, plain(report_to(readers), words, subject="Problem"), now=target.deployment.clock()
    )
    assert (
        readers.send(readers.manage_link(one), {"action": "save", "lang": "en", "email": ""}).status_code
        < 400
    )
    browser = signed_in(target, "officer")
    for fields in ({"action": "search", "q": CANARY}, {"action": "export", "format": "csv"}):
        form = fields | {"csrf_token": token_for(target, browser, "officer")}
        assert browser.post(f"{ADMIN}/subscriptions", data=form).status_code == 200
    assert readers.send(readers.unsubscribe_link(one), ONE_CLICK).status_code == 200
    return one


@attack("PI-001")
def test_an_address_stands_where_it_is_documented_alone(
    case: Case, readers: Readers, logs: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    live(readers)

    database = readers.target.deployment.database
    found = columns_with(database, CANARY)
    assert "cw_subscription.address" in found
    assert "cw_bounce.raw" in found
    assert found <= DOCUMENTED
    assert not holds(logs.text.encode(), CANARY)
    assert not holds((tmp_path / "erasures.jsonl").read_bytes(), CANARY)
    written = files_with([tmp_path], CANARY)
    if database.engine.dialect.name == "sqlite":
        assert {Path(one).name.removesuffix("-wal") for one in written} == {"consent.sqlite"}
    else:
        assert written == set()
        assert not files_with(database_files(database, tmp_path)[:1], CANARY), "in the server's own log"


def browse(target: Target, address: str, agent: str) -> None:
    """Everything that a visitor can do, from this address."""
    browser = target.browser()
    browser.environ_base |= {"REMOTE_ADDR": address, "HTTP_USER_AGENT": agent}
    for path in (
        "/",
        "/privacy/vi/",
        "/privacy/preferences",
        "/privacy/state",
        "/privacy/log.jsonl",
        "/nowhere",
    ):
        browser.get(path)
    browser.post("/privacy/preferences", data={"action": "accept_all"})
    browser.post("/privacy/preferences", data={"action": "reject_all"})
    browser.post("/privacy/preferences", data={"action": "nonsense"})
    for number in range(40):  # past the limit
        browser.post("/privacy/subscribe", data={"email": f"reader{number}@good.example", "lang": "vi"})
    browser.post(SIGN_IN, data={"email": EMAIL, "password": "wrong", "token": token(browser)})


@attack("PI-002")
@pytest.mark.parametrize("address", ["203.0.113.77", "2001:db8:77::77"])
def test_no_trace_of_a_visitors_address_and_browser(
    case: Case,
    make_target: MakeTarget,
    database_url: str,
    clock: Clock,
    logs: pytest.LogCaptureFixture,
    tmp_path: Path,
    address: str,
) -> None:
    target = make_target(database_url, clock=clock, has_accounts=True, **MAIL)
    hire(target)

    browse(target, address, "CanaryUA/7f3a")

    database = target.deployment.database
    for needle in (address, address.rpartition(".")[0] or "2001:db8:77:", "CanaryUA"):
        assert columns_with(database, needle) == set()
        assert files_with([tmp_path], needle) == set()
        assert needle not in logs.text


SECRETS = {
    "SECRET_KEY": KEY,
    "SECRET_KEY_FALLBACKS": NEWER_KEY,
    "password of the mail server": "smtp-s3cret-7f3a",
    "password of the database": "dsn-s3cret-7f3a",
    "password of staff": PASSWORD,
}


@contextmanager
def reported(app: Any) -> Iterator[None]:
    """As on a server: what fails is logged with its traceback, not raised into the test."""
    app.testing, app.config["PROPAGATE_EXCEPTIONS"] = False, False
    yield


@attack("PI-004")
def test_no_secret_is_in_any_log(
    case: Case,
    make_target: MakeTarget,
    database_url: str,
    clock: Clock,
    logs: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """With debugging on, through refusals, a mail server that is away, and a database that breaks."""
    target = make_target(
        database_url,
        clock=clock,
        keys=(KEY, NEWER_KEY),
        has_accounts=True,
        mail_url=f"smtp://user:{SECRETS['password of the mail server']}@127.0.0.1:1",
        **MAIL,
    )
    hire(target)
    readers = Readers(target)
    browser = target.browser()
    assert sign_in(browser).status_code == 303
    one = confirmed(readers)
    tokens = {
        readers.box.link(TYPED.replace("GOOD", "good"), "confirm").rpartition("/")[2],
        *(target.deployment.links.seal(purpose, one.id, one.salt) for purpose in (UNSUBSCRIBE, MANAGE)),
        *(cookie.value for cookie in (browser._cookies or {}).values()),
    }
    runner = target.app.test_cli_runner()
    assert readers.sign_up("other@good.example").status_code == 202
    for arguments in (("deliver",), ("check",), ("forget", "other@good.example", "--yes"), ("purge",)):
        runner.invoke(args=["consent", *arguments])
    assert sign_in(target.browser(), password="not this one").status_code != 303
    with target.deployment.database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE cw_subscription_link")
    with reported(target.app):
        for word in tokens:
            for page in ("confirm", "unsubscribe", "subscription"):
                readers.send(f"/privacy/{page}/{word}", ONE_CLICK)
                readers.send(f"/privacy/{page}/{word}x", method="GET")
        readers.send("/broken", method="GET")
    url = f"postgresql://user:{SECRETS['password of the database']}@127.0.0.1:1/site"
    with pytest.raises(Exception, match="database"):
        make_target(url, clock=clock)

    found = [name for name, secret in SECRETS.items() if secret in logs.text]
    assert found == []
    assert [word for word in tokens if word in logs.text] == []
    assert "a fault of the host" in logs.text, "tracebacks were logged"


@attack("PI-006")
def test_an_erased_person_is_in_no_byte(
    case: Case,
    readers: Readers,
    logs: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Files, write-ahead log and free pages of SQLite; tables, indexes and statistics of PostgreSQL; dumps of both."""
    deployment = readers.target.deployment
    one = live(readers)
    for number in range(30):
        readers.sign_up(f"reader{number}@good.example")
    if deployment.database.engine.dialect.name == "postgresql":
        with deployment.database.engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            connection.exec_driver_sql("ANALYZE")
    before = files_with(database_files(deployment.database, tmp_path), CANARY)

    assert not forget(deployment, TYPED, now=deployment.clock(), by=COMMAND_LINE).is_nothing
    assert scrub(deployment, now=deployment.clock()) is None

    assert before, "it was there"
    assert columns_with(deployment.database, CANARY) == set()
    assert files_with(database_files(deployment.database, tmp_path), CANARY) == set()
    monkeypatch.setenv("PATH", str(binaries()), prepend=":")
    back_up(deployment, tmp_path / "backup")
    assert not holds((tmp_path / "backup").read_bytes(), CANARY)
    assert not holds(logs.text.encode(), CANARY)
    with deployment.database.reading() as connection:
        left = load_subscription(connection, one.id)
    assert left is not None
    assert left.address_hash == deployment.pseudonyms.of(CANARY)
    proof = make_named_proof(
        deployment, one.id, presented=CANARY, staff=STAFF["officer"], now=deployment.clock()
    )
    document = write_proof(proof)
    assert verify_proof(deployment, document, address=CANARY).problem == ""
    assert verify_proof(deployment, document, address="other@good.example").problem != ""
    assert [version["version"] for version in json.loads(document)["proof"]["told"]] == [2]


@attack("PI-007")
def test_a_restored_backup_brings_no_erased_person_back(
    case: Case,
    readers: Readers,
    make_target: MakeTarget,
    clock: Clock,
    tmp_path: Path,
) -> None:
    """Neither on a page nor by mail, whichever comes first."""
    deployment = readers.target.deployment
    confirmed(readers)
    readers.confirmed("other@good.example")
    newsroom.publish(readers.target, change_class="important", effective_at="2027-06-01T00:00")
    with copies(tmp_path) as copy:
        yesterday = [copy(deployment.database) for _ in range(2)]
        clock.tick(days=1)
        forget(deployment, CANARY, now=clock(), by=COMMAND_LINE)
        options: dict[str, Any] = {"clock": clock, "erasure_file": str(tmp_path / "erasures.jsonl"), **MAIL}

        by_page = make_newsroom(make_target, yesterday[0], **options)
        assert by_page.browser().get("/privacy/vi/").status_code == 200
        folder = tmp_path / "mails"
        by_mail = make_newsroom(make_target, yesterday[1], mail_url=f"maildir:{folder}", **options)
        done = by_mail.app.test_cli_runner().invoke(args=["consent", "deliver"])
        assert done.exit_code == 0, done.output

        for restored in (by_page, by_mail):
            assert columns_with(restored.deployment.database, CANARY) == set()
            with restored.deployment.database.reading() as connection:
                assert find_by_identity(connection, CANARY) is None
        assert files_with([folder], "other@good.example"), "the others were told"
        assert files_with([folder], CANARY) == set()
        restored_files = [path for path in tmp_path.iterdir() if path.name.startswith("backup_")]
        assert files_with(restored_files, CANARY) == set()
        for restored in (by_page, by_mail):
            restored.close()


@attack("PI-009")
def test_everything_goes_at_its_time_and_not_earlier(case: Case, readers: Readers, clock: Clock) -> None:
    """As documented: 7 days unconfirmed, 30 after leaving, 90 for reports, and proofs for ever."""
    deployment = readers.target.deployment
    target, start = readers.target, clock()
    assert readers.sign_up("pending@good.example").status_code == 202
    one = live(readers)
    target.genuine("accept_all")
    left_at = clock()

    def gone_at(when: timedelta) -> set[str]:
        clock.now = start + when
        done = purge(deployment, now=clock())
        return {rule.value for rule, count in done.rows.items() if count} - {Rule.COUNTS.value}

    assert left_at == start
    assert gone_at(timedelta(days=7) - timedelta(seconds=1)) == set()
    assert gone_at(timedelta(days=7)) == {"unconfirmed"}
    assert readers.find("pending@good.example") is None
    assert gone_at(timedelta(days=30) - timedelta(seconds=1)) == set()
    assert readers.find(CANARY) is not None
    assert gone_at(timedelta(days=30)) == {"left"}
    assert readers.find(CANARY) is None
    assert gone_at(timedelta(days=90) - timedelta(seconds=1)) == set()
    assert gone_at(timedelta(days=90)) == {"reports"}
    assert gone_at(timedelta(days=3650)) == set()

    assert len(target.recorded()) == 1
    assert columns_with(deployment.database, CANARY) == set()
    with deployment.database.reading() as connection:
        kept = load_subscription(connection, one.id)
    assert kept is not None
    assert kept.address_hash == deployment.pseudonyms.of(CANARY)


def _visit(page: Page, base: str, paths: list[str]) -> set[str]:
    """Go to each page; the hosts that were asked for anything."""
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(re.sub(r"^\w+://([^/:]+).*", r"\1", request.url)))
    for path in paths:
        page.goto(base + path)
        page.wait_for_load_state("load")
    return asked


def _kept(page: Page) -> tuple[set[str], int]:
    """The names of the cookies, and how many entries the browser's storage has."""
    cookies = {one["name"] for one in page.context.cookies()}
    return cookies, page.evaluate("localStorage.length + sessionStorage.length")


@pytest.mark.browser
@attack("PI-011", "PI-012")
def test_nothing_optional_before_or_after_a_refusal(case: Case, site: Target) -> None:
    """In Chromium; tests/browser/test_firefox.py walks the same page in Firefox."""
    optional = {f"{name}.example" for name in OPTIONAL}
    pages = ["/", "/privacy/en/", "/untouched", "/privacy/preferences"]
    if case.id == "PI-012":
        pages *= 5
    with served(site.app) as wire, chromium.launched() as browser:
        base = f"http://127.0.0.1:{wire.port}"
        with browser.new_context(locale="en") as context:
            page = context.new_page()
            assert _visit(page, base, ["/"]) == {"127.0.0.1"}
            assert _kept(page) == (set(), 0)

            page.locator('[data-consent-widget="banner"] button[value="reject_all"]').click()
            page.locator('[data-consent-widget="banner"]').wait_for(state="hidden")
            assert _visit(page, base, pages) == {"127.0.0.1"}
            page.reload()
            tab = context.new_page()
            assert _visit(tab, base, ["/"]) == {"127.0.0.1"}
            names, stored = _kept(tab)
            assert names == {"consent", "consent_view"}
            assert stored == 0
        with browser.new_context(locale="en") as private:
            page = private.new_page()
            asked = _visit(page, base, ["/"])
            assert asked == {"127.0.0.1"}
            assert not asked & optional
            assert page.locator('[data-consent-widget="banner"]').is_visible()
