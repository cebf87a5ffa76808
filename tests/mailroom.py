"""A deployment with subscribers, versions to tell of, and a way to send: what tests of campaigns begin with."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import Connection, insert, select, update

from consent_widget.core.address import domain_of, identity_of
from consent_widget.core.campaign import Campaign
from consent_widget.core.delivery import Delivery, State
from consent_widget.core.draft import Draft, DraftFields
from consent_widget.core.notice import ChangeClass
from consent_widget.core.reply import Outcome, Reply, Stage, read_reply
from consent_widget.core.staff import Staff
from consent_widget.mail.transport import Transport
from consent_widget.services.decision import announce_draft, withdraw_version
from consent_widget.services.deployment import Deployment
from consent_widget.services.draft import create_draft, submit_draft
from consent_widget.services.progress import list_campaigns
from consent_widget.services.sending import deliver
from consent_widget.storage.delivery import deliveries, delivery_of
from consent_widget.storage.subscription import subscriptions
from tests import factories

AUTHOR = Staff("author", "An author", frozenset({"author"}))
APPROVER = Staff("approver", "An approver", frozenset({"approver"}))

#: What an app needs to send mail.
MAIL = {
    "CONSENT_WIDGET_PUBLIC_URL": "https://www.demo.example",
    "CONSENT_WIDGET_MAIL_FROM": "privacy@demo.example",
}

ACCEPTED = Reply(outcome=Outcome.ACCEPTED, code="2.0.0", text="2.0.0 queued", stage=Stage.DOT, number=250)
LOST = Reply(outcome=Outcome.UNKNOWN, code="connection", text="", stage=Stage.DOT)
DOWN = Reply(outcome=Outcome.CERTAIN_FAILURE, code="connection", text="", stage=Stage.CONNECT)


def refusal(number: int, words: str, stage: Stage = Stage.RCPT) -> Reply:
    return read_reply(number, words, stage=stage)


#: What a relay says to a mail for this address, tried for the so-many-th time.
Says = Callable[[str, int], Reply]


@dataclass
class Relay:
    """A transport whose answers a test decides; ``taken`` are the recipients whose mail it took, in their order."""

    says: Says = lambda recipient, time: ACCEPTED
    before: Callable[[str], object] = lambda recipient: None
    taken: list[str] = field(default_factory=list)
    mails: dict[str, list[bytes]] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)

    def __call__(self) -> Transport:
        return self

    def send(self, message: bytes, *, sender: str, recipient: str) -> Reply:
        self.before(recipient)
        self.tries[recipient] = self.tries.get(recipient, 0) + 1
        reply = self.says(recipient, self.tries[recipient])
        if reply.outcome is Outcome.ACCEPTED or reply is LOST:
            self.taken.append(recipient)
            self.mails.setdefault(recipient, []).append(message)
        return reply

    def close(self) -> None:
        pass


@dataclass
class Mailroom:
    """A host with version 1 in force."""

    app: Flask
    clock: factories.Clock

    @property
    def deployment(self) -> Deployment:
        return factories.deployment(self.app)

    def subscribe(
        self,
        count: int,
        *,
        language: str = "vi",
        domain: str = "reader.example",
        state: str = "confirmed",
        at: datetime | None = None,
    ) -> list[str]:
        """So many more subscriptions, straight into the table; their addresses."""
        when = at or self.clock() - timedelta(days=1)
        with self.deployment.database.writing() as connection:
            have = len(connection.execute(select(subscriptions.c.id)).all())
            addresses = [f"reader{have + number}@{domain}" for number in range(count)]
            connection.execute(
                insert(subscriptions), [self._row(one, language, state, when) for one in addresses]
            )
        return addresses

    def _row(self, address: str, language: str, state: str, when: datetime) -> dict[str, Any]:
        return {
            "address": address,
            "identity": identity_of(address),
            "address_hash": self.deployment.pseudonyms.of(address),
            "domain": domain_of(address),
            "language": language,
            "state": state,
            "salt": f"salt of {address}"[:32],
            "created_at": when,
            "requested_at": when,
            "confirmed_at": None if state == "pending" else when,
            "ended_at": when if state in ("unsubscribed", "suppressed") else None,
        }

    def announce(self, text: str = "Lời mới", **values: Any) -> Draft:
        """The next version, announced for a date that leaves the time it needs."""
        given: dict[str, Any] = {
            "titles": {"vi": "Chính sách", "en": "Policy"},
            "summaries": {"vi": "Tóm tắt", "en": "Summary"},
            "texts": {"vi": text, "en": f"{text} in English"},
            "change_class": ChangeClass.IMPORTANT,
            "effective_at": self.clock() + timedelta(days=20),
        }
        reason = values.pop("reason", "")
        now = self.clock()
        draft = create_draft(self.deployment, DraftFields(**given | values), staff=AUTHOR, now=now)
        draft = submit_draft(self.deployment, draft.id, revision=draft.revision, staff=AUTHOR, now=now)
        return announce_draft(
            self.deployment, draft.id, revision=None, staff=APPROVER, now=now, outright=True, reason=reason
        )

    def withdraw(self, draft: Draft) -> Draft:
        return withdraw_version(
            self.deployment,
            draft.id,
            revision=draft.revision,
            reason="Nhầm ngày",
            staff=APPROVER,
            now=self.clock(),
        )

    def deliver(self, relay: Callable[[], Transport], *, owner: str = "worker", **options: Any) -> int:
        """One run of a worker; nothing really waits."""
        given: dict[str, Any] = {"connections": 1, "sleep": lambda seconds: None}
        return deliver(self.deployment, relay, owner=owner, **given | options)

    def campaign(self) -> Campaign:
        """The newest one."""
        return list_campaigns(self.deployment)[0]

    def rows(self, *states: State) -> list[Delivery]:
        """All rows, or those in ``states``, in the order of their ids."""
        chosen = select(deliveries).order_by(deliveries.c.id)
        if states:
            chosen = chosen.where(deliveries.c.state.in_(states))
        with self.deployment.database.reading() as connection:
            return [delivery_of(dict(row)) for row in connection.execute(chosen).mappings()]

    def states(self) -> dict[str, int]:
        """How many rows are in which state."""
        found: dict[str, int] = {}
        for one in self.rows():
            found[one.state.value] = found.get(one.state.value, 0) + 1
        return found

    def change(self, addresses: Sequence[str], **values: object) -> None:
        """Write into the rows of subscriptions behind everybody's back."""
        with self.deployment.database.writing() as connection:
            connection.execute(
                update(subscriptions).where(subscriptions.c.address.in_(addresses)).values(**values)
            )

    def ids(self, addresses: Iterable[str]) -> list[int]:
        with self.deployment.database.reading() as connection:
            return [self._id(connection, one) for one in addresses]

    def _id(self, connection: Connection, address: str) -> int:
        chosen = select(subscriptions.c.id).where(subscriptions.c.address == address)
        return int(connection.execute(chosen).scalar_one())
