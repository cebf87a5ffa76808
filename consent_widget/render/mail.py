"""The mails to a subscription: there are five, and nothing else can be sent to it (law.md M18).

Their words stand in the catalogues, their form in ``templates/consent_widget/mail``, which a
host cannot replace. What differs from version to version is the version.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from ..core.campaign import Campaign
from ..core.delivery import Kind
from ..core.notice import NoticeText, Version


@dataclass(frozen=True, kw_only=True)
class Letterhead:
    """Who writes, and where the pages are.

    ``name``, ``address`` and ``contact`` are the controller's, plain; ``mail_from`` a bare
    address; ``public_base`` is PUBLIC_URL and URL_PREFIX without a slash at the end;
    ``mail_domain`` names the list and the sender to big mail services, and does not change
    while a campaign runs.
    """

    name: str
    address: str = ""
    contact: str = ""
    mail_from: str
    public_base: str
    timezone: ZoneInfo
    mail_domain: str


@dataclass(frozen=True, kw_only=True)
class Stencil:
    """One mail to many: composed once for a campaign and a language, filled in for each recipient."""

    def fill(
        self, *, recipient: str, unsubscribe: str, manage: str, message_id: str, date: datetime
    ) -> bytes:
        """The mail to ``recipient``, a cleaned address; equal arguments give equal bytes.

        ``unsubscribe`` and ``manage`` are the tokens of the subscription's links
        (core.links), ``message_id`` is of core.envelope, ``date`` aware. Lines end with CRLF,
        all is ASCII, none is longer than SMTP allows (RFC 5321 section 4.5.3.1.6).

        Raises:
            ValueError: an argument is not of this form.
        """
        raise NotImplementedError


def campaign_mail(
    campaign: Campaign,
    *,
    version: Version,
    text: NoticeText,
    before: Version | None,
    text_before: NoticeText | None,
    language: str,
    letterhead: Letterhead,
) -> Stencil:
    """What ``campaign`` tells in ``language``: that ``version`` comes, or, a correction, that it does not.

    ``text`` is the version's text in ``language``; ``before`` and ``text_before`` are of the
    version that it changes (Schedule.before), None before the first. A correction needs a
    version with ``withdrawn_at``.
    """
    raise NotImplementedError


def letter_mail(
    kind: Kind,
    *,
    language: str,
    letterhead: Letterhead,
    recipient: str,
    message_id: str,
    date: datetime,
    confirm: str = "",
    manage: str = "",
    unsubscribe: str = "",
) -> bytes:
    """A letter of ``kind`` to ``recipient``, as :meth:`Stencil.fill` gives it.

    ``confirm`` is the random token of a letter that asks for a confirmation (``confirm``,
    ``address``); ``manage`` and ``unsubscribe`` are those of a subscription that is confirmed
    and belong to ``known`` alone: who has not confirmed gets no power over a subscription.

    Raises:
        ValueError: a token that this kind needs is missing, one that it must not hold is there,
            or ``kind`` is no letter.
    """
    raise NotImplementedError
