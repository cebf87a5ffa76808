"""What the templates are given: every value decided, every word in the reader's language."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flask import current_app, request
from markupsafe import Markup

from ..core.category import Category
from ..core.consent import Consent
from .language import WORDS
from .visit import Visit
from .words import (
    notice_path,
    sensitive_titles,
    show_asked_again,
    show_categories,
    show_notice,
    unused_cookies,
)


def common_context(here: Visit, language: str) -> dict[str, Any]:
    """What every template gets."""
    settings = here.host.deployment.settings
    mount = here.mount
    return {
        "t": WORDS[language],
        "lang": language,
        "base_template": settings.base_template,
        "controller": settings.controller,
        "nonce": page_nonce(here),
        "assets": {name: mount + url for name, url in here.host.asset_urls.items()},
        "urls": {
            "preferences": f"{here.base}/preferences",
            "settings": settings_path(here, language),
            "notice": notice_path(here, language),
            "subscribe": f"{here.base}/subscribe",
            "home": f"{mount}/",
        },
    }


def page_nonce(here: Visit) -> str | None:
    """The host's nonce; a page for everybody has none, as it would be the same for all."""
    if here.shared or here.host.csp_nonce is None:
        return None
    return here.host.csp_nonce() or None


def settings_path(here: Visit, language: str) -> str:
    """The preferences in ``language``, which the address must say where the browser's header would not."""
    path = f"{here.base}/preferences"
    return path if here.language_from_header else f"{path}?lang={language}"


def critical_css(here: Visit, nonce: str | None) -> Markup | None:
    """The style to print inline; None where only a link is allowed."""
    return here.host.critical_css if nonce else None


def render(template: str, context: Mapping[str, Any]) -> Markup:
    """One of our templates, or the host's of the same path, without the host's context processors."""
    return Markup(current_app.jinja_env.get_template(f"consent_widget/{template}").render(context))


def banner_context(here: Visit, language: str, consent: Consent | None) -> dict[str, Any]:
    """What the banner says; ``consent`` None: the one for everybody, hidden until a script shows it."""
    context = common_context(here, language)
    t = WORDS[language]
    categories = show_categories(optional_categories(here), t, consent)
    return context | {
        "hidden": consent is None,
        "categories": categories,
        "sensitive": sensitive_titles(categories, t),
        "notice": show_notice(here, t),
        "asked_again": show_asked_again(here, consent, t) if consent else None,
        "next": own_path(here) if consent else "",
        "no_cookie": here.no_cookie and consent is not None,
        "critical_css": critical_css(here, context["nonce"]) if consent else None,
    }


def hidden_banner(here: Visit, language: str) -> Markup:
    """The banner in everybody's HTML."""
    version = here.schedule.in_force(here.now)
    key = ("hidden banner", language, here.language_from_header, version and version.number, here.mount)
    return here.host.kept(key, lambda: render("consent/banner.html", banner_context(here, language, None)))


def optional_categories(here: Visit) -> tuple[Category, ...]:
    """What there is to decide about."""
    return tuple(one for one in here.host.deployment.register if not one.necessary)


def _lookalikes(here: Visit) -> dict[str, str]:
    """By category: what the script must not remove though a pattern of the category names it."""
    register = here.host.deployment.register
    return {one.name: " ".join(register.lookalikes(one)) for one in optional_categories(here)}


def own_path(here: Visit) -> str:
    """The page the visitor is on, to come back to."""
    path = here.mount + quote(request.path, safe="/:@!$&'()*+,;=~")
    query = request.query_string.decode("latin-1")
    return f"{path}?{query}" if query else path


def neutral_wording(here: Visit, language: str) -> str:
    """The banner and the preferences as an undecided visitor reads them: what a record points to.

    Without the notice version, which the record names by itself.
    """

    def written() -> str:
        context = banner_context(here, language, None) | preferences_context(here, language, None)
        context |= {"hidden": False, "nonce": None, "notice": None}
        context["urls"] |= {"settings": context["urls"]["preferences"]}
        return render("consent/banner.html", context) + render("consent/_preferences.html", context)

    return here.host.kept(("wording", language, here.mount, here.secure), written)


def preferences_context(here: Visit, language: str, consent: Consent | None) -> dict[str, Any]:
    """What the preferences say beside :func:`common_context`; ``consent`` None is an undecided visitor."""
    t = WORDS[language]
    return {
        "necessary": show_categories(
            (one for one in here.host.deployment.register if one.necessary), t, unused=unused_cookies(here)
        ),
        "categories": show_categories(optional_categories(here), t, consent),
        "keep": _lookalikes(here),
        "checked": frozenset(),
        "decided_at": None,
        "decided_notice": None,
        "asked_again": None,
        "signal": None,
        "notice": show_notice(here, t),
        "next": "",
        "error": None,
        "no_cookie": False,
        "critical_css": None,
    }
