"""What we answer when something cannot be done: a page or JSON, never a traceback."""

from typing import Any

from flask import Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from .context import common_context
from .language import WORDS, Words, current_language
from .origin import own_referrer
from .visit import visit


class Problem(HTTPException):
    """An answer with a stable ``code`` for programs and, where it fits, the faulty ``field``."""

    def __init__(
        self,
        status: int,
        problem: str,
        message: str,
        field: str | None = None,
        *,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = status
        self.problem = problem
        self.field = field
        self._retry_after = retry_after

    def get_headers(self, *args: Any) -> list[tuple[str, str]]:
        headers = super().get_headers(*args)
        if self._retry_after is not None:
            headers.append(("Retry-After", str(self._retry_after)))
        return headers


def wants_json() -> bool:
    """Whether the caller is a program: it sent JSON or asked for it."""
    if request.is_json:
        return True
    # By name, not by range: browsers and clients alike send */*.
    accepted = dict(reversed(list(request.accept_mimetypes)))
    return accepted.get("application/json", 0) > accepted.get("text/html", 0)


def answer_problem(error: HTTPException) -> Response:
    """The answer to any error under our prefix."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    if wants_json():
        code = error.problem if isinstance(error, Problem) else _CODES.get(status, "error")
        field = error.field if isinstance(error, Problem) else None
        response = jsonify(error={"code": code, "message": error.description or error.name, "field": field})
    else:
        response = Response(_page(error, status))
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_type",
    400: "bad_request",
}


def _page(error: HTTPException, status: int) -> str:
    here = visit()
    here.quiet = True
    # Nobody's choice stands in it, whatever a cache believes of an address like /preferences/x.css.
    here.shared = True
    language = current_language()
    t = WORDS[language]
    heading, message = _words(t, status, error.problem if isinstance(error, Problem) else "")
    context = common_context(here, language)
    return render_template(
        "consent_widget/consent/error.html",
        **context
        | {
            "code": status,
            "heading": heading,
            "message": message,
            "back": own_referrer(),
        },
    )


def _words(t: Words, status: int, problem: str) -> tuple[str, str]:
    """Heading and message. A choice about cookies is saved by one route; the others take forms of all kinds."""
    of_choice = request.endpoint == "consent_widget.save"
    known = {
        404: (
            t("This page does not exist"),
            t("The address may be mistyped, or this version of the privacy policy does not exist."),
        ),
        405: (
            t("This cannot be done here"),
            t("This address does not accept the kind of request that was sent. Nothing was changed."),
        ),
    }
    return (
        _of_problem(t, problem)
        or (_of_choice(t, problem) if of_choice else _of_form(t)).get(status)
        or known.get(status)
        or (t("Something went wrong on our side"), t("We are sorry. Please try again in a moment."))
    )


def _of_problem(t: Words, problem: str) -> tuple[str, str] | None:
    if problem == "bad_date":
        return t("This is not a date"), t("Write the day as year-month-day, for example 2027-01-31.")
    if problem == "bad_number":
        return t("This is not a version"), t("Please choose the version from the update history.")
    if problem == "unknown_link":
        return t("This link does not work"), t(
            "The mail program may have cut it off, or what it was for has been erased. "
            "Try to copy it whole; if you get emails that you do not want, please write to us."
        )
    return None


def _of_choice(t: Words, problem: str) -> dict[int, tuple[str, str]]:
    unreadable = t("This choice could not be read")
    said = {
        "unknown_action": t("Please use one of the buttons “Accept all”, “Reject all” or “Save choices”."),
        "unknown_category": t(
            "There is no category of this name, so nothing was saved. Please choose again."
        ),
    }
    return {
        400: (
            unreadable,
            said.get(problem)
            or t(
                "Something in the form was missing or not valid, so nothing was saved. "
                "Please go back and choose again."
            ),
        ),
        403: (
            t("This request did not come from our site"),
            t(
                "For your protection nothing was saved. "
                "Please open the cookie settings on this site and choose there."
            ),
        ),
        413: (
            t("Too much was sent"),
            t(
                "The request is larger than a choice about cookies can be, so nothing was saved. "
                "Please choose again in the cookie settings."
            ),
        ),
        415: (
            t("This format is not accepted"),
            t(
                "A choice can be sent as a form or as JSON. Nothing was saved. "
                "Please use the cookie settings on this site."
            ),
        ),
    }


def _of_form(t: Words) -> dict[int, tuple[str, str]]:
    again = t("Nothing was changed. Please open the page on this site and try again from there.")
    return {
        400: (t("This request could not be read"), again),
        403: (t("This request did not come from our site"), again),
        413: (t("Too much was sent"), again),
        415: (t("This format is not accepted"), again),
    }
