"""CJ: every answer under our prefix is guarded by its headers, and every cookie of ours by its attributes."""

import itertools
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import request
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.attacks import staff
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.target import SECURE_NAME, Target, ask

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS")

TOKEN_PAGES = ("/privacy/confirm/token", "/privacy/unsubscribe/token", "/privacy/subscription/token")


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[str, TestResponse]]]:
    """The answer to every method on every route of ours, found in the route table, and to every kind of error."""
    folder = tmp_path_factory.mktemp("crawled")
    target = Target(f"sqlite:///{folder / 'consent.sqlite'}", folder, gpc_declared=True)
    fail = {"X-Fail": "1"}
    target.app.before_request(_fail_on_demand)
    accepted = f"{SECURE_NAME}={target.genuine('accept_all')}"
    paths = {path for rule in target.app.url_map.iter_rules() for path in _filled(rule, target)}
    found = []
    for path, method, cookies in itertools.product(sorted(paths), METHODS, ("", accepted)):
        if path.startswith("/.well-known/") and method not in ("GET", "HEAD"):
            continue  # outside our prefix a wrong method is answered by the host
        for accept in ("text/html", "application/json"):
            answer = ask(target, cookies, path, method=method, headers={"Accept": accept})
            found.append((f"{method} {path}", answer))
    save = "/privacy/preferences"
    for accept in ("text/html", "application/json"):
        headers = {"Accept": accept}
        for data, more in (
            ({"action": "reject_all"}, {}),
            ({"action": "nonsense"}, {}),
            ({"action": "accept_all"}, {"Sec-Fetch-Site": "cross-site"}),
            ({"action": "x" * 20_000}, {}),
            ({"action": "accept_all"}, fail),
            ('{"action"', {"Content-Type": "text/xml"}),
        ):
            answer = ask(target, "", save, method="POST", data=data, headers=headers | more)
            found.append((f"POST {save} {more}", answer))
        found.append(("fault", ask(target, "", "/privacy/vi/", headers=headers | fail)))
    yield found
    target.close()


def _fail_on_demand() -> None:
    if "X-Fail" in request.headers:
        raise RuntimeError("a fault of the host")


def _filled(rule: Rule, target: Target) -> list[str]:
    """Addresses of one route of ours, with values that exist and values that do not."""
    if not rule.endpoint.startswith("consent_widget"):
        return []
    path = rule.rule.replace("<any(vi,en):lang>", "vi")
    assets = target.app.extensions["consent_widget"].host.asset_urls.values()
    if "<path>" in path:
        return [*assets, "/privacy/assets/none.js"]
    return [
        path.replace("<int:number>", number).replace("<path:rest>", "no/such/page")
        for number in (("1", "99") if "<int:number>" in path else ("1",))
    ]


def test_the_crawl_meets_every_kind_of_answer(crawled: list[tuple[str, TestResponse]]) -> None:
    statuses = {answer.status_code for _, answer in crawled}

    assert statuses >= {200, 302, 303, 308, 400, 403, 404, 405, 413, 415, 500}


@attack("CJ-001")
def test_no_answer_may_be_framed_elsewhere(case: Case, crawled: list[tuple[str, TestResponse]]) -> None:
    for where, answer in crawled:
        assert _policy(answer).get("frame-ancestors") in (["'self'"], ["'none'"]), where
        assert answer.headers["X-Frame-Options"] in ("SAMEORIGIN", "DENY"), where


@attack("CJ-001")
@pytest.mark.parametrize("path", TOKEN_PAGES)
def test_token_page_may_not_be_framed(case: Case, path: str, site: Target) -> None:
    assert ask(site, "", "/privacy/subscribe").status_code == 200
    assert _policy(ask(site, "", path))["frame-ancestors"] in (["'self'"], ["'none'"])


@attack("CJ-002")
def test_policy_on_every_answer(case: Case, crawled: list[tuple[str, TestResponse]]) -> None:
    """Errors, redirects and files included."""
    for where, answer in crawled:
        policy = _policy(answer)
        assert policy.get("object-src") == ["'none'"], where
        assert policy.get("base-uri") == ["'none'"], where
        scripts = policy.get("script-src", policy.get("default-src", ["*"]))
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "data:", "https:"} & set(scripts), where
        assert answer.headers["X-Content-Type-Options"] == "nosniff", where
        allowed = {"strict-origin"} if "token" in where else {"strict-origin-when-cross-origin"}
        # A method that a page with a link does not take is refused before it is known which page it is.
        assert answer.headers["Referrer-Policy"] in allowed | (
            {"strict-origin-when-cross-origin"} if answer.status_code in (405, 500) else set()
        ), where
        assert "charset" in answer.headers.get("Content-Type", "charset") or not _is_text(answer), where


@attack("CJ-002")
def test_no_error_tells_what_failed_inside(case: Case, crawled: list[tuple[str, TestResponse]]) -> None:
    for where, answer in crawled:
        assert "Traceback" not in answer.text, where
        assert "a fault of the host" not in answer.text, where
        if answer.status_code >= 400:
            assert "no-store" in answer.headers["Cache-Control"], where


@attack("CJ-002")
def test_policy_on_an_answer_to_too_many_requests(case: Case, site: Target) -> None:
    data = {"email": "reader@example.com"}
    answers = [ask(site, "", "/privacy/subscribe", method="POST", data=data) for _ in range(200)]

    assert answers[-1].status_code == 429
    assert _policy(answers[-1])["object-src"] == ["'none'"]


@attack("CJ-003")
@pytest.mark.parametrize("path", TOKEN_PAGES)
def test_token_stays_out_of_the_referrer(case: Case, path: str, site: Target) -> None:
    assert ask(site, "", "/privacy/subscribe").status_code == 200
    assert ask(site, "", path).headers["Referrer-Policy"] in ("strict-origin", "origin", "no-referrer")


@attack("CJ-004")
def test_attributes_of_every_cookie(case: Case, make_target: MakeTarget, database_url: str) -> None:
    """Set, replaced and removed, by forms and scripts; the mirror alone may be read by scripts."""
    target = make_target(database_url)
    browser = target.browser()
    sent = []
    for action in ("accept_all", "save", "accept_all", "reject_all"):
        answer = browser.post("/privacy/preferences", data={"action": action, "category": "analytics"})
        sent += answer.headers.getlist("Set-Cookie")
    for body in ({"action": "accept_all"}, {"action": "reject_all"}):
        sent += browser.post("/privacy/preferences", json=body).headers.getlist("Set-Cookie")
    older = target.seal("analytics", subject="not-on-record")
    for path in ("/privacy/state", "/privacy/preferences"):
        sent += ask(target, f"{SECURE_NAME}={older}", path).headers.getlist("Set-Cookie")
    own = [one for one in sent if "consent" in one.partition("=")[0]]
    removed = [one for one in sent if one not in own]

    assert len(own) == 16
    assert {one.partition("=")[0] for one in own} == {SECURE_NAME, f"{SECURE_NAME}_view"}
    for one in own:
        pair, *rest = one.split("; ")
        attributes = {
            name.lower(): value for name, _, value in (attribute.partition("=") for attribute in rest)
        }
        assert "secure" in attributes
        assert attributes["samesite"] == "Lax"
        assert attributes["path"] == "/"
        assert "domain" not in attributes
        is_mirror = pair.startswith(f"{SECURE_NAME}_view=") and attributes["max-age"] != "0"
        assert ("httponly" in attributes) != is_mirror
        assert 0 <= int(attributes["max-age"]) <= timedelta(days=182).total_seconds()
        assert len(pair) <= 300
    assert {one.partition("=")[0] for one in removed} == {f"demo_{name}" for name in target.names}
    assert all("Max-Age=0" in one and "Secure" in one and "SameSite=Lax" in one for one in removed)


@attack("CJ-004")
def test_mirror_and_refusal_hold_no_identifier(case: Case, site: Target) -> None:
    """Two visitors who refuse within one second have the same cookie; so have any two mirrors."""
    kept = set()
    mirrors = set()
    for _ in range(4):
        browser = site.browser()
        browser.post("/privacy/preferences", data={"action": "reject_all"})
        cookie, mirror = browser.get_cookie(SECURE_NAME), browser.get_cookie(f"{SECURE_NAME}_view")
        assert cookie is not None
        assert mirror is not None
        kept.add(cookie.value)
        mirrors.add(mirror.value)

    assert len(kept) < 4
    assert mirrors == {"analytics:0.marketing:0.preferences:0"}


@attack("CJ-004")
def test_attributes_of_the_staff_cookie(case: Case, make_target: MakeTarget, database_url: str) -> None:
    """Of the session, before and after the sign-in and when it is taken away, and of the known device."""
    target = make_target(database_url, has_accounts=True)
    staff.hire(target)
    browser = target.browser()

    sent = browser.get(staff.SIGN_IN).headers.getlist("Set-Cookie")
    sent += staff.sign_in(browser).headers.getlist("Set-Cookie")
    page = {"token": staff.token(browser, staff.ACCOUNT)}
    sent += browser.post("/privacy/admin/sign-out", data=page).headers.getlist("Set-Cookie")

    assert [one.partition("=")[0] for one in sent].count(staff.COOKIE) == 3
    assert [one.partition("=")[0] for one in sent].count(staff.DEVICE) == 1
    for one in sent:
        pair, *attributes = one.split("; ")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(attributes)
        assert "Domain" not in one
        assert len(pair) <= 100


@attack("CJ-005")
@pytest.mark.parametrize("path", ["/privacy/preferences", "/privacy/state"])
def test_personal_answers_are_not_kept(case: Case, path: str, site: Target) -> None:
    for cookies in ("", f"{SECURE_NAME}={site.genuine('accept_all')}", f"{SECURE_NAME}=broken"):
        assert "no-store" in ask(site, cookies, path).headers["Cache-Control"]


@attack("CJ-005")
@pytest.mark.parametrize("path", TOKEN_PAGES)
def test_token_page_is_not_kept(case: Case, path: str, site: Target) -> None:
    assert ask(site, "", "/privacy/subscribe").status_code == 200
    assert "no-store" in ask(site, "", path).headers["Cache-Control"]


def _is_text(answer: TestResponse) -> bool:
    return (answer.mimetype or "").startswith("text/")


def _policy(answer: TestResponse) -> dict[str, list[str]]:
    """The content security policy by directive."""
    directives = [one.split() for one in answer.headers.get("Content-Security-Policy", "").split(";")]
    return {name: values for name, *values in filter(None, directives)}
