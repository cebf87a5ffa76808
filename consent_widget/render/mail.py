"""The mails to a subscription: there are five, and nothing else can be sent to it (law.md M18).

Their words stand in the catalogues, their form in ``templates/consent_widget/mail``, which a
host cannot replace. What differs from version to version is the version.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ..core import campaign as campaigns
from ..core.campaign import Campaign
from ..core.delivery import Kind
from ..core.language import GOVERNING
from ..core.notice import ChangeClass, NoticeText, Version
from ..core.subscription import CONFIRM_WITHIN, KEEP_PENDING
from .calendar import version_event
from .catalogue import WORDS, Words, moment, plain_day, show_change_class, span
from .characters import printable
from .mail_diff import mail_diff
from .mail_letterhead import Letterhead
from .mail_stencil import BULK, Stencil, compose
from .mail_wire import attachment, one_line, slot

__all__ = ["Letterhead", "Stencil", "campaign_mail", "letter_mail"]

#: A title longer than this hides what else the subject says.
_LONGEST_TITLE = 120


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
    t = WORDS[language]
    corrects = campaign.kind is campaigns.Kind.CORRECTION
    if not corrects:
        version = replace(version, withdrawn_at=None, withdrawal_reason="")
    page = f"{letterhead.public_base}/{language}/versions/{version.number}"
    event = version_event(version, t, name=letterhead.name, zone=letterhead.timezone, url=page)
    context = _version_context(version, text, before, t, letterhead)
    if corrects:
        subject = t(
            "Correction: version %(number)s of “%(title)s” was withdrawn",
            number=version.number,
            title=one_line(text.title, _LONGEST_TITLE),
        )
    else:
        subject = t(
            "Changes from %(day)s: %(title)s",
            day=plain_day(version.effective_at, zone=letterhead.timezone, language=language),
            title=one_line(text.title, _LONGEST_TITLE),
        )
        context["diff"] = mail_diff(text_before, text, t) if text_before else None
    file = attachment(
        "calendar",
        event,
        f"privacy-{version.number}.{language}.ics",
        f"; method={'CANCEL' if corrects else 'PUBLISH'}",
    )
    return compose(
        Kind(campaign.kind.value),
        t,
        letterhead,
        subject=subject,
        secret=campaign.secret,
        run=f"c{campaign.id}",
        context=context,
        file=file,
    )


def _version_context(
    version: Version, text: NoticeText, before: Version | None, t: Words, letterhead: Letterhead
) -> dict[str, Any]:
    def told(when: datetime) -> str:
        return moment(when, zone=letterhead.timezone, language=t.language)

    versions = f"{letterhead.public_base}/{t.language}/versions"
    return {
        "title": text.title,
        "summary": text.summary,
        "number": version.number,
        "effective_at": told(version.effective_at),
        "withdrawn_at": told(version.withdrawn_at) if version.withdrawn_at else "",
        "reason": printable(version.withdrawal_reason),
        "change_class": show_change_class(version, t),
        "asks_again": version.change_class is ChangeClass.MATERIAL and bool(version.ask_again),
        "is_translation": t.language != GOVERNING,
        "page_url": f"{versions}/{version.number}",
        "governing_url": f"{letterhead.public_base}/{GOVERNING}/versions/{version.number}",
        "before": before.number if before else None,
        "before_url": f"{versions}/{before.number}" if before else "",
        "changes_url": f"{versions}/{version.number}/changes?from={before.number}" if before else "",
    }


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
    if kind in BULK:
        raise ValueError(f"A mail {kind} is told to all, not to one.")
    t = WORDS[language]
    subject = {
        Kind.CONFIRM: t("Please confirm: notices of change from %(name)s", name=letterhead.name),
        Kind.ADDRESS: t(
            "Please confirm your new address: notices of change from %(name)s", name=letterhead.name
        ),
        Kind.KNOWN: t("You are already subscribed: notices of change from %(name)s", name=letterhead.name),
    }[kind]
    stencil = compose(
        kind,
        t,
        letterhead,
        subject=subject,
        secret=message_id,
        run="letter",
        context={
            "hours": CONFIRM_WITHIN // timedelta(hours=1),
            "kept": span(KEEP_PENDING, language=language),
            "confirm_url": f"{letterhead.public_base}/confirm/{slot('confirm')}",
        },
    )
    given = {"confirm": confirm, "manage": manage, "unsubscribe": unsubscribe}
    return stencil.fill(
        recipient=recipient,
        message_id=message_id,
        date=date,
        **{name: token for name, token in given.items() if token},
    )
