"""PF: scanners open every link of a mail before its owner does, some of them post; only a person's click acts."""

import re
from html.parser import HTMLParser

import pytest

from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.subscribers import ONE_CLICK, READER, Readers, make_readers
from tests.attacks.wire import served
from tests.browser.chromium import launched
from tests.factories import Clock
from tests.volume import volume

SCANNERS = (
    "Mozilla/5.0 (compatible; BarracudaCentral)",
    "Microsoft Office Protection/1.0",
    "Mimecast URL Protect",
    "GoogleImageProxy",
    "",
)


@pytest.fixture
def readers(make_target: MakeTarget, database_url: str, clock: Clock) -> Readers:
    return make_readers(make_target, database_url, clock=clock)


def every_link(readers: Readers) -> list[str]:
    """All addresses of the newest mail, in whichever part or header, without our host."""
    found: set[str] = set()
    mail = readers.box.mails(READER)[-1]
    for part in mail.walk():
        if part.get_content_maintype() == "text":
            found |= set(re.findall(r"https?://[^\s<>\"']+", part.get_content()))
    found |= set(re.findall(r"<(https?://[^>]+)>", str(mail)))
    return sorted(one.removeprefix("https://www.good.example") for one in found if "good.example/" in one)


def open_all(readers: Readers, links: list[str]) -> None:
    for _ in range(3):
        for path in links:
            for agent in SCANNERS:
                for method, headers in (
                    ("GET", {}),
                    ("HEAD", {}),
                    ("GET", {"Range": "bytes=0-99"}),
                    ("OPTIONS", {}),
                ):
                    answer = readers.send(path, method=method, headers=headers | {"User-Agent": agent})
                    assert answer.status_code < 500, path
                    assert not answer.headers.getlist("Set-Cookie")


@attack("PF-001")
def test_scanner_opens_every_link_of_the_letter_that_asks(case: Case, readers: Readers) -> None:
    readers.asked()
    links = every_link(readers)
    assert any("/confirm/" in one for one in links)
    before, everything = readers.find(), readers.target.everything_stored()

    open_all(readers, links)

    assert readers.find() == before
    assert readers.target.everything_stored() == everything
    assert readers.send(readers.box.link(READER, "confirm")).status_code == 200
    assert readers.state() == "confirmed"


@attack("PF-001")
def test_scanner_opens_every_link_of_a_mail_to_a_subscriber(
    case: Case, readers: Readers, clock: Clock
) -> None:
    readers.confirmed()
    clock.tick(days=2)
    readers.sign_up()
    assert readers.box.collect() == [READER]
    links = every_link(readers)
    assert {one.split("/")[2] for one in links} >= {"subscription", "unsubscribe"}
    before, everything = readers.find(), readers.target.everything_stored()

    open_all(readers, links)

    assert readers.find() == before
    assert readers.target.everything_stored() == everything
    assert readers.send(readers.box.link(READER, "unsubscribe"), ONE_CLICK).status_code == 200
    assert readers.state() == "unsubscribed"


@attack("PF-003")
@pytest.mark.browser
def test_scanner_that_runs_scripts(case: Case, make_target: MakeTarget, sqlite_url: str) -> None:
    """It waits, scrolls and moves the mouse, and does not click: no page of ours sends itself."""
    readers = make_readers(make_target, sqlite_url)
    waiting = readers.asked("waiting@good.example")
    one = readers.confirmed()
    links = [waiting, readers.manage_link(one), readers.unsubscribe_link(one), "/privacy/en/"]
    everything = readers.target.everything_stored()

    with served(readers.target.app) as wire, launched() as browser:
        page = browser.new_page()
        for path in links:
            page.goto(f"http://{wire.host.decode()}{path}")
            page.mouse.wheel(0, 2000)
            for at in range(0, 600, 60):
                page.mouse.move(at, at)
            page.wait_for_timeout(volume(500, 10_000))

    assert readers.target.everything_stored() == everything


@attack("PF-005")
@pytest.mark.parametrize(
    "data, kind",
    [
        (b"", ""),
        (b"", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b'{"List-Unsubscribe": "One-Click"}', "application/json"),
        (b"List-Unsubscribe=One-Click-Not", "application/x-www-form-urlencoded"),
        (b"List-Unsubscribe=", "application/x-www-form-urlencoded"),
        (b"url=https://www.good.example", "application/x-www-form-urlencoded"),
        (b"<x/>", "text/xml"),
    ],
)
def test_scanner_posts_without_the_field(case: Case, data: bytes, kind: str, readers: Readers) -> None:
    one = readers.confirmed()
    everything = readers.target.everything_stored()

    for _ in range(3):
        answer = readers.send(f"{readers.unsubscribe_link(one)}", data, content_type=kind)
        assert answer.status_code == 400

    assert readers.target.everything_stored() == everything


@attack("PF-005")
def test_field_in_the_address_is_no_body(case: Case, readers: Readers) -> None:
    one = readers.confirmed()

    answer = readers.send(f"{readers.unsubscribe_link(one)}?List-Unsubscribe=One-Click", {"x": "y"})

    assert answer.status_code == 400
    assert readers.find() == one


@attack("PF-006")
def test_person_unsubscribes_by_one_click(case: Case, readers: Readers) -> None:
    """No sign-in, no address to type, and what was done can be taken back."""
    path = readers.unsubscribe_link(readers.confirmed())
    shown = _Forms(readers.send(path, method="GET").text)
    ((action, fields),) = shown.found
    assert fields == ONE_CLICK

    done = readers.send(action, fields)

    assert done.status_code == 200
    assert "You have unsubscribed" in done.text
    assert readers.state() == "unsubscribed"
    ((back, undo),) = _Forms(done.text).found
    assert readers.send(back, undo).status_code == 200
    assert readers.state() == "confirmed"


class _Forms(HTMLParser):
    """The forms of a page: where each is posted and what its button sends; nothing is typed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page.partition("<main")[2].partition("</main>")[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        assert tag != "input", "there is something to type"
        if tag == "form":
            assert given["method"] == "post"
            self.found.append((given["action"], {}))
        if tag == "button":
            self.found[-1][1][given["name"]] = given["value"]
