"""Cookies on every kind of answer, to watch the gate: one declared as analytics, one undeclared."""

from collections.abc import Iterator

from flask import (
    Blueprint,
    Response,
    abort,
    after_this_request,
    make_response,
    redirect,
    render_template,
    url_for,
)
from werkzeug import Response as BaseResponse

cookies = Blueprint("cookies", __name__, url_prefix="/demo/cookies")

_HALF_A_YEAR = 182 * 86400


def _set_cookies(answer: BaseResponse) -> None:
    answer.set_cookie("demo_analytics", "1", max_age=_HALF_A_YEAR, httponly=True, samesite="Lax")
    answer.set_cookie("demo_stray", "1", max_age=_HALF_A_YEAR, samesite="Lax")


@cookies.get("/response")
def response() -> Response:
    answer = make_response(render_template("cookies.html"))
    _set_cookies(answer)
    return answer


@cookies.get("/redirect")
def redirected() -> BaseResponse:
    answer = redirect(url_for("pages.home"))
    _set_cookies(answer)
    return answer


@cookies.get("/error")
def error() -> Response:
    @after_this_request
    def set_cookies(answer: Response) -> Response:
        _set_cookies(answer)
        return answer

    abort(500)


@cookies.get("/stream")
def stream() -> Response:
    def lines() -> Iterator[str]:
        for number in range(1, 6):
            yield f"{number} / 5\n"

    answer = Response(lines(), mimetype="text/plain")
    _set_cookies(answer)
    return answer
