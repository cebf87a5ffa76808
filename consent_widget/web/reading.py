"""What the public pages of versions share: which version, its frozen text, who may keep the answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Response, current_app, request
from werkzeug.exceptions import NotFound

from ..core.errors import StoreUnavailable
from ..core.language import LANGUAGES
from ..core.notice import NoticeText, Schedule, Version
from ..services.notice import notice_text
from .headers import Defaults, by_name
from .problems import Problem
from .visit import Visit
from .words import notice_path

#: How long a shared cache may keep the notice: so late may a new version be seen.
MAX_AGE = timedelta(seconds=60)

#: Each language in its own words, for the language switch.
NAMES = {"vi": "Tiếng Việt", "en": "English"}

_OWN_TEMPLATES = Path(__file__).parents[1] / "templates"


@dataclass(frozen=True, kw_only=True)
class Page:
    """A finished answer, the same for everybody: ``headers`` beside those of its kind and length."""

    body: bytes
    etag: str
    content_type: str
    headers: Defaults


def find_version(here: Visit, number: int) -> Version:
    """The version of that number; raises NotFound for a draft and for none."""
    found = known_schedule(here).find(number)
    if found is None:
        raise NotFound
    return found


def known_schedule(here: Visit) -> Schedule:
    """The schedule, for pages that would deny what is announced; raises Problem while it never could be read."""
    schedule = here.schedule
    if not here.host.deployment.schedule.is_known:
        raise Problem(503, "store_unavailable", "The notice cannot be read just now.", retry_after=60)
    return schedule


def frozen_text(here: Visit, version: Version, lang: str) -> NoticeText:
    """The text of ``version``; it never changes, so it is read once."""

    def read() -> NoticeText:
        try:
            found = notice_text(here.host.deployment.database, number=version.number, language=lang)
        except StoreUnavailable as error:
            raise Problem(503, "store_unavailable", "The notice cannot be read just now.") from error
        if found is None:
            raise NotFound
        return found

    return here.host.kept(("text", version.number, lang, version.content_hashes.get(lang)), read)


def answer_page(
    here: Visit, key: tuple[object, ...] | None, make: Callable[[], str], *, lang: str
) -> Response:
    """The page that ``make`` writes, once for everybody where no template of the host may have a say.

    ``key`` names the page among those of this stage of the schedule; None: it is not kept.
    """

    kept = ("page", lang, here.mount, here.secure, here.schedule.stage(here.now), key)
    page: Page | None = here.host.cache.get(kept) if key else None
    if page is None:
        page = _finish(here, make().encode(), "text/html; charset=utf-8", lang)
        if key and own_templates_only(here):
            here.host.kept(kept, lambda: page)
    return _answer(here, page)


def answer_file(here: Visit, body: str | bytes, content_type: str, *, lang: str | None = None) -> Response:
    """A machine form, for everybody."""
    written = body.encode() if isinstance(body, str) else body
    return _answer(here, _finish(here, written, content_type, lang))


def _finish(here: Visit, body: bytes, content_type: str, lang: str | None) -> Page:
    # Weak (RFC 9110 section 8.8.1): a host or a server on the way may still compress the body.
    etag = f'W/"{sha256(body).hexdigest()[:32]}"'
    own = [("ETag", etag), *([("Content-Language", lang)] if lang else [])]
    headers = {**here.host.default_headers, **by_name(*own)}
    return Page(body=body, etag=etag, content_type=content_type, headers=headers)


def _answer(here: Visit, page: Page) -> Response:
    """Cacheable by all until the next change; the gate takes that back if something personal was read."""
    coming = here.schedule.coming(here.now)
    left = coming.effective_at - here.now if coming else MAX_AGE
    here.public_seconds = max(0, int(min(left, MAX_AGE).total_seconds()))
    here.default_headers = page.headers
    sent = here.environ.get("HTTP_IF_NONE_MATCH")
    # Nearly always it is the one tag that we sent; to read a list of tags takes longer than all the rest.
    if sent and (sent == page.etag or request.if_none_match.contains_weak(page.etag[3:-1])):
        return Response(status="304 NOT MODIFIED", content_type=page.content_type)
    return Response(page.body, content_type=page.content_type)


def own_templates_only(here: Visit) -> bool:
    """Whether every template of the notice pages is ours: then nothing in them depends on the visitor."""
    if here.host.deployment.settings.base_template != "consent_widget/base.html":
        return False

    def look() -> bool:
        names = [
            "base.html",
            *(f"notice/{one.name}" for one in (_OWN_TEMPLATES / "consent_widget/notice").iterdir()),
        ]
        found = (current_app.jinja_env.get_template(f"consent_widget/{name}").filename for name in names)
        return all(one is not None and Path(one).is_relative_to(_OWN_TEMPLATES) for one in found)

    return here.host.kept(("own templates",), look)


def alternates(here: Visit, lang: str, rest: str) -> tuple[dict[str, object], ...]:
    """The same page in each language; ``rest`` is its path below the language."""
    return tuple(
        {"lang": one, "url": notice_path(here, one) + rest, "name": NAMES[one], "current": one == lang}
        for one in LANGUAGES
    )


def version_links(here: Visit, version: Version, lang: str) -> dict[str, Any]:
    """Where the other forms of a version are; ``changes_url`` None where there is nothing to compare with."""
    versions = f"{notice_path(here, lang)}versions"
    permalink = f"{versions}/{version.number}"
    before = here.schedule.before(version)
    # Without the question it is the number before, which may have been withdrawn.
    asked = f"?from={before.number}" if before and before.number != version.number - 1 else ""
    return {
        "permalink": permalink,
        "changes_url": f"{permalink}/changes{asked}" if before else None,
        "forms": {form: f"{permalink}.{form}" for form in ("md", "txt", "json", "ics")},
        "history_url": versions,
    }


def public_url(here: Visit, path: str) -> str:
    """``path`` below our prefix for programs outside: absolute where PUBLIC_URL says how.

    Never by the Host that was sent: the answer is kept for everybody.
    """
    settings = here.host.deployment.settings
    if settings.public_url is None:
        return f"{here.base}{path}"
    return f"{settings.public_url}{settings.url_prefix}{path}"


def iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds")
