"""Subscriptions for staff: counted for all, listed masked, searched, one revealed, all exported."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from flask import Response, redirect, request

from ..core.address import mask_address
from ..core.campaign import DECIDERS
from ..core.errors import Conflict, InputError
from ..core.subscription import State
from ..services.subscriber_access import (
    export_subscribers,
    release_subscriber,
    reveal_address,
    suppress_subscriber,
)
from ..services.subscriber_list import (
    PER_PAGE,
    READERS,
    Subscriber,
    count_subscribers,
    find_subscribers,
    list_subscribers,
    load_subscriber,
)
from ..storage.subscriber_list import Listed
from .desk import Words, desk, words
from .export import csv_table, json_table
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

_COLUMNS = (
    "id",
    "address",
    "address_hash",
    "language",
    "state",
    "requested_at",
    "confirmed_at",
    "ended_at",
    "erased_at",
    "reason",
)


@guarded
def show_subscriptions() -> Response:
    """GET: how many there are; for whoever may see single ones, page by page, ``state`` those in one state."""
    staff = current_staff()
    state = _state(request.args.get("state"))
    before = _id(request.args.get("before"))
    rows: list[Listed] = []
    if staff.roles & READERS:
        deployment = desk().deployment
        rows = list_subscribers(deployment, staff=staff, state=state, before=before, limit=PER_PAGE + 1)
    return _answer_list(
        rows[:PER_PAGE],
        {
            "state": state.value if state else "",
            "next": rows[PER_PAGE - 1].id if len(rows) > PER_PAGE else None,
            "is_first": before is None,
        },
    )


@guarded
def search_subscriptions() -> Response:
    """POST: what is typed is looked for, or all is exported. An address never stands in a link, which logs keep."""
    action = request.form.get("action", "search")
    if action == "export":
        return _export()
    if action != "search":
        raise InputError("unknown_action", "action must be search or export.", "action")
    typed = request.form.get("q", "")
    try:
        found = find_subscribers(desk().deployment, typed, staff=current_staff())
    except InputError as error:
        return _answer_list([], {"sought": typed, "problem": say_mail_error(error.code, words())}, 400)
    return _answer_list(found[:PER_PAGE], {"sought": typed, "is_cut": len(found) > PER_PAGE})


def _export() -> Response:
    wanted = request.form.get("format", "")
    if wanted not in _FORMATS:
        raise InputError("unknown_value", f"format must be out of {', '.join(_FORMATS)}.", "format")
    write, content_type = _FORMATS[wanted]
    deployment = desk().deployment
    rows = export_subscribers(
        deployment,
        state=_state(request.form.get("state")),
        form=wanted,
        staff=current_staff(),
        now=deployment.clock(),
    )
    response = Response(write(rows), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="subscriptions.{wanted}"'
    return response


def _write_csv(rows: Iterator[dict[str, object]]) -> Iterator[str]:
    return csv_table(_COLUMNS, rows)


_FORMATS: Mapping[str, tuple[Callable[[Iterator[dict[str, object]]], Iterator[str]], str]] = {
    "csv": (_write_csv, "text/csv; charset=utf-8"),
    "json": (json_table, "application/json"),
}


def _answer_list(rows: list[Listed], context: Mapping[str, Any], status: int = 200) -> Response:
    t, staff = words(), current_staff()
    counts = count_subscribers(desk().deployment)
    given: dict[str, Any] = {
        "sought": "",
        "state": "",
        "next": None,
        "is_first": True,
        "is_cut": False,
        "problem": "",
    }
    return answer_page(
        "subscriptions.html",
        given
        | {
            "rows": [_row(one, t) for one in rows],
            "counts": [
                {"state": one.value, "label": say_subscription(one, t), "count": count,
                 "meaning": explain_subscription(one, t)}
                for one, count in counts.items()
            ],
            "total": sum(counts.values()),
            "may_see": bool(staff.roles & READERS),
            "may_decide": bool(staff.roles & DECIDERS),
            "csrf_token": form_token(staff),
        }
        | dict(context),
        status,
    )  # fmt: skip


def _row(one: Listed, t: Words) -> dict[str, Any]:
    return {
        "id": one.id,
        "address": mask_address(one.address),
        "state": one.state.value,
        "state_label": say_subscription(one.state, t),
        "language": say_language(one.language, t),
        "requested_at": one.requested_at,
        "confirmed_at": one.confirmed_at,
        "ended_at": one.ended_at,
        "ended": say_ended(one.reason, t),
        "erased_at": one.erased_at,
    }


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
            "bounces": [{"row": one, "meaning": explain_code(one.code, t)[0]} for one in found.bounces],
            "may_decide": bool(staff.roles & DECIDERS),
            "csrf_token": form_token(staff),
        }
        | dict(context),
        status,
    )


def _state(written: str | None) -> State | None:
    return State(written) if written in list(State) else None


def _id(written: str | None) -> int | None:
    if not written or not written.isascii() or not written.isdecimal() or len(written) > 18:
        return None
    return int(written)
