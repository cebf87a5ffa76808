"""The bar about the coming version: shown to everybody during the lead time, hidden by who has seen it."""

from textwrap import shorten

from flask import Response, redirect, request
from markupsafe import Markup
from werkzeug.http import dump_cookie

from ..core.notice import Version
from .context import common_context, own_path, render
from .language import WORDS, current_language
from .origin import own_referrer, safe_path
from .reading import version_links
from .visit import Visit, visit
from .wish import read_seen
from .words import show_moment

#: A summary may be as long as it wants; the bar stands above somebody's page, in characters.
_MOST_SUMMARY = 240


def consent_notice_bar() -> Markup:
    """The coming version, high up in the body. Empty outside the lead time, and where it was hidden.

    In pages for everybody it stands in everybody's HTML and cannot be hidden.
    """
    here = visit()
    coming = here.schedule.coming(here.now)
    if coming is None or here.bar_printed:
        return Markup("")
    # After the headers went out it is too late to say that the page depends on a cookie.
    for_all = here.shared or (here.headers_sent and not (here.consent_read or here.declared_private))
    if not for_all:
        here.consent_read = True
        if (here.seen_name, str(coming.number)) in here.cookies:
            return Markup("")
    here.bar_printed = True
    language = current_language()
    if for_all:
        key = ("bar", language, here.language_from_header, here.mount, coming.number)
        return here.host.kept(key, lambda: _bar(here, coming, language, may_hide=False))
    return _bar(here, coming, language, may_hide=True)


def _bar(here: Visit, coming: Version, language: str, *, may_hide: bool) -> Markup:
    t = WORDS[language]
    context = common_context(here, language)
    return render(
        "notice/bar.html",
        context
        | version_links(here, coming, language)
        | {
            "number": coming.number,
            "effective_at": show_moment(here, coming.effective_at, t),
            "summary": shorten(coming.summaries.get(language, ""), _MOST_SUMMARY, placeholder=" …"),
            "next": own_path(here) if may_hide else None,
            "style": Markup(here.host.assets["bar.css"].bodies["identity"].decode())
            if context["nonce"]
            else None,
        },
    )


def hide_bar() -> Response | None:
    """The answer to the bar's own button, ``action=seen``; None where something else was posted."""
    here = visit()
    number = read_seen()
    if number is None:
        return None
    target = safe_path(request.form.get("next", "")) or own_referrer() or f"{here.mount}/"
    response = redirect(target, 303)
    response.headers["Cache-Control"] = "no-store"
    coming = here.schedule.coming(here.now)
    # A number from elsewhere must not hide a version that nobody has announced yet.
    if coming is not None and coming.number == number:
        response.headers.add(
            "Set-Cookie",
            dump_cookie(
                here.seen_name,
                str(number),
                path="/",
                domain=here.host.deployment.settings.cookie_domain,
                secure=here.secure,
                httponly=True,
                samesite="Lax",
            ),
        )
    return response  # type: ignore[return-value]
