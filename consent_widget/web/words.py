"""The register and the notice as templates print them: plain display strings in one language."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app

from ..core.category import Category, Cookie, Service
from ..core.consent import Consent
from ..core.notice import Version
from ..render.catalogue import listed, moment, span
from .language import Words
from .visit import Visit


@dataclass(frozen=True, kw_only=True)
class ShownCookie:
    name: str
    lifetime: str
    justification: str


@dataclass(frozen=True, kw_only=True)
class ShownService:
    name: str
    provider: str
    country: str
    purpose: str
    cookies: tuple[ShownCookie, ...]


@dataclass(frozen=True, kw_only=True)
class ShownCategory:
    """``decision`` is granted, denied or undecided; ``cookie_patterns`` separated by spaces."""

    name: str
    title: str
    purpose: str
    sensitive: bool
    decision: str
    services: tuple[ShownService, ...]
    cookie_patterns: str


@dataclass(frozen=True, kw_only=True)
class ShownNotice:
    number: int
    effective_at: str
    summary: str
    url: str


@dataclass(frozen=True, kw_only=True)
class AskedAgain:
    """What changed since the visitor's choice; ``titles`` of the categories asked again."""

    titles: str
    summary: str
    number: int
    url: str


def show_categories(
    categories: Iterable[Category],
    t: Words,
    consent: Consent | None = None,
    *,
    unused: frozenset[str] = frozenset(),
) -> tuple[ShownCategory, ...]:
    return tuple(
        ShownCategory(
            name=one.name,
            title=one.title[t.language],
            purpose=one.purpose[t.language],
            sensitive=one.sensitive,
            decision=consent.decision(one.name).value if consent else "undecided",
            services=tuple(
                shown for shown in (_service(service, t, unused) for service in one.services) if shown
            ),
            cookie_patterns=" ".join(cookie.label for cookie in one.cookies),
        )
        for one in categories
    )


def _service(service: Service, t: Words, unused: frozenset[str]) -> ShownService | None:
    cookies = tuple(_cookie(cookie, t) for cookie in service.cookies if cookie.label not in unused)
    if service.cookies and not cookies:
        return None
    return ShownService(
        name=service.name,
        provider=service.provider,
        country=service.country,
        purpose=service.purpose[t.language],
        cookies=cookies,
    )


def unused_cookies(here: Visit) -> frozenset[str]:
    """Cookies declared for every host that this one does not set: Flask-Login's, the other scheme's."""
    settings = here.host.deployment.settings
    prefix = "" if here.secure else settings.secure_prefix()
    unused = {f"{prefix}{settings.cookie_name}{suffix}" for suffix in ("", "_view")}
    if not hasattr(current_app, "login_manager"):
        unused.add(current_app.config.get("REMEMBER_COOKIE_NAME", "remember_token"))
    return frozenset(unused)


def _cookie(cookie: Cookie, t: Words) -> ShownCookie:
    if isinstance(cookie.lifetime, timedelta):
        lifetime = span(cookie.lifetime, language=t.language)
    elif cookie.lifetime is None:
        lifetime = t("until the browser is closed")
    else:
        lifetime = _localized(cookie.lifetime, t)
    justification = _localized(cookie.justification, t) if cookie.justification else ""
    return ShownCookie(name=cookie.label, lifetime=lifetime, justification=justification)


def _localized(words: object, t: Words) -> str:
    return str(words[t.language]) if isinstance(words, Mapping) else str(words)


def sensitive_titles(categories: Iterable[ShownCategory], t: Words) -> str:
    return listed((one.title for one in categories if one.sensitive), language=t.language)


def show_notice(visit: Visit, t: Words) -> ShownNotice | None:
    version = visit.schedule.in_force(visit.now)
    if version is None:
        return None
    return ShownNotice(
        number=version.number,
        effective_at=show_moment(visit, version.effective_at, t),
        summary=version.summaries.get(t.language, ""),
        url=notice_path(visit, t.language),
    )


def show_asked_again(visit: Visit, consent: Consent, t: Words) -> AskedAgain | None:
    """What a visitor who chose under an earlier version is asked again, and why; None if nothing."""
    presented = visit.presented
    newest: Version | None = visit.schedule.in_force(visit.now)
    if presented is None or newest is None or presented.notice >= newest.number:
        return None
    again = visit.schedule.asked_again(since=presented.notice, now=visit.now) & frozenset(consent.undecided)
    if not again:
        return None
    titles = [one.title[t.language] for one in visit.host.deployment.register if one.name in again]
    return AskedAgain(
        titles=listed(titles, language=t.language),
        summary=newest.summaries.get(t.language, ""),
        number=newest.number,
        url=f"{notice_path(visit, t.language)}versions/{newest.number}",
    )


def show_moment(visit: Visit, when: datetime, t: Words) -> str:
    """A time as a reader expects it, with the deployment's zone."""
    return moment(when, zone=visit.host.deployment.settings.timezone, language=t.language)


def notice_path(visit: Visit, language: str) -> str:
    return f"{visit.base}/{language}/"


def state_text(decided: Iterable[tuple[str, bool]]) -> str:
    """What is decided, as scripts read it: ``analytics:1.marketing:0``; the undecided is absent."""
    return ".".join(f"{name}:{int(granted)}" for name, granted in sorted(decided))
