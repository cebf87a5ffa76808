"""What staff are told when something cannot be done: a page in their language or JSON, never a traceback."""

import logging
from typing import Any

from flask import Response, jsonify
from werkzeug.exceptions import HTTPException

from ..core.errors import (
    Conflict,
    Forbidden,
    InputError,
    LedgerError,
    StoreUnavailable,
    UnknownCampaign,
    UnknownSubscription,
    UnknownVersion,
)
from .desk import Words, desk, words
from .page import answer_page
from .sayings import say_error

logger = logging.getLogger("consent_widget")


class StaffProblem(HTTPException):
    """An answer with a stable ``code`` for programs, which :mod:`sayings` puts into words."""

    def __init__(self, status: int, problem: str, field: str | None = None) -> None:
        super().__init__(problem)
        self.code = status
        self.problem = problem
        self.field = field


class SignedOut(StaffProblem):
    """Nobody is signed in: a person is sent to where one does, a program is told."""

    def __init__(self) -> None:
        super().__init__(401, "signed_out")


#: What is answered to each error of ours.
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (InputError, 400),
    (Forbidden, 403),
    (UnknownVersion, 404),
    (UnknownCampaign, 404),
    (UnknownSubscription, 404),
    (Conflict, 409),
    (LedgerError, 503),
    (StoreUnavailable, 503),
)


def status_of(error: Exception) -> int:
    """The status that answers ``error``."""
    if isinstance(error, HTTPException):
        return error.code or 500
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def code_of(error: Exception) -> str:
    """The stable code of ``error``, for programs and for the catalogue."""
    if isinstance(error, StaffProblem):
        return error.problem
    code = getattr(error, "code", None)
    if isinstance(code, str):
        return code
    return _CODES.get(status_of(error), "error")


_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_type",
    503: "store_unavailable",
}


def answer_error(error: Exception) -> Response:
    """The answer to any error below /admin/, for a person or for a program."""
    status = status_of(error)
    if status >= 500:
        logger.error("A page for staff could not be answered: %s", error)
    response = json_error(error) if desk().wants_json() else _page(status, code_of(error), words())
    response.status_code = status
    if isinstance(error, HTTPException):
        for name, value in error.get_headers():
            if name.lower() in ("allow", "retry-after"):
                response.headers[name] = value
    return response


def json_error(error: Exception) -> Response:
    """``{"error": {"code", "message", "field"}}`` with its status."""
    field: Any = getattr(error, "field", None)
    response = jsonify(
        error={"code": code_of(error), "message": say_error(code_of(error), words()), "field": field}
    )
    response.status_code = status_of(error)
    return response


def _page(status: int, code: str, t: Words) -> Response:
    return answer_page("error.html", {"code": status, "message": say_error(code, t)})
