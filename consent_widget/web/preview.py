"""A draft as its readers will see it: in the real layout, with a stamp that says what it is."""

from collections.abc import Sequence

from flask import render_template
from markupsafe import Markup

from ..core.draft import Draft
from ..core.language import GOVERNING
from ..core.notice import Standing, Version
from ..render.catalogue import show_change_class
from ..render.markdown import render_notice
from .context import common_context
from .language import WORDS, answer_in
from .markup import consent_cookie_table, consent_settings_link
from .reading import alternates, iso, version_links
from .visit import visit
from .words import show_effective, show_moment


def preview_page(draft: Draft, lang: str, stamps: Sequence[str]) -> str:
    """The HTML of the page; ``stamps`` are plain sentences that stand above the text.

    The answer must be sandboxed: an author's words are shown to an approver.
    """
    here = visit()
    here.shared = here.quiet = here.bar_printed = True
    answer_in(lang)
    t = WORDS[lang]
    rendered = render_notice(draft.texts[lang])
    known = here.schedule.history
    version = Version(
        number=draft.number or (known[0].number if known else 0) + 1,
        change_class=draft.change_class,
        effective_at=draft.effective_at or here.now,
        announced_at=draft.announced_at or here.now,
        titles=draft.titles,
        summaries=draft.summaries,
        content_hashes=draft.content_hashes,
    )
    rest = f"admin/versions/{draft.id or 'new'}/preview/"
    return render_template(
        "consent_widget/notice/notice.html",
        **common_context(here, lang)
        | version_links(here, version, lang)
        | {
            "title": draft.titles[lang],
            "summary": draft.summaries[lang],
            "body": Markup(rendered.html),  # cleaned by render_notice
            "contents": rendered.clauses,
            "number": version.number,
            "effective_label": show_effective(Standing.ANNOUNCED, t),
            "effective_at": show_moment(here, version.effective_at, t) if draft.effective_at else "–",
            "effective_iso": iso(version.effective_at),
            "announced_at": None,
            "announced_iso": "",
            "change_class": show_change_class(version, t) if version.number > 1 else None,
            "content_hash": draft.content_hashes[lang],
            "is_translation": lang != GOVERNING,
            "governing_url": f"{here.base}/{rest}{GOVERNING}",
            "alternates": tuple(
                one | {"url": f"{here.base}/{rest}{one['lang']}"} for one in alternates(here, lang, "")
            ),
            "in_force": False,
            "stamps": list(stamps),
            "cookie_table": consent_cookie_table(),
            "settings_link": consent_settings_link(),
        },
    )
