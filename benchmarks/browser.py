"""What a visitor sees and waits for, in a real Chromium with an empty cache.

A phone (412 by 823) on slow 4G: 1.6 Mbit/s down, 750 kbit/s up, 150 ms round
trip, and a CPU four times slower, all by the DevTools protocol. The hosts send
their HTML unpacked. Rounds of the three hosts in changing order; each figure is
the median of the ratios within a round. Times count from the navigation's start.

- first and largest paint: Paint Timing and Largest Contentful Paint;
- banner visible: the frame in which the last of the banner's words that can be
  seen came to the screen, by Element Timing (observe.js);
- requests, layout shift, long tasks: what the browser counts, until everything
  is loaded and 300 ms longer;
- a click to the banner gone: a real click on the unthrottled page.

Limits hold for the page. The blank one, which nothing of the host's hides the
widget on, only informs: where no nonce is given, the banner's style is a file,
and the round trip for it alone is half of that page's first paint.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.chromium import launched

from .figures import Figure, ratio, spread
from .site import CATEGORIES, PREFIX, Kind

_PHONE = {"width": 412, "height": 823}
_DESKTOP = {"width": 1280, "height": 800}
_SLOW_4G = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1.6e6 / 8,
    "uploadThroughput": 750e3 / 8,
}
_SLOWER_CPU = 4
_ROUNDS = 9
#: A busy machine gets fewer rounds, at least three: the whole run stays under five minutes.
_SECONDS = {"page": 120, "blank": 80}
_CLICKS = 5
_SETTLED_MS = 300
_PATIENCE_MS = 20_000
_POLL_MS = 50

_OBSERVE = (Path(__file__).parent / "observe.js").read_text(encoding="utf-8")
_COLLECT = """() => {
  const [navigation] = performance.getEntriesByType("navigation");
  return {
    ...window.benchmark,
    paint: performance.getEntriesByName("first-paint")[0].startTime,
    download: navigation.responseEnd - navigation.requestStart,
  };
}"""

#: The limits of "banner visible" against the first paint of the bare page.
_BANNER_LIMITS = {Kind.NONCE: 1.15, Kind.NO_NONCE: 1.45}


@dataclass(frozen=True, kw_only=True)
class Load:
    """One load of a page; times in milliseconds since the navigation started.

    ``banner`` is 0 where none was asked for, ``script`` the longest run of ours.
    """

    first_paint: float
    largest_paint: float
    largest_is_ours: bool
    banner: float
    shift: float
    moved: frozenset[str]
    long_tasks: int
    script: float
    requests: int
    own_requests: int


def measure_browser(addresses: Mapping[Kind, str]) -> list[Figure]:
    """Every figure for which a browser is needed; about two minutes."""
    with launched(is_whole=True) as browser:
        rounds = {path: _rounds(browser, addresses, path) for path in _SECONDS}
        on_desktop = [
            _load(browser, f"{addresses[kind]}/page", asks=True, slow=False) for kind in _BANNER_LIMITS
        ]
        return [
            *_paints(rounds),
            *_disturbances(rounds["page"], on_desktop),
            _decided(browser, addresses[Kind.NO_NONCE]),
            _click(browser, addresses[Kind.NONCE]),
        ]


Rounds = list[dict[Kind, Load]]


def _rounds(browser: Browser, addresses: Mapping[Kind, str], path: str) -> Rounds:
    found: Rounds = []
    order = list(Kind)
    deadline = monotonic() + _SECONDS[path]
    # The first round warms up the hosts and the browser; it does not count.
    while len(found) < 1 + _ROUNDS and (monotonic() < deadline or len(found) < 4):
        loads = {
            kind: _load(browser, f"{addresses[kind]}/{path}", asks=kind is not Kind.BARE) for kind in order
        }
        found.append(loads)
        order = [*order[1:], order[0]]
    return found[1:]


def _paints(rounds: Mapping[str, Rounds]) -> Iterator[Figure]:
    for path, found in rounds.items():
        for kind, most in _BANNER_LIMITS.items():
            where = f"{path}, {kind}"
            limits = (most, 1.05) if path == "page" else (None, None)
            pairs = [(one[kind].banner, one[Kind.BARE].first_paint) for one in found]
            yield ratio(f"banner visible / bare first paint ({where})", pairs, limit=limits[0], unit="ms")
            pairs = [(one[kind].first_paint, one[Kind.BARE].first_paint) for one in found]
            yield ratio(f"first paint ({where})", pairs, limit=limits[1], unit="ms")
            # On a blank page everything is small, so that its largest paint says nothing.
            if path == "page":
                pairs = [(one[kind].largest_paint, one[Kind.BARE].largest_paint) for one in found]
                yield ratio(f"largest paint ({where})", pairs, limit=1.05, unit="ms")


def _disturbances(found: Rounds, on_desktop: list[Load]) -> Iterator[Figure]:
    ours = [one[kind] for one in found for kind in _BANNER_LIMITS]
    everywhere = ours + on_desktop
    worst = max(everywhere, key=lambda one: one.shift)
    yield Figure(
        name="layout shift",
        value=worst.shift,
        unit="",
        limit=0,
        detail=f"the most of {len(everywhere)} loads; the bare page {max(one[Kind.BARE].shift for one in found):g}"
        + "".join(f"; moved: {one}" for one in sorted(worst.moved)),
    )
    yield Figure(
        name="loads whose largest paint is the banner",
        value=sum(one.largest_is_ours for one in everywhere),
        unit="loads",
        limit=0,
        detail=f"of {len(everywhere)} on phone and desktop",
    )
    more = [one[kind].long_tasks - one[Kind.BARE].long_tasks for one in found for kind in _BANNER_LIMITS]
    bare = [one[Kind.BARE].long_tasks for one in found]
    yield Figure(
        name="long tasks beyond those of the bare page",
        value=max(0.0, median(more)),
        unit="tasks",
        limit=0,
        detail=f"{spread(more, digits=0)}; the bare page has {spread(bare, digits=0)}",
    )
    runs = [one.script for one in ours]
    yield Figure(
        name="longest run of our script",
        value=median(runs),
        unit="ms",
        limit=50,
        detail=f"{spread(runs, digits=0)}; 0 where its frame was too short to be told of",
    )
    for kind in _BANNER_LIMITS:
        extra = [one[kind].requests - one[Kind.BARE].requests for one in found]
        yield Figure(name=f"extra requests with the banner ({kind})", value=max(extra), unit="", limit=2)


def _decided(browser: Browser, address: str) -> Figure:
    with _visitor(browser, _PHONE) as context:
        answer = context.request.post(
            f"{address}{PREFIX}/preferences", data={"action": "save", "categories": list(CATEGORIES)}
        )
        if not answer.ok:
            raise RuntimeError(f"the choice was not saved: {answer.status}")
        load = _load_in(context, f"{address}/page", asks=False, slow=False)
    return Figure(name="requests of ours for a decided visitor", value=load.own_requests, unit="", limit=1)


def _click(browser: Browser, address: str) -> Figure:
    times = []
    for _ in range(_CLICKS):
        with _visitor(browser, _DESKTOP) as context:
            page = context.new_page()
            page.goto(f"{address}/page", wait_until="load")
            page.wait_for_timeout(_SETTLED_MS)
            page.click('[data-consent-widget="banner"] [value="accept_all"]')
            times.append(_wait_for(page, "window.benchmark.gone"))
    return Figure(
        name="click to banner gone", value=median(times), unit="ms", detail=f"{spread(times, digits=0)}"
    )


def _load(browser: Browser, url: str, *, asks: bool, slow: bool = True) -> Load:
    with _visitor(browser, _PHONE if slow else _DESKTOP) as context:
        return _load_in(context, url, asks=asks, slow=slow)


@contextmanager
def _visitor(browser: Browser, viewport: Mapping[str, int]) -> Iterator[BrowserContext]:
    """A visitor who has never been here: no cookie, nothing in the cache."""
    context = browser.new_context(
        viewport={"width": viewport["width"], "height": viewport["height"]}, locale="vi-VN"
    )
    context.set_default_timeout(_PATIENCE_MS)
    context.add_init_script(_OBSERVE)
    try:
        yield context
    finally:
        context.close()


def _load_in(context: BrowserContext, url: str, *, asks: bool, slow: bool) -> Load:
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    if slow:
        _slow_down(page)
    page.goto(url, wait_until="load")
    if asks:
        _wait_for(page, "window.benchmark.banner.length")
    _wait_for(page, "window.benchmark.largest")
    page.wait_for_timeout(_SETTLED_MS)
    seen = page.evaluate(_COLLECT)
    if slow and seen["download"] < _SLOW_4G["latency"] * 0.9:
        raise RuntimeError(f"the network was not slow: {seen['download']:.0f} ms for the page")
    return Load(
        first_paint=seen["paint"],
        largest_paint=seen["largest"]["at"],
        largest_is_ours=seen["largest"]["ours"],
        banner=max(seen["banner"], default=0),
        shift=seen["shift"],
        moved=frozenset(seen["moved"]),
        long_tasks=seen["tasks"],
        script=seen["script"],
        requests=len(requests),
        own_requests=sum(f"{PREFIX}/" in one for one in requests),
    )


def _wait_for(page: Page, expression: str) -> Any:
    """What ``expression`` gives once it is true. Playwright's own waiting needs a policy that allows eval."""
    for _ in range(_PATIENCE_MS // _POLL_MS):
        found = page.evaluate(expression)
        if found:
            return found
        page.wait_for_timeout(_POLL_MS)
    raise RuntimeError(f"waited {_PATIENCE_MS} ms in vain for {expression} on {page.url}")


def _slow_down(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", dict(_SLOW_4G))
    session.send("Emulation.setCPUThrottlingRate", {"rate": _SLOWER_CPU})
