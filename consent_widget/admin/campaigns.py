"""Campaigns for staff: how far each is, what went wrong, and what can be done about it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from babel.dates import format_time
from flask import Response, redirect, request

from ..core.address import mask_address
from ..core.campaign import DECIDERS, Campaign, Policy, State
from ..core.envelope import message_id
from ..core.errors import Conflict, InputError
from ..core.staff import Staff
from ..services import campaign as service
from ..services.progress import Progress, list_campaigns, progress_of
from ..services.setup import unattended_since
from ..services.subscriber_access import check_words
from ..services.subscriber_list import PER_PAGE, READERS, list_unknown_mails
from .chart import say_share, show_parts
from .desk import Words, desk, words
from .guard import current_staff, form_token, guarded, note_done, take_done
from .mail_codes import show_failures
from .mail_words import explain_pause, say_campaign, say_kind, say_mail_done, say_mail_error, say_policy
from .page import answer_page, read_id
from .problems import code_of, status_of
from .progress import say_progress
from .sayings import say_error

#: So many campaigns on a page: the rows of each are counted.
_PER_PAGE = 10

#: PostgreSQL keeps their ids in 32 bits.
_MAX_ID = 2**31 - 1


@guarded
def show_campaigns() -> Response:
    """GET: every campaign, newest first, with how far it is."""
    t, deployment = words(), desk().deployment
    now = deployment.clock()
    before = read_id(request.args.get("before"), digits=9)
    found = [one for one in list_campaigns(deployment) if before is None or one.id < before]
    shown = [progress_of(deployment, one.id, now=now) for one in found[:_PER_PAGE]]
    return answer_page(
        "campaigns.html",
        {
            "rows": [_row(one, now, t) for one in shown],
            "next": shown[-1].campaign.id if len(found) > _PER_PAGE else None,
            "is_first": before is None,
            "is_live": any(one.campaign.state is State.RUNNING for one in shown),
            "unattended_since": unattended_since(deployment, now=now),
            "read_at": _clock_time(now, t),
            "may_see": bool(current_staff().roles & READERS),
        },
    )


def _row(progress: Progress, now: datetime, t: Words) -> dict[str, Any]:
    campaign = progress.campaign
    return {
        "campaign": campaign,
        "title": _title(campaign, now, t),
        "kind": say_kind(campaign.kind, t),
        "state_label": say_campaign(campaign.state, t),
        "parts": show_parts(progress.counts, t),
        "counts": progress.counts,
        "accepted": progress.counts.by_state.get("accepted", 0),  # type: ignore[call-overload]
        "pace": say_progress(progress, now, t),
    }


def _title(campaign: Campaign, now: datetime, t: Words) -> str:
    version = desk().deployment.schedule.at(now).find(campaign.number)
    return version.titles.get(t.language, "") if version else ""


@guarded
def show_campaign(id: int) -> Response:  # noqa: A002  # the name in the route
    """GET: one campaign."""
    return _answer(_known(id), {"done": say_mail_done(take_done(), words())})


@guarded
def change_campaign(id: int) -> Response:  # noqa: A002
    """POST ``action``: ``pause``, ``resume``, ``policy``, ``resend_unknown`` or ``retry_failed``."""
    campaign_id = _known(id)
    action = request.form.get("action", "")
    try:
        if action not in _ACTIONS:
            raise InputError("unknown_action", f"action must be out of {', '.join(_ACTIONS)}.", "action")
        _ACTIONS[action](campaign_id, current_staff(), desk().deployment.clock())
    except (InputError, Conflict) as error:
        told = say_mail_error(code_of(error), words()) or say_error(code_of(error), words())
        typed = request.form.get("reason", "")
        return _answer(campaign_id, {"problem": told, "reason": typed}, status_of(error))
    note_done(action)
    return cast(Response, redirect(f"{desk().base()}/admin/campaigns/{campaign_id}", 303))


def _pause(campaign_id: int, staff: Staff, now: datetime) -> None:
    reason = check_words(request.form.get("reason", ""))
    service.pause(desk().deployment, campaign_id, reason=reason, staff=staff, now=now)


def _resume(campaign_id: int, staff: Staff, now: datetime) -> None:
    service.resume(desk().deployment, campaign_id, staff=staff, now=now)


def _set_policy(campaign_id: int, staff: Staff, now: datetime) -> None:
    written = request.form.get("policy", "")
    if written not in list(Policy):
        raise InputError("unknown_value", f"policy must be out of {', '.join(Policy)}.", "policy")
    service.set_policy(desk().deployment, campaign_id, Policy(written), staff=staff, now=now)


def _resend_unknown(campaign_id: int, staff: Staff, now: datetime) -> None:
    service.resend_unknown(desk().deployment, campaign_id, staff=staff, now=now)


def _retry_failed(campaign_id: int, staff: Staff, now: datetime) -> None:
    service.retry_failed(desk().deployment, campaign_id, staff=staff, now=now)


_ACTIONS: Mapping[str, Callable[[int, Staff, datetime], None]] = {
    "pause": _pause,
    "resume": _resume,
    "policy": _set_policy,
    "resend_unknown": _resend_unknown,
    "retry_failed": _retry_failed,
}


def _answer(campaign_id: int, context: Mapping[str, Any], status: int = 200) -> Response:
    t, staff, deployment = words(), current_staff(), desk().deployment
    now = deployment.clock()
    progress = progress_of(deployment, campaign_id, now=now)
    campaign, counts = progress.campaign, progress.counts
    given: dict[str, Any] = {"done": "", "problem": "", "reason": ""}
    return answer_page(
        "campaign.html",
        given
        | {
            "campaign": campaign,
            "title": _title(campaign, now, t),
            "kind": say_kind(campaign.kind, t),
            "state_label": say_campaign(campaign.state, t),
            "counts": counts,
            "late": progress.late,
            "last_accepted_at": progress.last_accepted_at,
            "parts": show_parts(counts, t),
            "pace": say_progress(progress, now, t),
            "paused": explain_pause(campaign.pause_reason, t) if campaign.state is State.PAUSED else None,
            "coverage": _coverage(progress, t),
            "failures": show_failures(progress.refusals, t),
            "waiting": show_failures(progress.waiting, t),
            "unknown": _unknown(campaign, staff) if staff.roles & READERS else None,
            "unknown_count": sum(one.count for one in show_parts(counts, t) if one.name == "unknown"),
            "policies": [
                {"value": one.value, "label": label, "hint": hint, "checked": one is campaign.policy}
                for one in Policy
                for label, hint in (say_policy(one, t),)
            ],
            "is_live": campaign.state in (State.RUNNING, State.PAUSED),
            "read_at": _clock_time(now, t),
            "may_see": bool(staff.roles & READERS),
            "may_decide": bool(staff.roles & DECIDERS),
            "csrf_token": form_token(staff),
        }
        | dict(context),
        status,
    )


def _coverage(progress: Progress, t: Words) -> dict[str, Any]:
    """How many were told: at the effective date where that has passed, else so far."""
    in_time = progress.campaign.told_in_time
    accepted = next(one.count for one in show_parts(progress.counts, t) if one.name == "accepted")
    count = accepted if in_time is None else in_time
    return {
        "is_final": in_time is not None,
        "count": count,
        "share": say_share(count, progress.counts.rows, t),
    }


def _unknown(campaign: Campaign, staff: Staff) -> list[dict[str, Any]]:
    rows = list_unknown_mails(desk().deployment, campaign.id, staff=staff, limit=PER_PAGE)
    return [
        {
            "row": one,
            "address": mask_address(one.address),
            "message_id": message_id(campaign.secret, campaign.id, one.id, campaign.mail_domain),
        }
        for one in rows
    ]


def _clock_time(now: datetime, t: Words) -> str:
    local = now.astimezone(desk().deployment.settings.timezone)
    return format_time(local, "HH:mm:ss", locale=t.language)


def _known(campaign_id: int) -> int:
    """The id, 0 where none can be so large: that there is no such campaign is said by whoever looks."""
    return campaign_id if campaign_id <= _MAX_ID else 0
