"""The body of a public POST: a short form or a small JSON object."""

import json
from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from .problems import Problem

#: What visitors send is a few hundred bytes; more is none of it.
MAX_BODY = 16 * 1024

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def read_fields(*names: str) -> dict[str, str]:
    """The text of each field of ``names``, empty where it was not sent.

    Raises:
        Problem: 400, 413 or 415.
    """
    limit_body()
    if request.is_json:
        data = json_body()
        found = {name: "" if data.get(name) is None else data[name] for name in names}
    elif request.mimetype in FORMS or (not request.mimetype and not request.content_length):
        for name in names:
            if len(request.form.getlist(name)) > 1:
                raise Problem(400, "repeated_field", f"The field {name} was sent more than once.", name)
        found = {name: request.form.get(name, "") for name in names}
    else:
        raise Problem(415, "unsupported_type", "Send a form or JSON.")
    for name, value in found.items():
        if not isinstance(value, str):
            raise Problem(400, "bad_value", f"{name} must be text.", name)
    return found


def limit_body() -> None:
    """Raises RequestEntityTooLarge, here or where the body is read."""
    request.max_content_length = MAX_BODY
    if request.content_length is None and len(request.get_data()) >= MAX_BODY:
        # A body in chunks does not tell its length: what exceeds the limit would be cut off silently.
        raise RequestEntityTooLarge


def json_body() -> dict[str, Any]:
    """The JSON object that was sent; a name that stands twice is refused, never guessed."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise ValueError("a name stands twice")
        return dict(pairs)

    try:
        # Flask's get_json() answers 500 to deep nesting.
        data = json.loads(request.get_data(), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "bad_json", "The body is no JSON object with unique names.") from error
    if not isinstance(data, dict):
        raise Problem(400, "bad_json", "The body must be a JSON object.")
    return data
