"""The last step before a mail leaves: its row is fenced, its text written out."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ..core.delivery import Delivery, Event, Kind
from ..storage import claim
from ..storage.fence import Recipient, fence
from ..storage.subscription import load_subscription
from .claims import Claims, Holder
from .letters import Letters
from .pace import Pace
from .subscription import make_link

logger = logging.getLogger("consent_widget")

#: Letters that carry a link that confirms, and what the link is for.
_CONFIRMING = {Kind.CONFIRM: "confirm", Kind.ADDRESS: "address"}


@dataclass(frozen=True, kw_only=True)
class Message:
    """A fenced row, written out: on its way, or about to be."""

    row: Delivery
    content: bytes
    sender: str
    recipient: str


class Fencing:
    """Fences rows that ``holder`` claimed; all within a transaction of the caller's."""

    def __init__(self, holder: Holder, letters: Letters, claims: Claims, pace: Pace) -> None:
        self._holder = holder
        self._deployment = holder.deployment
        self._letters = letters
        self._claims = claims
        self._pace = pace

    def fence(self, connection: Connection, turn: Iterable[Delivery]) -> list[Message]:
        """What may leave once this is committed; whatever may not is put off or settled."""
        now = self._deployment.clock()
        rows = [one for one in turn if not self._is_put_off(connection, one, now)]
        if not rows:
            return []
        found = fence(
            connection, rows, owner=self._holder.owner, now=now, lease_until=now + self._holder.lease
        )
        return self.write(connection, rows, found, now=now)

    def write(
        self,
        connection: Connection,
        rows: Sequence[Delivery],
        found: Mapping[int, Recipient],
        *,
        now: datetime,
    ) -> list[Message]:
        """The mails of those ``rows`` that were ``found`` fit to be sent; what becomes of the others is noted."""
        leaving = []
        for one in rows:
            if one.id not in found:
                self._drop(connection, one)
                continue
            try:
                leaving.append(self._write(connection, one, found[one.id], now))
            except (ValueError, LookupError) as error:
                # Nobody else's mail is to wait for one that cannot be written. The message may hold the address.
                logger.error("Delivery %s cannot be written: %s.", one.id, type(error).__name__)
                owner = self._holder.owner
                claim.settle(connection, one, Event.REFUSE, owner=owner, now=now, code="form")
        return leaving

    def _is_put_off(self, connection: Connection, one: Delivery, now: datetime) -> bool:
        """What an answer asked for since the row was claimed holds for it, too: it goes back."""
        until = self._pace.put_off(one, now=now)
        if until is not None:
            claim.give_back(connection, one.id, owner=self._holder.owner, at=until)
        return until is not None

    def _write(self, connection: Connection, one: Delivery, to: Recipient, now: datetime) -> Message:
        if one.campaign_id is not None:
            content = self._letters.of_campaign(one, self._claims.campaigns[one.campaign_id], to)
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
        token = self._deployment.new_token()
        make_link(
            connection,
            subscription_id=one.subscription_id,
            purpose=purpose,
            token=token,
            now=self._deployment.clock(),
        )
        return token

    def _drop(self, connection: Connection, one: Delivery) -> None:
        """Somebody paused, left or was suppressed since it was claimed, or the lease is over."""
        owner = self._holder.owner
        event = claim.why_not(connection, one, owner=owner)
        if event is None:
            return
        code = "" if event is Event.GIVE_BACK else "left"
        claim.settle(connection, one, event, owner=owner, now=self._deployment.clock(), code=code)
        found = load_subscription(connection, one.subscription_id)
        if found is not None and found.erased_at is not None:
            # It was erased while its row was being made.
            claim.forget_domain(connection, one.id)
