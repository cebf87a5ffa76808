"""Who may come in, who may do what, and with which form."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect

from consent_widget.accounts import StaffAccounts
from consent_widget.core.errors import Conflict
from consent_widget.core.workflow import Event, advance, may
from tests.admin.conftest import MakeNewsroom
from tests.admin.newsroom import ADMIN, FORM, STAFF, Newsroom, hidden, post
from tests.conftest import MakeApp

#: Every route of ours: who it is for. A new route fails the test until it is listed here.
PUBLIC = "public"
GUARDED = "guarded"
KEY = "guarded, or by a signed key"
ACCOUNTS = "by the session of our own sign-in (tests/accounts)"
ROUTES = {
    "consent_widget.show_home": PUBLIC,
    "consent_widget.show_notice": PUBLIC,
    "consent_widget.show_version": PUBLIC,
    "consent_widget.show_markdown": PUBLIC,
    "consent_widget.show_preferences": PUBLIC,
    "consent_widget.save": PUBLIC,
    "consent_widget.show_state": PUBLIC,
    "consent_widget.show_asset": PUBLIC,
    "consent_widget.add_slash": PUBLIC,
    "consent_widget.show_health": PUBLIC,
    "consent_widget.refuse": PUBLIC,
    "consent_widget.show_as_of": PUBLIC,
    "consent_widget.show_calendar": PUBLIC,
    "consent_widget.show_changes": PUBLIC,
    "consent_widget.show_feed": PUBLIC,
    "consent_widget.show_json": PUBLIC,
    "consent_widget.show_list": PUBLIC,
    "consent_widget.show_log": PUBLIC,
    "consent_widget.show_log_key": PUBLIC,
    "consent_widget.show_text": PUBLIC,
    "consent_widget.show_versions": PUBLIC,
    "consent_widget.show_subscribe": PUBLIC,
    "consent_widget.subscribe": PUBLIC,
    "consent_widget.show_confirm": PUBLIC,
    "consent_widget.confirm_subscription": PUBLIC,
    "consent_widget.show_subscription": PUBLIC,
    "consent_widget.change_subscription": PUBLIC,
    "consent_widget.show_unsubscribe": PUBLIC,
    "consent_widget.unsubscribe": PUBLIC,
    "consent_widget_gpc": PUBLIC,
    "consent_widget_accounts.show_sign_in": PUBLIC,
    "consent_widget_accounts.sign_in": PUBLIC,
    "consent_widget_accounts.show_code": ACCOUNTS,
    "consent_widget_accounts.enter_code": ACCOUNTS,
    "consent_widget_accounts.show_new_password": ACCOUNTS,
    "consent_widget_accounts.renew_password": ACCOUNTS,
    "consent_widget_accounts.show_lost": PUBLIC,
    "consent_widget_accounts.ask_for_link": PUBLIC,
    "consent_widget_accounts.show_link": PUBLIC,
    "consent_widget_accounts.use_link": PUBLIC,
    "consent_widget_accounts.sign_out": ACCOUNTS,
    "consent_widget_accounts.show_account": ACCOUNTS,
    "consent_widget_accounts.change_password": ACCOUNTS,
    "consent_widget_accounts.change_second_factor": ACCOUNTS,
    "consent_widget_admin.add_slash": PUBLIC,
    "consent_widget_admin.show_rest": PUBLIC,
    "consent_widget_admin.show_overview": GUARDED,
    "consent_widget_admin.show_new": GUARDED,
    "consent_widget_admin.add_version": GUARDED,
    "consent_widget_admin.preview_typed_new": GUARDED,
    "consent_widget_admin.show_version": GUARDED,
    "consent_widget_admin.change_version": GUARDED,
    "consent_widget_admin.show_preview": KEY,
    "consent_widget_admin.preview_typed": GUARDED,
    "consent_widget_admin.show_audit": GUARDED,
    "consent_widget_admin.show_subscriptions": GUARDED,
    "consent_widget_admin.search_subscriptions": GUARDED,
    "consent_widget_admin.show_subscription": GUARDED,
    "consent_widget_admin.change_subscription": GUARDED,
    "consent_widget_admin.show_proof": GUARDED,
    "consent_widget_admin.name_proof": GUARDED,
    "consent_widget_admin.download_proof": GUARDED,
    "consent_widget_admin.show_campaigns": GUARDED,
    "consent_widget_admin.show_campaign": GUARDED,
    "consent_widget_admin.change_campaign": GUARDED,
    "consent_widget_admin.show_bounces": GUARDED,
    "consent_widget_admin.show_bounce": GUARDED,
}

PAGES = [
    "/",
    "/versions/new",
    "/versions/1",
    "/versions/1/preview/vi",
    "/audit",
    "/audit?format=csv",
    "/subscriptions",
    "/campaigns",
    "/bounces",
]


def our_routes(app: Flask) -> dict[str, list[tuple[str, str]]]:
    """Method and address of each route of ours, by endpoint."""
    found: dict[str, list[tuple[str, str]]] = {}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("consent_widget"):
            path = re.sub(r"<int:\w+>", "1", rule.rule)
            path = (
                re.sub(r"<any\((\w+),[^>]*>", r"\1", path)
                .replace("<path:rest>", "nothing")
                .replace("<path>", "x.js")
            )
            path = re.sub(r"<[^>]*>", "x", path)
            for method in (rule.methods or set()) & {"GET", "POST"}:
                found.setdefault(rule.endpoint, []).append((method, path))
    return found


def test_every_route_is_listed(make_newsroom: MakeNewsroom) -> None:
    app = make_newsroom(gpc_declared=True).app
    StaffAccounts().init_app(app)

    assert set(our_routes(app)) == set(ROUTES)


def test_every_guarded_route_sends_a_stranger_to_the_sign_in(newsroom: Newsroom) -> None:
    tried = 0
    for endpoint, addresses in our_routes(newsroom.app).items():
        for method, path in addresses if ROUTES[endpoint] in (GUARDED, KEY) else ():
            before = newsroom.stored()

            answer = newsroom.browser().open(
                path, method=method, data=dict(FORM) if method == "POST" else None
            )

            tried += 1
            assert answer.status_code == 303, path
            assert answer.headers["Location"].startswith(f"{ADMIN}/sign-in?next=/privacy/admin"), path
            assert newsroom.stored() == before
    assert tried == 21


def test_the_way_back_is_the_page_that_was_asked_for(newsroom: Newsroom) -> None:
    answer = newsroom.browser().get(f"{ADMIN}/versions/1?edit=1")

    assert answer.headers["Location"] == f"{ADMIN}/sign-in?next=/privacy/admin/versions/1%3Fedit%3D1"


def test_a_stranger_with_a_script_is_told_in_json(newsroom: Newsroom) -> None:
    answer = newsroom.browser().post(f"{ADMIN}/versions/1", headers={"Accept": "application/json"})

    assert answer.status_code == 401
    assert answer.get_json()["error"]["code"] == "signed_out"


def test_without_a_staff_loader_there_are_no_staff_pages(make_app: MakeApp) -> None:
    app = make_app()

    assert all(app.test_client().get(f"{ADMIN}{path}").status_code == 404 for path in PAGES)
    assert not any("/admin" in rule.rule for rule in app.url_map.iter_rules())


@pytest.mark.parametrize("path", PAGES)
def test_an_account_without_a_role_sees_nothing(newsroom: Newsroom, path: str) -> None:
    assert newsroom.browser("guest").get(f"{ADMIN}{path}").status_code == 403


@pytest.mark.parametrize("user", sorted(set(STAFF) - {"guest"}))
@pytest.mark.parametrize("path", PAGES)
def test_who_may_see_which_page(newsroom: Newsroom, user: str, path: str) -> None:
    roles = STAFF[user].roles
    readers = {"approver", "officer", "auditor"}
    allowed = {
        "/versions/new": {"author", "approver", "officer"},
        "/audit": readers,
        "/audit?format=csv": readers,
        "/bounces": readers,
    }

    answer = newsroom.browser(user).get(f"{ADMIN}{path}")

    assert answer.status_code == (200 if roles & allowed.get(path, roles) else 403)
    assert answer.headers["Cache-Control"] == "no-store"


STAGES = ("write", "submitted", "approved", "announced")
ACTIONS = [event.value for event in Event]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("user", sorted(set(STAFF) - {"guest"}))
def test_who_may_do_what_in_which_state(newsroom: Newsroom, user: str, stage: str) -> None:
    """Every role, every action, every state: refused ones leave everything as it was."""
    for action in ACTIONS:
        draft = getattr(newsroom, stage)()
        staff = STAFF[user]
        expected = _expected(
            staff_may=may(staff, Event(action)), leads_on=_leads_on(draft.state, Event(action))
        )
        data = {"action": action, "revision": draft.revision, "reason": "Because"}
        if action == "save":
            data |= dict(FORM) | {"title_en": f"Changed by {user}"}
        before = newsroom.stored()

        browser = newsroom.browser(user)
        answer = browser.post(
            f"{ADMIN}/versions/{draft.id}", data=data | {"csrf_token": newsroom.token(browser)}
        )

        assert answer.status_code == expected, (action, answer.text)
        if expected != 303:
            assert newsroom.stored() == before
        if stage == "announced" and newsroom.load(draft.id).state == "announced":
            post(
                newsroom.browser("oanh"),
                f"/versions/{draft.id}",
                {"action": "withdraw", "reason": "Make room"},
            )


def _leads_on(state: Any, event: Event) -> bool:
    try:
        advance(state, event)
    except Conflict:
        return False
    return True


def _expected(*, staff_may: bool, leads_on: bool) -> int:
    if not staff_may:
        return 403
    return 303 if leads_on else 409


@pytest.mark.parametrize("user", ["minh", "boss"])
@pytest.mark.parametrize("stage, action", [("submitted", "approve"), ("approved", "announce")])
def test_nobody_approves_or_announces_what_they_edited_last(
    stored_newsroom: Newsroom, user: str, stage: str, action: str
) -> None:
    draft = getattr(stored_newsroom, stage)(user)
    before = stored_newsroom.stored()

    answer = post(stored_newsroom.browser(user), f"/versions/{draft.id}", {"action": action})

    assert answer.status_code == 403
    assert "Người sửa nội dung lần cuối" in answer.text
    assert stored_newsroom.stored() == before


# The form's token ---------------------------------------------------------------


def test_a_form_without_the_token_of_this_person_and_session(newsroom: Newsroom) -> None:
    draft = newsroom.write()
    path = f"{ADMIN}/versions/{draft.id}"
    browser, colleague = newsroom.browser("lan"), newsroom.browser("boss")
    own, foreign = (hidden(one.get(path).text, "csrf_token") for one in (browser, colleague))
    earlier = newsroom.browser("lan")
    old = hidden(earlier.get(path).text, "csrf_token")
    earlier.get("/host/sign-out")
    earlier.get("/host/sign-in/lan")
    earlier.get(path)
    before = newsroom.stored()
    data = {"action": "discard", "revision": draft.revision}

    attempts: list[tuple[FlaskClient, dict[str, Any]]] = [
        (browser, {}),
        (browser, {"csrf_token": ""}),
        (browser, {"csrf_token": "0" * 40}),
        (browser, {"csrf_token": "\0é"}),
        (browser, {"csrf_token": "x" * 5000}),
        (browser, {"csrf_token": foreign}),
        (colleague, {"csrf_token": own}),
        (browser, {"csrf_token": ["", own]}),
        (earlier, {"csrf_token": old}),
    ]
    for one, token in attempts:
        assert one.post(path, data=data | token).status_code == 403
    assert newsroom.stored() == before

    assert browser.post(path, data=data | {"csrf_token": own}).status_code == 303


def test_the_token_is_not_taken_from_the_address(newsroom: Newsroom) -> None:
    draft = newsroom.write()
    browser = newsroom.browser("lan")
    token = hidden(browser.get(f"{ADMIN}/versions/{draft.id}").text, "csrf_token")

    answer = browser.post(
        f"{ADMIN}/versions/{draft.id}?csrf_token={token}", data={"action": "discard", "revision": "1"}
    )

    assert answer.status_code == 403
    assert newsroom.load(draft.id) == draft


def test_a_form_that_stood_open_for_too_long_comes_back_as_it_was_filled_in(newsroom: Newsroom) -> None:
    draft = newsroom.write()
    browser = newsroom.browser("lan")
    path = f"{ADMIN}/versions/{draft.id}"
    token = hidden(browser.get(path).text, "csrf_token")
    newsroom.clock.tick(hours=25)
    data = dict(FORM) | {"action": "save", "revision": "1", "text_vi": "Rất lâu mới gõ xong"}

    answer = browser.post(path, data=data | {"csrf_token": token}, headers={"Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 403
    assert "Rất lâu mới gõ xong" in answer.text
    assert newsroom.load(draft.id) == draft
    again = data | {"csrf_token": hidden(answer.text, "csrf_token")}
    assert browser.post(path, data=again, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303
    assert newsroom.load(draft.id).texts["vi"] == "Rất lâu mới gõ xong\n"


def test_what_another_page_filled_in_does_not_come_back(newsroom: Newsroom) -> None:
    """Without the browser's word that the form is ours, it gets no fresh token."""
    draft = newsroom.write()

    answer = newsroom.browser("lan").post(
        f"{ADMIN}/versions/{draft.id}", data=dict(FORM) | {"action": "save", "text_vi": "Planted"}
    )

    assert answer.status_code == 403
    assert "Planted" not in answer.text
    assert "csrf_token" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.localhost"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_a_foreign_page_is_refused_with_a_good_token_too(
    newsroom: Newsroom, headers: dict[str, str]
) -> None:
    draft = newsroom.write()

    answer = post(newsroom.browser("lan"), f"/versions/{draft.id}", {"action": "discard"}, headers=headers)

    assert answer.status_code == 403
    assert newsroom.load(draft.id) == draft


def test_a_host_with_csrf_protection_of_its_own_leaves_our_forms_alone(make_newsroom: MakeNewsroom) -> None:
    newsroom = make_newsroom()
    CSRFProtect(newsroom.app)

    assert post(newsroom.browser("lan"), "/versions/new", FORM | {"action": "save"}).status_code == 303


# Where one signs in ---------------------------------------------------------------


def test_a_host_with_a_sign_in_of_its_own_is_pointed_to(newsroom: Newsroom) -> None:
    answer = newsroom.browser().get(f"{ADMIN}/sign-in?next=/privacy/admin/versions/1&lang=en")

    assert answer.status_code == 200
    assert "Please sign in on this website first" in answer.text
    assert 'href="/privacy/admin/versions/1"' in answer.text


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\n//evil"],
)
def test_the_way_back_leads_to_this_host_only(newsroom: Newsroom, target: str) -> None:
    stranger = newsroom.browser().get(f"{ADMIN}/sign-in", query_string={"next": target})
    signed_in = newsroom.browser("lan").get(f"{ADMIN}/sign-in", query_string={"next": target})

    assert "evil" not in stranger.text
    assert "javascript" not in stranger.text
    assert signed_in.headers["Location"] == f"{ADMIN}/"


def test_whoever_is_signed_in_goes_on_at_once(newsroom: Newsroom) -> None:
    answer = newsroom.browser("lan").get(f"{ADMIN}/sign-in?next=/privacy/admin/versions/1")

    assert (answer.status_code, answer.headers["Location"]) == (303, f"{ADMIN}/versions/1")


def test_the_address_without_its_slash_keeps_the_host(newsroom: Newsroom) -> None:
    answer = newsroom.browser().get(ADMIN, headers={"Host": "evil.example"})

    assert (answer.status_code, answer.headers["Location"]) == (308, f"{ADMIN}/")


# Headers and errors -----------------------------------------------------------------


@pytest.mark.parametrize(
    "user, path",
    [
        ("lan", "/"),
        ("lan", "/versions/new"),
        ("hoa", "/versions/new"),
        ("lan", "/versions/99"),
        (None, "/sign-in"),
        (None, "/"),
    ],
)
def test_every_answer_is_strict(newsroom: Newsroom, user: str | None, path: str) -> None:
    answer = newsroom.browser(user).get(f"{ADMIN}{path}")
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["object-src"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", answer.text)


@pytest.mark.parametrize("version", ["99", "2147483648", "9" * 30])
def test_an_unknown_version_is_not_found(stored_newsroom: Newsroom, version: str) -> None:
    for path in (f"/versions/{version}", f"/versions/{version}/preview/vi"):
        answer = stored_newsroom.browser("lan").get(f"{ADMIN}{path}")

        assert answer.status_code == 404, path


def test_the_language_once_chosen_holds(newsroom: Newsroom) -> None:
    browser = newsroom.browser("lan")
    assert 'lang="vi"' in browser.get(f"{ADMIN}/").text

    browser.get(f"{ADMIN}/?lang=en")

    assert '<html lang="en"' in browser.get(f"{ADMIN}/versions/1").text
    assert '<html lang="en"' in browser.get(f"{ADMIN}/versions/99").text


def test_a_database_that_is_down_is_said_so(newsroom: Newsroom) -> None:
    browser = newsroom.browser("lan")
    with newsroom.deployment.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE cw_notice_version RENAME TO elsewhere")

    answer = browser.get(f"{ADMIN}/")

    assert answer.status_code == 503
    assert "Traceback" not in answer.text


def test_more_than_a_form_can_hold(newsroom: Newsroom) -> None:
    before = newsroom.stored()

    answer = newsroom.browser("lan").post(f"{ADMIN}/versions/new", data={"text_vi": "x" * 20_000_001})

    assert answer.status_code == 413
    assert newsroom.stored() == before


def test_tokens_are_bound_for_a_day(newsroom: Newsroom) -> None:
    draft = newsroom.write()
    browser = newsroom.browser("lan")
    page = browser.get(f"{ADMIN}/versions/{draft.id}").text
    newsroom.clock.now += timedelta(hours=23)

    answer = browser.post(
        f"{ADMIN}/versions/{draft.id}",
        data={"action": "discard", "revision": "1", "csrf_token": hidden(page, "csrf_token")},
    )

    assert answer.status_code == 303
