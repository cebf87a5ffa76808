"""Subscriptions for staff: counted for all, listed masked, searched, exported."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Response, request

from ..core.address import mask_address
from ..core.campaign import DECIDERS
from ..core.errors import InputError
from ..core.subscription import State
from ..services.subscriber_access import (
    export_subscribers,
)
from ..services.subscriber_list import (
    PER_PAGE,
    READERS,
    count_subscribers,
    find_subscribers,
    list_subscribers,
)
from ..storage.subscriber_list import Listed
from .desk import Words, desk, words
from .export import csv_table, json_table
from .guard import current_staff, form_token, guarded
from .mail_words import (
    explain_subscription,
    say_ended,
    say_language,
    say_mail_error,
    say_subscription,
)
from .page import answer_page, read_id

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
    before = read_id(request.args.get("before"))
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


def _state(written: str | None) -> State | None:
    return State(written) if written in list(State) else None
