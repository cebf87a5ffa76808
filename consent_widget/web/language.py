"""In which language this request is answered, and the words in it.

Our own choice and our own catalogue: the host's Babel, if there is one, is
asked, and told while its layout is put around a page in its reader's language.
"""

from functools import lru_cache
from typing import Any

import flask_babel
from flask import current_app, render_template, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from ..core.language import GOVERNING, LANGUAGES
from ..render.catalogue import WORDS, Words
from .visit import Visit, visit

#: The words belong to the language, wherever they are kept.
__all__ = ["WORDS", "Words", "answer_in", "current_language", "language_of"]


def supported(tag: object) -> str | None:
    """The language of a tag such as ``en-GB`` or ``vi_VN`` if we speak it."""
    if tag is None:
        return None
    primary = str(tag).replace("_", "-").partition("-")[0].lower()
    return primary if primary in LANGUAGES else None


def current_language() -> str:
    """Path, ``?lang=``, the host's ``locale_selector``, the host's Babel, Accept-Language, Vietnamese."""
    return language_of(visit())


def language_of(here: Visit) -> str:
    """The same, of a visit at hand."""
    found = here.environ.get("consent_widget.language")
    if found is None:
        found = here.environ["consent_widget.language"] = _choose(here)
    return str(found)


def answer_in(tag: object) -> None:
    """From here on answer in the language of ``tag``, if it is one we speak."""
    chosen = supported(tag)
    if chosen:
        visit().environ["consent_widget.language"] = chosen


def render_in_layout(template: str, **context: Any) -> str:
    """The page in the host's layout, which speaks the language of the page meanwhile (WCAG 3.1.1).

    The host's Babel is told so only where it would answer in another one.
    """
    language = current_language()
    if "babel" not in current_app.extensions or supported(flask_babel.get_locale()) == language:
        return render_template(template, **context)
    with flask_babel.force_locale(language):
        return render_template(template, **context)


def _choose(here: Visit) -> str:
    chosen = None
    view_args = request.view_args
    if view_args and "lang" in view_args and (request.endpoint or "").startswith("consent_widget."):
        chosen = supported(view_args["lang"])
    if chosen is None and here.environ.get("QUERY_STRING"):
        chosen = supported(request.args.get("lang"))
    if chosen:
        return chosen
    if here.host.locale_selector is not None:
        chosen = supported(here.host.locale_selector())
        if chosen:
            return chosen
    if "babel" in current_app.extensions:
        chosen = supported(flask_babel.get_locale())
        if chosen:
            return chosen
    here.language_from_header = True
    return _accepted(here.environ.get("HTTP_ACCEPT_LANGUAGE", ""))


@lru_cache(maxsize=256)  # browsers send few different ones
def _accepted(header: str) -> str:
    """The language that an Accept-Language header asks for."""
    for tag, quality in parse_accept_header(header, LanguageAccept):
        chosen = supported(tag)
        if chosen and quality > 0:
            return chosen
    return GOVERNING
