"""Campaigns as staff steer them: pause and resume, what to do about the unknown, send again."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection

from ..core.campaign import Campaign, Event, PauseReason, Policy, State, advance, check_decider
from ..core.delivery import Event as Step
from ..core.delivery import State as Row
from ..core.errors import InputError, LedgerError
from ..core.staff import SYSTEM, Staff
from ..storage import campaign as storage
from ..storage import delivery as rows
from ..storage import pace
from ..storage.count import add_count, forget_counts
from ..storage.database import retrying
from .audience import reopen
from .deployment import Deployment
from .ledger import append
from .progress import load_campaign, require_campaign

logger = logging.getLogger("consent_widget")

_MAX_WORDS = 2000

#: Mails that came back because we are refused are counted together for so long.
_REFUSALS_SPAN = timedelta(days=7)


@retrying
def pause(deployment: Deployment, campaign_id: int, *, reason: str, staff: Staff, now: datetime) -> Campaign:
    """Send nothing more until it is resumed; what is on its way at this instant still arrives.

    Raises:
        UnknownCampaign; Forbidden: ``role``; Conflict: ``wrong_state``; InputError: ``too_long``.
        StoreUnavailable: nothing was changed.
    """
    check_decider(staff)
    words = _words(reason)
    with deployment.database.writing() as connection:
        campaign = require_campaign(connection, campaign_id, lock=True)
        _pause(connection, campaign, PauseReason.STAFF, words)
        note_act(deployment, connection, "pause_campaign", campaign, staff=staff.id, now=now, reason=words)
    return load_campaign(deployment, campaign_id)


def pause_for(
    deployment: Deployment,
    connection: Connection,
    campaign_id: int,
    *,
    reason: PauseReason,
    detail: str,
    now: datetime,
) -> bool:
    """Pause a running campaign by itself, in the caller's transaction; whether it was running.

    ``detail`` is what a server said, without addresses. Staff are alarmed by ``deployment.alarm``
    behind the commit: the caller's task.
    """
    campaign = require_campaign(connection, campaign_id, lock=True)
    if campaign.state is not State.RUNNING:
        return False
    _pause(connection, campaign, reason, detail)
    note_act(
        deployment,
        connection,
        "pause_campaign",
        campaign,
        staff=SYSTEM,
        now=now,
        reason=f"{reason} {detail}".strip(),
    )
    return True


@retrying
def resume(deployment: Deployment, campaign_id: int, *, staff: Staff, now: datetime) -> Campaign:
    """Go on sending a paused campaign.

    Raises:
        UnknownCampaign; Forbidden: ``role``; Conflict: ``wrong_state``.
        StoreUnavailable: nothing was changed.
    """
    check_decider(staff)
    with deployment.database.writing() as connection:
        campaign = require_campaign(connection, campaign_id, lock=True)
        state = advance(campaign.state, Event.RESUME)
        storage.change_campaign(connection, campaign_id, state=state, pause_reason="", pause_detail="")
        # A relay that refused us is asked again at once: whoever resumes has seen to it.
        pace.try_at_once(connection, pace.RELAY, now=now)
        forget_counts(connection, _mark(campaign_id))
        note_act(deployment, connection, "resume_campaign", campaign, staff=staff.id, now=now)
    deployment.wake()
    return load_campaign(deployment, campaign_id)


@retrying
def set_policy(
    deployment: Deployment, campaign_id: int, policy: Policy, *, staff: Staff, now: datetime
) -> Campaign:
    """What happens from now on to mails of which nobody knows whether they were taken.

    Raises:
        UnknownCampaign; Forbidden: ``role``.
        StoreUnavailable: nothing was changed.
    """
    check_decider(staff)
    with deployment.database.writing() as connection:
        campaign = require_campaign(connection, campaign_id, lock=True)
        storage.change_campaign(connection, campaign_id, policy=policy)
        note_act(deployment, connection, "set_policy", campaign, staff=staff.id, now=now, policy=policy.value)
    return load_campaign(deployment, campaign_id)


def resend_unknown(deployment: Deployment, campaign_id: int, *, staff: Staff, now: datetime) -> int:
    """Send the unknown again under the same Message-ID; how many. Some may get it twice, which staff accept.

    Raises:
        UnknownCampaign; Forbidden: ``role``; Conflict: ``wrong_state``: it was withdrawn.
        StoreUnavailable: nothing was changed.
    """
    return _send_again(deployment, campaign_id, Row.UNKNOWN, "resend_unknown", staff=staff, now=now)


def retry_failed(deployment: Deployment, campaign_id: int, *, staff: Staff, now: datetime) -> int:
    """Try once more those whose mail was refused, but for suppressed addresses; how many.

    Raises:
        UnknownCampaign; Forbidden: ``role``; Conflict: ``wrong_state``: it was withdrawn.
        StoreUnavailable: nothing was changed.
    """
    return _send_again(deployment, campaign_id, Row.FAILED, "retry_failed", staff=staff, now=now)


@retrying
def _send_again(
    deployment: Deployment, campaign_id: int, state: Row, action: str, *, staff: Staff, now: datetime
) -> int:
    check_decider(staff)
    where: tuple[ColumnElement[bool], ...] = (
        rows.deliveries.c.campaign_id == campaign_id,
        rows.deliveries.c.state == state,
    )
    with deployment.database.writing() as connection:
        campaign = require_campaign(connection, campaign_id, lock=True)
        advance(campaign.state, Event.REOPEN)
        count = rows.change_rows(connection, Step.RESEND, *where, now=now, attempts=0)
        if count:
            reopen(connection, campaign_id)
        note_act(deployment, connection, action, campaign, staff=staff.id, now=now, count=str(count))
    deployment.wake()
    return count


def count_refusal(connection: Connection, campaign_id: int | None, *, now: datetime) -> int:
    """One more mail of the campaign came back because we are refused; how many by now, for None of letters.

    Of a week at most, and since it was resumed: what was mended shall not pause it again.
    """
    return add_count(connection, _mark(campaign_id), 1, now=now, ends_at=now + _REFUSALS_SPAN)


def _mark(campaign_id: int | None) -> str:
    return f"refused {campaign_id or 'letters'}"


def _pause(connection: Connection, campaign: Campaign, reason: PauseReason, detail: str) -> None:
    state = advance(campaign.state, Event.PAUSE)
    storage.change_campaign(connection, campaign.id, state=state, pause_reason=reason, pause_detail=detail)


def _words(given: str) -> str:
    words = " ".join(given.split())
    if len(words) > _MAX_WORDS:
        raise InputError("too_long", f"Longer than {_MAX_WORDS} characters.", "reason")
    return words


def note_act(
    deployment: Deployment,
    connection: Connection,
    action: str,
    campaign: Campaign,
    *,
    staff: str,
    now: datetime,
    **details: object,
) -> None:
    """One line of the audit log, in the transaction of what it tells.

    Raises:
        LedgerError: the ledger takes no entry, and a person did it. What the software does by itself
            to keep mails from going wrong is done all the same.
    """
    body = {
        "action": action,
        "staff": staff,
        "version": campaign.version_id,
        "number": campaign.number,
        "campaign": campaign.id,
        **{name: value for name, value in details.items() if value != ""},
    }
    try:
        append(deployment, connection, kind="audit", body=body, now=now)
    except LedgerError as error:
        if staff != SYSTEM:
            raise
        logger.error("%s of campaign %s was not noted in the ledger: %s", action, campaign.id, error)
