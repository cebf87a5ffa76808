"""A link scanner, as it stands before many companies' mailboxes: it opens every link before the reader does."""

import http.client
from collections.abc import Iterable
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext

_AGENT = "Mozilla/5.0 (compatible; MailGuard-LinkScan/2.1)"
_TIMES = 3
#: PF-003: a scanner that runs scripts waits so long, in seconds.
_WAITS = 10


def request(url: str, method: str = "GET", *, body: str | None = None, **headers: str) -> tuple[int, str]:
    """Ask without cookies and follow nothing; status and text of the answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request(method, parts._replace(scheme="", netloc="").geturl(), body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8")
    finally:
        connection.close()


def scan(links: Iterable[str]) -> None:
    """PF-001: GET, HEAD, a part of it, OPTIONS, three times each."""
    for link in links:
        for _ in range(_TIMES):
            for method, headers in (
                ("GET", {}),
                ("HEAD", {}),
                ("GET", {"Range": "bytes=0-99"}),
                ("OPTIONS", {}),
            ):
                status, _text = request(link, method, **{"User-Agent": _AGENT}, **headers)
                assert status < 500, (method, link, status)


def scan_with_scripts(context: BrowserContext, links: Iterable[str]) -> None:
    """PF-003: open all, run their scripts, scroll, move the mouse, wait; click nothing."""
    # The pages' timers pass ten seconds at once; none may be what presses a button.
    context.clock.install()
    pages = []
    for link in links:
        page = context.new_page()
        answer = page.goto(link)
        assert answer is not None, link
        assert answer.status < 500, link
        pages.append(page)
    for page in pages:
        page.mouse.move(300, 300)
        page.mouse.wheel(0, 2000)
        page.clock.run_for(_WAITS * 1000)
    for page in pages:
        page.close()
