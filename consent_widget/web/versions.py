"""The versions of the notice: their history, and what changed between two of them."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from flask import Response, redirect, render_template, request
from markupsafe import Markup
from werkzeug.exceptions import NotFound

from ..core.notice import Standing, Version
from ..render.catalogue import show_change_class
from .comparison import show_diff
from .context import common_context, render
from .language import WORDS, Words
from .problems import Problem
from .reading import alternates, answer_page, find_version, frozen_text, iso, known_schedule, version_links
from .visit import Visit, visit
from .words import notice_path, show_effective, show_moment, show_standing


def show_versions(lang: str) -> Response:
    """GET /{lang}/versions: every version that was announced, newest first.

    ``?as-of=YYYY-MM-DD`` leads on to the version of that day: a form cannot write a path.
    """
    here = visit()
    here.shared = True
    day = request.args.get("as-of")
    if day:
        response = redirect(f"{notice_path(here, lang)}as-of/{quote(day[:40], safe='')}", 302)
        response.headers["Cache-Control"] = "no-cache"
        return response  # type: ignore[return-value]
    if not known_schedule(here).history:
        raise NotFound
    return answer_page(here, ("history",), lambda: _history_page(here, lang), lang=lang)


def show_changes(lang: str, number: int) -> Response:
    """GET /{lang}/versions/{n}/changes?from={m}: what changed from version m, n-1 unless given, to n."""
    here = visit()
    here.shared = True
    version = find_version(here, number)
    other = find_version(here, _from(number))
    here.bar_printed = here.schedule.coming(here.now) is version
    return answer_page(
        here,
        ("changes", other.number, version.number),
        lambda: _changes_page(here, other, version, lang),
        lang=lang,
    )


def _from(number: int) -> int:
    sent = request.args.get("from")
    if sent is None:
        return number - 1
    if not (sent.isascii() and sent.isdigit()) or len(sent) > 9:
        raise Problem(400, "bad_number", "from must be the number of a version.", "from")
    return int(sent)


def _history_page(here: Visit, lang: str) -> str:
    t = WORDS[lang]
    base = notice_path(here, lang)

    def rows() -> Markup:
        # A thousand versions take a while to write, and a host's layout may ask for them at every view.
        return render("notice/_history.html", {"t": t, "lang": lang, "rows": _rows(here, t)})

    stage = here.schedule.stage(here.now)
    return render_template(
        "consent_widget/notice/history.html",
        **common_context(here, lang)
        | {
            "rows": here.host.kept(("history", lang, here.mount, stage), rows),
            "alternates": alternates(here, lang, "versions"),
            "feed_url": f"{base}feed.atom",
            "list_url": f"{here.base}/versions.json",
            "history_url": f"{base}versions",
            "today": here.now.astimezone(here.host.deployment.settings.timezone).date().isoformat(),
        },
    )


def _rows(here: Visit, t: Words) -> list[dict[str, Any]]:
    applied_until: dict[int, datetime] = {}
    for version, following in zip(here.schedule.versions, here.schedule.versions[1:], strict=False):
        applied_until[version.number] = following.effective_at
    return [_row(here, version, applied_until.get(version.number), t) for version in here.schedule.history]


def _row(here: Visit, version: Version, until: datetime | None, t: Words) -> dict[str, Any]:
    standing = here.schedule.standing(version, here.now)
    return version_links(here, version, t.language) | {
        "number": version.number,
        "title": version.titles.get(t.language, ""),
        "summary": version.summaries.get(t.language, ""),
        "standing": standing.value,
        "label": _label(standing, t),
        "effective_label": show_effective(standing, t),
        "said": show_standing(here, version, standing, t) if standing is Standing.WITHDRAWN else None,
        "change_class": show_change_class(version, t) if version.number > 1 else None,
        "effective_at": show_moment(here, version.effective_at, t),
        "effective_iso": iso(version.effective_at),
        "until": show_moment(here, until, t) if until else None,
        "until_iso": iso(until) if until else None,
        "announced_at": show_moment(here, version.announced_at, t),
        "announced_iso": iso(version.announced_at),
    }


def _label(standing: Standing, t: Words) -> str:
    return {
        Standing.ANNOUNCED: t("Announced"),
        Standing.IN_FORCE: t("In force"),
        Standing.SUPERSEDED: t("Superseded"),
        Standing.WITHDRAWN: t("Withdrawn"),
    }[standing]


def _changes_page(here: Visit, old: Version, new: Version, lang: str) -> str:
    t = WORDS[lang]
    before, after = frozen_text(here, old, lang), frozen_text(here, new, lang)
    rest = f"versions/{new.number}/changes?from={old.number}"

    def compared() -> Markup:
        return show_diff(before.markdown, after.markdown, t, level=3)

    return render_template(
        "consent_widget/notice/changes.html",
        **common_context(here, lang)
        | version_links(here, new, lang)
        | {
            "old": _side(here, old, t),
            "new": _side(here, new, t),
            "title_diff": show_diff(before.title, after.title, t, level=3)
            if before.title != after.title
            else None,
            "diff": here.host.kept(("diff", lang, old.number, new.number), compared),
            "summary": after.summary if here.schedule.before(new) is old else None,
            "compare_url": f"{notice_path(here, lang)}versions/{new.number}/changes",
            "choices": [
                {"number": one.number, "effective_at": show_moment(here, one.effective_at, t)}
                for one in here.schedule.history
                if one is not new
            ],
            "alternates": alternates(here, lang, rest),
        },
    )


def _side(here: Visit, version: Version, t: Words) -> dict[str, Any]:
    standing = here.schedule.standing(version, here.now)
    return {
        "number": version.number,
        "label": _label(standing, t),
        "effective_label": show_effective(standing, t),
        "effective_at": show_moment(here, version.effective_at, t),
        "effective_iso": iso(version.effective_at),
        "url": f"{notice_path(here, t.language)}versions/{version.number}",
    }
