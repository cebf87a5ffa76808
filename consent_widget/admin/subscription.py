"""One subscription for staff: masked, revealed once, suppressed and released."""

from collections.abc import Mapping
from typing import Any, cast

from flask import Response, redirect, request

from ..core.address import mask_address
from ..core.campaign import DECIDERS
from ..core.errors import Conflict, InputError
from ..services.subscriber_access import (
    release_subscriber,
    reveal_address,
    suppress_subscriber,
)
from ..services.subscriber_list import (
    Subscriber,
    load_subscriber,
)
from .desk import desk, words
from .guard import current_staff, form_token, guarded, note_done, take_done
from .mail_codes import explain_code
from .mail_words import (
    explain_subscription,
    say_ended,
    say_kind,
    say_language,
    say_mail_done,
    say_mail_error,
    say_row,
    say_subscription,
)
from .page import answer_page
from .problems import code_of, status_of
from .sayings import say_error


@guarded
def show_subscription(id: int) -> Response:  # noqa: A002  # the name in the route
    """GET: one subscription, its address masked, and every version that it was told of."""
    found = load_subscriber(desk().deployment, id, staff=current_staff())
    return _answer_one(found, {"done": say_mail_done(take_done(), words())})


@guarded
def change_subscription(id: int) -> Response:  # noqa: A002
    """POST ``action``: ``reveal`` shows the address once, ``suppress`` and ``release`` need a ``reason``."""
    deployment, staff = desk().deployment, current_staff()
    now = deployment.clock()
    action, reason = request.form.get("action", ""), request.form.get("reason", "")
    try:
        if action == "reveal":
            address = reveal_address(deployment, id, staff=staff, now=now)
            return _answer_one(load_subscriber(deployment, id, staff=staff), {"address": address})
        if action == "suppress":
            suppress_subscriber(deployment, id, reason=reason, staff=staff, now=now)
        elif action == "release":
            release_subscriber(deployment, id, reason=reason, staff=staff, now=now)
        else:
            raise InputError("unknown_action", "action must be reveal, suppress or release.", "action")
    except (InputError, Conflict) as error:
        found = load_subscriber(deployment, id, staff=staff)
        told = say_mail_error(code_of(error), words()) or say_error(code_of(error), words())
        return _answer_one(found, {"problem": told, "reason": reason}, status_of(error))
    note_done(action)
    return cast(Response, redirect(f"{desk().base()}/admin/subscriptions/{id}", 303))


def _answer_one(found: Subscriber, context: Mapping[str, Any], status: int = 200) -> Response:
    t, staff = words(), current_staff()
    subscription = found.subscription
    given: dict[str, Any] = {"done": "", "problem": "", "reason": "", "address": ""}
    return answer_page(
        "subscription.html",
        given
        | {
            "one": subscription,
            "is_suppressed": found.is_suppressed,
            "masked": mask_address(subscription.address),
            "state_label": say_subscription(subscription.state, t),
            "meaning": explain_subscription(subscription.state, t),
            "language": say_language(subscription.language, t),
            "ended": say_ended(subscription.reason, t),
            "told": [
                {
                    "row": one,
                    "kind": say_kind(one.kind.value, t),
                    "state_label": say_row(one.state, t),
                    "language": say_language(one.language, t),
                    "answer": explain_code(one.code, t)[0] if one.state.value == "failed" else "",
                }
                for one in found.told
            ],
            "bounces": [
                {
                    "row": one,
                    "meaning": explain_code(one.code, t)[0]
                    if one.code
                    else t("The report could not be read."),
                }
                for one in found.bounces
            ],
            "may_decide": bool(staff.roles & DECIDERS),
            "csrf_token": form_token(staff),
        }
        | dict(context),
        status,
    )
