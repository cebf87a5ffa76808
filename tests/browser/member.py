"""A member of staff at their browser."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from playwright.sync_api import Page, Response, expect

ADMIN = "/privacy/admin/"
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


class Member:
    """Somebody who signs in to the staff pages of the site at ``url``."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._url = url

    def sign_in(self, email: str, password: str) -> None:
        self.page.goto(f"{self._url}{ADMIN}")
        expect(self.page).to_have_url(re.compile(r"/privacy/admin/sign-in\?next="))
        self.page.fill("[name=email]", email)
        self.page.fill("[name=password]", password)
        self.page.locator("main form button").first.click()
        expect(self.page).to_have_url(f"{self._url}{ADMIN}")

    def open(self, path: str) -> None:
        self.page.goto(f"{self._url}{path}")

    def press(self, action: str) -> int:
        """Press the visible button ``action``; the status of the answer that follows."""
        button = self.page.locator(f"button[name=action][value={action}]:not([aria-hidden])")
        with self.page.expect_response(self._is_pressed) as found:
            button.click()
        self.page.wait_for_load_state()
        return found.value.status

    def _is_pressed(self, answer: Response) -> bool:
        """Not a save by the script, not the preview in its frame."""
        request = answer.request
        return (
            request.method == "POST"
            and request.is_navigation_request()
            and request.frame == self.page.main_frame
        )

    @property
    def state(self) -> str | None:
        return self.page.locator("[data-state]").first.get_attribute("data-state")


def in_hanoi(when: datetime) -> str:
    """As a ``datetime-local`` field writes it."""
    return when.astimezone(HANOI).strftime("%Y-%m-%dT%H:%M")
