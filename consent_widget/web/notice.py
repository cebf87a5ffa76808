"""The notice, for everybody alike: these pages never ask who is reading."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Response, redirect, render_template
from markupsafe import Markup
from werkzeug.exceptions import NotFound

from ..core.language import GOVERNING
from ..core.notice import Standing, Version
from ..render.catalogue import show_change_class, whole_day
from ..render.markdown import render_notice
from .context import common_context
from .language import WORDS, Words, current_language
from .markup import consent_cookie_table, consent_settings_link
from .problems import Problem
from .reading import (
    alternates,
    answer_page,
    find_version,
    frozen_text,
    iso,
    known_schedule,
    version_links,
)
from .visit import Visit, visit
from .words import notice_path, show_effective, show_moment, show_standing

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


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
    version = known_schedule(here).in_force(here.now)
    if version is None:
        raise NotFound
    return answer_page(here, ("notice",), lambda: _page(here, version, lang, rest=""), lang=lang)


def show_version(lang: str, number: int) -> Response:
    """GET /{lang}/versions/{n}: the permalink of a version that was announced."""
    here = visit()
    here.shared = True
    version = find_version(here, number)
    # What its stamp and the page say of a coming version need not be said twice.
    here.bar_printed = here.schedule.coming(here.now) is version
    rest = f"versions/{number}"
    return answer_page(
        here, ("version", number), lambda: _page(here, version, lang, rest=rest, permalink=True), lang=lang
    )


def show_as_of(lang: str, day: str) -> Response:
    """GET /{lang}/as-of/{YYYY-MM-DD}: what applies at the end of that day in the deployment's time zone."""
    here = visit()
    here.shared = True
    asked = _day(day)
    zone = here.host.deployment.settings.timezone
    end = end_of_day(asked, zone)
    version = known_schedule(here).in_force(end - timedelta.resolution)
    if version is None:
        raise NotFound
    said = whole_day(asked, zone=zone, language=lang)
    t = WORDS[lang]
    stamp = (
        t("In force at the end of %(day)s", day=said)
        if end <= here.now
        else t("In force at the end of %(day)s, as announced so far", day=said)
    )
    rest = f"as-of/{day}"
    # There are more days than anybody asks for, so their pages are not kept.
    return answer_page(
        here, None, lambda: _page(here, version, lang, rest=rest, permalink=True, stamp=stamp), lang=lang
    )


def _day(written: str) -> date:
    if _DAY.fullmatch(written):
        try:
            return date.fromisoformat(written)
        except ValueError:
            pass
    raise Problem(400, "bad_date", "Write the day as YYYY-MM-DD.", "day")


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant after ``day`` in ``zone``, aware in UTC.

    Where clocks are set at midnight, the day ends when the next one first begins.
    """
    try:
        return datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _page(
    here: Visit, version: Version, lang: str, *, rest: str, permalink: bool = False, stamp: str | None = None
) -> str:
    """``rest`` is the page's own path below the language."""
    t = WORDS[lang]
    text = frozen_text(here, version, lang)
    rendered = render_notice(text.markdown)
    standing = here.schedule.standing(version, here.now)
    return render_template(
        "consent_widget/notice/notice.html",
        **common_context(here, lang)
        | version_links(here, version, lang)
        | {
            "title": text.title,
            "summary": text.summary if permalink else None,
            "body": Markup(rendered.html),
            "contents": rendered.clauses,
            "number": version.number,
            "effective_label": show_effective(standing, t),
            "effective_at": show_moment(here, version.effective_at, t),
            "effective_iso": iso(version.effective_at),
            "announced_at": show_moment(here, version.announced_at, t) if permalink else None,
            "announced_iso": iso(version.announced_at),
            "change_class": show_change_class(version, t) if permalink and version.number > 1 else None,
            "content_hash": text.content_hash,
            "is_translation": lang != GOVERNING,
            "governing_url": notice_path(here, GOVERNING) + rest,
            "alternates": alternates(here, lang, rest),
            "in_force": standing is Standing.IN_FORCE,
            "stamps": ([stamp] if stamp else []) + _stamps(here, version, standing, t),
            "cookie_table": consent_cookie_table(),
            "settings_link": consent_settings_link(),
        },
    )


def _stamps(here: Visit, version: Version, standing: Standing, t: Words) -> list[str]:
    """What a reader must know before the text."""
    said = [show_standing(here, version, standing, t)] if standing is not Standing.IN_FORCE else []
    if version.withdrawal_reason:
        said.append(t("Reason: %(reason)s", reason=version.withdrawal_reason))
    if "too_early" in version.overrides:
        said.append(t("Announced at shorter notice than usual. Reason: %(reason)s", reason=version.reason))
    elif version.overrides:
        said.append(
            t(
                "Filed as an editorial change although a section on personal data changed. Reason: %(reason)s",
                reason=version.reason,
            )
        )
    return said
