"""Versions of the notice for programs: Markdown, text, JSON, calendar, feed, list."""

from typing import Any
from uuid import UUID, uuid5

from flask import Response, current_app
from werkzeug.exceptions import NotFound

from ..core.language import GOVERNING, LANGUAGES
from ..core.notice import Standing, Version
from ..render.calendar import version_event
from ..render.feed import Entry, write_feed
from ..render.text import plain_text
from .language import WORDS, Words
from .reading import answer_file, find_version, frozen_text, iso, public_url
from .visit import Visit, visit
from .words import show_moment, show_standing

#: A feed tells what is new; the whole history is in versions.json.
_MOST_ENTRIES = 50


def show_markdown(lang: str, number: int) -> Response:
    """GET /{lang}/versions/{n}.md: exactly the bytes the content hash is made of."""
    here = visit()
    text = frozen_text(here, find_version(here, number), lang)
    return answer_file(here, text.markdown, "text/markdown; charset=utf-8", lang=lang)


def show_text(lang: str, number: int) -> Response:
    """GET /{lang}/versions/{n}.txt: to read anywhere, with what applies when above it."""
    here = visit()
    version = find_version(here, number)
    text = frozen_text(here, version, lang)
    t = WORDS[lang]
    standing = here.schedule.standing(version, here.now)
    stamp = show_standing(here, version, standing, t)
    head = (
        text.title,
        "=" * len(text.title),
        "",
        here.host.deployment.settings.controller.name,
        t("Version %(number)s", number=version.number),
        t("Effective from %(time)s", time=show_moment(here, version.effective_at, t)),
        *((stamp,) if standing is not Standing.ANNOUNCED else ()),
        *((t("This is a translation. The Vietnamese text governs."),) if lang != GOVERNING else ()),
        "",
        "",
    )
    return answer_file(
        here, "\n".join(head) + plain_text(text.markdown), "text/plain; charset=utf-8", lang=lang
    )


def show_json(lang: str, number: int) -> Response:
    """GET /{lang}/versions/{n}.json: the version with its text."""
    here = visit()
    version = find_version(here, number)
    text = frozen_text(here, version, lang)
    body = _facts(here, version) | _text_facts(here, version, lang) | {"markdown": text.markdown}
    return _json(here, body, lang=lang)


def show_list() -> Response:
    """GET /versions.json: every version that was announced, newest first, without the texts."""
    here = visit()
    return _json(
        here,
        [
            _facts(here, version)
            | {
                "texts": {
                    lang: _text_facts(here, version, lang) for lang in LANGUAGES if lang in version.titles
                }
            }
            for version in here.schedule.history
        ],
    )


def show_calendar(lang: str, number: int) -> Response:
    """GET /{lang}/versions/{n}.ics: the effective date; cancelled where the version was withdrawn."""
    here = visit()
    version = find_version(here, number)
    t = WORDS[lang]
    settings = here.host.deployment.settings
    url = public_url(here, f"/{lang}/versions/{number}")
    body = version_event(
        version,
        t,
        name=settings.controller.name,
        zone=settings.timezone,
        url=url if url.startswith("http") else None,
    )
    method = "CANCEL" if version.withdrawn_at else "PUBLISH"
    response = answer_file(here, body, f"text/calendar; charset=utf-8; method={method}", lang=lang)
    response.headers["Content-Disposition"] = f'attachment; filename="privacy-{number}.{lang}.ics"'
    return response


def show_feed(lang: str) -> Response:
    """GET /{lang}/feed.atom: the newest versions, for feed readers."""
    here = visit()
    history = here.schedule.history
    if not history:
        raise NotFound
    t = WORDS[lang]
    name = here.host.deployment.settings.controller.name
    body = write_feed(
        (_entry(here, version, t) for version in history[:_MOST_ENTRIES]),
        uid=str(uuid5(UUID(history[-1].uid), f"feed {lang}")),
        language=lang,
        title=t("%(name)s: versions of the privacy policy", name=name),
        author=name,
        url=public_url(here, f"/{lang}/feed.atom"),
        page_url=public_url(here, f"/{lang}/versions"),
    )
    return answer_file(here, body, "application/atom+xml; charset=utf-8", lang=lang)


def _entry(here: Visit, version: Version, t: Words) -> Entry:
    title = t(
        "Version %(number)s, effective from %(time)s",
        number=version.number,
        time=show_moment(here, version.effective_at, t),
    )
    words = [version.summaries.get(t.language, "")]
    if version.withdrawn_at is not None:
        words.insert(0, show_standing(here, version, Standing.WITHDRAWN, t))
    return Entry(
        uid=str(uuid5(UUID(version.uid), t.language)),
        title=title,
        summary="\n".join(words),
        url=public_url(here, f"/{t.language}/versions/{version.number}"),
        published_at=version.announced_at,
        updated_at=version.withdrawn_at or version.announced_at,
        category=version.change_class.value,
    )


def _facts(here: Visit, version: Version) -> dict[str, Any]:
    return {
        "number": version.number,
        "state": here.schedule.standing(version, here.now).value,
        "class": version.change_class.value,
        "ask_again": sorted(version.ask_again),
        "announced_at": iso(version.announced_at),
        "effective_at": iso(version.effective_at),
        "withdrawn_at": iso(version.withdrawn_at) if version.withdrawn_at else None,
        "reason": version.reason or None,
        "overrides": list(version.overrides),
        "withdrawal_reason": version.withdrawal_reason or None,
    }


def _text_facts(here: Visit, version: Version, lang: str) -> dict[str, Any]:
    """``source_hash``: of a translation, the content hash of the text that it was made from."""
    return {
        "language": lang,
        "title": version.titles.get(lang),
        "summary": version.summaries.get(lang),
        "content_hash": version.content_hashes.get(lang),
        "source_hash": version.source_hashes.get(lang),
        "url": public_url(here, f"/{lang}/versions/{version.number}"),
    }


def _json(here: Visit, body: object, *, lang: str | None = None) -> Response:
    return answer_file(here, current_app.json.dumps(body) + "\n", "application/json", lang=lang)
