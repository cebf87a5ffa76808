"""Entries are appended, published and checked: whatever somebody changes afterwards is named."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.core.errors import LedgerError
from consent_widget.core.ledger_check import Report, check_lines
from consent_widget.core.ledger_key import LogKey
from consent_widget.services.deployment import Deployment
from consent_widget.services.ledger import (
    adopt,
    append,
    hand_over,
    newest_head,
    public_keys,
    read_lines,
    verify,
)
from consent_widget.services.setup import upgrade_database
from consent_widget.storage.ledger import ledger, read_entries
from tests.conftest import MakeApp
from tests.factories import NOW, deployment, host_app

OLD, NEW = LogKey.derived("the old secret"), LogKey.derived("the new secret")


@pytest.fixture
def here(make_app: MakeApp, database_url: str) -> Deployment:
    """A deployment whose ledger is empty, on each kind of database."""
    made = replace(deployment(make_app(database_url=database_url)), log_keys=(OLD,))
    upgrade_database(made.database)
    return made


@pytest.fixture
def on_sqlite(make_app: MakeApp, sqlite_url: str) -> Deployment:
    made = replace(deployment(make_app(database_url=sqlite_url)), log_keys=(OLD,))
    upgrade_database(made.database)
    return made


def enter(here: Deployment, kind: str = "audit", **body: object) -> int:
    with here.database.writing() as connection:
        return append(here, connection, kind=kind, body=body or {"action": "save"}, now=NOW)


def published(here: Deployment) -> list[bytes]:
    return list(read_lines(here.database, newest_head(here, now=NOW)))


def check(lines: list[bytes], *trusted: LogKey) -> Report:
    return check_lines(lines, [key.public for key in trusted or (OLD, NEW)])


def check_own(here: Deployment) -> Report:
    return verify(here, [key.public for key in here.log_keys])


def named(report: Report) -> tuple[str, int | None]:
    assert report.problem is not None
    return report.problem.code, report.problem.entry


def fill(here: Deployment) -> None:
    """Versions and acts of staff, and a change of the key in between."""
    enter(here, "version", number=1, texts={"vi": "Chính sách quyền riêng tư\n", "en": "Privacy\n"})
    for number in range(3):
        enter(here, action="save", staff=f"author{number}")
    after = replace(here, log_keys=(NEW, OLD))
    enter(after, "version", number=2, texts={"vi": "Bản 2 😀\n", "en": "Version 2\n"})
    for number in range(3):
        enter(after, action="approve", staff=f"approver{number}")


def test_the_first_entry_makes_the_key_known(here: Deployment) -> None:
    assert enter(here, "version", number=1) == 1
    assert enter(here) == 2

    lines = [json.loads(line) for line in published(here)]

    assert [line.get("kind") for line in lines] == ["key", "version", "audit", None]
    assert lines[0]["body"] == OLD.public.body()
    assert lines[1]["body"] == {"number": 1}
    assert lines[3] == {
        "head": {
            "at": lines[2]["at"],
            "key": OLD.public.id,
            "root": lines[2]["root"],
            "signature": lines[2]["signature"],
            "size": 3,
        }
    }


def test_what_staff_did_is_published_as_time_and_hash_that_cannot_be_guessed(here: Deployment) -> None:
    enter(here, action="save", staff="author")
    enter(here, action="save", staff="author")

    lines = [json.loads(line) for line in published(here)]

    assert set(lines[1]) == {"at", "body_sha256", "index", "key", "kind", "root", "signature"}
    assert lines[1]["body_sha256"] != lines[2]["body_sha256"]
    with here.database.reading() as connection:
        (_, first, _) = read_entries(connection, start=0, stop=3)
    assert len(json.loads(first.body or "")["nonce"]) >= 16


def test_a_log_verifies_offline_and_so_does_the_ledger_itself(here: Deployment) -> None:
    fill(here)

    report, own = check(published(here)), check_own(replace(here, log_keys=(NEW, OLD)))

    assert report.problem is own.problem is None
    assert report.head == own.head == newest_head(here, now=NOW)
    assert report.head is not None
    assert report.head.size == 10


def test_an_empty_log_says_so_in_a_signed_head(here: Deployment) -> None:
    lines = published(here)

    report = check(lines)

    assert report.problem is None
    assert report.head is not None
    assert report.head.size == 0
    assert check_own(here).problem is None
    assert named(check([])) == ("cut_off", None)
    assert named(check(lines, NEW)) == ("key", None)


def test_what_is_rolled_back_leaves_no_entry(here: Deployment) -> None:
    enter(here)
    with contextlib.suppress(ZeroDivisionError), here.database.writing() as connection:
        append(here, connection, kind="audit", body={"action": "save"}, now=NOW)
        raise ZeroDivisionError

    assert enter(here) == 2
    assert check_own(here).problem is None


@pytest.mark.parametrize(
    "kind, body", [("visit", {}), ("audit", {"share": 0.5}), ("version", {"a": "\ud800"})]
)
def test_what_has_no_canonical_form_is_not_entered(
    on_sqlite: Deployment, kind: str, body: dict[str, object]
) -> None:
    with (
        on_sqlite.database.writing() as connection,
        pytest.raises(ValueError, match=r"Kind|canonical JSON|surrogates"),
    ):
        append(on_sqlite, connection, kind=kind, body=body, now=NOW)


def test_two_threads_append_one_after_the_other(here: Deployment) -> None:
    start = Barrier(2)
    failed: list[BaseException] = []

    def work(name: str) -> None:
        try:
            start.wait()
            for _ in range(15):
                enter(here, action="save", staff=name)
        except BaseException as error:  # noqa: BLE001  # told in the test's own thread
            failed.append(error)

    threads = [Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    report = check_own(here)
    assert report.problem is None
    assert report.head is not None
    assert report.head.size == 31


# Keys


def test_a_new_key_is_made_known_once_and_signed_by_the_old_one(here: Deployment) -> None:
    fill(here)
    during, before = replace(here, log_keys=(NEW, OLD)), replace(here, log_keys=(OLD, NEW))
    for worker in (before, during, before):  # they restart one after the other
        enter(worker)

    lines = [json.loads(line) for line in published(here)][:-1]

    assert [line["index"] for line in lines if line["kind"] == "key"] == [0, 5]
    assert lines[5]["body"] == NEW.public.body()
    assert lines[5]["key"] == OLD.public.id
    assert lines[6]["key"] == NEW.public.id
    assert check(published(here)).problem is None


def test_who_knows_the_old_key_alone_can_follow_to_the_new_one(on_sqlite: Deployment) -> None:
    fill(on_sqlite)

    assert check(published(on_sqlite), OLD).problem is None
    assert check(published(on_sqlite), NEW).problem is None


def test_an_old_key_that_was_dropped_stays_known_and_vouches_for_nothing_new(here: Deployment) -> None:
    """A key is dropped at once where somebody else has it: it must not sign its successor then."""
    enter(here)
    alone = replace(here, log_keys=(NEW,))
    assert adopt(alone, [OLD.public], now=NOW).problem is None
    enter(alone)

    assert check(published(alone), NEW).problem is None
    assert check_own(alone).problem is None
    assert named(check(published(alone), OLD)) == ("key", None)
    assert [key.id for key in public_keys(alone)] == [NEW.public.id]


def test_nothing_is_entered_after_an_entry_of_a_key_that_is_not_ours(here: Deployment) -> None:
    """Our signature would vouch for all before it, and somebody may have written the ledger anew."""
    enter(replace(here, log_keys=(LogKey.derived("somebody else"),)), "version", number=1)
    before = published(here)

    with pytest.raises(LedgerError, match=r"Entry 1 .* `flask consent verify --key PEM --adopt`"):
        enter(here)
    hand_over(here, now=NOW)

    assert published(here) == before
    assert named(check_own(here)) == ("key", 1)
    assert [key.id for key in public_keys(here)] == [OLD.public.id]


def test_nothing_is_entered_after_an_entry_that_only_says_it_is_ours(here: Deployment) -> None:
    enter(here)
    without_guards(here, """UPDATE cw_ledger SET signature = :value WHERE "index" = 1""", value="0" * 128)

    with pytest.raises(LedgerError, match=r"Entry 1 .* was altered"):
        enter(here)
    with pytest.raises(LedgerError, match=r"Entry 1 .* was altered"):
        hand_over(replace(here, log_keys=(NEW, OLD)), now=NOW)


def test_a_ledger_is_adopted_only_from_a_key_that_is_trusted(here: Deployment) -> None:
    forger = LogKey.derived("somebody else")
    enter(replace(here, log_keys=(forger,)), "version", number=1)
    before = published(here)

    assert named(adopt(here, [NEW.public], now=NOW)) == ("key", 1)
    assert published(here) == before
    assert adopt(here, [forger.public], now=NOW).problem is None
    assert len(published(here)) == len(before) + 1


def test_what_is_ours_or_empty_needs_no_adoption(here: Deployment) -> None:
    assert adopt(here, [OLD.public], now=NOW).problem is None
    assert len(published(here)) == 1
    enter(here)
    before = published(here)

    assert adopt(here, [OLD.public], now=NOW).problem is None

    assert published(here) == before


def test_the_new_key_signs_before_the_old_one_is_dropped(here: Deployment) -> None:
    """Nothing may have been entered in the 182 days between: a worker that starts with the new key hands over."""
    enter(here)
    for _ in range(2):
        hand_over(replace(here, log_keys=(NEW, OLD)), now=NOW)
    alone = replace(here, log_keys=(NEW,))

    assert check_own(alone).problem is None
    assert check(published(alone), NEW).problem is None
    assert check(published(alone), OLD).problem is None
    assert [json.loads(line).get("kind") for line in published(alone)] == ["key", "audit", "key", "key", None]
    enter(alone)
    assert check(published(alone), OLD).problem is None


def test_there_is_nothing_to_hand_over_in_an_empty_ledger(here: Deployment) -> None:
    hand_over(here, now=NOW)

    assert len(published(here)) == 1


def test_a_log_that_somebody_else_signed_is_not_trusted(on_sqlite: Deployment) -> None:
    forger = replace(on_sqlite, log_keys=(LogKey.derived("somebody else"),))
    enter(forger, "version", number=1)

    assert named(check(published(forger))) == ("key", None)
    assert named(verify(forger, [OLD.public])) == ("key", 1)


# Somebody changes the file


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[bytes]]:
    """A real log of ten entries and its head."""
    folder = tmp_path_factory.mktemp("log")
    app = host_app(database_url=f"sqlite:///{folder / 'log.sqlite'}", clock=lambda: NOW, folder=folder)
    here = replace(deployment(app), log_keys=(OLD,))
    upgrade_database(here.database)
    fill(here)
    yield published(here)
    here.database.engine.dispose()


def rows(log: list[bytes]) -> st.SearchStrategy[int]:
    return st.integers(0, len(log) - 1)


@given(data=st.data())
def test_a_flipped_byte_names_its_entry(log: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(log)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    row = whole[:at].count(b"\n")

    report = check(split(bytes(changed)))

    assert report.problem is not None
    assert report.problem.line == row + 1
    if row < len(log) - 1:
        assert report.problem.entry == row


def split(whole: bytes) -> list[bytes]:
    """Lines as a file opened in binary mode gives them."""
    parts = whole.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


@given(data=st.data())
def test_a_dropped_line_names_the_entry_that_is_missing(log: list[bytes], data: st.DataObject) -> None:
    row = data.draw(rows(log))

    report = check(log[:row] + log[row + 1 :])

    # Of the last entry the head alone is left to tell.
    expected = {len(log) - 2: ("head", None), len(log) - 1: ("cut_off", None)}
    assert named(report) == expected.get(row, ("order", row))


@given(data=st.data())
def test_two_lines_in_another_order_name_the_first(log: list[bytes], data: st.DataObject) -> None:
    first, second = sorted(data.draw(st.lists(rows(log), min_size=2, max_size=2, unique=True)))
    changed = list(log)
    changed[first], changed[second] = changed[second], changed[first]

    code, entry = named(check(changed))

    assert (code, entry) == (("head", None) if second == len(log) - 1 else ("order", first))


@given(data=st.data())
def test_a_line_that_stands_twice_is_named(log: list[bytes], data: st.DataObject) -> None:
    row, at = data.draw(rows(log)), data.draw(st.integers(0, len(log)))
    changed = [*log[:at], log[row], *log[at:]]

    report = check(changed)

    assert report.problem is not None
    if row == len(log) - 1 or at == len(log):
        assert named(report) == ("head", None)
    else:
        # Beside itself, the second of the two is the one too many.
        assert named(report) == ("order", row + 1 if at == row else at)


@given(data=st.data())
def test_an_entry_that_was_made_up_is_named(log: list[bytes], data: st.DataObject) -> None:
    """Even one that is put together by the rules: nobody else can sign it."""
    at = data.draw(st.integers(0, len(log) - 1))
    made_up = json.dumps(
        {
            "at": "2026-12-01T02:00:00.000Z",
            "body_sha256": "00" * 32,
            "index": at,
            "key": OLD.public.id,
            "kind": data.draw(st.sampled_from(["audit", "version", "key", "record"])),
            "root": "00" * 32,
            "signature": data.draw(st.binary(min_size=64, max_size=64)).hex(),
        },
        separators=(",", ":"),
    ).encode()

    assert named(check([*log[:at], made_up + b"\n", *log[at:]]))[1] == at


@given(rubbish=st.binary(max_size=60), data=st.data())
def test_rubbish_in_place_of_a_line_is_named(log: list[bytes], rubbish: bytes, data: st.DataObject) -> None:
    row = data.draw(rows(log))

    report = check(split(b"".join([*log[:row], rubbish.replace(b"\n", b"") + b"\n", *log[row + 1 :]])))

    assert report.problem is not None
    assert report.problem.line == row + 1


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000 + b"\n",
        b"9" * 10_000 + b"\n",
        b'{"head":{}}\n',
        b'{"head":7}\n',
        b'{"at":"2026-13-01T00:00:00.000Z"}\n',
        b"\xff\xfe\n",
        b'"\\ud800"\n',
        b"NaN\n",
    ],
    ids=lambda line: repr(line[:20]),
)
def test_a_hostile_line_is_a_finding_and_no_traceback(line: bytes) -> None:
    assert check([line]).problem is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one | {"kind": "Version"},
        lambda one: one | {"index": True},
        lambda one: one | {"index": -1},
        lambda one: one | {"remark": "mine"},
        lambda one: {name: one[name] for name in one if name != "root"},
        lambda one: {name: one[name] for name in one if name != "body"},
        lambda one: one | {"body": None},
        lambda one: one | {"at": "2026-13-01T02:00:00.000Z"},
        lambda one: one | {"at": "9999-12-31T24:00:00.000Z"},
        lambda one: one | {"at": 7},
        lambda one: one | {"key": "0" * 64},
        lambda one: one | {"signature": one["signature"].upper()},
    ],
)
def test_a_field_of_another_form_is_named(
    log: list[bytes], change: Callable[[dict[str, object]], dict[str, object]]
) -> None:
    line = json.dumps(
        change(json.loads(log[1])), ensure_ascii=False, sort_keys=True, separators=(",", ":")
    ).encode()

    assert named(check([log[0], line + b"\n", *log[2:]]))[1] == 1


# Somebody changes the database


def without_guards(here: Deployment, statement: str, **values: object) -> None:
    """What somebody can do who owns the database."""
    with here.database.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            for name in ("update", "delete", "replace"):
                connection.exec_driver_sql(f"DROP TRIGGER cw_ledger_no_{name}")
        else:
            connection.exec_driver_sql("ALTER TABLE cw_ledger DISABLE TRIGGER ALL")
        connection.execute(sa.text(statement), values)


@pytest.mark.parametrize(
    "column, value, code",
    [
        ("body", '{"number":3}', "body"),
        ("body", "no JSON\n\x7f", "body"),
        ("body_sha256", "0" * 64, "body"),
        ("kind", "seal", "root"),
        ("at", "2020-01-01 00:00:00.000000+00:00", "root"),
        ("root", "0" * 64, "root"),
        ("peaks", "0" * 64, "peaks"),
        ("key", "0" * 64, "key"),
        ("signature", "0" * 128, "signature"),
    ],
)
def test_a_changed_column_is_named(here: Deployment, column: str, value: str, code: str) -> None:
    fill(here)
    here = replace(here, log_keys=(NEW, OLD))
    if here.database.engine.dialect.name == "sqlite":
        value = value.removesuffix("+00:00")

    without_guards(here, f'UPDATE cw_ledger SET "{column}" = :value WHERE "index" = 6', value=value)

    assert named(check_own(here)) == (code, 6)
    # The published log still comes, and shows it too, but for what it does not hold.
    report = check(published(here))
    assert (report.problem is None) if column == "peaks" else report.problem is not None


def test_a_deleted_row_is_named(here: Deployment) -> None:
    fill(here)

    without_guards(here, 'DELETE FROM cw_ledger WHERE "index" = 4')

    assert named(check_own(here)) == ("order", 4)


@pytest.mark.parametrize(
    "change", ["peaks = ''", "peaks = 'no hexadecimal'", f"root = '{'0' * 64}'", "peaks = substr(peaks, 65)"]
)
def test_nothing_is_entered_after_an_entry_that_was_altered(here: Deployment, change: str) -> None:
    for _ in range(2):
        enter(here)
    without_guards(here, f'UPDATE cw_ledger SET {change} WHERE "index" = 2')

    with pytest.raises(LedgerError, match=r"Entry 2 .* `flask consent verify`"):
        enter(here)

    with here.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(ledger)).scalar_one() == 3


def test_a_key_that_somebody_made_unreadable_stops_no_entry_and_is_named(here: Deployment) -> None:
    fill(here)

    without_guards(here, """UPDATE cw_ledger SET body = '[]' WHERE "index" = 0""")

    after = replace(here, log_keys=(NEW, OLD))
    enter(after)
    assert named(check_own(after)) == ("body", 0)


def test_a_key_entry_that_holds_no_key_is_named(on_sqlite: Deployment) -> None:
    enter(on_sqlite, "key", algorithm="RSA")

    assert named(check_own(on_sqlite)) == ("body", 1)


def test_a_long_log_is_read_a_few_entries_at_a_time(on_sqlite: Deployment) -> None:
    for _ in range(120):
        enter(on_sqlite)
    head = newest_head(on_sqlite, now=NOW)
    lines = read_lines(on_sqlite.database, head)
    first = next(lines)

    enter(on_sqlite)  # nobody who reads holds up who writes
    read = [first, *lines]

    assert len(read) == 122
    assert check(read).head == head
