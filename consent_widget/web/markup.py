"""The template functions: what a host writes into its pages.

All of them give HTML that may be printed as it is. What does not depend on
the visitor is made once per language and kept.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from ..core.consent import Consent, Decision, nothing_decided
from ..core.notice import Version
from .bar import consent_notice_bar
from .context import (
    banner_context,
    common_context,
    critical_css,
    hidden_banner,
    own_path,
    page_nonce,
    render,
    settings_path,
)
from .language import WORDS, current_language, language_of
from .sign_up import consent_subscribe_form
from .visit import Visit, visit
from .words import notice_path, show_categories, show_notice, state_text, unused_cookies

#: Attributes HTML spells with a word that Python keeps for itself end in an underscore: ``async_``.
Attributes = Mapping[str, str | bool | None]


def _asks(here: Visit) -> bool:
    return not here.quiet and (here.no_cookie or here.consent().asks)


def consent_head() -> Markup:
    """The script tag for the head: the whole script for the undecided, a small one for the others.

    Empty where the address holds a link of a mail: no script there is to learn what was agreed to.
    """
    here = visit()
    if here.has_secret_address:
        return Markup("")
    consent = None if here.shared else here.consent()
    whole = consent is not None and _asks(here)
    version = here.schedule.in_force(here.now)
    # Visitors are many, what they decided is one of few.
    key = (
        "script tag",
        whole,
        here.mount,
        here.secure,
        version and version.number,
        consent and tuple(consent.decisions.items()),
        consent and consent.signal,
    )
    rest = here.host.kept(key, lambda: _script_tag(here, consent, version, whole=whole))
    nonce = page_nonce(here)
    return Markup(f'<script nonce="{escape(nonce)}"{rest}' if nonce else f"<script{rest}")


def _script_tag(here: Visit, consent: Consent | None, version: Version | None, *, whole: bool) -> str:
    """The tag from where a nonce may stand on; ``consent`` None is a page for everybody."""
    known = consent or nothing_decided(here.host.deployment.register)
    # In the order in which the tag packs best: it is in every page.
    attributes: dict[str, str | bool] = {
        "async": True,
        "data-cookie": here.mirror_name,
        "data-notice": str(version.number if version else 0),
        "data-state": state_text((name, _AS_TOLD[one]) for name, one in known.decisions.items()),
        "data-consent-widget": "script",
        "src": here.mount + here.host.asset_urls["consent.js" if whole else "loader.js"],
    }
    if consent is None:
        attributes["data-shared"] = True
    elif consent.signal:
        attributes["data-signal"] = consent.signal
    return f"{_printed(attributes)}></script>"


#: How the script is told of a decision.
_AS_TOLD = {Decision.GRANTED: 1, Decision.DENIED: 0, Decision.UNDECIDED: -1}


def consent_skip_link() -> Markup:
    """First in the body: leads keyboards to the banner. Empty where nothing is asked."""
    here = visit()
    if here.shared or not _asks(here):
        return Markup("")
    return render("consent/skip_link.html", common_context(here, current_language()))


def consent_banner() -> Markup:
    """Last in the body: asks for what is undecided. Empty where nothing is."""
    here = visit()
    if here.quiet or not (here.shared or _asks(here)):
        return Markup("")
    language = current_language()
    if here.shared and not here.no_cookie:
        return hidden_banner(here, language)
    return render("consent/banner.html", banner_context(here, language, here.consent()))


def consent_granted(category: str) -> bool:
    """Whether the visitor agreed to ``category``; raises UnknownCategory.

    Nothing optional is where the address holds a link of a mail.
    """
    here = visit()
    if here.has_secret_address:
        return here.host.deployment.register[category].necessary
    return here.consent().granted(category)


def consent_script(
    category: str,
    src: str | None = None,
    *,
    caller: Callable[[], str] | None = None,
    **attributes: str | bool | None,
) -> Markup:
    """A script that runs once ``category`` is granted: live for who agreed, blocked for all others.

    With ``{% call consent_script("analytics") %}...{% endcall %}`` the body is
    inline and carries the host's nonce. Empty where the address holds a link of a mail, which
    a script could read. Raises UnknownCategory.
    """
    here = visit()
    if _is_left_out(here, category):
        return Markup("")
    named = _attributes(attributes)
    body = Markup(caller()) if caller is not None else Markup("")
    nonce = page_nonce(here)
    if nonce:
        named.setdefault("nonce", nonce)
    if _live(here, category):
        if src is not None:
            named["src"] = src
        return Markup(f"<script{_printed(named)}>{body}</script>")
    kind = named.pop("type", None)
    if kind:
        named["data-type"] = kind
    head: dict[str, str | bool] = {"type": "text/plain", "data-category": category}
    if src is not None:
        head["data-src"] = src
    return Markup(f"<script{_printed(head | named)}>{body}</script>")


def consent_iframe(category: str, src: str, title: str, **attributes: str | bool | None) -> Markup:
    """A frame that loads once ``category`` is granted; others meet a placeholder that asks.

    Empty where the address holds a link of a mail. Raises UnknownCategory.
    """
    here = visit()
    if _is_left_out(here, category):
        return Markup("")
    live = _live(here, category)
    language = current_language()
    context = common_context(here, language)
    known = here.host.deployment.register[category]
    shown = here.host.kept(
        ("category", category, language), lambda: show_categories((known,), WORDS[language])[0]
    )
    first, here.frame_printed = not here.frame_printed, True
    return render(
        "consent/frame.html",
        context
        | {
            "category": category,
            "title": shown.title,
            "purpose": shown.purpose,
            "sensitive": shown.sensitive,
            "frame_title": title,
            "host": _host_of(src),
            "attributes": {"src" if live else "data-src": src} | _attributes(attributes),
            "granted": live,
            "first": first,
            "critical_css": critical_css(here, context["nonce"]),
            "notice": show_notice(here, WORDS[language]),
            "next": "" if here.shared else own_path(here),
        },
    )


def _host_of(src: str) -> str:
    try:
        return urlsplit(src).hostname or ""
    except ValueError:
        return ""


def _is_left_out(here: Visit, category: str) -> bool:
    return here.has_secret_address and not here.host.deployment.register[category].necessary


def _live(here: Visit, category: str) -> bool:
    if here.host.deployment.register[category].necessary:
        return True
    return not here.shared and here.consent().granted(category)


def _attributes(given: Attributes) -> dict[str, str | bool]:
    return {
        name.rstrip("_").replace("_", "-"): value
        for name, value in given.items()
        if value is not None and value is not False
    }


def _printed(attributes: Mapping[str, str | bool]) -> Markup:
    # Not by Markup.format, in which a page view would spend more time than on the signature.
    return Markup(
        "".join(
            f" {escape(name)}" if value is True else f' {escape(name)}="{escape(value)}"'
            for name, value in attributes.items()
        )
    )


def consent_settings_link() -> Markup:
    """The permanent link with which a choice is changed or withdrawn."""
    here = visit()
    language = language_of(here)

    def link() -> Markup:
        words = WORDS[language]("Cookie settings")  # Babel does not look into f-strings
        return Markup(
            f'<a class="consent-widget-settings" href="{escape(settings_path(here, language))}"'
            f' data-consent="open-preferences" lang="{language}">{escape(words)}</a>'
        )

    return here.host.kept(("settings link", language, here.language_from_header, here.mount), link)


def consent_notice_link() -> Markup:
    """The link to the notice in force."""
    here = visit()
    t = WORDS[current_language()]
    words = t("Privacy policy")  # Babel does not look into f-strings
    return Markup(
        f'<a class="consent-widget-notice-link" href="{escape(notice_path(here, t.language))}"'
        f' hreflang="{t.language}" lang="{t.language}">{escape(words)}</a>'
    )


def consent_cookie_table() -> Markup:
    """Every service and cookie of the register, for the page below the notice."""
    here = visit()
    language = current_language()

    def table() -> Markup:
        categories = show_categories(
            here.host.deployment.register, WORDS[language], unused=unused_cookies(here)
        )
        words = json.dumps([asdict(one) for one in categories], ensure_ascii=False, sort_keys=True)
        context = common_context(here, language) | {
            "categories": categories,
            "table_hash": sha256(words.encode()).hexdigest(),
        }
        return render("consent/cookie_table.html", context)

    return here.host.kept(("cookie table", language, here.secure), table)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        consent_head,
        consent_skip_link,
        consent_banner,
        consent_notice_bar,
        consent_granted,
        consent_script,
        consent_iframe,
        consent_settings_link,
        consent_notice_link,
        consent_cookie_table,
        consent_subscribe_form,
    )
}
