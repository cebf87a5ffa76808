"""An address to which nothing goes any more: its mailbox does not exist, or staff said so."""

from datetime import datetime

from sqlalchemy import Connection

from ..core.delivery import Event as Step
from ..core.errors import Conflict
from ..core.subscription import Event, State, Subscription, advance
from ..storage import subscription as storage
from .audience import leave_campaigns
from .deployment import Deployment
from .journal import hashes_of, note_left, note_released, note_suppressed

#: Why: a report or an answer said that there is no such mailbox; a member of staff decided.
BOUNCE, STAFF = "bounce", "staff"


def suppress(
    deployment: Deployment, connection: Connection, subscription_id: int, *, reason: str, now: datetime
) -> bool:
    """Send nothing more to the mailbox of this subscription, in the caller's transaction; False where it was so.

    Also after an erasure: the keyed hash is enough. What is open for it in a campaign is counted
    as suppressed; a mail that is on its way at this instant cannot be called back.
    """
    found = storage.load_subscription(connection, subscription_id, lock=True)
    if found is None or found.state is State.SUPPRESSED:
        return False
    storage.change_subscription(
        connection,
        found.id,
        state=advance(found.state, Event.SUPPRESS),
        ended_at=found.ended_at or now,
        reason=reason,
    )
    current = deployment.pseudonyms.of(found.address) if found.address else found.address_hash
    storage.suppress(connection, current, reason=reason, now=now)
    leave_campaigns(connection, found.id, now=now, event=Step.SUPPRESS, code="suppressed")
    note_suppressed(deployment, found, now=now)
    return True


def release(deployment: Deployment, connection: Connection, subscription_id: int, *, now: datetime) -> bool:
    """Let mails go to this mailbox again, in the caller's transaction; False where there is no such subscription.

    Nothing is sent by that: whoever owns it signs up anew, or takes leaving back.

    Raises:
        Conflict: ``wrong_state``: it is not suppressed.
    """
    found = storage.load_subscription(connection, subscription_id, lock=True)
    if found is None:
        return False
    if not is_suppressed(deployment, connection, found):
        raise Conflict("wrong_state", f"The mailbox of subscription {found.id} is not suppressed.")
    storage.change_subscription(connection, found.id, state=advance(found.state, Event.RELEASE))
    storage.release(connection, hashes_of(deployment, found))
    note_released(deployment, found, now=now)
    note_left(deployment, found, now=now)  # a backup from before the stop would have it subscribed
    return True


def is_suppressed(deployment: Deployment, connection: Connection, found: Subscription) -> bool:
    """Whether nothing goes to its mailbox: also where it left, or was erased, since."""
    known = storage.suppressed_for(connection, hashes_of(deployment, found))
    return known is not None or found.state is State.SUPPRESSED
