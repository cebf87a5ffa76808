"""A page for staff: what every template gets, and who may keep the answer (nobody)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Response, current_app, g, request

from ..core.staff import Staff
from ..render.catalogue import moment
from .desk import Words, desk, words

#: The roles that may read the audit log.
AUDIT = frozenset({"approver", "officer", "auditor"})

#: Each language in its own words, for the language switch.
_NAMES = {"vi": "Tiếng Việt", "en": "English"}


def answer_page(template: str, context: Mapping[str, Any], status: int = 200) -> Response:
    """The page out of ``consent_widget/admin/{template}``.

    Beside ``context`` it gets what every template of ours gets, ``staff`` (None
    where nobody passed the guard), ``admin`` (the path of the staff pages),
    ``languages``, ``may_audit`` and ``when`` (a time in the deployment's zone).
    """
    language = desk().language()
    t = words()
    staff: Staff | None = g.get("consent_widget_staff")
    given = desk().context(language) | {
        "staff": staff,
        "admin": f"{desk().base()}/admin",
        "here": request.path,
        "languages": [{"lang": one, "name": _NAMES[one], "current": one == language} for one in desk().words],
        "may_audit": bool(staff and staff.roles & AUDIT),
        "when": lambda at: show_moment(at, t) if at else "",
    }
    page = current_app.jinja_env.get_template(f"consent_widget/admin/{template}")
    response = Response(page.render({**given, **context}), mimetype="text/html")
    response.status_code = status
    response.headers["Content-Language"] = language
    return response


def show_moment(when: datetime, t: Words) -> str:
    """A time as people write it, with the deployment's zone."""
    return moment(when, zone=desk().deployment.settings.timezone, language=t.language)
