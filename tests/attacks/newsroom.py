"""Staff who sign in at the host, and the forms they send: notice versions as they are made through the web."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from flask import session
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent_widget import Staff
from consent_widget.admin.guard import SESSION
from consent_widget.core.language import LANGUAGES
from consent_widget.services.draft import load_draft
from tests.attacks.conftest import MakeTarget
from tests.attacks.target import Target

ADMIN = "/privacy/admin"
NEW = f"{ADMIN}/versions/new"

#: One of each role, one who may do all, one whose account lost its roles.
STAFF = {
    one.id: one
    for one in (
        Staff("author", "Người soạn thảo", frozenset({"author"})),
        Staff("approver", "Người phê duyệt", frozenset({"approver"})),
        Staff("officer", "Phụ trách dữ liệu", frozenset({"officer"})),
        Staff("auditor", "Kiểm tra nội bộ", frozenset({"auditor"})),
        Staff("everything", "Đỗ Minh", frozenset({"author", "approver", "officer", "auditor"})),
        Staff("nothing", "Vũ Lan", frozenset()),
    )
}

Fields = dict[str, Any]


def make_newsroom(make_target: MakeTarget, url: str, **options: Any) -> Target:
    """A site whose staff sign in at the host, by its session."""
    directory = options.pop("staff", STAFF)

    def loader() -> Staff | None:
        found: Staff | None = directory.get(session.get("who", ""))
        return found

    target = make_target(url, staff_loader=loader, staff_directory=directory.values, **options)

    @target.app.get("/sign-in-at-the-host/<who>")
    def sign_in(who: str) -> str:
        session["who"] = who
        return who

    return target


def signed_in(target: Target, who: str) -> FlaskClient:
    """A browser of somebody of the staff, who reads English."""
    browser = target.browser()
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    assert browser.get(f"/sign-in-at-the-host/{who}").status_code == 200
    return browser


def page_of(version_id: int) -> str:
    return f"{ADMIN}/versions/{version_id}"


def hidden(page: str, name: str) -> str:
    """The value of the page's first hidden field of that name."""
    found = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', page)
    assert found, f"no field {name}"
    return found[1]


def token_of(browser: FlaskClient, page: str = NEW) -> str:
    return hidden(browser.get(page).text, "csrf_token")


def revision_of(target: Target, version_id: int) -> int:
    return load_draft(target.deployment, version_id).revision


def token_for(target: Target, browser: FlaskClient, who: str) -> str:
    """A good token for whom no page of ours has a form."""
    with browser.session_transaction() as kept:
        kept[SESSION] = [who, "of-this-session"]
    now = target.deployment.clock()
    return target.deployment.stamps.seal("form", who, "of-this-session", now=now)


def written(text: str = "A change.", **changed: Any) -> Fields:
    """All fields of the editor; ``text`` stands in both languages."""
    fields: Fields = {"change_class": "editorial", "effective_at": ""}
    for language in LANGUAGES:
        fields |= {
            f"title_{language}": f"Notice {language}",
            f"summary_{language}": f"Summary {language}",
            f"text_{language}": text,
        }
    return fields | changed


def send(
    browser: FlaskClient,
    action: str,
    path: str = NEW,
    fields: Mapping[str, Any] | None = None,
    **options: Any,
) -> TestResponse:
    """Press a button of the page ``path``, with the page's own token and, where there is one, its revision."""
    page = browser.get(path).text
    known = {"csrf_token": hidden(page, "csrf_token"), "action": action}
    if 'name="revision"' in page:
        known["revision"] = hidden(page, "revision")
    return browser.post(path, data=known | dict(fields or {}), **options)


def created(answer: TestResponse) -> int:
    """The id of the version that ``answer`` leads to."""
    assert answer.status_code in (201, 303), f"{answer.status_code} {answer.text[:4000]}"
    found = re.search(r"/versions/(\d+)", answer.headers["Location"])
    assert found
    return int(found[1])


def draft(target: Target, who: str = "author", **changed: Any) -> int:
    """A new draft with these fields, its id."""
    return created(send(signed_in(target, who), "save", fields=written(**changed)))


def step(target: Target, who: str, action: str, version_id: int, **fields: Any) -> None:
    """Press a button that must work."""
    answer = send(signed_in(target, who), action, page_of(version_id), fields)
    assert answer.status_code == 303, f"{action}: {answer.status_code} {problems(answer)}"


def publish(target: Target, **changed: Any) -> int:
    """Draft, submit, approve and announce a version with these fields; its id."""
    reason = changed.pop("reason", "")
    version_id = draft(target, **changed)
    step(target, "author", "submit", version_id)
    step(target, "approver", "approve", version_id)
    step(target, "approver", "announce", version_id, reason=reason)
    target.deployment.schedule.forget()
    return version_id


def problems(answer: TestResponse) -> list[str]:
    """What a refused form says."""
    return re.findall(r'(?:role="alert"|class="[^"]*(?:error|problem)[^"]*")[^>]*>\s*([^<]+)', answer.text)


def numbers(target: Target) -> list[int]:
    """The numbers of the versions that were announced, withdrawn ones too, newest first."""
    target.deployment.schedule.forget()
    return [one["number"] for one in target.browser().get("/privacy/versions.json").json or []]


def public_pages(
    number: int, *, before: int | None = None, languages: Iterable[str] = LANGUAGES
) -> list[str]:
    """Every public address at which the words of version ``number`` stand."""
    found = ["/privacy/versions.json", "/privacy/log.jsonl", "/privacy/preferences"]
    for language in languages:
        version = f"/privacy/{language}/versions/{number}"
        found += [f"{version}{form}" for form in ("", ".md", ".txt", ".json", ".ics")]
        found += [f"/privacy/{language}/{rest}" for rest in ("", "versions", "feed.atom")]
        found.append(f"{version}/changes?from={before or number - 1}")
    return found
