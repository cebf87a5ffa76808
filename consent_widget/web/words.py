"""The register and the notice as templates print them: plain display strings in one language."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app

from ..core.category import Category, Cookie, Service
from ..core.consent import Consent
from ..core.notice import Standing, Version
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
    """``titles`` of the categories asked again, and the versions that ask, oldest first."""

    titles: str
    changes: tuple[ShownNotice, ...]


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
        name=_localized(service.name, t),
        provider=_localized(service.provider, t),
        country=_localized(service.country, t),
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
    key = ("notice", t.language, version.number, visit.mount)
    return visit.host.kept(key, lambda: _shown(visit, version, t, url=notice_path(visit, t.language)))


def _shown(visit: Visit, version: Version, t: Words, *, url: str) -> ShownNotice:
    return ShownNotice(
        number=version.number,
        effective_at=show_moment(visit, version.effective_at, t),
        summary=version.summaries.get(t.language, ""),
        url=url,
    )


def show_standing(visit: Visit, version: Version, standing: Standing, t: Words) -> str:
    """What a version is to its readers just now, as a sentence."""
    if standing is Standing.WITHDRAWN and version.withdrawn_at is not None:
        when = show_moment(visit, version.withdrawn_at, t)
        return t("Withdrawn on %(time)s, before its effective date: this version never applied.", time=when)
    if standing is Standing.ANNOUNCED:
        return t("Takes effect on %(time)s", time=show_moment(visit, version.effective_at, t))
    if standing is Standing.SUPERSEDED:
        return t("Superseded: a newer version is in force.")
    return t("In force")


def show_effective(standing: Standing, t: Words) -> str:
    """What stands before the effective date."""
    return t("Planned effective date") if standing is Standing.WITHDRAWN else t("Effective from")


def show_asked_again(visit: Visit, consent: Consent, t: Words) -> AskedAgain | None:
    """What a visitor who chose under an earlier version is asked again, and why; None if nothing.

    A version in between that asks about something else, or about nothing, is not the reason.
    """
    if consent.choice is None:
        return None
    undecided = frozenset(consent.undecided)
    asking = visit.schedule.asking(since=consent.choice.notice, now=visit.now)
    reasons = [one for one in reversed(asking) if one.ask_again & undecided]
    if not reasons:
        return None
    again = {name for one in reasons for name in one.ask_again & undecided}
    titles = [one.title[t.language] for one in visit.host.deployment.register if one.name in again]
    permalinks = f"{notice_path(visit, t.language)}versions/"
    return AskedAgain(
        titles=listed(titles, language=t.language),
        changes=tuple(_shown(visit, one, t, url=f"{permalinks}{one.number}") for one in reasons),
    )


def show_moment(visit: Visit, when: datetime, t: Words) -> str:
    """A time as a reader expects it, with the deployment's zone."""
    return moment(when, zone=visit.host.deployment.settings.timezone, language=t.language)


def notice_path(visit: Visit, language: str) -> str:
    return f"{visit.base}/{language}/"


def state_text(decided: Iterable[tuple[str, int]]) -> str:
    """What is decided, as scripts read it: ``analytics:1.marketing:0``; the undecided is absent."""
    return ".".join(f"{name}:{int(granted)}" for name, granted in sorted(decided))
