"""A page for staff: what every template gets, and who may keep the answer (nobody)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from babel.numbers import format_decimal
from flask import Response, current_app, g, request

from ..core.staff import Staff
from ..render.catalogue import moment, plain_day, plain_moment, zone_label
from .desk import Words, desk, words

#: The roles that may read the audit log.
AUDIT = frozenset({"approver", "officer", "auditor"})

#: Each language in its own words, for the language switch.
_NAMES = {"vi": "Tiếng Việt", "en": "English"}


def answer_page(template: str, context: Mapping[str, Any], status: int = 200) -> Response:
    """The page out of ``consent_widget/admin/{template}``.

    Beside ``context`` it gets what every template of ours gets, ``staff`` (None
    where nobody passed the guard), ``admin`` (the path of the staff pages), ``section``
    (of the navigation), ``languages``, ``may_audit``, ``when`` (a time in the deployment's zone), ``brief`` (the
    same in figures, its ``zone`` said apart), ``day`` (its
    date alone) and ``number`` (a whole number as people write it).
    """
    language = desk().language()
    t = words()
    staff: Staff | None = g.get("consent_widget_staff")
    given = desk().context(language) | {
        "staff": staff,
        "admin": f"{desk().base()}/admin",
        "here": request.path,
        "section": _section(request.path),
        "languages": [{"lang": one, "name": _NAMES[one], "current": one == language} for one in desk().words],
        "may_audit": bool(staff and staff.roles & AUDIT),
        "when": lambda at: show_moment(at, t) if at else "",
        "brief": lambda at: plain_moment(at, zone=desk().deployment.settings.timezone, language=language),
        "zone": zone_label(
            desk().deployment.settings.timezone, around=desk().deployment.clock(), language=language
        ),
        "day": lambda at: plain_day(at, zone=desk().deployment.settings.timezone, language=language),
        "number": lambda count: format_decimal(count, locale=language),
    }
    page = current_app.jinja_env.get_template(f"consent_widget/admin/{template}")
    response = Response(page.render({**given, **context}), mimetype="text/html")
    response.status_code = status
    response.headers["Content-Language"] = language
    return response


def _section(path: str) -> str:
    """The first name below ``/admin/``; reports of mails are looked at among the subscriptions."""
    name = path.partition("/admin/")[2].partition("/")[0]
    return "subscriptions" if name == "bounces" else name


def show_moment(when: datetime, t: Words) -> str:
    """A time as people write it, with the deployment's zone."""
    return moment(when, zone=desk().deployment.settings.timezone, language=t.language)


def read_id(written: str | None, *, digits: int = 18) -> int | None:
    """The id in a link; None where it is none, or longer than the database's."""
    if not written or not written.isascii() or not written.isdecimal() or len(written) > digits:
        return None
    return int(written)
