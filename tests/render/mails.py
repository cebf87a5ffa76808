"""Mails to read, and what they are made of."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

from consent_widget.core import campaign
from consent_widget.core.campaign import Campaign
from consent_widget.core.delivery import Kind
from consent_widget.core.envelope import message_id
from consent_widget.core.links import MANAGE, UNSUBSCRIBE, Links
from consent_widget.core.notice import ChangeClass, NoticeText, Version
from consent_widget.render.mail import Letterhead, Stencil, campaign_mail, letter_mail

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
EFFECTIVE = datetime(2027, 1, 14, 17, 0, tzinfo=UTC)  # midnight in Vietnam
SECRET = "5ec7e7" * 5
LINKS = Links(["k" * 40])
CONFIRM = "t" * 43
ADDRESS = "nguyen.van.an@example.vn"

LETTERHEAD = Letterhead(
    name="Công ty Cổ phần HTEK",
    address="Số 1, đường Ví Dụ, Hà Nội",
    contact="024 0000 0000",
    mail_from="privacy@htek.example",
    public_base="https://www.htek.example/privacy",
    timezone=ZoneInfo("Asia/Ho_Chi_Minh"),
    mail_domain="htek.example",
)

OLD = """\
Mở đầu của chính sách.

## Lưu trữ {#luu-tru .retention}

Thông tin liên hệ được lưu trữ 12 tháng.

Đoạn giữ nguyên thứ nhất.

Đoạn giữ nguyên thứ hai.

Đoạn giữ nguyên thứ ba.

Đoạn giữ nguyên thứ tư.

## Bên thứ ba {#ben-thu-ba .recipients}

Không cung cấp cho ai.
"""
NEW = OLD.replace("12 tháng", "24 tháng").replace("Không cung cấp cho ai.", "Cung cấp cho bên gửi thư.")


def text_of(markdown: str = NEW, **parts: str) -> NoticeText:
    given = {"title": "Chính sách bảo mật thông tin", "summary": "Từ nay lưu trữ 24 tháng."} | parts
    return NoticeText(markdown=markdown, **given)


def version_of(number: int = 2, **parts: Any) -> Version:
    given: dict[str, Any] = {
        "change_class": ChangeClass.IMPORTANT,
        "effective_at": EFFECTIVE,
        "announced_at": NOW,
        "summaries": {"vi": "Từ nay lưu trữ 24 tháng.", "en": "From now on 24 months."},
        "content_hashes": {"vi": "0" * 64},
    }
    return Version(number=number, **given | parts)


WITHDRAWN = version_of(
    withdrawn_at=NOW + timedelta(days=2), withdrawal_reason="Văn bản còn sai về thời hạn lưu trữ."
)


def campaign_of(kind: campaign.Kind = campaign.Kind.CHANGE, **parts: Any) -> Campaign:
    made = Campaign(
        id=7,
        version_id=2,
        number=2,
        kind=kind,
        state=campaign.State.RUNNING,
        policy=campaign.Policy.HOLD,
        secret=SECRET,
        mail_domain="htek.example",
        created_at=NOW,
        closes_at=EFFECTIVE,
        audience_to=1,
        cursor=0,
        candidates=1,
        excluded=0,
        claims=0,
    )
    return replace(made, **parts)


def change(language: str = "vi", *, text: NoticeText | None = None, **parts: Any) -> Stencil:
    given: dict[str, Any] = {
        "version": version_of(),
        "text": text or text_of(),
        "before": version_of(1),
        "text_before": text_of(OLD),
        "letterhead": LETTERHEAD,
    }
    return campaign_mail(campaign_of(), language=language, **given | parts)


def correction(language: str = "vi", **parts: Any) -> Stencil:
    given: dict[str, Any] = {
        "version": WITHDRAWN,
        "text": text_of(),
        "before": version_of(1),
        "text_before": text_of(OLD),
        "letterhead": LETTERHEAD,
    }
    return campaign_mail(campaign_of(campaign.Kind.CORRECTION), language=language, **given | parts)


def tokens(subscription: int = 5) -> dict[str, str]:
    salt = f"salt{subscription}x"
    return {
        "unsubscribe": LINKS.seal(UNSUBSCRIBE, subscription, salt),
        "manage": LINKS.seal(MANAGE, subscription, salt),
    }


def filled(stencil: Stencil, **parts: Any) -> bytes:
    given: dict[str, Any] = {
        "recipient": ADDRESS,
        "message_id": message_id(SECRET, 7, 99, "htek.example"),
        "date": NOW,
        **tokens(),
    }
    return stencil.fill(**given | parts)


def letter(kind: Kind = Kind.CONFIRM, language: str = "vi", **parts: Any) -> bytes:
    given: dict[str, Any] = {
        "letterhead": LETTERHEAD,
        "recipient": ADDRESS,
        "message_id": message_id("salt", None, 98, "htek.example"),
        "date": NOW,
        **(tokens() if kind is Kind.KNOWN else {"confirm": CONFIRM}),
    }
    return letter_mail(kind, language=language, **given | parts)


def every_mail() -> Iterator[tuple[str, bytes]]:
    """One of each kind in each language, with its name."""
    for language in ("vi", "en"):
        yield f"change.{language}", filled(change(language))
        yield f"correction.{language}", filled(correction(language))
        for kind in (Kind.CONFIRM, Kind.ADDRESS, Kind.KNOWN):
            yield f"{kind}.{language}", letter(kind, language)


def read(raw: bytes) -> EmailMessage:
    """The mail as a strict reader sees it: a defect is an error."""
    return message_from_bytes(raw, policy=policy.default.clone(raise_on_defect=True))


def text_body(mail: EmailMessage) -> str:
    return _body(mail, "plain")


def html_body(mail: EmailMessage) -> str:
    return _body(mail, "html")


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def links_of(html: str) -> list[str]:
    return re.findall(r'href="([^"]*)"', html)
