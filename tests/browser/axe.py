"""What axe finds in a page."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: WCAG 2.0 to 2.2, A and AA. What third parties show in their frames is theirs.
_OPTIONS: dict[str, Any] = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
    "iframes": False,
}


def findings(page: Page) -> list[str]:
    """What axe finds in the page as it is now, in light and in dark colours."""
    page.wait_for_load_state()  # a style that is still on its way would make everything small
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for violation in Axe().run(page, options=_OPTIONS).response["violations"]:
            places = [node["target"] for node in violation["nodes"]]
            found.append(f"{scheme}: {violation['id']}: {violation['help']} {places}")
    return found
