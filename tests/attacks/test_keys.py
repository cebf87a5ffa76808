"""KR: keys are added, promoted and retired without losing or widening a choice, and never leave."""

import json
import logging
import os
import subprocess
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest

from consent_widget.core.errors import SecretKeyError
from tests.attacks import staff
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.subscribers import ONE_CLICK, SUBSCRIBE, make_readers
from tests.attacks.target import (
    ALL,
    KEY,
    NEWER_KEY,
    NOTHING,
    SECURE_NAME,
    Target,
    ask,
    cookie_of,
    granted_in,
)
from tests.factories import Clock
from tests.letterbox import Letterbox
from tests.mailroom import Mailroom
from tests.services.test_backup import binaries
from tests.volume import volume

CHOICES = (("accept_all", (), ALL), ("reject_all", (), NOTHING), ("save", ("analytics",), {"analytics"}))

#: A sample of the thousand visitors.
VISITORS = 30

BANNER = 'data-consent-widget="banner"'


def _visitors(target: Target) -> dict[str, Iterable[str]]:
    """The cookies of visitors who have chosen, with what each grants."""
    kinds = [CHOICES[one % len(CHOICES)] for one in range(VISITORS)]
    return {target.genuine(action, *categories): granted for action, categories, granted in kinds}


def _check(target: Target) -> tuple[int, list[str]]:
    """Exit code and warnings about keys of `flask consent check`."""
    done = target.app.test_cli_runner().invoke(args=["consent", "check", "--json"])
    return done.exit_code, [one for one in json.loads(done.output)["warnings"] if "SECRET_KEY" in one]


@attack("KR-001")
def test_rotating_once_keeps_every_choice(
    case: Case, target: Target, make_target: MakeTarget, database_url: str
) -> None:
    """The new key first, the old one as a fallback; one worker still has the old list."""
    old_worker = target
    visitors = _visitors(old_worker)
    new_worker = make_target(database_url, keys=[NEWER_KEY, KEY])
    before = target.stored()

    for cookie, granted in visitors.items():
        for worker in (new_worker, old_worker):
            for path in ("/", "/privacy/state"):
                assert granted_in(ask(worker, f"{SECURE_NAME}={cookie}", path)) == granted
    assert target.stored() == before

    renewed = new_worker.genuine("accept_all")
    only_new = make_target(database_url, keys=[NEWER_KEY])
    assert granted_in(ask(only_new, f"{SECURE_NAME}={renewed}")) == ALL


@attack("KR-001")
def test_open_links_after_a_rotation(
    case: Case, make_target: MakeTarget, database_url: str, clock: Clock
) -> None:
    """One worker still has the old list of keys; who signs up at one confirms and leaves at the other."""
    old = make_readers(make_target, database_url, clock=clock)
    emails = [f"reader{number}@good.example" for number in range(volume(8, 1000))]
    confirm = {email: old.asked(email) for email in emails}
    new = make_readers(make_target, database_url, clock=clock, keys=[NEWER_KEY, KEY])

    for at, email in enumerate(emails):
        assert (new, old)[at % 2].send(confirm[email]).status_code == 200
        one = old.find(email)
        assert one is not None
        assert new.send(old.manage_link(one), method="GET").status_code == 200
        assert new.send(old.unsubscribe_link(one), ONE_CLICK).status_code == 200
        assert new.state(email) == "unsubscribed"
        assert new.sign_up(email).status_code == 202, "it is the same mailbox under the new key"

    assert new.target.stored()["cw_subscription"] == len(emails)


@attack("KR-002")
def test_open_links_after_the_oldest_key_is_gone(
    case: Case, make_target: MakeTarget, database_url: str, clock: Clock
) -> None:
    """A link that confirms is signed by none; one of an old mail fails kindly, and a new mail has a new one."""
    old = make_readers(make_target, database_url, clock=clock)
    one = old.confirmed("first@good.example")
    waiting = old.asked("second@good.example")
    left = old.unsubscribe_link(one)
    new = make_readers(make_target, database_url, clock=clock, keys=[NEWER_KEY])
    before = new.find("first@good.example")

    answer = new.send(f"{left}?lang=en", ONE_CLICK)

    assert answer.status_code == 404
    assert "please write to us" in answer.text
    assert new.find("first@good.example") == before
    assert new.send(waiting).status_code == 200
    clock.tick(days=2)
    new.sign_up("first@good.example")
    assert new.box.collect() == ["first@good.example"]
    assert new.send(new.box.link("first@good.example", "unsubscribe"), ONE_CLICK).status_code == 200
    assert new.state("first@good.example") == "unsubscribed"


@attack("KR-002")
def test_retiring_the_oldest_key(
    case: Case, target: Target, make_target: MakeTarget, database_url: str
) -> None:
    """Who asked for state or preferences since keeps the choice; the others are asked again, with nothing on."""
    visitors = _visitors(target)
    middle = make_target(database_url, keys=[NEWER_KEY, KEY])
    renewed, left = {}, {}
    for number, (cookie, granted) in enumerate(visitors.items()):
        if number % 2:
            browser = middle.browser()
            browser.set_cookie(SECURE_NAME, cookie)
            browser.get(("/privacy/state", "/privacy/preferences")[number % 4 // 2])
            renewed[cookie_of(browser)] = granted
        else:
            left[cookie] = granted

    after = make_target(database_url, keys=[NEWER_KEY])

    for cookie, granted in renewed.items():
        assert granted_in(ask(after, f"{SECURE_NAME}={cookie}")) == granted
    for cookie in left:
        page = ask(after, f"{SECURE_NAME}={cookie}")
        assert page.status_code == 200
        assert granted_in(page) == NOTHING
        assert BANNER in page.text


@attack("KR-003")
def test_adding_a_key_first_and_promoting_it_later_loses_nothing(
    case: Case, target: Target, make_target: MakeTarget, database_url: str
) -> None:
    """At each step of the rolling restart both workers know whatever the other one signs."""
    assert _check(target) == (0, [])

    steps = ([KEY], [KEY, NEWER_KEY], [NEWER_KEY, KEY])
    for old, new in pairwise(steps):
        workers = make_target(database_url, keys=old), make_target(database_url, keys=new)
        assert _check(workers[1]) == (0, [])
        for signs, reads in (workers, workers[::-1]):
            for cookie, granted in _visitors(signs).items():
                assert granted_in(ask(reads, f"{SECURE_NAME}={cookie}")) == granted


@attack("KR-003")
def test_promoting_a_key_in_one_step_is_warned_of(
    case: Case, target: Target, make_target: MakeTarget, database_url: str
) -> None:
    """The worker with the old list cannot read what the other signs: undecided, and check says so."""
    assert _check(target) == (0, [])

    new_worker = make_target(database_url, keys=[NEWER_KEY, KEY])
    code, warnings = _check(new_worker)
    cookie = new_worker.genuine("accept_all")

    assert code == 0
    assert len(warnings) == 1
    assert "SECRET_KEY_FALLBACKS" in warnings[0]
    assert granted_in(ask(target, f"{SECURE_NAME}={cookie}")) == NOTHING


@attack("KR-005")
def test_compromised_key_removed_at_once(
    case: Case, target: Target, make_target: MakeTarget, database_url: str
) -> None:
    """Every choice it signed becomes undecided; the thief signs nothing any more."""
    visitors = _visitors(target)
    forged = target.seal(*ALL)
    before = target.stored()

    after = make_target(database_url, keys=[NEWER_KEY])

    for cookie in [*visitors, forged]:
        for path in ("/", "/privacy/state", "/privacy/preferences"):
            answer = ask(after, f"{SECURE_NAME}={cookie}", path)
            assert answer.status_code == 200
            assert granted_in(answer) == NOTHING
        assert BANNER in ask(after, f"{SECURE_NAME}={cookie}").text
    assert after.stored() == before


@attack("KR-005")
def test_staff_session_of_a_compromised_key(
    case: Case, target: Target, make_target: MakeTarget, database_url: str
) -> None:
    """While the key is a fallback its sessions go on; once it is removed they have ended."""
    before = make_target(database_url, has_accounts=True)
    staff.hire(before)
    browser = before.browser()
    staff.sign_in(browser)
    cookie = f"{staff.COOKIE}={staff.value_of(browser)}"

    rotated = make_target(database_url, keys=[NEWER_KEY, KEY], has_accounts=True)
    removed = make_target(database_url, keys=[NEWER_KEY], has_accounts=True)

    assert ask(rotated, cookie, staff.ACCOUNT).status_code == 200
    answer = ask(removed, cookie, staff.ACCOUNT)
    assert answer.status_code == 303
    assert answer.location.startswith(staff.SIGN_IN)


@attack("KR-006")
@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "8 bytes!",
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        "0" * 64,
    ],
    ids=["missing", "empty", "short", "from the documentation of Flask", "zeros"],
)
@pytest.mark.parametrize("as_fallback", [False, True], ids=["key", "fallback"])
def test_missing_or_short_key(
    case: Case, key: str | None, as_fallback: bool, make_target: MakeTarget, tmp_path: Path
) -> None:
    """The site does not start, names the setting and not its value."""
    file = tmp_path / "never.sqlite"

    with pytest.raises(
        SecretKeyError, match="SECRET_KEY_FALLBACKS" if as_fallback else "SECRET_KEY"
    ) as refusal:
        make_target(f"sqlite:///{file}", keys=[KEY, key] if as_fallback else [key])

    assert not key or key not in str(refusal.value)
    assert not file.exists()


@attack("KR-007")
def test_key_never_leaves(
    case: Case,
    target: Target,
    make_target: MakeTarget,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """No log line, page, error, file or row holds a key, in any of its spellings."""
    caplog.set_level(logging.DEBUG)
    worker = make_target(database_url, keys=[NEWER_KEY, KEY], gpc_declared=True)
    browser = worker.browser()
    said = [
        browser.open(path, method=method, data=data)
        for method, path, data in (
            ("POST", "/privacy/preferences", {"action": "accept_all"}),
            ("POST", "/privacy/preferences", {"action": "nonsense"}),
            ("POST", "/privacy/preferences", {"action": "accept_all", "next": "x" * 20_000}),
            ("PUT", "/privacy/preferences", {}),
            *(
                ("GET", path, None)
                for path in (
                    "/",
                    "/broken",
                    "/privacy/vi/",
                    "/privacy/en/versions/1.md",
                    "/privacy/state",
                    "/privacy/preferences",
                    "/privacy/health",
                    "/privacy/no-such-page",
                    "/.well-known/gpc.json",
                    *(url for url in worker.app.extensions["consent_widget"].host.asset_urls.values()),
                )
            ),
        )
    ]
    commands = [
        worker.app.test_cli_runner().invoke(args=["consent", *args.split()]).output
        for args in ("check", "check --json", "versions", "versions --json", "upgrade", "--help")
    ]
    ask(worker, f"{SECURE_NAME}={KEY}")

    printed = capfd.readouterr()
    everything = "\n".join(
        [f"{one.headers}{one.text}" for one in said]
        + [*commands, caplog.text, printed.out, printed.err, worker.everything_stored()]
    )
    assert "a fault of the host" in caplog.text  # the log was caught
    assert "A choice" in everything or "accept_all" in everything  # and the rows were read
    for key in (KEY, NEWER_KEY):
        for spelling in _spellings(key):
            assert spelling not in everything


def _spellings(key: str) -> set[str]:
    raw = key.encode()
    # Base64 of a longer text holds one of three forms, by where the key starts in it.
    inside = {b64encode(b"\0" * shift + raw).decode()[4:-4] for shift in range(3)}
    return {
        key,
        raw.hex(),
        raw.hex().upper(),
        quote(key, safe=""),
        urlsafe_b64encode(raw).decode().rstrip("="),
    } | inside


@attack("KR-007")
def test_key_in_mails_and_backups(
    case: Case, mailroom: Mailroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in what is mailed, as it is sent and as it is read, nor in a copy of the database."""
    monkeypatch.setenv("PATH", f"{binaries()}{os.pathsep}{os.environ['PATH']}")
    box = Letterbox(mailroom.deployment)
    (reader,) = mailroom.subscribe(1)
    mailroom.announce()
    mailroom.app.test_client().post(SUBSCRIBE, data={"email": "new@good.example", "lang": "vi"})
    assert sorted(box.collect()) == ["new@good.example", reader]
    copy = tmp_path / "copy"

    done = mailroom.app.test_cli_runner().invoke(args=["consent", "backup", str(copy)])

    assert done.exit_code == 0, done.output
    kept = copy.read_bytes()
    if kept.startswith(b"PGDMP"):  # compressed
        command = [str(binaries() / "pg_restore"), "--file=-", str(copy)]
        kept = subprocess.run(command, check=True, capture_output=True).stdout
    assert reader.encode() in kept
    sent = [raw for mails in box.relay.mails.values() for raw in mails]
    read = [
        bytes(part.get_payload(decode=True))
        for address in box.relay.mails
        for mail in box.mails(address)
        for part in mail.walk()
        if not part.is_multipart()
    ]
    assert any(b"BEGIN:VCALENDAR" in one for one in read)
    everything = b"\n".join([done.output.encode(), kept, *sent, *read])
    for spelling in _spellings(mailroom.app.config["SECRET_KEY"]):
        assert spelling.encode() not in everything
