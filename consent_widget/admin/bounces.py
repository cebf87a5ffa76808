"""Reports of mails that came back and that nobody could read: for people to look at."""

from flask import Response, request

from ..core.campaign import DECIDERS
from ..services.subscriber_access import open_bounce
from ..services.subscriber_list import PER_PAGE, list_unread_bounces
from .desk import desk
from .guard import current_staff, form_token, guarded
from .page import answer_page, read_id

#: Of a longer report, in bytes, services.bounce keeps no more.
_KEPT = 8 * 1024


@guarded
def show_bounces() -> Response:
    """GET: page by page, without what they say: that holds addresses."""
    return _answer({})


@guarded
def show_bounce(id: int) -> Response:  # noqa: A002  # the name in the route
    """POST: what one report says; that somebody looked is noted."""
    deployment = desk().deployment
    found = open_bounce(deployment, id, staff=current_staff(), now=deployment.clock())
    text = found.raw or ""
    return _answer({"opened": found, "text": text, "is_cut": len(text.encode()) >= _KEPT})


def _answer(context: dict[str, object]) -> Response:
    staff = current_staff()
    before = read_id(request.args.get("before"))
    rows = list_unread_bounces(desk().deployment, staff=staff, before=before, limit=PER_PAGE + 1)
    given: dict[str, object] = {
        "rows": rows[:PER_PAGE],
        "next": rows[PER_PAGE - 1].id if len(rows) > PER_PAGE else None,
        "is_first": before is None,
        "opened": None,
        "may_decide": bool(staff.roles & DECIDERS),
        "csrf_token": form_token(staff),
    }
    return answer_page("bounces.html", given | context)
