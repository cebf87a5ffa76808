"""What arrived in the demonstration's mailbox, looked at as a browser and as a mail program do."""

import re
import time
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as policy
from html.parser import HTMLParser

from playwright.sync_api import Locator, Page

from tests.browser.demo import Demo

#: The worker is woken at once; a lost wake would cost it ten seconds more.
_SECONDS = 40


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One mail: as it stands on the page, and as it left."""

    article: Locator
    raw: bytes
    message: EmailMessage

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def one_click(self) -> str:
        """The address in List-Unsubscribe (RFC 2369, RFC 8058): read from the header alone."""
        found = re.fullmatch(r"<(https?://[^<>,\s]+)>", str(self.message["List-Unsubscribe"]).strip())
        assert found, self.message["List-Unsubscribe"]
        return found[1]

    @property
    def links(self) -> list[str]:
        """Every address in text, HTML and headers, each once."""
        found = re.findall(r"https?://[^\s<>\"]+", self.text)
        found += _Links.of(self.html)
        for name in ("List-Unsubscribe", "List-Help", "List-Archive", "List-Owner", "List-Subscribe"):
            found += re.findall(r"https?://[^<>,\s]+", str(self.message[name] or ""))
        return list(dict.fromkeys(found))

    def link(self, path: str) -> str:
        """The one link whose address begins with ``/privacy/{path}``."""
        (found,) = {link for link in self.links if f"/privacy/{path}" in link}
        return found

    def _part(self, subtype: str) -> str:
        part = self.message.get_body((subtype,))
        assert part is not None, subtype
        return str(part.get_content())


class Inbox:
    """The page ``/mailbox`` of ``demo``, open in ``page``."""

    def __init__(self, page: Page, demo: Demo) -> None:
        self.page, self._demo = page, demo

    def mails(self, to: str) -> list[Mail]:
        """What arrived for ``to``, oldest first."""
        return self._read_all(f'article[data-to="{to}"]')

    def every(self) -> list[Mail]:
        """What arrived for anybody, oldest first."""
        return self._read_all("article[data-to]")

    def wait(self, to: str, *, number: int = 1) -> Mail:
        """The ``number``-th mail for ``to``, once it is there."""
        deadline = time.monotonic() + _SECONDS
        while len(found := self.mails(to)) < number:
            assert time.monotonic() < deadline, f"{len(found)} of {number} mails for {to}"
            self.page.wait_for_timeout(250)
        return found[number - 1]

    def _read_all(self, selector: str) -> list[Mail]:
        self.page.goto(f"{self._demo.url}/mailbox")
        return [self._read(one) for one in reversed(self.page.locator(selector).all())]

    def _read(self, article: Locator) -> Mail:
        path = article.locator("a[href$='.eml']").get_attribute("href")
        raw = self.page.request.get(f"{self._demo.url}{path}").body()
        message = message_from_bytes(raw, policy=policy)
        assert article.get_attribute("data-subject") == message["Subject"]
        return Mail(article=article, raw=raw, message=message)


class _Links(HTMLParser):
    @classmethod
    def of(cls, html: str) -> list[str]:
        parser = cls()
        parser.found = []
        parser.feed(html)
        return parser.found

    found: list[str]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src", "action") and value and value.startswith("http"):
                self.found.append(value)
