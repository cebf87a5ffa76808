"""Mails are sent: rows claimed, each fenced by a commit of its own before it leaves, then settled.

The scheme and why: docs/delivery.md. At any instant at most one mail for each
connection is on its way, and its row says so; whatever is killed, nothing is lost and
nothing is sent twice by itself.
"""

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from ..core.campaign import Campaign, PauseReason
from ..core.campaign import State as Running
from ..core.delivery import CLAIM, LEASE, Delivery, Event, Kind
from ..core.errors import JournalUnavailable, StoreUnavailable
from ..core.reply import Outcome, Reply
from ..core.verdict import REFUSALS_IN_A_ROW, Verdict, domain_pause, judge, relay_pause
from ..mail.transport import Transport
from ..storage import campaign as campaigns
from ..storage import claim
from ..storage.subscription import change_subscription
from . import journal
from .audience import journal_name, prepare
from .campaign import pause_for
from .deployment import Deployment
from .letters import Letters
from .subscription import make_link
from .suppression import BOUNCE, suppress
from .upkeep import finish_campaigns

T = TypeVar("T")

logger = logging.getLogger("consent_widget")

#: Letters that carry a link that confirms, and what the link is for.
_CONFIRMING = {Kind.CONFIRM: "confirm", Kind.ADDRESS: "address"}

#: How long a worker tries to write what became of a mail while the database is away.
_PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Message:
    """A fenced row, written out: on its way, or about to be."""

    row: Delivery
    content: bytes
    sender: str
    recipient: str


def deliver(
    deployment: Deployment,
    open_transport: Callable[[], Transport],
    *,
    owner: str,
    stop: Callable[[], bool] = bool,
    limit: int | None = None,
    connections: int = 2,
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
    work = _Worker(deployment, owner=owner, stop=stop, lease=lease, sleep=sleep)
    lines = [open_transport() for _ in range(connections)]
    try:
        with ThreadPoolExecutor(max_workers=connections) as pool:
            while not stop() and (limit is None or work.tried < limit):
                prepare(deployment, now=deployment.clock, stop=stop)
                room = CLAIM if limit is None else min(CLAIM, limit - work.tried)
                batch = work.claim(room)
                if not batch:
                    break
                work.send(batch, lines, pool)
    finally:
        for line in lines:
            line.close()
    finish_campaigns(deployment, now=deployment.clock())
    return work.tried


@dataclass
class _Worker:
    """One run of :func:`deliver`."""

    deployment: Deployment
    owner: str
    stop: Callable[[], bool]
    lease: timedelta
    sleep: Callable[[float], None]
    tried: int = 0
    _refused: int = 0
    _slowed: frozenset[str] = frozenset()
    _put_off: dict[str, datetime] = field(default_factory=dict)
    _campaigns: dict[int, Campaign] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._letters = Letters(self.deployment)

    def claim(self, room: int) -> list[Delivery]:
        """Up to ``room`` rows of ours: letters before campaigns, as somebody waits for them."""
        now = self.deployment.clock()
        self._put_off.clear()
        with self.deployment.database.writing() as connection:
            if claim.slowed_domains(connection, {claim.RELAY}, now=now):
                return []
            batch = self._claim_of(connection, None, room)
            if batch:
                return batch
            for campaign in reversed(campaigns.load_campaigns(connection, states=(Running.RUNNING,))):
                batch = self._claim_of(connection, campaign.id, room)
                if batch:
                    started = {} if campaign.started_at else {"started_at": now}
                    claims = campaigns.count_claim(connection, campaign.id, **started)
                    self._campaigns[campaign.id] = campaign
                    break
            else:
                return []
        try:
            journal.note_sent(self.deployment, journal_name(campaign.number, campaign.kind), claims)
        except JournalUnavailable as error:
            logger.error("Nothing is sent: %s", error)
            self._give_back(batch)
            return []
        self._letters.compose(campaign, {one.language for one in batch})
        return batch

    def _claim_of(self, connection: Connection, campaign_id: int | None, room: int) -> list[Delivery]:
        now = self.deployment.clock()
        while True:
            found = claim.claim(
                connection,
                campaign_id=campaign_id,
                owner=self.owner,
                limit=room,
                now=now,
                lease_until=now + self.lease,
            )
            if found.kept or not found.put_off:
                self._slowed = claim.ever_slowed(connection, {one.domain for one in found.kept})
                return found.kept

    def send(self, batch: list[Delivery], lines: list[Transport], pool: ThreadPoolExecutor) -> None:
        """Send each of ``batch`` that may still be sent, on as many connections as there are.

        What came back is settled in the commit that fences what leaves next.
        """
        waiting = batch[::-1]
        idle = list(lines)
        on_the_way: dict[Future[Reply], tuple[Message, Transport]] = {}
        answers: list[tuple[Message, Reply]] = []
        while waiting or on_the_way or answers:
            if self.stop() and waiting:
                self._give_back(waiting)
                waiting = []
            leaving = self._turn(answers, waiting, room=len(idle))
            answers = []
            for message in leaving:
                line = idle.pop()
                one = pool.submit(
                    line.send, message.content, sender=message.sender, recipient=message.recipient
                )
                on_the_way[one] = (message, line)
            if not on_the_way:
                continue
            for one in wait_for(on_the_way, return_when=FIRST_COMPLETED).done:
                message, line = on_the_way.pop(one)
                answers.append((message, one.result()))
                idle.append(line)

    def _turn(
        self, answers: list[tuple[Message, Reply]], waiting: list[Delivery], *, room: int
    ) -> list[Message]:
        """Settle ``answers`` and fence up to ``room`` of ``waiting``, in one commit; what may leave now."""
        turn = waiting[len(waiting) - min(room, len(waiting)) :][::-1]
        leaving, alarms = self._insist(lambda: self._commit(answers, turn))
        del waiting[len(waiting) - len(turn) :]
        self.tried += len(leaving)
        for details in alarms:
            self.deployment.alarm("campaign_paused", details)
        return leaving

    def _commit(
        self, answers: list[tuple[Message, Reply]], turn: Iterable[Delivery]
    ) -> tuple[list[Message], list[dict[str, object]]]:
        alarms: list[dict[str, object]] = []
        leaving = []
        with self.deployment.database.writing() as connection:
            for message, reply in answers:
                alarms += self._settle(connection, message.row, reply)
            for one in turn:
                message_or_none = self._fence(connection, one)
                if message_or_none is not None:
                    leaving.append(message_or_none)
        return leaving, alarms

    def _insist(self, act: Callable[[], T]) -> T:
        """``act``, again and again while the database is away: what was sent must be written down."""
        slept, pause = 0.0, 0.05
        while True:
            try:
                return act()
            except StoreUnavailable:
                if slept > _PATIENCE.total_seconds():
                    raise
                self.sleep(pause)
                slept, pause = slept + pause, min(2.0, pause * 2)

    def _fence(self, connection: Connection, one: Delivery) -> Message | None:
        now = self.deployment.clock()
        # What an answer within this batch asked for holds for the rest of it, too.
        until = self._put_off.get(claim.RELAY) or self._put_off.get(one.domain)
        if until is not None:
            at = one.at if claim.RELAY in self._put_off else until
            claim.give_back(connection, one.id, owner=self.owner, at=at)
            return None
        to = claim.fence(connection, one, owner=self.owner, now=now, lease_until=now + self.lease)
        if to is None:
            self._drop(connection, one)
            return None
        if one.campaign_id is not None:
            content = self._letters.of_campaign(one, self._campaigns[one.campaign_id], to)
        else:
            content = self._letters.of_letter(one, to, token=self._token(connection, one), now=now)
        return Message(
            row=one, content=content, sender=self._letters.envelope_sender(one), recipient=to.address
        )

    def _token(self, connection: Connection, one: Delivery) -> str:
        """A link that confirms, made at the last instant: the mail is the only place where it stands."""
        purpose = _CONFIRMING.get(one.kind)
        if purpose is None:
            return ""
        token = self.deployment.new_token()
        make_link(
            connection,
            subscription_id=one.subscription_id,
            purpose=purpose,
            token=token,
            now=self.deployment.clock(),
        )
        return token

    def _drop(self, connection: Connection, one: Delivery) -> None:
        """Somebody paused, left or was suppressed since it was claimed, or the lease is over."""
        event = claim.why_not(connection, one, owner=self.owner)
        if event is not None:
            code = "" if event is Event.GIVE_BACK else "left"
            claim.settle(connection, one, event, owner=self.owner, now=self.deployment.clock(), code=code)

    def _settle(self, connection: Connection, one: Delivery, reply: Reply) -> list[dict[str, object]]:
        """Write what became of a mail; the alarms that follow from it."""
        now = self.deployment.clock()
        campaign = self._campaigns.get(one.campaign_id or 0)
        verdict = judge(one, reply, policy=campaign.policy if campaign else None, now=now)
        written = claim.settle(
            connection,
            one,
            verdict.event,
            owner=self.owner,
            now=now,
            code=reply.code,
            at=verdict.at,
            attempts=verdict.attempts,
        )
        if not written:
            logger.warning("Delivery %s is not ours any more; its answer was %s.", one.id, reply.code)
        if verdict.suppress:
            self._suppress(connection, one)
        self._mind_the_pace(connection, one, reply, verdict)
        reason = verdict.pause or self._too_many_refusals(reply, verdict)
        if campaign is None or reason is None:
            return []
        detail = f"{reply.code} {reply.text}".strip()
        if not pause_for(self.deployment, connection, campaign.id, reason=reason, detail=detail, now=now):
            return []
        return [
            {"campaign": campaign.id, "number": campaign.number, "reason": reason.value, "detail": detail}
        ]

    def _suppress(self, connection: Connection, one: Delivery) -> None:
        """There is no such mailbox. A new address that nobody confirmed is forgotten; the old one works."""
        if one.kind is Kind.ADDRESS:
            change_subscription(connection, one.subscription_id, new_address=None)
        else:
            now = self.deployment.clock()
            suppress(self.deployment, connection, one.subscription_id, reason=BOUNCE, now=now)

    def _too_many_refusals(self, reply: Reply, verdict: Verdict) -> PauseReason | None:
        if reply.outcome is Outcome.ACCEPTED:
            self._refused = 0
        elif verdict.refused:
            self._refused += 1
        return PauseReason.REFUSED if self._refused >= REFUSALS_IN_A_ROW else None

    def _mind_the_pace(self, connection: Connection, one: Delivery, reply: Reply, verdict: Verdict) -> None:
        """Slow down, for all workers, what asked for it; speed up again what takes mail."""
        now = self.deployment.clock()
        if verdict.relay_down:
            self._put_off[claim.RELAY] = claim.slow_down(
                connection, claim.RELAY, until=lambda refusals: now + relay_pause(refusals), now=now
            )
        elif verdict.slow:
            self._put_off[one.domain] = claim.slow_down(
                connection, one.domain, until=lambda refusals: now + domain_pause(refusals), now=now
            )
        elif reply.outcome is Outcome.ACCEPTED:
            for name in self._slowed & {claim.RELAY, one.domain}:
                claim.speed_up(connection, name)

    def _give_back(self, batch: Iterable[Delivery]) -> None:
        with self.deployment.database.writing() as connection:
            for one in batch:
                claim.give_back(connection, one.id, owner=self.owner, at=one.at)
