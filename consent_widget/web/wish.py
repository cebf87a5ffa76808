"""What a request asks for, read from a form or from JSON, and whether it may ask."""

from flask import request

from ..core.consent import Action, Wish
from .body import FORMS, json_body, limit_body
from .language import answer_in
from .origin import safe_path, same_origin
from .problems import Problem


def check_origin() -> None:
    """Only pages of this site may post (Fetch Metadata, RFC 6454 for older browsers)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("Origin")
        allowed = origin is None or same_origin(origin)
    if not allowed:
        raise Problem(403, "foreign_origin", "This can be sent from pages of this site only.")


def read_seen() -> int | None:
    """The coming version whose bar a form hides (``action=seen``); None where a choice was posted.

    Raises:
        Problem: 400 or 413.
    """
    limit_body()
    if request.mimetype not in FORMS or request.form.getlist("action") != ["seen"]:
        return None
    number = _number(request.form.get("notice"))
    if type(number) is not int:
        raise Problem(400, "unknown_notice", "notice must be the number of a version.", "notice")
    return number


def read_wish() -> tuple[Wish, str | None, bool]:
    """The wish, where to go afterwards, and whether to look if the cookie is kept.

    The query string is ignored: a link must not be able to choose. The field
    ``lang`` is the language in which the visitor was asked; the answer and the
    record keep to it.

    Raises:
        Problem: 400, 413 or 415.
    """
    limit_body()
    kind = request.mimetype
    if request.is_json:
        data, target, verify = json_body(), None, False
        values = {name: data.get(name) for name in ("action", "notice", "lang")}
        categories = data.get("categories", [])
    elif kind in FORMS or (not kind and not request.content_length):
        form = request.form
        for name in ("action", "notice", "lang", "next", "verify"):
            if len(form.getlist(name)) > 1:
                raise Problem(400, "repeated_field", f"The field {name} was sent more than once.", name)
        values = {
            "action": form.get("action"),
            "notice": _number(form.get("notice")),
            "lang": form.get("lang"),
        }
        categories = form.getlist("category")
        target, verify = safe_path(form.get("next", "")), form.get("verify") == "1"
    else:
        raise Problem(415, "unsupported_type", "Send a form or JSON.")
    answer_in(values["lang"])
    if not isinstance(categories, list) or not all(isinstance(one, str) for one in categories):
        raise Problem(400, "bad_value", "categories must be a list of names.", "categories")
    action, notice = values["action"], values["notice"]
    if not isinstance(action, str) or action not in list(Action):
        raise Problem(400, "unknown_action", f"action must be one of {', '.join(Action)}.", "action")
    if notice is not None and (type(notice) is not int or not 0 < notice < 2**31):
        raise Problem(400, "unknown_notice", "notice must be the number of a version.", "notice")
    return Wish(action=Action(action), categories=frozenset(categories), notice=notice), target, verify


def _number(sent: str | None) -> object:
    if sent is None or sent == "":
        return None
    return int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 10 else sent
