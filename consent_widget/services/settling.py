"""What became of mails is written down: their rows settled, and what follows for others."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from ..core.campaign import Campaign, PauseReason
from ..core.delivery import Delivery, Event, Kind
from ..core.reply import Outcome, Reply
from ..core.verdict import REFUSALS_IN_A_ROW, Verdict, judge
from ..storage import claim
from ..storage.fence import accept
from ..storage.subscription import change_subscription, load_subscription
from .campaign import pause_for
from .claims import Claims, Holder
from .fencing import Message
from .pace import Pace
from .suppression import BOUNCE, suppress

logger = logging.getLogger("consent_widget")

#: Mails and what was said to them.
Answers = list[tuple[Message, Reply]]


class Settling:
    """Settles what ``holder`` sent; all within a transaction of the caller's."""

    def __init__(self, holder: Holder, claims: Claims, pace: Pace) -> None:
        self._owner = holder.owner
        self._deployment = holder.deployment
        self._claims = claims
        self._pace = pace

    def settle(
        self, connection: Connection, answers: Answers, refused: Mapping[int, int]
    ) -> list[dict[str, object]]:
        """Write what became of mails; the alarms that follow from it.

        ``refused`` is what :func:`count_refusals` gave for them.
        """
        now = self._deployment.clock()
        alarms: list[dict[str, object]] = []
        taken: dict[tuple[str, int], set[int]] = {}
        for message, reply in answers:
            one = message.row
            campaign = self._claims.campaigns.get(one.campaign_id or 0)
            verdict = judge(one, reply, policy=campaign.policy if campaign else None, now=now)
            if verdict.event is Event.ACCEPT:
                taken.setdefault((reply.code, verdict.attempts), set()).add(one.id)
            else:
                self._settle_other(connection, message, reply, verdict, now)
            self._pace.mind(connection, one, reply, verdict, now=now)
            reason = verdict.pause
            if verdict.refused and refused.get(one.campaign_id or 0, 0) >= REFUSALS_IN_A_ROW:
                reason = PauseReason.REFUSED
            if campaign is not None and reason is not None:
                alarms += self._pause(connection, campaign, reason, reply, now)
        for (code, attempts), ids in taken.items():
            written = accept(connection, ids, owner=self._owner, now=now, code=code, attempts=attempts)
            tell_missed(ids - written, code)
        return alarms

    def _settle_other(
        self, connection: Connection, message: Message, reply: Reply, verdict: Verdict, now: datetime
    ) -> None:
        """Write that a mail was not taken, or that nobody knows."""
        one = message.row
        written = claim.settle(
            connection,
            one,
            verdict.event,
            owner=self._owner,
            now=now,
            code=reply.code,
            at=verdict.at,
            attempts=verdict.attempts,
        )
        if not written:
            tell_missed({one.id}, reply.code)
        if verdict.suppress:
            self._suppress(connection, one, message.recipient)

    def _suppress(self, connection: Connection, one: Delivery, recipient: str) -> None:
        """There is no such mailbox. A new address that nobody confirmed is forgotten; the old one works.

        Whoever has another address by now is none of those whom the answer was about.
        """
        found = load_subscription(connection, one.subscription_id, lock=True)
        if found is None:
            return
        if one.kind is Kind.ADDRESS:
            if found.new_address == recipient:
                change_subscription(connection, found.id, new_address=None)
        elif found.address in (None, recipient):
            now = self._deployment.clock()
            suppress(self._deployment, connection, found.id, reason=BOUNCE, now=now)

    def _pause(
        self, connection: Connection, campaign: Campaign, reason: PauseReason, reply: Reply, now: datetime
    ) -> list[dict[str, object]]:
        detail = f"{reply.code} {reply.text}".strip()
        if not pause_for(self._deployment, connection, campaign.id, reason=reason, detail=detail, now=now):
            return []
        return [
            {"campaign": campaign.id, "number": campaign.number, "reason": reason.value, "detail": detail}
        ]


def count_refusals(before: Mapping[int, int], answers: Answers) -> dict[int, int]:
    """How many mails of each campaign were refused in a row for what they are, ``answers`` included."""
    counts = dict(before)
    for message, reply in answers:
        campaign_id = message.row.campaign_id or 0
        if reply.outcome is Outcome.ACCEPTED:
            counts[campaign_id] = 0
        elif reply.refuses_content:
            counts[campaign_id] = counts.get(campaign_id, 0) + 1
    return counts


def tell_missed(ids: Iterable[int], code: str) -> None:
    """These were sent by a worker whose lease was over: somebody else has judged them."""
    for one in ids:
        logger.warning("Delivery %s is not ours any more; its answer was %s.", one, code)
