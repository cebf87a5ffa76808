"""Mails are sent: rows claimed, each fenced by a commit of its own before it leaves, then settled.

The scheme and why: docs/delivery.md. At any instant at most one mail for each
connection is on its way, and its row says so; whatever is killed, nothing is lost and
nothing is sent twice by itself.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from ..core.delivery import CLAIM, LEASE, Delivery
from ..core.errors import StoreUnavailable
from ..core.reply import Outcome
from ..mail.lines import Lines
from ..mail.transport import Transport
from ..storage import claim
from ..storage.database import Kept
from ..storage.fence import Accepted, pass_on
from .audience import prepare
from .claims import Claims, Holder
from .deployment import Deployment
from .fencing import Fencing, Message
from .letters import Letters
from .pace import Pace
from .settling import Answers, Settling, count_refusals, tell_missed
from .upkeep import finish_campaigns

T = TypeVar("T")

#: So many connections a worker keeps open unless it is told otherwise, so many mails are unknown if it is killed.
CONNECTIONS = 3

#: How long, in seconds, one slow mail keeps idle connections from looking for others.
_LOOK = 1.0

#: How long a worker tries to write what became of a mail while the database is away.
_PATIENCE = timedelta(minutes=2)


def deliver(
    deployment: Deployment,
    open_transport: Callable[[], Transport],
    *,
    owner: str,
    stop: Callable[[], bool] = bool,
    limit: int | None = None,
    connections: int = CONNECTIONS,
    lease: timedelta = LEASE,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send what is due, until nothing is, ``stop()`` says so or ``limit`` mails were tried; how many were.

    ``owner`` names this worker and nobody else. What it holds and has not sent when it ends
    goes back. Any number of workers may run this against one database.

    Raises:
        SettingError: MAIL_FROM or PUBLIC_URL is missing.
        StoreUnavailable: the database was away for longer than a worker waits.
    """
    lines: Lines[Message] = Lines(open_transport() for _ in range(connections))
    kept = Kept(deployment.database)
    holder = Holder(deployment=deployment, owner=owner, lease=lease)
    try:
        work = _Worker(holder, lines, kept, stop=stop, limit=limit, sleep=sleep)
        try:
            work.run()
        except Exception:
            work.claims.end()
            raise
    finally:
        kept.close()
        lines.close()
    finish_campaigns(deployment, now=deployment.clock())
    return work.tried


@dataclass
class _Worker:
    """One run of :func:`deliver`."""

    holder: Holder
    lines: Lines[Message]
    kept: Kept
    stop: Callable[[], bool]
    limit: int | None
    sleep: Callable[[float], None]
    tried: int = 0
    _waiting: list[Delivery] = field(default_factory=list)
    _refused: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.deployment = self.holder.deployment
        self.pace = Pace()
        letters = Letters(self.deployment)
        self.claims = Claims(self.holder, letters, self.pace)
        self.fencing = Fencing(self.holder, letters, self.claims, self.pace)
        self.settling = Settling(self.holder, self.claims, self.pace)

    def run(self) -> None:
        """Send on as many connections as there are.

        What came back is settled in the commit that fences what leaves next; the next rows are
        claimed while mails are on their way.
        """
        answers: Answers = []
        while True:
            if self.stop() and self._waiting:
                self.claims.give_back(self._waiting)
                self._waiting.clear()
            for message in self._turn(answers):
                self.lines.hand_over(
                    message, message.content, sender=message.sender, recipient=message.recipient
                )
            if len(self._waiting) < self.lines.count:
                self._waiting += self._next()
            if not self.lines.are_quiet:
                # While a line is idle, a letter may come that need not wait for a slow one.
                answers = self.lines.answers(_LOOK if self.lines.idle else None)
            elif self._waiting:
                answers = []
            else:
                return

    def _next(self) -> list[Delivery]:
        """The rows to send after those that wait; none while the limit or a stop leaves no room for any."""
        room = CLAIM if self.limit is None else min(CLAIM, self.limit - self.tried - len(self._waiting))
        if room <= 0 or self.stop():
            return []
        try:
            prepare(self.deployment, now=self.deployment.clock, stop=self._must_break_off)
            return self.claims.take(room, stop=self._must_break_off)
        except StoreUnavailable:
            if self.lines.are_quiet:
                raise
            return []  # What is on its way is to be written down first, and that waits for the database.

    def _must_break_off(self) -> bool:
        """Whether preparing ends: told to stop, or an answer has come, which is written down before more is done."""
        return self.stop() or self.lines.have_answers

    def _turn(self, answers: Answers) -> list[Message]:
        """Settle ``answers`` and fence as many as there are idle lines, in one commit; what may leave now."""
        turn = self._waiting[: self.lines.idle]
        if not answers and not turn:
            return []
        refused = count_refusals(self._refused, answers)
        leaving, alarms = self._insist(lambda again: self._commit(answers, turn, refused, again=again))
        del self._waiting[: len(turn)]
        self._refused = refused
        self.tried += len(leaving)
        self.pace.tell()
        for details in alarms:
            self.deployment.alarm("campaign_paused", details)
        return leaving

    def _commit(
        self, answers: Answers, turn: list[Delivery], refused: Mapping[int, int], *, again: bool
    ) -> tuple[list[Message], list[dict[str, object]]]:
        self.pace.begin()
        passed = None if again else self._pass_on(answers, turn)
        if passed is not None:
            return passed, []
        with self.kept.writing() as connection:
            alarms = self.settling.settle(connection, answers, refused)
            if again:
                claim.take_back(connection, [one.id for one in turn], owner=self.holder.owner)
            return self.fencing.fence(connection, turn), alarms

    def _pass_on(self, answers: Answers, turn: list[Delivery]) -> list[Message] | None:
        """What nearly every turn is: mails were accepted, and as many of the same campaign may leave.

        None where this one is something else, or the database cannot do it in one statement.
        """
        if self.deployment.database.has_one_writer or not answers or not turn or not self.pace.is_free:
            return None
        kinds = {(reply.outcome, reply.code, message.row.attempts) for message, reply in answers}
        campaign_ids = {(one.campaign_id, one.kind) for one in turn}
        outcome, code, attempts = next(iter(kinds))
        if (
            len(kinds) > 1
            or outcome is not Outcome.ACCEPTED
            or len(campaign_ids) > 1
            or turn[0].campaign_id is None
        ):
            return None
        now = self.deployment.clock()
        ids = frozenset(message.row.id for message, _ in answers)
        with self.kept.at_once() as connection:
            written, found = pass_on(
                connection,
                Accepted(ids=ids, code=code, attempts=attempts + 1),
                turn,
                owner=self.holder.owner,
                now=now,
                lease_until=now + self.holder.lease,
            )
            tell_missed(ids - written, code)
            return self.fencing.write(connection, turn, found, now=now)

    def _insist(self, act: Callable[[bool], T]) -> T:
        """``act``, again and again while the database is away: what was sent must be written down.

        It is told whether it is done again: the commit may have been, although nobody heard so.
        """
        slept, pause, again = 0.0, 0.05, False
        while True:
            try:
                return act(again)
            except StoreUnavailable:
                if slept > _PATIENCE.total_seconds():
                    raise
                self.sleep(pause)
                slept, pause, again = slept + pause, min(2.0, pause * 2), True
