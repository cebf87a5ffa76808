"""XS in a real browser: whatever an author writes, nothing runs, and nothing is asked of anybody else."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Dialog, Page, Request

from consent_widget.core.language import LANGUAGES
from consent_widget.render.markdown import render_notice
from tests.attacks import newsroom
from tests.attacks.cases import Case, all_cases, attack
from tests.attacks.target import Target
from tests.attacks.test_texts import DEEP, IN_TEXTS, corpus
from tests.browser.conftest import Serve, Site
from tests.factories import Clock

#: In every frame: whatever runs calls one of these, by which the page gives itself away.
_CANARY = """for (const name of ["alert", "confirm", "prompt", "print", "open"]) {
    window[name] = (...told) => { console.error(`canary: ${name} ${told}`); };
}
addEventListener("securitypolicyviolation", event => console.error(`violation: ${event.violatedDirective}`), true);"""

#: What a page of somebody without any policy makes of texts: as its own markup, and as whole documents of ten.
_SHOW = """async texts => {
    for (let at = 0; at < texts.length; at += 10) {
        for (const text of texts.slice(at, at + 10)) {
            const box = document.createElement("div");
            document.body.append(box);
            box.innerHTML = text;
            box.querySelectorAll("*").forEach(one => one.dispatchEvent(new MouseEvent("mouseover")));
            box.remove();
        }
        const frame = document.createElement("iframe");
        const loaded = new Promise(done => { frame.onload = done; });
        frame.srcdoc = texts.slice(at, at + 10).map(one => `<div>${one}</div>`).join("");
        document.body.append(frame);
        await loaded;
        frame.remove();
    }
}"""

#: Whatever waits for a pointer, a focus or an opened fold. Where scripts may not run, a link is not clicked:
#: nothing could keep it from leading away.
_TOUCH = """clicks => {
    document.querySelectorAll("details").forEach(one => { one.open = true; });
    document.querySelectorAll("article *, pre, ins, del, h1, h2").forEach(one => {
        for (const kind of ["mouseover", "focus", ...(clicks ? ["click"] : [])]) {
            one.addEventListener(kind, told => told.preventDefault());
            one.dispatchEvent(new MouseEvent(kind, { bubbles: kind !== "focus", cancelable: true }));
        }
    });
}"""


@contextmanager
def watched(page: Page, site: Site) -> Iterator[None]:
    """Fails if anything ran, violated our policy or asked another origin by the end of the block."""
    seen: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((site.url, "about:", "data:")):
            seen.append(f"{request.method} {request.url}")

    def listen(told: ConsoleMessage) -> None:
        if "canary" in told.text or "violat" in told.text:
            seen.append(told.text)

    def close(dialog: Dialog) -> None:
        seen.append(dialog.message)
        dialog.dismiss()

    page.add_init_script(_CANARY)
    page.context.on("request", note)
    page.on("console", listen)
    page.on("dialog", close)
    page.on("popup", lambda popup: seen.append(popup.url))
    yield
    page.wait_for_timeout(200)
    assert seen == []


@pytest.fixture
def staffed(tmp_path: Path, clock: Clock, serve: Serve) -> Iterator[tuple[Target, Site]]:
    """A site with staff who sign in at the host, over plain http."""

    def make(url: str, **options: object) -> Target:
        target = Target(url, tmp_path, **options)  # type: ignore[arg-type]  # Target's own
        target.app.config["PREFERRED_URL_SCHEME"] = "http"
        return target

    target = newsroom.make_newsroom(make, f"sqlite:///{tmp_path / 'consent.sqlite'}", clock=clock)
    yield target, serve(target.app)
    target.close()


@attack("XS-039")
def test_corpus_without_any_policy(case: Case, page: Page, staffed: tuple[Target, Site]) -> None:
    """The HTML of a notice alone, in a page that would let everything run."""
    _, site = staffed
    texts = [*corpus(), *(one for name in IN_TEXTS for one in all_cases()[name].payloads), *DEEP.values()]
    with watched(page, site):
        page.goto(f"{site.url}/untouched")
        page.evaluate(_SHOW, [render_notice(one).html for one in texts if len(one) < 100_000])


@attack(*IN_TEXTS)
def test_text_on_every_page(case: Case, page: Page, staffed: tuple[Target, Site]) -> None:
    """The public pages and those of an approver, by our policy."""
    _walk(page, *staffed, texts=case.payloads)


@attack("XS-039")
def test_sample_on_every_page(case: Case, page: Page, staffed: tuple[Target, Site]) -> None:
    """A seeded sample of the texts of others."""
    _walk(page, *staffed, texts=random.Random(7).sample(corpus(), 6))


def _walk(page: Page, target: Target, site: Site, *, texts: list[str]) -> None:
    together = "\n\n".join(f"## {at} {{#a{at}}}\n\n{text}" for at, text in enumerate(texts))
    named = {f"{field}_{one}": texts[0].strip()[:150] for field in ("title", "summary") for one in LANGUAGES}
    version_id = newsroom.publish(target, text=together, **named)
    own, version = newsroom.page_of(version_id), "/privacy/en/versions/2"
    with watched(page, site):
        page.goto(f"{site.url}/sign-in-at-the-host/approver")
        paths = (
            f"{own}/preview/en",
            own,
            version,
            f"{version}/changes",
            "/privacy/vi/",
            "/privacy/en/versions",
        )
        for path in (*paths, f"{newsroom.ADMIN}/", f"{newsroom.ADMIN}/audit"):
            page.goto(site.url + path)
            page.evaluate(_TOUCH, "/preview/" not in path)


@attack("XS-038")
def test_author_reaches_nobody_elses_session(case: Case, page: Page, staffed: tuple[Target, Site]) -> None:
    """An approver opens editor, preview and comparison of a draft that tries everything; nothing is sent."""
    target, site = staffed
    payloads = [one for name in IN_TEXTS for one in all_cases()[name].payloads]
    version_id = newsroom.draft(target, text="\n\n".join(f"## A\n\n{one}" for one in payloads))
    newsroom.step(target, "author", "submit", version_id)
    before = target.stored()
    sent: list[str] = []
    page.context.on("request", lambda one: sent.append(one.url) if one.method != "GET" else None)
    with watched(page, site):
        page.goto(f"{site.url}/sign-in-at-the-host/everything")
        own = newsroom.page_of(version_id)
        for path in (own, f"{own}?edit", f"{own}/preview/vi", f"{own}/preview/en"):
            page.goto(site.url + path)
            page.evaluate(_TOUCH, "/preview/" not in path)
            page.wait_for_timeout(300)
    assert [one for one in sent if "/preview/" not in one] == []
    assert target.stored() == before
