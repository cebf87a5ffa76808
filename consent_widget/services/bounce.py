"""Reports of mails that came back are taken in: each once, and only where it is about a mail of ours.

Which mail a report is about says the address that it came to (core.envelope), which nobody
can make up. What it says is the mail system's word, so a mailbox is suppressed only for 5.1.x.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from flufl.bounce import all_failures
from sqlalchemy import Connection

from ..core.bounce import LIMIT, UNCLEAR, Kind, classify, score
from ..core.campaign import PauseReason
from ..core.delivery import LEASE, Delivery, Event, State
from ..core.delivery import Kind as Mail
from ..core.envelope import read_verp
from ..core.report import Report, codes_in, parse, read_report
from ..core.subscription import Purpose, Subscription
from ..storage import bounce as storage
from ..storage import delivery as rows
from ..storage.database import retrying
from ..storage.subscription import change_subscription, links_of, load_subscription
from .campaign import count_refusal, pause_for
from .deployment import Deployment
from .suppression import BOUNCE, suppress

#: So much of a report that is not clear is kept for staff.
_KEPT = 8 * 1024

#: So many reports that are not clear are kept for one mail, and of those about no mail of ours:
#: anybody may write to such an address.
_MOST_OF_ONE, _MOST_OF_NOBODY = 5, 200

#: So many mails of a campaign that came back because we are refused pause it, if they are one in so many
#: of those accepted: whoever got a single mail can write a report about it.
_REFUSED_MAILS, _REFUSED_IN = 3, 100

#: Of another length it is not looked through by guessing.
_GUESSED = 64 * 1024

# It logs each detector that it asks, and tracebacks of what strangers send.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of one report: ``suppressed`` the mailbox is now, ``paused`` are ids of campaigns.

    ``refused``: we are, for the first time, and staff hear of it.
    """

    kind: Kind
    code: str = ""
    delivery_id: int | None = None
    suppressed: bool = False
    paused: tuple[int, ...] = ()
    refused: bool = False


@retrying
def take_report(deployment: Deployment, content: bytes, *, now: datetime) -> Taken:
    """Read one message that came to the address for reports, and do what follows from it, in one commit.

    Raises:
        StoreUnavailable: nothing was done; read it again.
    """
    report = read_report(content)
    found = (read_verp(deployment.links, one) for one in report.to)
    delivery_id = next((one for one in found if one is not None), None)
    kind = classify(report.code)
    if kind is Kind.UNREAD and not report.is_answer:
        report = _guess(report, content)
        kind = classify(report.code)
    if report.is_answer or kind is Kind.DELIVERED:
        return Taken(kind=Kind.ANSWER if report.is_answer else kind, delivery_id=delivery_id)
    if delivery_id is None:
        kind = Kind.FORGED
    with deployment.database.writing() as connection:
        taken = _take(deployment, connection, report, kind, delivery_id, content, now)
    for campaign_id in taken.paused:
        deployment.alarm(
            "campaign_paused",
            {"campaign": campaign_id, "reason": PauseReason.POLICY.value, "detail": taken.code},
        )
    if taken.refused:
        deployment.alarm("mail_refused", {"code": taken.code})
    return taken


def _guess(report: Report, content: bytes) -> Report:
    """What systems say that send no status code to read by machine: by the experience of flufl.bounce."""
    message = parse(content[:_GUESSED])
    if message is None:
        return report
    try:
        temporary, permanent = all_failures(message)
        first = "5" if permanent else "4" if temporary else ""
        said = [one for one in codes_in(message) if one.startswith(first)] if first else []
    except Exception:  # noqa: BLE001  # seventeen detectors, fed by strangers
        return report
    if not first:
        return report
    return replace(report, code=said[0] if said else f"{first}.0.0", is_final=bool(permanent))


def _take(
    deployment: Deployment,
    connection: Connection,
    report: Report,
    kind: Kind,
    delivery_id: int | None,
    content: bytes,
    now: datetime,
) -> Taken:
    is_policy = kind is Kind.POLICY
    delivery = None
    if delivery_id is not None:
        delivery = storage.load_delivery(connection, delivery_id, lock=is_policy)
    if kind in UNCLEAR:
        most = _MOST_OF_NOBODY if kind is Kind.FORGED else _MOST_OF_ONE
        if storage.count_kept(connection, delivery_id) >= most:
            return Taken(kind=kind, delivery_id=delivery_id)
    # One mail counts once: who got it could go on writing such reports.
    is_known = is_policy and storage.has_report(connection, delivery_id, kind)
    is_new = storage.add_report(
        connection,
        delivery_id=delivery_id,
        subscription_id=delivery.subscription_id if delivery else None,
        kind=kind,
        code=report.code,
        digest=sha256(f"{delivery_id} {report.digest}".encode()).hexdigest(),
        raw=_readable(content) if kind in UNCLEAR else None,
        received_at=now,
    )
    taken = Taken(kind=kind if is_new else Kind.TWICE, code=report.code, delivery_id=delivery_id)
    act = _ACTS.get(taken.kind)
    if delivery is None or act is None or is_known:
        return taken
    return act(_Case(deployment, connection, taken, delivery, report, now))


def _readable(content: bytes) -> str:
    return content[:_KEPT].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


@dataclass(frozen=True)
class _Case:
    """A report that is new, and the mail it is about."""

    deployment: Deployment
    connection: Connection
    taken: Taken
    delivery: Delivery
    report: Report
    now: datetime

    def gone(self) -> Taken:
        whose = self._whose()
        self._fail()
        return self.taken if whose is None else self._suppress(whose)

    def worse(self) -> Taken:
        whose = self._whose()
        if self.report.is_final:
            self._fail()
        if whose is None:
            return self.taken
        total = score(whose.bounce_score, whose.bounced_at, self.now)
        change_subscription(self.connection, whose.id, bounce_score=total, bounced_at=self.now)
        return self.taken if total < LIMIT else self._suppress(whose)

    def refused(self) -> Taken:
        """Staff hear of the first; its campaign pauses where enough of its mails bear it out."""
        self._fail()
        number = self.delivery.campaign_id
        count = count_refusal(self.connection, number, now=self.now)
        taken = replace(self.taken, refused=count == 1)
        if number is None or count < _REFUSED_MAILS:
            return taken
        if count * _REFUSED_IN < rows.count_until(self.connection, number, until=self.now):
            return taken
        is_paused = pause_for(
            self.deployment,
            self.connection,
            number,
            reason=PauseReason.POLICY,
            detail=f"report {self.report.code}",
            now=self.now,
        )
        return replace(taken, paused=(number,) if is_paused else ())

    def _whose(self) -> Subscription | None:
        """The subscription whose mailbox this was, locked; None where it has another address by now.

        The letter that confirms a new address went there, and says nothing about the present one.
        A row that is not accepted has another time than its mail: then a move since it was made counts.
        """
        found = load_subscription(self.connection, self.delivery.subscription_id, lock=True)
        if found is None or self.delivery.kind is Mail.ADDRESS:
            return None
        # The address is read at most a lease before the answer is written.
        is_accepted = self.delivery.state is State.ACCEPTED
        sent_at = self.delivery.at - LEASE if is_accepted else self.delivery.created_at
        has_moved = any(
            one.purpose is Purpose.ADDRESS and one.used_at is not None and one.used_at >= sent_at
            for one in links_of(self.connection, found.id)
        )
        return None if has_moved else found

    def _suppress(self, whose: Subscription) -> Taken:
        is_new = suppress(self.deployment, self.connection, whose.id, reason=BOUNCE, now=self.now)
        return replace(self.taken, suppressed=is_new)

    def _fail(self) -> None:
        this = rows.deliveries.c.id == self.delivery.id
        rows.change_rows(self.connection, Event.BOUNCE, this, now=self.now, code=self.report.code)


_ACTS: Mapping[Kind, Callable[[_Case], Taken]] = {
    Kind.GONE: _Case.gone,
    Kind.POLICY: _Case.refused,
    Kind.REFUSED: _Case.worse,
    Kind.SOFT: _Case.worse,
}
