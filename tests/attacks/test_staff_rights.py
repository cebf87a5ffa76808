"""AU, CF, CJ: every address of the staff is closed to whoever may not be there, and answers with care."""

import itertools
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from consent_widget.core.workflow import State
from consent_widget.services.draft import load_draft
from tests.attacks import newsroom
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.newsroom import (
    ADMIN,
    NEW,
    STAFF,
    draft,
    make_newsroom,
    page_of,
    revision_of,
    signed_in,
    step,
    token_for,
    token_of,
    written,
)
from tests.attacks.target import NEWER_KEY, Target, ask
from tests.attacks.threats import stays_here
from tests.factories import Clock

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS")

#: Stands in every draft of these tests: where it appears, something leaked.
SECRET = "Chưa ai được biết"

LATER = "2027-06-01T00:00"

#: The published matrix (docs/reference/http.md): who may press what, four eyes aside.
WRITERS = {"author", "approver", "officer", "everything"}
DECIDERS = {"approver", "officer", "everything"}
READERS = WRITERS | {"auditor"}
MAY = {
    "save": WRITERS,
    "submit": WRITERS,
    "discard": WRITERS,
    "return": DECIDERS,
    "approve": DECIDERS,
    "announce": DECIDERS,
    "withdraw": DECIDERS,
}

#: What brings a draft by somebody else to where the button works.
BEFORE: dict[str, tuple[str, ...]] = {
    "save": (),
    "submit": (),
    "discard": (),
    "return": ("submit",),
    "approve": ("submit",),
    "announce": ("submit", "approve"),
    "withdraw": ("submit", "approve", "announce"),
}


@pytest.fixture
def staffed(make_target: MakeTarget, database_url: str, clock: Clock) -> Target:
    """A site with staff who sign in at the host, on each kind of database."""
    return make_newsroom(make_target, database_url, clock=clock)


@pytest.fixture
def quick(make_target: MakeTarget, sqlite_url: str, clock: Clock) -> Target:
    """The same on SQLite alone, for what is not stored."""
    return make_newsroom(make_target, sqlite_url, clock=clock)


def addresses(target: Target, version_id: int) -> list[str]:
    """Every address below /admin/ in the route table, with ids that exist and ids that do not."""
    found = set()
    for rule in target.app.url_map.iter_rules():
        if rule.rule.startswith(f"{ADMIN}/"):
            path = (
                rule.rule.replace("<any(vi,en):lang>", "vi")
                .replace("<path:rest>", "no/such/page")
                .replace("<token>", "token")
            )
            found |= {path.replace("<int:id>", str(one)) for one in (version_id, 1, 4711, 2**40)}
    assert len(found) > 10
    assert not any("<" in one for one in found)
    return sorted(found)


def with_secret(target: Target) -> int:
    return draft(target, title_vi=SECRET, title_en=SECRET, text=SECRET, effective_at=LATER)


@attack("AU-001")
def test_address_of_staff_without_sign_in(case: Case, quick: Target) -> None:
    """All methods, with and without what a program would send; nothing is told and nothing is done."""
    version_id = with_secret(quick)
    before = quick.stored()
    queries = ("", "?format=csv", "?format=json", "?edit", "?lang=vi", "?key=", "?key=signed", "?before=9")
    for path, method, query in itertools.product(addresses(quick, version_id), METHODS, queries):
        for accept in ("text/html", "application/json"):
            data = {"action": "save"} if method == "POST" else None
            answer = ask(quick, "", path + query, method=method, data=data, headers={"Accept": accept})
            assert answer.status_code in (303, 401, 403, 404, 405), (method, path)
            assert SECRET not in answer.text
            assert "public" not in answer.headers["Cache-Control"]
    assert quick.stored() == before


@attack("AU-001")
def test_way_back_from_the_sign_in(case: Case, quick: Target) -> None:
    """To the page that was asked for, and nowhere else."""
    answer = ask(quick, "", f"{ADMIN}/audit?before=3")
    assert answer.status_code == 303
    assert answer.location == f"{ADMIN}/sign-in?next={ADMIN}/audit%3Fbefore%3D3"
    for path in (f"//evil.example{ADMIN}/", f"{ADMIN}//evil.example", f"{ADMIN}/audit?next=//evil.example"):
        location = ask(quick, "", path).location or ""
        assert location.startswith("/privacy/") or not location


@attack("OR-001", "OR-002", "OR-003", "OR-005", "OR-006", "OR-007", "OR-012", "OR-014")
def test_way_on_from_bar_and_history(case: Case, quick: Target, clock: Clock) -> None:
    """The bar's own button, the history's day and the way to the sign-in lead to pages of ours alone."""
    newsroom.publish(quick, change_class="material", effective_at=LATER)
    for payload in case.payloads:
        target = payload.replace("{host}", "localhost")
        header = target.encode("utf-8", "replace").decode("latin-1").replace("\r", "").replace("\n", "")
        seen = {"action": "seen", "notice": "2"}
        answers = [
            quick.browser().post("/privacy/preferences", data=seen | {"next": target}),
            quick.browser().post("/privacy/preferences", data=seen, headers={"Referer": header}),
            quick.browser().get("/privacy/en/versions", query_string={"as-of": target}),
            quick.browser().get(f"{ADMIN}/", query_string={"next": target, "lang": target}),
            quick.browser().get("/privacy/", query_string={"next": target, "lang": target}),
        ]
        for answer in answers:
            assert answer.status_code in (302, 303)
            assert stays_here(answer.headers["Location"]), (target, answer.headers["Location"])
            assert "x" not in {one.partition("=")[0] for one in answer.headers.getlist("Set-Cookie")}


@attack("AU-002")
@pytest.mark.parametrize("action", MAY)
def test_who_may_press_which_button(case: Case, action: str, staffed: Target, clock: Clock) -> None:
    """Every role presses it by the address itself, on a version by somebody else; only the matrix decides."""
    for who in STAFF:
        version_id = draft(staffed, "author", effective_at=LATER)
        if who == "author":  # has to be somebody else's: the four eyes are another rule
            step(staffed, "everything", "save", version_id, **written("By another", effective_at=LATER))
        for earlier in BEFORE[action]:
            step(staffed, "author" if earlier == "submit" else "officer" if who != "officer" else "approver",
                 earlier, version_id)  # fmt: skip
        browser = signed_in(staffed, who)
        fields: newsroom.Fields = {
            "action": action,
            "reason": "Because",
            "csrf_token": token_for(staffed, browser, who),
        }
        fields["revision"] = revision_of(staffed, version_id)
        if action == "save":
            fields |= written("Saved")
        before = staffed.stored()

        answer = browser.post(page_of(version_id), data=fields)
        stored = load_draft(staffed.deployment, version_id) if action != "discard" else None

        assert answer.status_code == (303 if who in MAY[action] else 403), f"{who}: {answer.status_code}"
        if who not in MAY[action]:
            assert staffed.stored() == before
        if stored is not None and stored.state is State.ANNOUNCED:  # make room for the next one
            step(staffed, "everything", "withdraw", version_id, reason="Done")


@attack("AU-002")
def test_who_may_read_which_page(case: Case, quick: Target) -> None:
    version_id = with_secret(quick)
    pages = {
        f"{ADMIN}/": READERS,
        NEW: WRITERS,
        page_of(version_id): READERS,
        f"{page_of(version_id)}/preview/vi": READERS,
        f"{ADMIN}/audit": DECIDERS | {"auditor"},
        f"{ADMIN}/audit?format=csv": DECIDERS | {"auditor"},
        f"{ADMIN}/audit?format=json": DECIDERS | {"auditor"},
    }
    for (path, allowed), who in itertools.product(pages.items(), STAFF):
        answer = signed_in(quick, who).get(path)
        assert answer.status_code == (200 if who in allowed else 403), f"{who} {path}"
        if who not in allowed:
            assert SECRET not in answer.text


@attack("AU-002")
def test_new_draft_by_who_may_not_write(case: Case, staffed: Target) -> None:
    with_secret(staffed)
    for who in ("auditor", "nothing"):
        browser = signed_in(staffed, who)
        token = token_for(staffed, browser, who)
        before = staffed.stored()
        answer = browser.post(NEW, data=written() | {"action": "save", "csrf_token": token})
        assert answer.status_code == 403
        assert staffed.stored() == before


@attack("AU-003")
def test_keys_and_forms_of_another_site(
    case: Case, make_target: MakeTarget, sqlite_url: str, clock: Clock
) -> None:
    """What another site signed opens nothing here: no preview, no form, no session."""
    ours = make_newsroom(make_target, sqlite_url, clock=clock)
    theirs = make_newsroom(make_target, sqlite_url.replace("consent", "other"), clock=clock, keys=[NEWER_KEY])
    version_id = with_secret(ours)
    assert with_secret(theirs) == version_id
    key = _link(theirs, version_id)
    browser = signed_in(ours, "author")
    token = token_of(signed_in(theirs, "author"))
    before = ours.stored()

    assert ask(ours, "", f"{page_of(version_id)}/preview/vi?{key}").status_code == 403
    answer = browser.post(NEW, data=written() | {"action": "save", "csrf_token": token})
    assert answer.status_code == 403
    session = signed_in(theirs, "author").get_cookie("session")
    assert session is not None
    assert ask(ours, f"session={session.value}", f"{ADMIN}/").status_code == 303
    assert ours.stored() == before


@attack("AU-003")
def test_preview_key_of_another_version(case: Case, quick: Target, clock: Clock) -> None:
    """A link opens its own version, in both languages, for seventy-two hours."""
    first, second = with_secret(quick), with_secret(quick)
    key = _link(quick, first)
    for language in ("vi", "en"):
        assert SECRET in ask(quick, "", f"{page_of(first)}/preview/{language}?{key}").text
        assert ask(quick, "", f"{page_of(second)}/preview/{language}?{key}").status_code == 403
    for spoilt in (key[:-1], key + "A", key.replace("key=", "key=.")):
        assert ask(quick, "", f"{page_of(first)}/preview/vi?{spoilt}").status_code == 403
    # It reads, and it opens nothing else.
    assert ask(quick, "", f"{page_of(first)}?{key}").status_code == 303
    assert ask(quick, "", f"{page_of(first)}/preview/vi?{key}", method="POST").status_code in (303, 403)
    clock.now += timedelta(hours=72)
    assert ask(quick, "", f"{page_of(first)}/preview/vi?{key}").status_code == 200
    clock.now += timedelta(seconds=1)
    answer = ask(quick, "", f"{page_of(first)}/preview/vi?{key}")
    assert answer.status_code == 403
    assert SECRET not in answer.text


def _link(target: Target, version_id: int) -> str:
    found = re.search(r"preview/vi\?(key=[\w.-]+)", signed_in(target, "author").get(page_of(version_id)).text)
    assert found
    return found[1]


@attack("AU-015")
@pytest.mark.parametrize("who", sorted(DECIDERS))
def test_own_text_is_decided_by_somebody_else(case: Case, who: str, staffed: Target) -> None:
    """Whoever edited last neither approves nor announces, not even in between somebody else's approval."""
    version_id = draft(staffed, who)
    step(staffed, who, "submit", version_id)
    for action in ("approve", "announce"):
        answer = _press(staffed, who, action, version_id)
        assert answer.status_code in (403, 409)
    other = "officer" if who != "officer" else "approver"
    step(staffed, other, "approve", version_id)
    assert _press(staffed, who, "announce", version_id).status_code == 403
    assert newsroom.numbers(staffed) == [1]
    # An edit after the approval voids it.
    step(staffed, other, "save", version_id, **written("Other words"))
    assert _press(staffed, who, "announce", version_id).status_code == 409
    assert newsroom.numbers(staffed) == [1]


def _press(target: Target, who: str, action: str, version_id: int) -> TestResponse:
    browser = signed_in(target, who)
    fields = {"csrf_token": token_for(target, browser, who), "action": action}
    return browser.post(page_of(version_id), data=fields | {"revision": revision_of(target, version_id)})


@attack("AU-015")
def test_author_announces_nothing(case: Case, staffed: Target) -> None:
    version_id = draft(staffed)
    for action in ("announce", "approve", "return", "withdraw"):
        assert _press(staffed, "author", action, version_id).status_code == 403
    for action in ("announce", "approve"):
        fields = written() | {"action": action, "csrf_token": token_of(signed_in(staffed, "author"))}
        assert signed_in(staffed, "author").post(NEW, data=fields).status_code in (400, 403)
    assert newsroom.numbers(staffed) == [1]


@attack("AU-016")
@pytest.mark.parametrize("stage", ["draft", "in review", "approved"])
def test_text_that_nobody_announced_is_not_public(case: Case, stage: str, staffed: Target) -> None:
    """By no number, id, name, form or file; and no page differs because it is there."""
    reader = staffed.browser()
    guesses = _guesses()
    before = {path: _without_time(reader.get(path)) for path in guesses}
    version_id = with_secret(staffed)
    if stage != "draft":
        step(staffed, "author", "submit", version_id)
    if stage == "approved":
        step(staffed, "approver", "approve", version_id)
    staffed.deployment.schedule.forget()

    for path in (*guesses, f"{page_of(version_id)}/preview/vi", f"{page_of(version_id)}/preview/vi?key=a.b"):
        answer = reader.get(path)
        assert SECRET not in answer.text
        assert path not in before or _without_time(answer) == before[path] or "log" in path
    preview = signed_in(staffed, "author").get(f"{page_of(version_id)}/preview/vi")
    assert SECRET in preview.text
    assert "no-store" in preview.headers["Cache-Control"]
    assert "noindex" in preview.headers["X-Robots-Tag"]


def _guesses() -> list[str]:
    found = [
        "/",
        "/robots.txt",
        "/sitemap.xml",
        "/privacy/versions.json",
        "/privacy/log.jsonl",
        "/privacy/state",
    ]
    found += ["/privacy/preferences", "/privacy/health"]
    for language in ("vi", "en"):
        found += [f"/privacy/{language}/", f"/privacy/{language}/versions", f"/privacy/{language}/feed.atom"]
        found += [f"/privacy/{language}/as-of/{day}" for day in ("2026-12-01", "2027-06-01", "9999-12-31")]
        for number in ("2", "3", "0", "-1", "02", "draft", "new", "latest"):
            for form in ("", ".md", ".txt", ".json", ".ics", "/changes", "/changes?from=1", "/preview"):
                found.append(f"/privacy/{language}/versions/{number}{form}")
        found.append(f"/privacy/{language}/versions/1/changes?from=2")
    return found


def _without_time(answer: TestResponse) -> tuple[int, str, str]:
    return answer.status_code, answer.text, answer.headers.get("ETag", "")


# Forms ---------------------------------------------------------------------------


@attack("CF-001", "CF-002", "CF-003", "CF-006")
def test_staff_action_without_a_token_of_this_session(case: Case, staffed: Target) -> None:
    """Every address under /admin/ that takes POST, found in the route table; everything else as it should be."""
    version_id = draft(staffed)
    browser, other = signed_in(staffed, "everything"), signed_in(staffed, "everything")
    good = token_of(browser)
    tokens: dict[str, list[dict[str, object]]] = {
        "CF-001": [{}],
        "CF-002": [
            {"csrf_token": ""},
            {"csrf_token": "0" * 40},
            {"csrf_token": token_of(other)},
            {"csrf_token": token_of(signed_in(staffed, "author"))},
            {"csrf_token": good[:-1]},
            {"csrf_token": f"{good}A"},
            {"csrf_token[]": good},
            {"csrf_token": ["", good]},
        ],
        "CF-003": [{}],
        "CF-006": [{"csrf_token": good}],
    }
    foreign: list[dict[str, str]] = [{}]
    if case.id == "CF-006":
        foreign = [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": "https://other.localhost"},
            {"Sec-Fetch-Site": "cross-site", "Origin": "https://localhost"},
        ]
    before = staffed.stored()
    for rule in staffed.app.url_map.iter_rules():
        if not rule.rule.startswith(f"{ADMIN}/") or "POST" not in (rule.methods or ()):
            continue
        path = rule.rule.replace("<int:id>", str(version_id)).replace("<any(vi,en):lang>", "vi")
        for headers, token, action in itertools.product(foreign, tokens[case.id], MAY):
            fields = written() | {"action": action, "revision": "1", "reason": "Because"} | token
            answer = browser.post(path, data=fields, headers=headers)
            assert answer.status_code == 403, f"{path} {token} {headers}"
            assert "csrf_token" not in str(answer.headers)
    assert staffed.stored() == before
    assert newsroom.created(browser.post(NEW, data=written() | {"action": "save", "csrf_token": good}))


@attack("CF-002")
def test_token_of_an_earlier_session(case: Case, quick: Target, clock: Clock) -> None:
    """After a sign-in anew, or a day later, the form comes back as it was filled in, with a fresh token."""
    browser = signed_in(quick, "author")
    old = token_of(browser)
    with browser.session_transaction() as session:
        session.clear()
    browser.get("/sign-in-at-the-host/author")
    for token in (old, token_of(browser)):
        before = quick.stored()
        answer = browser.post(
            NEW,
            data=written("What I typed") | {"action": "save", "csrf_token": token},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        assert answer.status_code == 403
        assert "What I typed" in answer.text
        assert quick.stored() == before
        assert newsroom.hidden(answer.text, "csrf_token") != token
        clock.now += timedelta(hours=24, seconds=1)
        break
    late = token_of(browser)
    clock.now += timedelta(hours=24, seconds=1)
    fields = written() | {"action": "save", "csrf_token": late}
    assert browser.post(NEW, data=fields).status_code == 403


# Headers -------------------------------------------------------------------------


@pytest.fixture
def crawled(
    quick: Target, make_target: MakeTarget, sqlite_url: str, clock: Clock
) -> list[tuple[str, TestResponse]]:
    """Each page of staff, signed in and not, by every method; errors among them."""
    version_id = with_secret(quick)
    browsers = {"in": signed_in(quick, "everything"), "without rights": signed_in(quick, "nothing"),
                "out": quick.browser()}  # fmt: skip
    found = []
    for (name, browser), path in itertools.product(browsers.items(), addresses(quick, version_id)):
        for method, accept in itertools.product(METHODS, ("text/html", "application/json")):
            answer = browser.open(path, method=method, headers={"Accept": accept})
            found.append((f"{name}: {method} {path}", answer))
        found.append((f"{name}: {path}?format=csv", browser.get(f"{path}?format=csv")))
    key = _link(quick, version_id)
    found += [
        ("by key", ask(quick, "", f"{page_of(version_id)}/preview/{one}?{key}")) for one in ("vi", "en")
    ]
    assert {answer.status_code for _, answer in found} >= {200, 303, 401, 403, 404, 405}
    return found


@attack("CJ-001", "CJ-002", "CJ-005")
def test_headers_of_every_page_of_staff(case: Case, crawled: list[tuple[str, TestResponse]]) -> None:
    """Framed by nobody else, run by nothing but our files, kept by nobody, found by no search engine."""
    for where, answer in crawled:
        policy = dict(_directives(answer))
        # A preview stands in the editor; what is not there at all is answered for the public.
        may_be_framed = "/preview/" in where or where == "by key" or answer.status_code in (404, 405)
        assert policy["frame-ancestors"] in (["'none'"], ["'self'"])[: 1 + may_be_framed], where
        assert policy["object-src"] == policy["base-uri"] == ["'none'"], where
        scripts = policy.get("script-src", policy.get("default-src", ["*"]))
        assert set(scripts) <= {"'self'", "'none'"}, where
        assert answer.headers["X-Frame-Options"] in ("DENY", "SAMEORIGIN"), where
        assert answer.headers["X-Content-Type-Options"] == "nosniff", where
        assert "no-store" in answer.headers["Cache-Control"], where
        if answer.status_code not in (404, 405):
            assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer"), where
            assert "noindex" in answer.headers["X-Robots-Tag"], where


@attack("CJ-003")
def test_preview_key_stays_out_of_the_referrer(case: Case, crawled: list[tuple[str, TestResponse]]) -> None:
    by_key = [answer for where, answer in crawled if where == "by key"]

    assert [answer.status_code for answer in by_key] == [200, 200]
    assert {answer.headers["Referrer-Policy"] for answer in by_key} == {"no-referrer"}


def _directives(answer: TestResponse) -> Iterator[tuple[str, list[str]]]:
    for one in answer.headers["Content-Security-Policy"].split(";"):
        name, *values = one.split()
        yield name, values


@attack("CA-007")
def test_staff_page_under_the_name_of_a_file(case: Case, quick: Target) -> None:
    """No cache takes a page of staff for a picture or a style."""
    version_id = with_secret(quick)
    browser = signed_in(quick, "everything")
    for path in (f"{ADMIN}/", page_of(version_id), f"{ADMIN}/audit", f"{page_of(version_id)}/preview/vi"):
        assert browser.get(path).status_code == 200
        for name in ("/a.css", "a.css", "/a.png", ".js", ";a.css", "%2fa.css", "%0a.css", "/..%2fa.css"):
            answer = browser.get(path.rstrip("/") + name)
            assert answer.status_code == 404, path + name
            assert SECRET not in answer.text
            assert "public" not in answer.headers.get("Cache-Control", "")


@attack("KR-007")
def test_key_in_staff_pages_and_exports(
    case: Case, make_target: MakeTarget, sqlite_url: str, clock: Clock
) -> None:
    """No page, export, form token or link holds a key; nor does anything that staff store."""
    target = make_newsroom(make_target, sqlite_url, clock=clock)
    version_id = newsroom.publish(target)
    browser = signed_in(target, "everything")
    said = [
        browser.get(path)
        for path in (
            f"{ADMIN}/",
            NEW,
            page_of(version_id),
            f"{page_of(version_id)}/preview/vi",
            *(f"{ADMIN}/audit{query}" for query in ("", "?format=csv", "?format=json")),
            "/privacy/log.jsonl",
            "/privacy/log-key.pem",
        )
    ]
    key = target.app.config["SECRET_KEY"]
    for text in (*(f"{one.headers}{one.text}" for one in said), target.everything_stored()):
        assert not any(spelling in text for spelling in (key, key.encode().hex(), key[:16]))
    assert {one.status_code for one in said} == {200}
