"""Approvers are told by mail; whatever the mail does, the draft is submitted."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from tests.admin.conftest import MakeNewsroom
from tests.admin.newsroom import FORM, Newsroom, hidden, post


def test_approvers_but_the_editor_are_told_in_both_languages(newsroom: Newsroom) -> None:
    draft = newsroom.write("boss")

    answer = post(newsroom.browser("boss"), f"/versions/{draft.id}", {"action": "submit"})

    assert answer.status_code == 303
    assert {mail["To"] for mail in newsroom.mails} == {"minh@demo.example", "oanh@demo.example"}
    for mail in newsroom.mails:
        text = mail.get_content()
        assert mail["Subject"].startswith(
            "Có bản chính sách bảo mật thông tin chờ bạn duyệt / A privacy policy"
        )
        assert "“Chính sách” vừa được gửi duyệt" in text
        assert "“Policy” was submitted for review" in text
        assert text.count(f"https://www.demo.example/privacy/admin/versions/{draft.id}\n") == 2
        assert message_from_bytes(bytes(mail), policy=policy.default)["To"] == mail["To"]


@pytest.mark.parametrize("mount", ["", "/shop"])
def test_without_a_public_address_the_link_is_that_of_the_form(
    make_newsroom: MakeNewsroom, mount: str
) -> None:
    newsroom = make_newsroom(config={"CONSENT_WIDGET_PUBLIC_URL": None})
    draft = newsroom.write()
    browser, base = newsroom.browser(), f"https://intern.demo.example:8443{mount}"
    browser.get("/host/sign-in/lan", base_url=base)
    path = f"/privacy/admin/versions/{draft.id}"
    token = hidden(browser.get(path, base_url=base).text, "csrf_token")
    data = {"action": "submit", "csrf_token": token, "revision": draft.revision}

    answer = browser.post(path, data=data, base_url=base)

    assert answer.status_code == 303
    assert [mail.get_content().count(f"{base}{path}\n") for mail in newsroom.mails] == [2, 2, 2]
    page = browser.get(path, base_url=base).text
    assert f'id="cw-admin-link" value="{base}{path}/preview/vi?key=' in page


def test_a_new_version_that_is_submitted_at_once_is_told_too(newsroom: Newsroom) -> None:
    post(newsroom.browser("lan"), "/versions/new", FORM | {"action": "submit"})

    assert len(newsroom.mails) == 3


def test_nobody_is_told_of_a_submit_that_was_refused(newsroom: Newsroom) -> None:
    draft = newsroom.write(summaries={"vi": "", "en": ""})

    assert post(newsroom.browser("lan"), f"/versions/{draft.id}", {"action": "submit"}).status_code == 400
    assert newsroom.mails == []


def test_a_mailer_that_fails_does_not_stop_the_submit(
    make_newsroom: MakeNewsroom, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(mail: EmailMessage) -> None:
        raise OSError(f"no route to {mail['To']}")

    newsroom = make_newsroom(mailer=fail)
    draft = newsroom.write()

    answer = post(newsroom.browser("lan"), f"/versions/{draft.id}", {"action": "submit"})

    assert answer.status_code == 303
    assert newsroom.load(draft.id).state == "in_review"
    assert "OSError" in caplog.text
    assert "@demo.example" not in caplog.text


@pytest.mark.parametrize("missing", ["mailer", "staff_directory"])
def test_without_mailer_or_directory_nobody_is_told(make_newsroom: MakeNewsroom, missing: str) -> None:
    options: dict[str, Any] = {missing: None}
    newsroom = make_newsroom(**options)
    draft = newsroom.write()

    assert post(newsroom.browser("lan"), f"/versions/{draft.id}", {"action": "submit"}).status_code == 303
    assert newsroom.mails == []


def test_the_sender_is_that_of_the_settings(make_newsroom: MakeNewsroom) -> None:
    newsroom = make_newsroom(mail_from="privacy@demo.example")
    draft = newsroom.write()
    post(newsroom.browser("lan"), f"/versions/{draft.id}", {"action": "submit"})

    assert {mail["From"] for mail in newsroom.mails} == {"privacy@demo.example"}
