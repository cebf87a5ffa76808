"""DB: whatever becomes of the database, pages stay up, nothing is pretended, and nothing answered is lost."""

import re
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, insert, select
from werkzeug.test import TestResponse

from consent_widget.core.campaign import PauseReason, State
from consent_widget.core.envelope import verp
from consent_widget.core.errors import SchemaError, StoreUnavailable
from consent_widget.core.ledger_key import PublicKey
from consent_widget.services.campaign import resume
from consent_widget.services.ledger import verify
from consent_widget.services.progress import list_campaigns
from consent_widget.services.retention import purge
from consent_widget.services.setup import check_schema
from consent_widget.storage import database as engines
from consent_widget.storage.consent import records
from consent_widget.storage.database import Database, metadata, open_engine
from consent_widget.storage.delivery import deliveries
from consent_widget.storage.subscription import subscriptions
from tests.attacks import newsroom
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.disks import small_disk
from tests.attacks.newsroom import make_newsroom
from tests.attacks.subscribers import ONE_CLICK, Readers
from tests.attacks.target import Target
from tests.backups import copies
from tests.factories import Clock, close, host_app
from tests.letterbox import Letterbox
from tests.reports import report
from tests.services.test_backup import binaries
from tests.volume import volume

MAIL = {"public_url": "https://www.good.example", "mail_from": "privacy@good.example"}

PUBLIC = ("/", "/privacy/vi/", "/privacy/en/versions/1", "/privacy/preferences", "/privacy/vi/versions")


def accept(browser: FlaskClient) -> TestResponse:
    return browser.post("/privacy/preferences", data={"action": "accept_all"})


def grants(answer: TestResponse) -> bool:
    """Whether it hands out a choice that allows anything."""
    return any("consent" in line and "Max-Age=0" not in line for line in answer.headers.getlist("Set-Cookie"))


def check_pages(target: Target, paths: tuple[str, ...] = PUBLIC) -> None:
    """The public pages are up, and nothing optional runs for whoever did not choose."""
    for path in paths:
        answer = target.browser().get(path)
        assert answer.status_code == 200, path
        assert not grants(answer), path


def check_refusal(answer: TestResponse) -> None:
    """A write that was not possible is told kindly, and not pretended."""
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert not grants(answer)
    assert "Traceback" not in answer.text


def writes(target: Target) -> list[TestResponse]:
    """What visitors and subscribers may want of a database."""
    return [
        accept(target.browser()),
        target.browser().post(
            "/privacy/preferences", json={"action": "accept_all"}, headers={"Accept": "application/json"}
        ),
        Readers(target).sign_up("new@good.example"),
    ]


def check_whole(target: Target) -> None:
    """It takes writes again, without a restart, and nothing in it is damaged."""
    before = len(target.recorded())
    answer = accept(target.browser())
    assert answer.status_code == 303
    assert grants(answer)
    assert len(target.recorded()) == before + 1
    if target.deployment.database.engine.dialect.name == "sqlite":
        with target.deployment.database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
    check_good(target.deployment.database, [key.public for key in target.deployment.log_keys], target)


def check_good(database: Database, keys: list[PublicKey], target: Target) -> None:
    """The proofs in ``database`` are good."""
    assert verify(replace(target.deployment, database=database), keys).problem is None


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers wait for half a second instead of five."""
    monkeypatch.setattr(engines, "_BUSY_MS", 500)


@attack("DB-001")
def test_a_full_disk(case: Case, make_target: MakeTarget, clock: Clock, tmp_path: Path) -> None:
    """The database lies on 4 MiB, which something else fills."""
    with small_disk(tmp_path / "disk") as disk:
        target = make_target(f"sqlite:///{disk.path / 'consent.sqlite'}", clock=clock, **MAIL)
        engine = target.deployment.database.engine
        assert accept(target.browser()).status_code == 303
        answered = 1
        check_pages(target)

        disk.fill(engine)
        refused: list[TestResponse] = []
        for _ in range(2000):  # the files have room within themselves
            answer = accept(target.browser())
            if answer.status_code == 303:
                answered += 1
            else:
                refused = [answer, *writes(target)]
                break
        assert refused, "the disk never was full"
        for one in refused:
            check_refusal(one)
        clock.tick(minutes=5)  # the schedule is read again
        check_pages(target)
        assert len(target.recorded()) == answered

        disk.free(engine)
        check_whole(target)
        target.close()


@contextmanager
def locked(target: Target) -> Iterator[None]:
    """Another process writes and does not end."""
    url = target.deployment.database.engine.url
    if url.get_backend_name() == "sqlite":
        other = sqlite3.connect(str(url.database), isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.close()
        return
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        connection.execute("LOCK TABLE cw_consent_record, cw_subscription, cw_count IN SHARE MODE")
        yield
        connection.rollback()


@attack("DB-004")
@pytest.mark.usefixtures("quick")
def test_a_locked_database(case: Case, make_target: MakeTarget, database_url: str, clock: Clock) -> None:
    """Shorter than a writer waits: it waits. Longer: it says so, and reading goes on all the while."""
    target = make_target(database_url, clock=clock, **MAIL)
    assert accept(target.browser()).status_code == 303
    held = threading.Event()

    def hold() -> None:
        with locked(target):
            held.set()
            time.sleep(0.15)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)
    began = time.perf_counter()
    patient = accept(target.browser())
    waited = time.perf_counter() - began
    holder.join()

    assert patient.status_code == 303
    assert waited > 0.05
    with locked(target):
        began = time.perf_counter()
        answers = writes(target)
        assert time.perf_counter() - began < 10, "each gives up after its time"
        for answer in answers:
            check_refusal(answer)
        clock.tick(minutes=5)
        check_pages(target)
        assert target.browser().get("/privacy/state").status_code == 200
    check_whole(target)


@contextmanager
def read_only(target: Target) -> Iterator[None]:
    """A PostgreSQL whose every transaction may only read: a standby, say."""
    engine = target.deployment.database.engine
    url = engine.url
    with admin(url) as connection:
        connection.execute(f'ALTER DATABASE "{url.database}" SET default_transaction_read_only = on')
        engine.dispose()
        try:
            yield
        finally:
            connection.execute(f'ALTER DATABASE "{url.database}" RESET default_transaction_read_only')
            engine.dispose()


def admin(url: Any) -> "psycopg.Connection[Any]":
    """A connection to the server beside the database."""
    plain = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


@attack("DB-005")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_that_only_reads(
    case: Case,
    request: pytest.FixtureRequest,
    make_target: MakeTarget,
    clock: Clock,
    tmp_path: Path,
    kind: str,
) -> None:
    def check(target: Target) -> None:
        for answer in writes(target):
            check_refusal(answer)
        clock.tick(minutes=5)
        check_pages(target)

    if kind == "postgresql":
        target = make_target(request.getfixturevalue("postgresql_url"), clock=clock, **MAIL)
        assert accept(target.browser()).status_code == 303
        with read_only(target):
            check(target)
        check_whole(target)
        return
    with small_disk(tmp_path / "disk") as disk:
        target = make_target(f"sqlite:///{disk.path / 'consent.sqlite'}", clock=clock, **MAIL)
        engine = target.deployment.database.engine
        assert accept(target.browser()).status_code == 303
        check_pages(target)  # a WAL database on a disk that only reads cannot even be read: pages were kept
        engine.dispose()
        disk.protect(engine)
        check(target)
        disk.release(engine)
        engine.dispose()
        check_whole(target)
        target.close()


@contextmanager
def gone(target: Target) -> Iterator[None]:
    """The server is down, or the folder of the file was taken away."""
    engine = target.deployment.database.engine
    url = engine.url
    if url.get_backend_name() == "sqlite":
        engine.dispose()
        folder = Path(str(url.database)).parent
        folder.rename(folder.with_name("elsewhere"))
        try:
            yield
        finally:
            engine.dispose()
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_name("elsewhere").rename(folder)
        return
    with admin(url) as connection:
        connection.execute(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false')
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.database]
        )
        try:
            yield
        finally:
            connection.execute(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS true')


@pytest.fixture
def movable_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> str:
    """A database that can go away: the file has a folder of its own."""
    if not database_url.startswith("sqlite"):
        return database_url
    (tmp_path / "data").mkdir()
    return f"sqlite:///{tmp_path / 'data' / 'consent.sqlite'}"


@attack("DB-006")
def test_a_database_that_goes_away(
    case: Case, make_target: MakeTarget, movable_url: str, clock: Clock
) -> None:
    target = make_target(movable_url, clock=clock, **MAIL)
    decided = target.browser()
    assert accept(decided).status_code == 303
    check_pages(target)

    with gone(target):
        for answer in writes(target):
            check_refusal(answer)
        clock.tick(minutes=5)
        check_pages(target, ("/", "/privacy/preferences"))
        notice = target.browser().get("/privacy/vi/")
        assert notice.status_code in (200, 503)
        assert "Traceback" not in notice.text
        assert target.browser().get("/privacy/health").status_code == 503
        allowed = {name for name, one in (decided.get("/consent").json or {}).items() if one == "granted"}
        assert allowed == set(target.names), "a choice that was made stands"
        assert set((target.browser().get("/consent").json or {}).values()) == {"undecided"}

    check_whole(target)


@attack("DB-006")
def test_a_database_that_is_not_there_at_the_start(
    case: Case, make_target: MakeTarget, movable_url: str, clock: Clock
) -> None:
    """Pages are served, and it is used as soon as it is there; one without tables names the command that makes them."""
    target = make_target(movable_url, clock=clock, **MAIL)
    folder = Path(target.app.instance_path) / "late"
    with gone(target):
        late = host_app(database_url=movable_url, clock=clock, folder=folder)
        health = late.test_client().get("/privacy/health")
        assert health.status_code == 503
        assert health.json is not None
        if movable_url.startswith("sqlite"):
            # A file that is not there looks like a database that was never set up.
            with pytest.raises(SchemaError, match="flask consent upgrade"):
                late.test_client().get("/privacy/vi/")
        else:
            check_refusal(late.test_client().get("/privacy/vi/"))
            assert late.test_client().get("/privacy/preferences").status_code == 200
    clock.tick(minutes=5)
    assert late.test_client().get("/privacy/vi/").status_code == 200
    close(late)


_INJECT = """
CREATE SEQUENCE test_commits;
CREATE FUNCTION test_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('test_commits') %% 10 = 0 THEN
        RAISE EXCEPTION 'injected' USING ERRCODE = CASE WHEN random() < 0.5 THEN '40001' ELSE '40P01' END;
    END IF;
    RETURN NULL;
END $$
"""


def inject(target: Target) -> None:
    """Every tenth row that is written makes its commit fail, as a serialization failure or a deadlock does."""
    with target.deployment.database.engine.begin() as connection:
        connection.exec_driver_sql(_INJECT)
        for table in ("cw_consent_record", "cw_subscription", "cw_delivery", "cw_count", "cw_bounce"):
            connection.exec_driver_sql(
                f"CREATE CONSTRAINT TRIGGER test_refuse AFTER INSERT OR UPDATE ON {table}"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION test_refuse()"
            )


def collect_patiently(box: Letterbox) -> list[str]:
    """As a worker does, which comes back after each failure."""
    before = len(box.relay.taken)
    for _ in range(50):
        with suppress(StoreUnavailable):
            Letterbox.collect(box)
            return box.relay.taken[before:]
    raise AssertionError("the database never gave way")


@attack("DB-008")
def test_failures_that_pass_are_tried_again(
    case: Case,
    make_target: MakeTarget,
    postgresql_url: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SQLite knows neither: it has one writer."""
    target = make_target(postgresql_url, clock=clock, **MAIL)
    readers = Readers(target)
    monkeypatch.setattr(readers.box, "collect", lambda: collect_patiently(readers.box))
    inject(target)
    count = volume(60, 500)

    for number in range(count):
        assert accept(target.browser()).status_code == 303
        if number % 10 == 0:
            one = readers.confirmed(f"reader{number}@good.example")
            assert readers.send(readers.unsubscribe_link(one), ONE_CLICK).status_code == 200

    with target.deployment.database.reading() as connection:
        failed = connection.exec_driver_sql("SELECT last_value FROM test_commits").scalar_one() // 10
        states = connection.execute(select(subscriptions.c.state, func.count()).group_by("state"))
        assert dict(states.all()) == {"unsubscribed": count // 10}
    assert failed > count // 10, "nothing was injected"
    assert len(target.recorded()) == count
    assert sorted(set(readers.box.relay.taken)) == sorted(readers.box.relay.taken), "a letter was sent twice"


@attack("DB-010")
def test_a_backup_while_visitors_choose(
    case: Case,
    make_target: MakeTarget,
    database_url: str,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command itself, under about 100 writes a second; what is restored has all that was answered before."""
    monkeypatch.setenv("PATH", str(binaries()), prepend=":")
    target = make_target(database_url, clock=clock, **MAIL)
    answered, done = [0], threading.Event()

    def choose() -> None:
        while not done.is_set():
            assert accept(target.browser()).status_code == 303
            answered[0] += 1
            time.sleep(0.005)

    visitor = threading.Thread(target=choose)
    visitor.start()
    try:
        for number in range(volume(1, 5)):
            while answered[0] < 30 * (number + 1):
                time.sleep(0.01)
            before, path = answered[0], tmp_path / f"backup{number}"
            result = target.app.test_cli_runner().invoke(args=["consent", "backup", str(path)])
            after = answered[0] + 1
            assert result.exit_code == 0, result.output
            with restored(path, target, tmp_path) as database:
                check_schema(database)
                check_good(database, [key.public for key in target.deployment.log_keys], target)
                with database.reading() as connection:
                    have = connection.execute(select(func.count()).select_from(records)).scalar_one()
                assert before <= have <= after
    finally:
        done.set()
        visitor.join()


@contextmanager
def restored(path: Path, target: Target, folder: Path) -> Iterator[Database]:
    """The database in a backup."""
    url = target.deployment.database.engine.url
    name = f"restored_{path.name}"
    if url.get_backend_name() == "sqlite":
        shutil.copyfile(path, folder / name)
        database = Database(open_engine(f"sqlite:///{folder / name}"))
        yield database
        database.engine.dispose()
        return
    with admin(url) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        there = url.set(database=name)
        try:
            to = there.set(drivername="postgresql").render_as_string(hide_password=False)
            subprocess.run([binaries() / "pg_restore", f"--dbname={to}", str(path)], check=True)
            database = Database(open_engine(there.render_as_string(hide_password=False)))
            yield database
            database.engine.dispose()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def subscribe_many(target: Target, count: int) -> list[str]:
    """So many confirmed subscriptions, straight into the table; their addresses."""
    now = target.deployment.clock()
    addresses = [f"reader{number}@good.example" for number in range(count)]
    rows = [
        {"address": one, "identity": one, "address_hash": target.deployment.pseudonyms.of(one),
         "domain": "good.example", "language": "vi", "state": "confirmed", "salt": f"salt {number}",
         "created_at": now, "requested_at": now, "confirmed_at": now}
        for number, one in enumerate(addresses)
    ]  # fmt: skip
    with target.deployment.database.writing() as connection:
        connection.execute(insert(subscriptions), rows)
    return addresses


@attack("DB-011")
def test_an_old_backup_is_restored(
    case: Case, make_target: MakeTarget, database_url: str, clock: Clock, tmp_path: Path
) -> None:
    """From before withdrawals, departures and erasures, and before the campaign was sent."""
    options: dict[str, Any] = {"clock": clock, "erasure_file": str(tmp_path / "erasures.jsonl"), **MAIL}
    target = make_newsroom(make_target, database_url, **options)
    readers = Readers(target)
    leaving, erasing = volume(40, 1000), 10
    addresses = subscribe_many(target, leaving + erasing + 20)
    with copies(tmp_path) as copy:
        newsroom.publish(target, change_class="important", effective_at="2027-06-01T00:00")
        scheduled = copy(target.deployment.database)
        clock.tick(hours=1)
        visitors = [target.browser() for _ in range(volume(20, 1000))]
        for visitor in visitors:
            accept(visitor)
            assert visitor.post("/privacy/preferences", data={"action": "reject_all"}).status_code == 303
        for address in addresses[:leaving]:
            one = readers.find(address)
            assert one is not None
            assert readers.send(readers.unsubscribe_link(one), ONE_CLICK).status_code == 200
        for address in addresses[leaving : leaving + erasing]:
            one = readers.find(address)
            assert one is not None
            assert readers.send(readers.manage_link(one), {"action": "erase"}).status_code < 400
        assert len(readers.box.collect()) == 20

        clock.tick(hours=1)
        after = Readers(make_newsroom(make_target, scheduled, **options))
        after.target.browser().get("/privacy/vi/")

        (campaign,) = list_campaigns(after.target.deployment)
        assert (campaign.state, campaign.pause_reason) == (State.PAUSED, PauseReason.RESTORED)
        assert after.box.collect() == [], "a campaign that was sent is not sent again"
        for address in addresses[:leaving]:
            assert after.state(address) == "unsubscribed"
        for address in addresses[leaving : leaving + erasing]:
            assert after.find(address) is None
        assert {after.state(address) for address in addresses[leaving + erasing :]} == {"confirmed"}
        for visitor in visitors[:20]:
            value = visitor.get_cookie("__Host-consent")
            assert value is not None
            assert after.target.signer.open(value.value, now=clock()) is not None
        resume(after.target.deployment, campaign.id, staff=newsroom.STAFF["officer"], now=clock())
        assert set(after.box.collect()) == set(addresses[leaving + erasing :]), (
            "only where staff let it go on"
        )
        after.target.close()


def walk(target: Target, clock: Clock) -> list[object]:
    """Everything that a site does, once; what was answered, and what is stored then."""
    readers = Readers(target)
    seen: list[object] = []
    paths = (*PUBLIC, "/privacy/versions.json", "/privacy/state", "/nowhere")
    seen += [(path, target.browser().get(path).status_code) for path in paths]
    browser = target.browser()
    for action in ("accept_all", "reject_all", "nonsense"):
        answer = browser.post("/privacy/preferences", data={"action": action})
        seen.append((action, answer.status_code))
    one, two = readers.confirmed("one@good.example"), readers.confirmed("two@good.example")
    seen.append(readers.sign_up("one@good.example").status_code)
    newsroom.publish(target, change_class="important", effective_at="2027-06-01T00:00")
    seen.append(sorted(readers.box.collect()))
    deployment = target.deployment
    with deployment.database.reading() as connection:
        chosen = select(deliveries.c.id).where(deliveries.c.subscription_id == two.id)
        number = max(connection.execute(chosen).scalars())
    mail = report(verp(deployment.links, "privacy@good.example", number))
    done = target.app.test_cli_runner().invoke(args=["consent", "bounces", "--json"], input=mail)
    seen.append(done.output)
    seen.append(readers.send(readers.unsubscribe_link(one), ONE_CLICK).status_code)
    seen.append(readers.send(readers.manage_link(one), {"action": "undo"}).status_code)
    seen.append(readers.send(readers.manage_link(one), {"action": "erase"}).status_code)
    readers.sign_up("three@good.example")
    clock.tick(days=8)
    seen.append({rule.value: count for rule, count in purge(deployment, now=clock()).rows.items()})
    for command in (("versions", "--json"), ("verify", "--json"), ("check", "--json"), ("purge", "--json")):
        result = target.app.test_cli_runner().invoke(args=["consent", *command])
        seen.append((command, result.exit_code, re_free(result.output)))
    with deployment.database.reading() as connection:
        for table in metadata.sorted_tables:
            rows = [dict(row) for row in connection.execute(select(table)).mappings()]
            seen.append((table.name, len(rows), sorted(map(stable, rows))))
    return seen


#: Drawn anew each time, made of what is, or counted in the database's own way.
_RANDOM = {
    "id", "subscription_id", "delivery_id",
    "nonce", "salt", "secret", "hash", "subject", "body", "body_sha256", "root", "peaks", "signature", "digest",
    "mark", "wording_hash", "first_seen_at",
}  # fmt: skip


def stable(row: dict[str, Any]) -> str:
    return repr({name: value for name, value in row.items() if name not in _RANDOM})


def re_free(output: str) -> str:
    """Without what signatures are made of."""
    return re.sub(r"[0-9a-f]{32,}", "", output)


@attack("DB-012")
def test_both_databases_do_the_same(
    case: Case, make_target: MakeTarget, sqlite_url: str, postgresql_url: str
) -> None:
    """One walk through all of it, on each; beyond that ``database_url`` runs whole tests on both."""
    seen = []
    for url in (sqlite_url, postgresql_url):
        clock = Clock()
        seen.append(walk(make_newsroom(make_target, url, clock=clock, **MAIL), clock))

    for on_sqlite, on_postgresql in zip(*seen, strict=True):
        assert on_sqlite == on_postgresql
    assert any("cw_delivery" in str(one) for one in seen[0])
