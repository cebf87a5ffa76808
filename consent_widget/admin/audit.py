"""GET /admin/audit: what staff did, page by page, and whole as CSV or JSON."""

import logging
from collections.abc import Mapping
from typing import Any

from flask import Response, request

from ..core.errors import Forbidden, InputError, LedgerError
from ..core.staff import COMMAND_LINE, Staff
from ..services.audit import all_acts, list_acts, note_export
from ..storage.audit import Act
from .acts import say_action
from .desk import Words, desk, known_staff, words
from .export import csv_lines, json_lines
from .guard import current_staff, guarded
from .overview import name_of
from .page import AUDIT, answer_page

logger = logging.getLogger("consent_widget")

_PER_PAGE = 50

_EXPORTS = {
    "csv": (csv_lines, "text/csv; charset=utf-8"),
    "json": (json_lines, "application/json"),
}


@guarded
def show_audit() -> Response:
    """The page; ``format=csv`` or ``json`` the whole log as a file."""
    if not current_staff().roles & AUDIT:
        raise Forbidden("role", "The audit log is for approver, officer and auditor.")
    wanted = request.args.get("format", "html")
    if wanted != "html":
        return _export(wanted)
    t = words()
    names = known_staff()
    before = _index(request.args.get("before"))
    acts = list_acts(desk().deployment.database, limit=_PER_PAGE + 1, before=before)
    return answer_page(
        "audit.html",
        {
            "acts": [_shown(one, names, t) for one in acts[:_PER_PAGE]],
            "older": acts[_PER_PAGE - 1].index if len(acts) > _PER_PAGE else None,
            "is_first": before is None,
        },
    )


def _export(wanted: str) -> Response:
    if wanted not in _EXPORTS:
        raise InputError("unknown_value", f"format must be out of {', '.join(_EXPORTS)}.", "format")
    write, content_type = _EXPORTS[wanted]
    # Read at once where it must fail with an answer; the rest follows while it is sent.
    deployment = desk().deployment
    database = deployment.database
    list_acts(database, limit=1)
    try:
        note_export(deployment, staff=current_staff(), form=wanted, now=deployment.clock())
    except LedgerError as error:
        # Who looks for what was altered needs the log all the more.
        logger.error("An export of the audit log was not noted: %s", error)
    response = Response(write(all_acts(database), known_staff()), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="audit.{wanted}"'
    return response


def _index(written: str | None) -> int | None:
    if not written or not written.isascii() or not written.isdecimal() or len(written) > 15:
        return None
    return int(written)


def _shown(act: Act, names: Mapping[str, Staff], t: Words) -> dict[str, object]:
    body = act.body
    return {
        "index": act.index,
        "at": act.at,
        "who": _who(body, names, t),
        "what": say_action(str(body.get("action", "")), t),
        "version": body.get("version"),
        "number": body.get("number"),
        "campaign": body.get("campaign"),
        "subscription": body.get("subscription"),
        "details": str(body.get("comment") or body.get("reason") or _account(body, names, t)),
    }


def _who(body: Mapping[str, Any], names: Mapping[str, Staff], t: Words) -> str:
    """Who did it; a script acts in the name of a person who need not have been there."""
    who = name_of(str(body.get("staff", "")), names, t)
    return f"{who}, {t('at the command line')}" if body.get("via") == COMMAND_LINE else who


def _account(body: Mapping[str, Any], names: Mapping[str, Staff], t: Words) -> str:
    """Whose account it was about; empty where it was about none."""
    account = body.get("account")
    return name_of(str(account), names, t) if account is not None else ""
