"""A preview: the real page, for staff and for whoever has the signed link, and nothing of it runs."""

import html
import re
from urllib.parse import urlsplit

import pytest
from flask import Response
from jinja2 import DictLoader, StrictUndefined

from tests.admin.conftest import MakeNewsroom
from tests.admin.newsroom import ADMIN, FORM, Newsroom, post

EVIL = "Chữ [bấm](javascript:alert(1)) <script>alert(1)</script> ![x](https://evil.example/x.png)"


def link_of(newsroom: Newsroom, version_id: int) -> str:
    """The link that the page of a version shows for copying."""
    page = newsroom.browser("lan").get(f"{ADMIN}/versions/{version_id}").text
    found = re.search(r'id="cw-admin-link" value="([^"]+)"', page)
    assert found
    link = html.unescape(found[1])
    assert link.startswith("https://www.demo.example/privacy/admin/versions/")
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


def check_sandboxed(headers: object) -> None:
    get = headers.get  # type: ignore[attr-defined]  # werkzeug's
    policy = get("Content-Security-Policy").split("; ")
    assert "sandbox" in policy
    assert {"script-src 'none'", "form-action 'none'", "object-src 'none'", "base-uri 'none'"} <= set(policy)
    assert get("Cache-Control") == "no-store"
    assert get("X-Robots-Tag") == "noindex"
    assert get("Referrer-Policy") == "no-referrer"


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_staff_see_the_page_as_a_visitor_will(stored_newsroom: Newsroom, lang: str) -> None:
    draft = stored_newsroom.write(texts={"vi": EVIL, "en": EVIL})

    answer = stored_newsroom.browser("lan").get(f"{ADMIN}/versions/{draft.id}/preview/{lang}")

    assert answer.status_code == 200
    check_sandboxed(answer.headers)
    assert f'<article class="consent-widget-article" data-notice="2" lang="{lang}">' in answer.text
    article = answer.text.partition("<article")[2].partition("</article>")[0]
    assert not re.search(r"<script|href=|evil\.example", article)
    assert draft.content_hashes[lang] in answer.text
    assert 'data-consent-widget="banner"' not in answer.text


def test_a_signed_link_needs_no_account_for_72_hours(stored_newsroom: Newsroom) -> None:
    draft = stored_newsroom.write()
    link = link_of(stored_newsroom, draft.id)

    answer = stored_newsroom.browser().get(link)

    assert answer.status_code == 200
    check_sandboxed(answer.headers)
    assert "Chúng tôi xử lý đơn hàng" in answer.text
    stored_newsroom.clock.tick(hours=71, minutes=59)
    assert stored_newsroom.browser().get(link).status_code == 200
    stored_newsroom.clock.tick(minutes=2)
    assert stored_newsroom.browser().get(link).status_code == 403


def test_a_link_opens_its_own_version_only_and_no_other_page(newsroom: Newsroom) -> None:
    first, second = newsroom.write(), newsroom.write()
    path, _, key = link_of(newsroom, first.id).partition("?")
    stranger = newsroom.browser()

    assert stranger.get(f"{path}?{key}").status_code == 200
    assert stranger.get(f"{ADMIN}/versions/{second.id}/preview/vi?{key}").status_code == 403
    assert stranger.get(f"{ADMIN}/versions/{first.id}?{key}").status_code == 303
    assert stranger.post(f"{path}?{key}", data=FORM).status_code == 303


@pytest.mark.parametrize("key", ["", "x", "\0", "é" * 20, "x" * 5000, "W10.x.y"])
def test_a_key_that_was_not_signed(newsroom: Newsroom, key: str) -> None:
    draft = newsroom.write()
    path = f"{ADMIN}/versions/{draft.id}/preview/vi"

    answer = newsroom.browser().get(path, query_string={"key": key})

    assert answer.status_code == 403
    assert "xử lý đơn hàng" not in answer.text
    assert newsroom.browser("hoa").get(path, query_string={"key": key}).status_code == 200


def test_a_form_token_is_no_preview_key(newsroom: Newsroom) -> None:
    draft = newsroom.write()
    token = newsroom.token(newsroom.browser("lan"))

    answer = newsroom.browser().get(f"{ADMIN}/versions/{draft.id}/preview/vi", query_string={"key": token})

    assert answer.status_code == 403


def test_a_discarded_version_has_no_preview(newsroom: Newsroom) -> None:
    draft = newsroom.write()
    link = link_of(newsroom, draft.id)
    post(newsroom.browser("lan"), f"/versions/{draft.id}", {"action": "discard"})

    assert newsroom.browser().get(link).status_code == 404


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "old"])
def test_what_is_typed_is_shown_and_not_stored(stored_newsroom: Newsroom, is_new: bool) -> None:
    draft = stored_newsroom.write()
    before = stored_newsroom.stored()
    path = f"/versions/{'new' if is_new else draft.id}/preview/en"

    answer = post(
        stored_newsroom.browser("lan"), path, FORM | {"text_en": "Half **typed**", "effective_at": "20"}
    )

    assert answer.status_code == 200
    check_sandboxed(answer.headers)
    assert "Half <strong>typed</strong>" in answer.text
    assert stored_newsroom.stored() == before


def test_what_is_typed_needs_the_forms_token(newsroom: Newsroom) -> None:
    draft = newsroom.write()

    answer = newsroom.browser("lan").post(
        f"{ADMIN}/versions/{draft.id}/preview/vi", data={"text_vi": "Planted"}
    )

    assert answer.status_code == 403
    assert "Planted" not in answer.text


def test_a_preview_stands_in_the_layout_of_the_host(make_newsroom: MakeNewsroom) -> None:
    """BASE_TEMPLATE is what the visitor will see around the text."""
    newsroom = make_newsroom(config={"CONSENT_WIDGET_BASE_TEMPLATE": "layout.html"})
    layout = "<html><body><h1>The host</h1>{% block content %}{% endblock %}</body></html>"
    newsroom.app.jinja_loader = DictLoader({"layout.html": layout})
    draft = newsroom.write()

    answer = newsroom.browser("lan").get(f"{ADMIN}/versions/{draft.id}/preview/vi")

    assert "<h1>The host</h1>" in answer.text
    assert "Bản xem trước: nội dung này chưa có hiệu lực." in answer.text
    assert "<h1>The host</h1>" not in newsroom.browser("lan").get(f"{ADMIN}/").text
    check_sandboxed(answer.headers)


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_preview_lacks_nothing_that_the_notice_page_prints(newsroom: Newsroom, lang: str) -> None:
    newsroom.app.jinja_env.undefined = StrictUndefined
    draft = newsroom.write(effective_at=None)

    assert newsroom.browser("lan").get(f"{ADMIN}/versions/{draft.id}/preview/{lang}").status_code == 200


@pytest.mark.parametrize("path", ["/", "/versions/new", "/versions/1", "/audit"])
@pytest.mark.parametrize("user", ["minh", "hoa"])
def test_no_staff_page_lacks_a_value(newsroom: Newsroom, user: str, path: str) -> None:
    newsroom.app.jinja_env.undefined = StrictUndefined
    newsroom.announced()

    assert newsroom.browser(user).get(f"{ADMIN}{path}").status_code in (200, 403)


def test_a_policy_that_the_host_sets_on_everything_opens_no_sandbox(make_newsroom: MakeNewsroom) -> None:
    newsroom = make_newsroom()

    @newsroom.app.after_request
    def open_all(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src * 'unsafe-inline'"
        return response

    draft = newsroom.write()
    browser = newsroom.browser("lan")

    check_sandboxed(browser.get(f"{ADMIN}/versions/{draft.id}/preview/vi").headers)
    for path in ("/", "/versions/new", "/sign-in"):
        policies = browser.get(f"{ADMIN}{path}").headers.getlist("Content-Security-Policy")
        assert len(policies) == 1
        assert "default-src 'none'" in policies[0]
    assert browser.get("/privacy/vi/").headers["Content-Security-Policy"].startswith("default-src *")
