"""KL: web workers are killed in the middle of a request, or the power fails; what was answered is so, wholly."""

import random
import re
import shutil
import sqlite3
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from consent_widget.core.campaign import Kind
from consent_widget.core.consent import Choice
from consent_widget.core.delivery import State as Mailed
from consent_widget.core.draft import Draft, DraftFields
from consent_widget.core.links import UNSUBSCRIBE
from consent_widget.core.notice import ChangeClass
from consent_widget.core.workflow import State
from consent_widget.services.decision import approve_draft
from consent_widget.services.draft import create_draft, load_draft, submit_draft
from consent_widget.services.ledger import verify
from consent_widget.services.progress import list_campaigns, progress_of
from consent_widget.storage import consent as storage
from consent_widget.storage.database import Database, open_engine
from consent_widget.storage.subscription import find_by_identity
from tests.attacks.cases import Case, attack
from tests.attacks.newsroom import hidden, page_of
from tests.attacks.subscribers import ONE_CLICK, SUBSCRIBE
from tests.attacks.web_workers import Browser, Site, served_site, wait
from tests.letterbox import Letterbox
from tests.mailroom import APPROVER, AUTHOR
from tests.volume import volume

PREFERENCES = "/privacy/preferences"


@dataclass
class Visitors:
    """Each of them decides once; ``choices`` are those of whom a 2xx reached, ``tried`` how many asked."""

    site: Site
    choices: list[Choice] = field(default_factory=list)
    tried: int = 0
    refused: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def deciding(self, threads: int = 4) -> Iterator[None]:
        with ThreadPoolExecutor(threads) as pool:
            running = [pool.submit(self._decide) for _ in range(threads)]
            try:
                yield
            finally:
                self._stop.set()
            for one in running:
                one.result()

    def _decide(self) -> None:
        deployment = self.site.mailroom.deployment
        while not self._stop.is_set():
            with self._lock:
                self.tried += 1
            reply = self.site.browser().ask(PREFERENCES, {"action": "accept_all"}, as_json=True)
            if reply is None:
                continue
            if reply.status != 200:
                self.refused.append(reply.status)
                continue
            choice = deployment.signer.open(reply.cookies["consent"], now=deployment.clock())
            assert choice is not None
            self.choices.append(choice)

    def wait_for(self, more: int) -> None:
        """Until so many more have their answer."""
        wanted = len(self.choices) + more
        wait(lambda: len(self.choices) >= wanted, seconds=60)


def check_records(database: Database, answered: list[Choice], *, tried: int | None = None) -> None:
    """Whoever was answered is on record once, and wholly; so is whoever else is."""
    with database.reading() as connection:
        subjects = dict(connection.execute(select(storage.records.c.id, storage.records.c.subject)).all())
        decided: dict[int, dict[str, bool]] = {one: {} for one in subjects}
        for row in connection.execute(select(storage.decisions)):
            decided[row.record_id][row.category] = row.granted
    counted = Counter(subjects.values())
    by_subject = {subject: decided[one] for one, subject in subjects.items()}
    for choice in answered:
        assert counted[choice.subject] == 1, "answered, and not on record"
        assert by_subject[choice.subject] == choice.decisions
    assert set(counted.values()) == {1}
    assert {frozenset(one) for one in decided.values()} == {frozenset(answered[0].decisions)}, "half a record"
    assert tried is None or len(subjects) <= tried


@attack("KL-003")
def test_killed_while_choices_are_saved(case: Case, database_url: str, tmp_path: Path) -> None:
    draw = random.Random(3)
    with served_site(tmp_path, database_url, workers=2) as site:
        visitors = Visitors(site)
        with visitors.deciding():
            for _ in range(volume(3, 200)):
                visitors.wait_for(draw.randint(1, 12))
                time.sleep(draw.uniform(0, 0.02))
                site.replace(draw.choice(site.crew.working))
            visitors.wait_for(5)

        assert visitors.refused == []
        check_records(site.mailroom.deployment.database, visitors.choices, tried=visitors.tried)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Somebody who signs up, confirms, and perhaps leaves again, from a network of their own."""

    site: Site
    box: Letterbox
    number: int

    @property
    def email(self) -> str:
        return f"reader{self.number}@good.example"

    @property
    def leaves(self) -> bool:
        return self.number % 2 == 0

    @property
    def state(self) -> str:
        with self.site.mailroom.deployment.database.reading() as connection:
            found = find_by_identity(connection, self.email)
        return found.state.value if found else "none"

    def walk(self) -> None:
        """Each button is pressed until an answer comes, and what the answer says is so from then on."""
        browser = self.site.browser(f"127.1.{self.number // 250}.{self.number % 250 + 1}")
        assert browser.insist(SUBSCRIBE, {"email": self.email, "lang": "en"}).status == 202
        self._confirm(browser)
        assert self.state == "confirmed"
        if self.leaves:
            assert browser.insist(self._unsubscribe_link(), ONE_CLICK).status == 200
            assert self.state == "unsubscribed"

    def _confirm(self, browser: Browser) -> None:
        """By the newest letter: one whose request was not answered may have been followed by another."""
        for _ in range(10):
            wait(lambda: bool(self.box.mails(self.email)), seconds=60)
            letters = len(self.box.mails(self.email))
            reply = browser.insist(self.box.link(self.email, "confirm"), {})
            if reply.status == 200:
                return
            assert reply.status == 410, reply
            wait(lambda: len(self.box.mails(self.email)) > letters, seconds=60)  # noqa: B023
        raise AssertionError("no letter has a link that works")

    def _unsubscribe_link(self) -> str:
        deployment = self.site.mailroom.deployment
        with deployment.database.reading() as connection:
            found = find_by_identity(connection, self.email)
        assert found is not None
        return f"/privacy/unsubscribe/{deployment.links.seal(UNSUBSCRIBE, found.id, found.salt)}"


@attack("KL-004")
def test_killed_while_readers_come_and_go(case: Case, database_url: str, tmp_path: Path) -> None:
    """Then a version is announced: whoever left hears nothing of it, whoever stayed hears of it once."""
    draw = random.Random(4)
    kills = volume(3, 200)
    with served_site(tmp_path, database_url, workers=2) as site:
        box = Letterbox(site.mailroom.deployment)
        readers = [Reader(site=site, box=box, number=one) for one in range(kills * 5)]
        with ThreadPoolExecutor(6) as pool:
            walks = [pool.submit(one.walk) for one in readers]
            killed = 0
            while not all(one.done() for one in walks):
                done = sum(one.done() for one in walks)
                if killed < kills and done >= killed * len(readers) // (kills + 1):
                    time.sleep(draw.uniform(0, 0.05))
                    site.replace(draw.choice(site.crew.working))
                    killed += 1
                box.collect()
                time.sleep(0.01)
            for one in walks:
                one.result()
        assert killed == kills
        letters = list(box.relay.taken)
        assert set(letters) == {one.email for one in readers}, "no mail without somebody who asked"

        site.mailroom.announce()
        told = Counter(box.collect())

        stayed = {one.email for one in readers if not one.leaves}
        assert told == Counter(stayed)
        assert {one.state for one in readers if one.leaves} == {"unsubscribed"}
        number = site.mailroom.campaign().id
        counts = progress_of(site.mailroom.deployment, number, now=site.mailroom.clock()).counts
        assert counts[Mailed.ACCEPTED] == counts.rows == len(stayed)


@dataclass
class Newsroom:
    """Staff who publish through the web."""

    site: Site
    approver: Browser
    draw: random.Random
    _takes: float = 0.1

    def approved(self, text: str) -> Draft:
        """A version that lacks only the button."""
        mailroom = self.site.mailroom
        now = mailroom.clock()
        fields = DraftFields(
            titles={"vi": "Chính sách", "en": "Policy"},
            summaries={"vi": text, "en": text},
            texts={"vi": text, "en": text},
            change_class=ChangeClass.IMPORTANT,
            effective_at=now + timedelta(days=20),
        )
        draft = create_draft(mailroom.deployment, fields, staff=AUTHOR, now=now)
        draft = submit_draft(mailroom.deployment, draft.id, revision=draft.revision, staff=AUTHOR, now=now)
        return approve_draft(mailroom.deployment, draft.id, revision=draft.revision, staff=APPROVER, now=now)

    def press(self, draft: Draft, action: str, wanted: State) -> None:
        """Press a button and kill whoever works at it, then see what has become of it."""
        form = self._form(draft, action)
        answers: list[Any] = []
        began = time.monotonic()

        def send() -> None:
            answers.append(self.approver.ask(page_of(draft.id), form))
            self._takes = time.monotonic() - began

        pressing = threading.Thread(target=send)
        pressing.start()
        time.sleep(self.draw.uniform(0, 1.1) * self._takes)
        self.site.replace(self.site.crew.working[0])
        pressing.join()
        if answers[0] is None:
            before = self._state(draft)
            assert before in (draft.state, wanted)
            while self._state(draft) is not wanted:
                self.approver.ask(page_of(draft.id), self._form(draft, action))
        else:
            assert answers[0].status == 303
        assert self._state(draft) is wanted

    def _state(self, draft: Draft) -> State:
        return load_draft(self.site.mailroom.deployment, draft.id).state

    def _form(self, draft: Draft, action: str) -> dict[str, str]:
        page = self.approver.insist(page_of(draft.id)).text
        return {
            "csrf_token": hidden(page, "csrf_token"),
            "revision": hidden(page, "revision"),
            "action": action,
            "reason": "Nhầm ngày" if action == "withdraw" else "",
        }


@dataclass
class Watcher:
    """Reads the notice without end; ``seen`` holds each number with the words that stood beside it."""

    browser: Browser
    seen: Counter[tuple[int, tuple[str, ...]]] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[None]:
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self._watch)
            try:
                yield
            finally:
                self._stop.set()
            running.result()

    def _watch(self) -> None:
        while not self._stop.is_set():
            reply = self.browser.ask("/privacy/vi/")
            if reply is None or not reply.text.rstrip().endswith("</html>"):
                continue  # cut off by a kill
            assert reply.status == 200
            (article,) = re.findall(r"<article[^>]*data-notice.*?</article>", reply.text, re.DOTALL)
            number = re.search(r'data-notice="(\d+)"', article)
            assert number
            self.seen[int(number[1]), tuple(re.findall(r"bản riêng \d+", article))] += 1
            time.sleep(0.05)


@attack("KL-005")
def test_killed_while_a_version_is_published(case: Case, database_url: str, tmp_path: Path) -> None:
    """Every other version takes effect, the others are withdrawn under kills as well."""
    with served_site(tmp_path, database_url, workers=1) as site:
        deployment = site.mailroom.deployment
        approver = site.browser()
        assert approver.insist("/sign-in-at-the-host/approver").status == 200
        newsroom = Newsroom(site, approver, random.Random(5))
        watcher = Watcher(site.browser())
        told = []
        with watcher.watching():
            for number in range(volume(3, 100)):
                draft = newsroom.approved(f"bản riêng {number}")
                newsroom.press(draft, "announce", State.ANNOUNCED)
                told.append((draft.id, Kind.CHANGE))
                if number % 2:
                    newsroom.press(load_draft(deployment, draft.id), "withdraw", State.WITHDRAWN)
                    told.append((draft.id, Kind.CORRECTION))
                else:
                    site.mailroom.clock.tick(days=21)
                    time.sleep(0.1)

        campaigns = [(one.version_id, one.kind) for one in list_campaigns(deployment)]
        assert sorted(campaigns) == sorted(told), "one campaign for each"
        assert verify(deployment, [key.public for key in deployment.log_keys]).problem is None
        versions = [load_draft(deployment, one) for one, _ in told]
        words = {(1, ())} | {(one.number, (one.texts["vi"].strip(),)) for one in versions}
        assert len(watcher.seen) > 1
        assert watcher.seen.keys() <= words, "a mix of two versions"


def in_use(log: bytes) -> int:
    """How many bytes of a write-ahead log belong to its present round (sqlite.org/fileformat.html, 4)."""
    if len(log) < 32:
        return 0
    size, salts = struct.unpack(">I", log[8:12])[0], log[16:24]
    end = 32
    while end + 24 + size <= len(log) and log[end + 8 : end + 16] == salts:
        end += 24 + size
    return end


@attack("KL-007")
def test_power_fails(case: Case, sqlite_url: str, tmp_path: Path) -> None:
    """The files as they stand at any instant; also with the newest, unanswered pages torn in a random place."""
    draw = random.Random(7)
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    log = file.with_name(f"{file.name}-wal")
    torn = 0
    with served_site(tmp_path, sqlite_url, workers=2) as site:
        with site.mailroom.deployment.database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "FULL"
        visitors = Visitors(site)
        with visitors.deciding():
            for number in range(volume(8, 100)):
                visitors.wait_for(draw.randint(1, 15))
                earlier = list(visitors.choices)
                with site.stopped():
                    first, checkpoint = log.read_bytes(), file.stat().st_mtime_ns
                time.sleep(draw.uniform(0, 0.05))
                answered = list(visitors.choices)
                with site.stopped():
                    pages, last, later = file.read_bytes(), log.read_bytes(), file.stat().st_mtime_ns
                check_copy(tmp_path / f"copy{number}", pages, last, answered)
                begins, ends = in_use(first), in_use(last)
                if checkpoint == later and first[:32] == last[:32] and begins < ends:
                    # What came after the first look need not have reached the disk, or only in part.
                    cut = draw.randrange(begins, ends)
                    rest = draw.randbytes(len(last) - cut)
                    check_copy(tmp_path / f"torn{number}", pages, last[:cut] + rest, earlier)
                    torn += 1
        assert visitors.refused == []
        check_records(site.mailroom.deployment.database, visitors.choices, tried=visitors.tried)
    assert torn > 0


def check_copy(folder: Path, pages: bytes, log: bytes, answered: list[Choice]) -> None:
    """The database opens as a crashed one does: whole, and with everything that was answered."""
    folder.mkdir()
    file = folder / "consent.sqlite"
    file.write_bytes(pages)
    file.with_name(f"{file.name}-wal").write_bytes(log)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    engine = open_engine(f"sqlite:///{file}")
    check_records(Database(engine), answered)
    engine.dispose()
    shutil.rmtree(folder)
