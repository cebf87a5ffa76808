"""The notice, for everybody alike: these pages never ask who is reading."""

from datetime import UTC, timedelta

from flask import Response, redirect, render_template, request
from markupsafe import Markup
from werkzeug.exceptions import NotFound

from ..core.errors import StoreUnavailable
from ..core.language import GOVERNING, LANGUAGES
from ..core.notice import NoticeText, Version
from ..render.markdown import render_notice
from ..services.notice import notice_text
from .context import common_context
from .language import WORDS, current_language
from .markup import consent_cookie_table, consent_settings_link
from .problems import Problem
from .visit import Visit, visit
from .words import notice_path, show_moment

#: How long a shared cache may keep the notice: so late may a new version be seen.
MAX_AGE = timedelta(seconds=60)

#: Each language in its own words, for the language switch.
NAMES = {"vi": "Tiếng Việt", "en": "English"}


def show_home() -> Response:
    """GET /: to the notice in the visitor's language."""
    here = visit()
    response = redirect(notice_path(here, current_language()), 302)
    response.headers["Vary"] = "Accept-Language, Cookie"
    response.headers["Cache-Control"] = "no-cache"
    return response  # type: ignore[return-value]


def show_notice(lang: str) -> Response:
    """GET /{lang}/: the version in force."""
    here = visit()
    here.shared = True
    version = here.schedule.in_force(here.now)
    if version is None:
        raise NotFound
    return _notice_page(here, version, lang)


def show_version(lang: str, number: int) -> Response:
    """GET /{lang}/versions/{n}: the permalink of an announced version."""
    here = visit()
    here.shared = True
    return _notice_page(here, _version(here, number), lang)


def show_markdown(lang: str, number: int) -> Response:
    """GET /{lang}/versions/{n}.md: exactly the bytes the content hash is made of."""
    here = visit()
    version = _version(here, number)
    response = Response(_text(here, version, lang).markdown, content_type="text/markdown; charset=utf-8")
    response.headers["Content-Language"] = lang
    return _for_everybody(here, response)


def _version(here: Visit, number: int) -> Version:
    for version in here.schedule.versions:
        if version.number == number:
            return version
    raise NotFound


def _text(here: Visit, version: Version, lang: str) -> NoticeText:
    """The frozen text; it never changes, so it is read once."""

    def read() -> NoticeText:
        try:
            found = notice_text(here.host.deployment.database, number=version.number, language=lang)
        except StoreUnavailable as error:
            raise Problem(503, "store_unavailable", "The notice cannot be read just now.") from error
        if found is None:
            raise NotFound
        return found

    return here.host.kept(("text", version.number, version.content_hashes.get(lang)), read)


def _notice_page(here: Visit, version: Version, lang: str) -> Response:
    t = WORDS[lang]
    text = _text(here, version, lang)
    rendered = render_notice(text.markdown)
    in_force = here.schedule.in_force(here.now)
    permalink = f"{notice_path(here, lang)}versions/{version.number}"
    suffix = "" if request.endpoint == "consent_widget.show_notice" else f"versions/{version.number}"
    page = render_template(
        "consent_widget/notice/notice.html",
        **common_context(here, lang)
        | {
            "title": text.title,
            "body": Markup(rendered.html),
            "contents": rendered.clauses,
            "number": version.number,
            "effective_at": show_moment(here, version.effective_at, t),
            "effective_iso": version.effective_at.astimezone(UTC).isoformat(timespec="seconds"),
            "content_hash": text.content_hash,
            "is_translation": lang != GOVERNING,
            "governing_url": notice_path(here, GOVERNING) + suffix,
            "alternates": tuple(
                {
                    "lang": one,
                    "url": notice_path(here, one) + suffix,
                    "name": NAMES[one],
                    "current": one == lang,
                }
                for one in LANGUAGES
            ),
            "permalink": permalink,
            "markdown_url": f"{permalink}.md",
            "in_force": version is in_force,
            "stamp": _stamp(here, version),
            "cookie_table": consent_cookie_table(),
            "settings_link": consent_settings_link(),
        },
    )
    response = Response(page)
    response.headers["Content-Language"] = lang
    return _for_everybody(here, response)


def _stamp(here: Visit, version: Version) -> str | None:
    t = WORDS[current_language()]
    in_force = here.schedule.in_force(here.now)
    if in_force is not None and version.number < in_force.number:
        return t("Superseded: a newer version is in force.")
    if version.effective_at > here.now:
        return t("Takes effect on %(time)s", time=show_moment(here, version.effective_at, t))
    return None


def _for_everybody(here: Visit, response: Response) -> Response:
    """Cacheable by all until the next change; the gate takes that back if something personal was read."""
    coming = here.schedule.coming(here.now)
    left = coming.effective_at - here.now if coming else MAX_AGE
    here.public_seconds = max(0, int(min(left, MAX_AGE).total_seconds()))
    response.add_etag()
    response.make_conditional(request)
    return response
