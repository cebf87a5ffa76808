"""Worker processes that can be killed, the mail server they talk to, and the reckoning afterwards."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from consent_widget.core.campaign import State as Running
from consent_widget.core.delivery import LEASE, State
from consent_widget.core.errors import StoreUnavailable
from consent_widget.services.progress import load_campaign, progress_of
from consent_widget.services.setup import upgrade_database
from consent_widget.services.subscriber_list import list_unknown_mails
from consent_widget.services.upkeep import sweep
from consent_widget.storage.delivery import deliveries
from consent_widget.storage.subscription import subscriptions
from tests import factories
from tests.mail.journal import Journal
from tests.mailroom import APPROVER, Mailroom
from tests.tasks.host import SharedClock, create_app, describe

ROOT = Path(__file__).parents[2]


class Crew:
    """The workers of one host; each is a process of its own."""

    def __init__(self, folder: Path, *arguments: str, sockets: tuple[int, ...] = ()) -> None:
        self._arguments = json.dumps(arguments or ("worker",))
        self._log = (folder / "workers.log").open("ab")
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.tasks.nursery"],
            cwd=ROOT,
            env=os.environ | {"HOST_FOLDER": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
            pass_fds=sockets,
        )
        self.working: list[int] = []

    def start(self, count: int = 1) -> None:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        for _ in range(count):
            self._nursery.stdin.write(f"{self._arguments}\n")
            self._nursery.stdin.flush()
            self.working.append(int(self._nursery.stdout.readline()))

    def kill(self, number: int) -> None:
        """With SIGKILL: it says nothing more to anybody."""
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
        self._gone(number, 10.0)

    def end(self) -> float:
        """Tell all of them to end; how many seconds the slowest took."""
        began = time.monotonic()
        for number in self.working:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGTERM)
        for number in list(self.working):
            self._gone(number, 40.0)
        return time.monotonic() - began

    def _gone(self, number: int, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while is_alive(number):
            assert time.monotonic() < ends, f"process {number} does not end"
            time.sleep(0.005)
        self.working.remove(number)

    def close(self) -> None:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.close()
        self._nursery.wait(20)
        self._nursery.stdout.close()
        self._log.close()


def is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def mail_server(folder: Path, module: str = "sink", *arguments: str) -> Iterator[tuple[str, Journal]]:
    """A mail server of ``tests.mail`` as a process of its own: its MAIL_URL and what it writes down."""
    journal = folder / "journal.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.mail.{module}", "--journal", str(journal), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield f"smtp://127.0.0.1:{int(process.stdout.readline())}", Journal(journal)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@dataclass
class Post:
    """A host with subscribers, and the crew that sends its campaign."""

    mailroom: Mailroom
    crew: Crew
    journal: Journal
    clock: SharedClock
    _taken: int = 0
    _since: float = field(default_factory=time.monotonic)

    def taken(self) -> int:
        """How many mails the server took so far."""
        return self.journal._path.read_bytes().count(b"\n")

    def is_done(self) -> bool:
        """Whether the campaign is; a database that is away says no."""
        with suppress(StoreUnavailable):
            campaign = self.mailroom.campaign()
            return campaign.state is Running.DONE and campaign.prepared_at is not None
        return False

    def has_stalled(self, seconds: float) -> bool:
        """Whether the server took nothing for so long: what is left waits for a lease or a second try."""
        taken = self.taken()
        if taken != self._taken:
            self._taken, self._since = taken, time.monotonic()
        return time.monotonic() - self._since > seconds

    def let_leases_end(self) -> None:
        """An hour passes: whatever the dead held is free again, whatever waits is due."""
        self.clock.tick(seconds=max(3600.0, LEASE.total_seconds() + 1))
        with suppress(StoreUnavailable):
            sweep(self.mailroom.deployment, now=self.clock())
        self.mailroom.deployment.wake()
        self._since = time.monotonic()

    def until(self, condition: Callable[[], bool], *, seconds: float, stall: float = 1.0) -> None:
        """Wait; time passes by leaps where nothing else goes on."""
        ends = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > ends:
                raise AssertionError(f"not within {seconds} s: {self.mailroom.states()}")
            if self.has_stalled(stall):
                self.let_leases_end()
            time.sleep(0.02)

    def kill_at_random(self, kills: int, *, rows: int, seed: int, seconds: float) -> int:
        """Kill a worker so often while the mails leave, each time at once another starts; how many died."""
        draw = random.Random(seed)
        moments = sorted(draw.uniform(0.02, 0.95) * rows for _ in range(kills))
        for moment in moments:
            self.until(lambda: self.taken() >= moment or self.is_done(), seconds=seconds)  # noqa: B023
            time.sleep(draw.uniform(0, 0.02))
            self.crew.kill(draw.choice(self.crew.working))
            self.crew.start()
        return len(moments)


@contextmanager
def post(
    folder: Path,
    database_url: str,
    *,
    mail_url: str,
    journal: Journal,
    readers: int,
    connections: int = 2,
    **settings: Any,
) -> Iterator[Post]:
    """A host on an empty database, with ``readers`` confirmed and a version announced to them; nobody works yet."""
    describe(folder, database_url=database_url, mail_url=mail_url, **settings)
    app = create_app(folder)
    deployment = factories.deployment(app)
    upgrade_database(deployment.database)
    factories.import_first(deployment.database)
    clock = deployment.clock
    assert isinstance(clock, SharedClock)
    mailroom = Mailroom(app, clock)
    if readers:
        mailroom.subscribe(readers // 2, language="vi")
        mailroom.subscribe(readers - readers // 2, language="en", domain="another.example")
    # Time passes by leaps here: the effective date is to lie behind all of them.
    mailroom.announce(effective_at=clock() + timedelta(days=300))
    crew = Crew(folder, "worker", "--connections", str(connections))
    try:
        yield Post(mailroom, crew, journal, clock)
    finally:
        crew.close()
        factories.close(app)


@dataclass(frozen=True, kw_only=True)
class Reckoning:
    """What the product says against what the mail server wrote down."""

    lost: list[str]
    doubled: list[str]
    strangers: list[str]
    #: Said to be accepted, but the server never saw them.
    claimed: list[str]
    #: Seen by the server, but the product says that they were not sent.
    denied: list[str]
    unknown: int
    mixed: list[str]

    @property
    def is_flawless(self) -> bool:
        return not (self.lost or self.doubled or self.strangers or self.claimed or self.denied or self.mixed)


def reckon(post: Post) -> Reckoning:
    """Compare row by row, and every number that is shown with what was counted."""
    mailroom, mails = post.mailroom, post.journal.read()
    campaign = mailroom.campaign()
    states = states_by_address(mailroom)
    seen = Counter(address for mail in mails for address in mail.recipients)
    ids: dict[str, set[str]] = {}
    for mail in mails:
        ids.setdefault(mail.message_id, set()).update(mail.recipients)
    sure = {State.ACCEPTED, State.UNKNOWN}
    counted = Counter(states.values())
    counts = progress_of(mailroom.deployment, campaign.id, now=post.clock()).counts
    assert {state: counts[state] for state in State if counts[state]} == dict(counted)
    assert counts.is_balanced, counts
    assert campaign.candidates == counts.rows + campaign.excluded
    listed = list_unknown_mails(mailroom.deployment, campaign.id, staff=APPROVER, limit=len(states) + 1)
    assert len(listed) == counts[State.UNKNOWN]
    assert load_campaign(mailroom.deployment, campaign.id).state is Running.DONE
    return Reckoning(
        lost=[one for one, state in states.items() if not seen[one] and state not in sure | _REFUSED],
        doubled=[one for one, times in seen.items() if times > 1],
        strangers=sorted(seen.keys() - states.keys()),
        claimed=[one for one, state in states.items() if state is State.ACCEPTED and not seen[one]],
        denied=[one for one, state in states.items() if seen[one] and state not in sure],
        unknown=counts[State.UNKNOWN],
        mixed=[name for name, readers in ids.items() if len(readers) > 1],
    )


_REFUSED = {State.FAILED, State.SUPPRESSED, State.CANCELLED}


def states_by_address(mailroom: Mailroom) -> dict[str, State]:
    """What became of each reader's mail."""
    query = select(subscriptions.c.address, deliveries.c.state).join(
        deliveries, deliveries.c.subscription_id == subscriptions.c.id
    )
    with mailroom.deployment.database.reading() as connection:
        return {address: State(state) for address, state in connection.execute(query)}
