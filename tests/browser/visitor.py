"""A visitor in a real browser, and what the interface lets tests look for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Flask
from playwright.sync_api import ConsoleMessage, Locator, Page, Response, expect

from tests import factories

BANNER = '[data-consent-widget="banner"]'
PREFERENCES = '[data-consent-widget="preferences"]'
DIALOG = f"dialog{PREFERENCES}"
STATUS = '[data-consent-widget="status"]'
SETTINGS = "footer [data-consent='open-preferences']"

LOCALES = {"vi": "vi-VN", "en": "en-GB"}

_VIOLATIONS = """addEventListener("securitypolicyviolation", event =>
    console.error(`violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`), true);"""

# A busy machine with two cores may take its time.
expect.set_options(timeout=10_000)

#: Whether something of the focused element can be seen (WCAG 2.4.11): asked at 25 points of each box.
SEES_FOCUS = """() => {
    const at = document.activeElement;
    const sees = (x, y) => {
        const hit = document.elementFromPoint(x, y);
        return hit && (at === hit || at.contains(hit));
    };
    const parts = [0.1, 0.3, 0.5, 0.7, 0.9];
    return [...at.getClientRects()].some(box => parts.some(
        x => parts.some(y => sees(box.left + x * box.width, box.top + y * box.height))));
}"""


class Origins(Protocol):
    """Where a served app answers."""

    @property
    def url(self) -> str: ...

    @property
    def other_url(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody on the pages of ``app``; ``scripts`` tells whether theirs run."""

    page: Page
    app: Flask
    site: Origins
    lang: str = "en"
    scripts: bool = True

    @property
    def banner(self) -> Locator:
        return self.page.locator(BANNER)

    @property
    def preferences(self) -> Locator:
        """The dialog or, without scripts, the page."""
        return self.page.locator(DIALOG if self.scripts else PREFERENCES)

    def open(self, path: str = "/") -> None:
        self.page.goto(self.site.url + path)

    def button(self, action: str, place: Locator | None = None) -> Locator:
        """The button of ``place`` (the banner unless given) that saves ``action``."""
        return (place or self.banner).locator(f'button[name="action"][value="{action}"]')

    def tick(self, *categories: str) -> None:
        """Tick exactly ``categories`` in the preferences."""
        self.page.wait_for_load_state()  # all() does not wait for what is still to be parsed
        for box in self.preferences.locator("input[name=category]").all():
            box.set_checked(box.get_attribute("value") in categories)

    def open_preferences(self, link: Locator | None = None) -> None:
        """Follow ``link``, the permanent one unless given."""
        (link or self.page.locator(SETTINGS)).click()
        expect(self.preferences.locator("h1")).to_be_visible()

    def save(self, button: Locator) -> None:
        """Press ``button`` and wait until the choice is saved and the page is back."""
        if self.scripts:
            self.page.evaluate(
                "() => { window.saved = 0; addEventListener('consent-widget:decided', () => { saved += 1; }); }"
            )
            with self.page.expect_response(is_save) as answer:
                button.click()
            assert answer.value.status == 200
            self.until("saved")
            expect(self.page.locator(STATUS)).not_to_be_empty()
        else:
            with self.page.expect_response(is_save) as answer, self.page.expect_navigation():
                button.click()
            assert answer.value.status == 303

    def save_in_preferences(self, *categories: str, link: Locator | None = None) -> None:
        """Open the preferences, tick exactly ``categories``, save."""
        self.open_preferences(link)
        self.tick(*categories)
        self.save(self.button("save", self.preferences))

    def cookies(self) -> dict[str, Any]:
        """All cookies of the site by name."""
        return {cookie["name"]: cookie for cookie in self.page.context.cookies(self.site.url)}

    def view(self) -> str | None:
        """What the readable cookie says."""
        cookie = self.cookies().get("consent_view")
        return None if cookie is None else str(cookie["value"])

    def records(self) -> list[dict[str, Any]]:
        return factories.records(factories.deployment(self.app).database)

    def granted(self) -> list[set[str]]:
        """What each record grants, oldest first."""
        return [{name for name, yes in row["decisions"].items() if yes} for row in self.records()]

    def until(self, condition: str) -> None:
        """Wait until a JavaScript expression is true; Playwright's own wait needs ``unsafe-eval``."""
        for _ in range(400):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(25)
        raise AssertionError(f"{condition} was never true")

    def call(self, expression: str) -> Any:
        """What a promise resolves to; one that never settles fails."""
        return self.page.evaluate(
            f"""Promise.race([{expression}, new Promise((_, fail) =>
                setTimeout(() => fail(new Error("no answer within ten seconds")), 10000))])"""
        )

    def ran(self) -> list[str]:
        """Which third-party scripts ran in this page, in this order."""
        found: list[str] = self.page.evaluate("window.ran ?? []")
        return found

    def state(self) -> dict[str, str]:
        found: dict[str, str] = self.page.evaluate("({...consentWidget.state()})")
        return found


def is_save(response: Response) -> bool:
    return response.request.method == "POST" and response.url.endswith("/privacy/preferences")


def third_party_requests(page: Page, site: Origins) -> list[str]:
    """Grows by the path of every request that goes to the second origin."""
    seen: list[str] = []
    prefix = f"{site.other_url}/third/"

    def note(url: str) -> None:
        if url.startswith(prefix):
            seen.append(re.sub(r"\?.*", "", url.removeprefix(prefix)))

    page.on("request", lambda request: note(request.url))
    return seen


def complaints_of(page: Page) -> list[str]:
    """Grows by each violation, console error, warning of the console's and error that nobody handled."""
    seen: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            seen.append(message.text)

    page.add_init_script(_VIOLATIONS)
    page.on("console", note)
    page.on("pageerror", lambda error: seen.append(str(error)))
    return seen


def tab_stops(page: Page, key: str = "Tab", most: int = 60) -> Iterator[str]:
    """Walk the page by keyboard: what has the focus after each press, until the walk is round."""
    for _ in range(most):
        page.keyboard.press(key)
        at: str | None = page.evaluate(
            """() => {
                const at = document.activeElement;
                if (at === document.body || at.dataset.walked) return null;
                at.dataset.walked = "1";
                return at.id || at.value || at.getAttribute("href") || at.localName;
            }"""
        )
        if at is None:
            return
        yield at
    raise AssertionError(f"still walking after {most} stops")
