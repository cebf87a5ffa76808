"""CA: a cache between the visitors mixes nobody's choice with another's, and brings the new notice in time."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from jinja2 import DictLoader
from werkzeug.middleware.proxy_fix import ProxyFix

from consent_widget.core.notice import ChangeClass
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.proxy import Reply, SharedCache
from tests.attacks.subscribers import READER, make_readers
from tests.attacks.target import ALL, NOTHING, SECURE_NAME, Target, ask

SAVE = "/privacy/preferences"

#: What depends on the visitor, and what is the same for everybody.
PERSONAL = ("/", "/redirected", "/consent", "/privacy/state", SAVE)
COMMON = (
    "/untouched",
    "/privacy/",
    "/privacy/vi",
    "/privacy/vi/",
    "/privacy/en/",
    "/privacy/en/versions/1",
    "/privacy/vi/versions/1.md",
    "/privacy/health",
    "/privacy/no-such-page",
)

#: A sample of the thousand interleavings, in single requests.
STEPS = 400


class Clock:
    """The time of the site and of the cache before it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 12, 1, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Visitor:
    """A browser behind the cache: what it keeps, what it sends, what it agreed to."""

    def __init__(self, cache: SharedCache, *, action: str | None = None, **headers: str) -> None:
        self._cache = cache
        self._headers = headers
        self.cookies: dict[str, str] = {}
        self.granted = NOTHING
        if action is not None:
            body = {"action": action, "category": "analytics"}
            self._receive(cache.open(SAVE, method="POST", data=body, headers=headers))
            self.granted = {"accept_all": ALL, "save": frozenset({"analytics"})}.get(action, NOTHING)

    def open(self, path: str) -> Reply:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        reply = self._cache.open(path, headers=self._headers | ({"Cookie": cookies} if cookies else {}))
        self._receive(reply)
        return reply

    def _receive(self, reply: Reply) -> None:
        for one in reply.headers.getlist("Set-Cookie"):
            name, _, value = one.partition(";")[0].partition("=")
            self.cookies.pop(name, None)
            if "Max-Age=0" not in one:
                self.cookies[name] = value

    @property
    def choice(self) -> str | None:
        return self.cookies.get(SECURE_NAME)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=[False, True], ids=["page-per-visitor", "SHARED_CACHE"])
def cached_site(
    request: pytest.FixtureRequest, make_target: MakeTarget, sqlite_url: str, clock: Clock
) -> Target:
    """The site in both modes."""
    return make_target(sqlite_url, clock=clock, shared_cache=request.param)


@attack("CA-001", "CA-002")
def test_visitors_behind_one_cache(case: Case, cached_site: Target, clock: Clock) -> None:
    """In any order: nobody gets another's cookie, choice or tags; everybody keeps the own ones."""
    cache = SharedCache(cached_site.app, clock, honours_vary=case.id == "CA-001")
    shared = cached_site.deployment.settings.shared_cache
    chance = random.Random(1)
    visitors = [
        Visitor(cache, action="accept_all"),
        Visitor(cache),
        Visitor(cache, action="reject_all"),
        Visitor(cache, action="save"),
        Visitor(cache, **{"Sec-GPC": "1"}),
        Visitor(cache, **{"Accept-Language": "en"}),
    ]
    articles: set[str] = set()

    for _ in range(STEPS):
        visitor, path = chance.choice(visitors), chance.choice((*PERSONAL, *COMMON, "/article"))
        choice = visitor.choice
        reply = visitor.open(path)
        clock.now += timedelta(seconds=chance.choice((0, 1, 20)))

        assert reply.status < 500
        assert visitor.choice == choice
        if path in PERSONAL:
            assert not reply.was_stored
            assert reply.granted <= visitor.granted
            if path in ("/redirected", "/consent", "/privacy/state", SAVE):
                assert reply.granted == visitor.granted
        elif path == "/article" and not shared:
            assert not reply.was_stored
            assert reply.granted == visitor.granted
        else:
            assert reply.granted == NOTHING
            assert not reply.headers.getlist("Set-Cookie")
            articles |= {reply.text} if path == "/article" else set()

    assert len(articles) <= 2  # one in each language
    assert cache.hits > STEPS // 20  # it did cache


@attack("CA-003")
@pytest.mark.parametrize(
    "layout", [None, "<title>{% block title %}{% endblock %}</title>{{ session.update(a=1) or '' }}"]
)
def test_no_cookie_on_what_a_cache_may_keep(
    case: Case, layout: str | None, make_target: MakeTarget, sqlite_url: str
) -> None:
    """Nor where the host's own layout starts a session on our public pages (CVE-2023-30861)."""
    if layout is None:
        target = make_target(sqlite_url)
    else:
        target = make_target(sqlite_url, base_template="host.html")
        target.app.jinja_loader = DictLoader({"host.html": layout})
    accepted, refused = target.genuine("accept_all"), target.genuine("reject_all")
    cookies = 0

    for choice in ("", accepted, refused, "broken", accepted[:40]):
        for path in (
            *PERSONAL,
            *COMMON,
            "/article",
            *target.app.extensions["consent_widget"].host.asset_urls.values(),
        ):
            answer = ask(target, f"{SECURE_NAME}={choice}; demo_analytics=1", path)
            control = answer.headers.get("Cache-Control", "")
            if answer.headers.getlist("Set-Cookie"):
                cookies += 1
                assert "private" in control or "no-store" in control, path
                assert "public" not in control, path
                assert "s-maxage" not in control, path

    assert cookies


@attack("CA-005")
@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Scheme: nothttps",
        "X-Forwarded-Prefix: //evil.example",
        "X-Original-URL: /consent",
        "X-Rewrite-URL: /consent",
        "Forwarded: host=evil.example;proto=http",
        "X-Host: evil.example",
        "X-HTTP-Method-Override: POST",
        "Referer: https://localhost/<evil.example>",
        "Origin: https://evil.example",
        "Accept-Language: evil.example",
        "User-Agent: evil.example",
    ],
)
def test_header_that_is_not_in_the_key(case: Case, header: str, cached_site: Target, clock: Clock) -> None:
    """What is asked for with it and cached is, for the next one, the answer without it."""
    name, _, value = header.partition(": ")

    for path in (*COMMON, *PERSONAL, "/article"):
        for honours_vary in (True, False):
            clean = SharedCache(cached_site.app, clock).open(path)
            cache = SharedCache(cached_site.app, clock, honours_vary=honours_vary)
            cache.open(path, headers={name: value})
            after = cache.open(path)
            assert (after.status, after.text) == (clean.status, clean.text), path
            assert _undated(after) == _undated(clean), path
            assert "evil" not in f"{after.headers}{after.text}"


@attack("CA-005")
@pytest.mark.parametrize("prefix", ["//evil.example", "https://evil.example", "javascript:alert(1)//evil"])
def test_prefix_that_a_believed_proxy_passes_on(
    case: Case, prefix: str, cached_site: Target, clock: Clock
) -> None:
    """Behind ProxyFix(x_prefix=1): a page that a stranger has cached carries no address of theirs."""
    app = cached_site.app
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]

    for path in (*COMMON, *PERSONAL, "/article"):
        cache = SharedCache(app, clock)
        cache.open(path, headers={"X-Forwarded-Prefix": prefix})
        after = cache.open(path)
        assert "evil" not in f"{after.headers}{after.text}", path


def _undated(reply: Reply) -> list[tuple[str, str]]:
    return [(name, value) for name, value in reply.headers if name != "Date"]


@attack("CA-007")
@pytest.mark.parametrize(
    "path",
    [
        "/privacy/preferences;x.js",
        "/privacy/preferences/x.css",
        "/privacy/preferences/",
        "/privacy/preferences%2Fx.css",
        "/privacy/preferences%00.css",
        "/privacy/preferences.css",
        "/privacy/state.js",
        "/privacy/state/x.png",
        "/privacy/state;x.css",
        "/privacy/assets/..%2Fstate",
        "/privacy/assets/../state",
        "/staff/list.css",
        "/privacy/admin/list.css",
        "/privacy/confirm/token/a.png",
    ],
)
def test_personal_page_under_the_name_of_a_file(case: Case, path: str, site: Target) -> None:
    """It does not exist, and what says so is the same for everybody."""
    accepted = site.genuine("accept_all")

    answer = ask(site, f"{SECURE_NAME}={accepted}", path)

    assert answer.status_code == 404
    assert "public" not in answer.headers.get("Cache-Control", "")
    assert not answer.headers.getlist("Set-Cookie")
    assert answer.data == ask(site, "", path).data


@attack("CA-007")
def test_token_page_under_the_name_of_a_file(case: Case, make_target: MakeTarget, sqlite_url: str) -> None:
    readers = make_readers(make_target, sqlite_url)
    one = readers.confirmed()
    links = (readers.box.link(READER, "confirm"), readers.manage_link(one), readers.unsubscribe_link(one))

    for path in (*links, "/privacy/subscribe"):
        assert readers.send(path, method="GET").status_code == 200
        for name in ("/a.png", "/x.css", ".css", ";x.js", "%2Fa.png", "%00.png"):
            answer = readers.send(path + name, method="GET")
            assert answer.status_code == 404, path + name
            assert "no-store" in answer.headers["Cache-Control"]
            assert READER not in answer.text


@pytest.fixture
def seen(clock: Clock) -> Callable[[SharedCache], dict[str, int]]:
    """Looks at the notice through a cache: which version is served in each language.

    Each client asks with the ETag that it got last; a 304 counts as the version which that ETag meant.
    """
    meaning: dict[str, tuple[int, str]] = {}
    held: dict[str, str] = {}

    def look(cache: SharedCache) -> dict[str, int]:
        found = {}
        for language in ("vi", "en"):
            path = f"/privacy/{language}/"
            fresh = cache.open(path)
            assert fresh.status == 200
            number = next(one for one in (1, 2) if f"This is version {one} in {language}." in fresh.text)
            etag = fresh.headers["ETag"]
            assert meaning.setdefault(etag, (number, language)) == (number, language)

            again = cache.open(path, headers={"If-None-Match": held.get(language, '"none"')})
            assert again.status == (304 if held.get(language) == etag else 200)
            held[language] = etag
            found[language] = number
        return found

    return look


@attack("CA-008")
@pytest.mark.parametrize("honours_vary", [True, False])
def test_announced_version_reaches_the_cache_at_its_instant(
    case: Case,
    honours_vary: bool,
    make_target: MakeTarget,
    sqlite_url: str,
    clock: Clock,
    seen: Callable[[SharedCache], dict[str, int]],
) -> None:
    """The lifetime ends with the version: not one second late, and never early."""
    target = make_target(sqlite_url, clock=clock)
    cache = SharedCache(target.app, clock, honours_vary=honours_vary)
    seen(cache)
    effective_at = clock.now + timedelta(seconds=150)
    target.announce(2, effective_at=effective_at)

    for _ in range(50):
        clock.now += timedelta(seconds=6)
        expected = 2 if clock.now >= effective_at else 1
        assert seen(cache) == {"vi": expected, "en": expected}

    assert cache.hits > 20


@attack("CA-008")
def test_version_announced_without_lead_time_reaches_the_cache(
    case: Case,
    make_target: MakeTarget,
    sqlite_url: str,
    clock: Clock,
    seen: Callable[[SharedCache], dict[str, int]],
) -> None:
    """An editorial one, put in force by another process: its schedule (30 s) and the cache (60 s) later."""
    target = make_target(sqlite_url, clock=clock)
    cache = SharedCache(target.app, clock)
    seen(cache)
    clock.now += timedelta(seconds=1)
    announced_at = clock.now
    target.announce(2, change=ChangeClass.EDITORIAL)

    for _ in range(50):
        clock.now += timedelta(seconds=6)
        numbers = seen(cache)
        if clock.now - announced_at > timedelta(seconds=90):
            assert numbers == {"vi": 2, "en": 2}
