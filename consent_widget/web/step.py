"""Pages that say one thing and offer a button or two: most of what a subscription needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import Response, jsonify, request

from ..core.errors import StoreUnavailable, TooMany
from .context import common_context
from .headers import by_name
from .language import WORDS, answer_in, current_language, render_in_layout, supported
from .problems import wants_json
from .reading import NAMES
from .visit import Visit, logger


@dataclass(frozen=True, kw_only=True)
class Button:
    """A form of one button, posted to ``path`` with the field ``name``."""

    path: str
    label: str
    name: str = ""
    value: str = ""


def enter(here: Visit) -> None:
    """Open a page whose address holds a link of a mail: for its owner alone, kept and found by nobody.

    With ``strict-origin`` browsers still send the Origin of a form that they post from it.
    """
    here.quiet = True
    # One thing to do, and no form of another page that would carry the address along.
    here.bar_printed = True
    here.form_printed = True
    here.has_secret_address = True
    here.fixed_headers = by_name(("Referrer-Policy", "strict-origin"), ("X-Robots-Tag", "noindex"))


def speak(language: str) -> None:
    """Answer in the subscription's language unless the address asks for one."""
    if supported(request.args.get("lang")) is None:
        answer_in(language)


def own_address(here: Visit) -> str:
    """The page itself in the language that it is read in, to post to."""
    return f"{here.mount}{quote(request.path, safe='/')}?lang={current_language()}"


def page_context(here: Visit) -> dict[str, Any]:
    """What the pages of a subscription get beside what they show."""
    language = current_language()
    path = f"{here.mount}{quote(request.path, safe='/')}"
    return common_context(here, language) | {
        "alternates": tuple(
            {"lang": one, "url": f"{path}?lang={one}", "name": NAMES[one], "current": one == language}
            for one in WORDS
        ),
    }


def answer_step(
    here: Visit,
    heading: str,
    *paragraphs: str,
    status: int = 200,
    code: str,
    buttons: Sequence[Button] = (),
    links: Sequence[tuple[str, str]] = (),
) -> Response:
    """The page, or its ``code`` and first words as JSON; ``links`` are addresses with their words."""
    if wants_json():
        message = paragraphs[0] if paragraphs else heading
        found = {"error": {"code": code, "message": message, "field": None}}
        response = jsonify(found if status >= 400 else {"status": code, "message": message})
    else:
        context = page_context(here) | {
            "heading": heading,
            "paragraphs": paragraphs,
            "buttons": buttons,
            "links": links,
        }
        response = Response(render_in_layout("consent_widget/subscription/step.html", **context))
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def for_now(error: TooMany | StoreUnavailable) -> tuple[int, str, str, int]:
    """Status, code, what to say and when to try again, in seconds."""
    t = WORDS[current_language()]
    if isinstance(error, TooMany):
        message = t("Too many requests came from your network. Nothing was done; please try again later.")
        return 429, "too_many", message, error.retry_after
    logger.error("A subscription could not be read or changed: %s", error)
    message = t("We could not save this, so nothing has changed. Please try again in a few minutes.")
    return 503, "store_unavailable", message, 60


def refuse_step(here: Visit, error: TooMany | StoreUnavailable) -> Response:
    """429 or 503 on a page with a link, which still works afterwards."""
    t = WORDS[current_language()]
    status, code, message, retry_after = for_now(error)
    response = answer_step(
        here,
        t("Please try again later"),
        message,
        status=status,
        code=code,
        links=[(own_address(here), t("Try again"))],
    )
    response.headers["Retry-After"] = str(retry_after)
    return response
