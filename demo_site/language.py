"""The host's own languages and its own catalogues, through a Flask-Babel of its own.

Sentences in the templates are English; ``translations/vi`` holds the
Vietnamese ones.
"""

import os
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, Response, g, has_request_context, request, session, url_for
from flask_babel import Babel, get_locale

LANGUAGES = {"vi": "Tiếng Việt", "en": "English"}
_SOURCES = Path(__file__).parent / "translations"


def init_app(app: Flask, *, catalogues: Path) -> None:
    """Give ``app`` its languages; compiled catalogues are kept in the folder ``catalogues``."""
    compile_catalogues(catalogues)
    Babel(
        app,
        default_locale="vi",
        default_translation_directories=str(catalogues),
        locale_selector=choose_language,
    )
    app.before_request(_remember_language)
    app.after_request(_name_header)
    app.context_processor(
        lambda: {"lang": str(get_locale()), "languages": LANGUAGES, "in_language": in_language}
    )


def choose_language() -> str:
    """From the path, else ``?lang=``, else the one chosen before, else the browser's, else Vietnamese."""
    if not has_request_context():
        return "vi"
    # Looked up first: the notice's pages are cached publicly and must not touch the session.
    asked = _language_in_path() or request.args.get("lang")
    if asked in LANGUAGES:
        return asked
    return _usual_language()


def in_language(language: str) -> str:
    """The address of the page being shown, in ``language``."""
    if request.endpoint is None:
        return url_for("pages.home", lang=language)
    # The visitor's query stays out: url_for would take `_scheme` and the like as orders.
    return url_for(request.endpoint, **{**(request.view_args or {}), "lang": language})


def compile_catalogues(target: Path) -> None:
    """Compile the ``.po`` files into ``target``: a clean clone needs no build step for them."""
    for source in _SOURCES.glob("*/LC_MESSAGES/messages.po"):
        compiled = (target / source.relative_to(_SOURCES)).with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime > source.stat().st_mtime:
            continue
        compiled.parent.mkdir(parents=True, exist_ok=True)
        draft = compiled.with_suffix(f".{os.getpid()}")
        with source.open("rb") as text, draft.open("wb") as binary:
            write_mo(binary, read_po(text))
        draft.replace(compiled)


def _language_in_path() -> str | None:
    return (request.view_args or {}).get("lang")


def _usual_language() -> str:
    chosen = session.get("lang")
    if chosen in LANGUAGES:
        return str(chosen)
    g.language_from_header = True
    return request.accept_languages.best_match(LANGUAGES) or "vi"


def _remember_language() -> None:
    asked = request.args.get("lang")
    # A script may name the language the page has anyway: no reason for a cookie.
    if asked in LANGUAGES and _language_in_path() is None and asked != _usual_language():
        session["lang"] = asked


def _name_header(response: Response) -> Response:
    if "language_from_header" in g:
        response.vary.add("Accept-Language")
    return response
