"""Whoever may decide is told by mail when a campaign wants them; nothing that goes wrong there stops a worker."""

import logging
from collections.abc import Iterable
from email.message import EmailMessage

import pytest

from consent_widget import Staff
from consent_widget.core.campaign import PauseReason
from tests.admin.conftest import MakeNewsroom
from tests.admin.newsroom import Newsroom

PAUSED = {"campaign": 3, "number": 2, "reason": PauseReason.POLICY.value, "detail": "550 5.7.1 not from you"}


def test_approvers_and_officers_are_told(newsroom: Newsroom) -> None:
    """Outside any request, in both languages, with a link to the campaign."""
    newsroom.deployment.alarm("campaign_paused", PAUSED)

    assert {mail["To"] for mail in newsroom.mails} == {
        "minh@demo.example", "oanh@demo.example", "boss@demo.example",
    }  # fmt: skip
    text = newsroom.mails[0].get_content()
    assert "The mail server refuses our mail by its rules" in text
    assert "Máy chủ thư từ chối thư của chúng ta" in text
    assert text.count("550 5.7.1 not from you") == 2
    assert text.count("https://www.demo.example/privacy/admin/campaigns/3\n") == 2
    assert newsroom.mails[0]["Subject"].startswith("Thư thông báo")
    assert "\n-- \n" not in text  # what follows is folded away as a signature (RFC 3676)


@pytest.mark.parametrize(
    "code, details, said",
    [
        ("not_told_in_time", {"campaign": 3, "number": 2, "told": 940, "rows": 1000}, "940 of 1000 mails"),
        ("mail_refused", {"code": "5.7.26"}, "5.7.26: The sender is not proved by SPF, DKIM or DMARC."),
        ("mail_refused", {"code": "5.1.8"}, "Ask those who run the site to check SPF"),
        ("something_new", {}, "something_new"),
        ("campaign_paused", {"campaign": 3, "reason": "restored"}, "restored from a backup"),
        ("campaign_paused", {}, "It was paused."),
    ],
)
def test_every_alarm_has_words(newsroom: Newsroom, code: str, details: dict[str, object], said: str) -> None:
    newsroom.deployment.alarm(code, details)

    assert said in newsroom.mails[0].get_content()


def test_a_mailer_that_fails_stops_nothing(
    make_newsroom: MakeNewsroom, caplog: pytest.LogCaptureFixture
) -> None:
    """The message of the host's error may hold an address: only its kind is logged."""

    def mailer(mail: EmailMessage) -> None:
        raise OSError(f"no way to {mail['To']}")

    make_newsroom(mailer=mailer).deployment.alarm("campaign_paused", PAUSED)

    assert "Staff were not told: OSError" in caplog.text
    assert "minh@" not in caplog.text


def test_one_mail_that_fails_keeps_it_from_nobody_else(make_newsroom: MakeNewsroom) -> None:
    told: list[str] = []

    def mailer(mail: EmailMessage) -> None:
        if not told:
            told.append("")
            raise OSError
        told.append(mail["To"])

    make_newsroom(mailer=mailer).deployment.alarm("campaign_paused", PAUSED)

    assert told == ["", "oanh@demo.example", "boss@demo.example"]


def test_a_directory_that_fails_stops_nothing(make_newsroom: MakeNewsroom) -> None:
    def directory() -> Iterable[Staff]:
        raise RuntimeError("no directory today")

    newsroom = make_newsroom(staff_directory=directory)

    newsroom.deployment.alarm("campaign_paused", PAUSED)

    assert newsroom.mails == []


def test_without_mailer_or_directory_it_is_logged(
    make_newsroom: MakeNewsroom, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)

    make_newsroom(mailer=None).deployment.alarm("campaign_paused", PAUSED)

    assert "Staff are wanted: campaign_paused" in caplog.text
