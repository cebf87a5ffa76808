"""Approvers and officers are told by mail that a campaign wants them, where the host has a mailer.

Called by workers, outside any request: the words stand in both languages, the link at PUBLIC_URL.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from email.message import EmailMessage

from ..config import Settings
from ..core.campaign import DECIDERS
from ..core.staff import Staff
from ..render.catalogue import WORDS
from .desk import Words
from .mail_codes import explain_code
from .mail_words import explain_pause

logger = logging.getLogger("consent_widget")


def raise_alarm(
    code: str,
    details: Mapping[str, object],
    *,
    settings: Settings,
    directory: Callable[[], Iterable[Staff]] | None,
    mailer: Callable[[EmailMessage], object] | None,
) -> None:
    """Log what happened and mail it to whoever may decide. It never fails: what it is about goes on."""
    logger.error("Staff are wanted: %s %s", code, dict(details))
    if directory is None or mailer is None:
        return
    try:
        wanted = [one.email for one in directory() if one.email and one.roles & DECIDERS]
    except Exception as error:  # noqa: BLE001  # the host's code; whatever it raises, workers go on
        _log(error)
        return
    for to in wanted:
        try:
            mailer(_mail(code, details, to, settings))
        except Exception as error:  # noqa: BLE001  # the host's code: the others are told all the same
            _log(error)


def _log(error: Exception) -> None:
    # The message may hold an address, the kind of the error does not.
    logger.error("Staff were not told: %s", type(error).__name__)


def _mail(code: str, details: Mapping[str, object], to: str, settings: Settings) -> EmailMessage:
    said = [_say(code, details, t) for t in WORDS.values()]
    mail = EmailMessage()
    mail["Subject"] = " / ".join(subject for subject, _ in said)
    mail["To"] = to
    if settings.mail_from:
        mail["From"] = settings.mail_from
    link = f"{settings.public_url or ''}{settings.url_prefix}/admin/campaigns"
    if details.get("campaign"):
        link += f"/{details['campaign']}"
    # Not "-- ": mail programs fold away what follows it, as a signature (RFC 3676 section 4.3).
    mail.set_content("\n\n* * *\n\n".join(f"{words}\n\n{link}" for _, words in said) + "\n")
    return mail


def _say(code: str, details: Mapping[str, object], t: Words) -> tuple[str, str]:
    """Subject and body."""
    if code == "campaign_paused":
        why, cure = explain_pause(str(details.get("reason", "")), t)
        detail = str(details.get("detail") or "")
        words = "\n\n".join(one for one in (why, detail, cure) if one)
        return t("Mails about the privacy policy are paused"), words
    if code == "not_told_in_time":
        return (
            t("Not all subscribers were told in time"),
            t(
                "Version %(number)s of the privacy policy took effect. When it did, the mail server had accepted "
                "%(told)s of %(rows)s mails.",
                **{name: details.get(name, "?") for name in ("number", "told", "rows")},
            ),
        )
    if code == "not_told_yet":
        return (
            t("Not all subscribers have been told yet"),
            t(
                "Version %(number)s of the privacy policy takes effect within three days, and the mail server has "
                "accepted %(told)s of %(rows)s mails. Please look at what holds the others up. If they cannot be "
                "told in time, withdraw the version and announce it for a later date.",
                **{name: details.get(name, "?") for name in ("number", "told", "rows")},
            ),
        )
    if code == "mail_refused":
        answer = str(details.get("code") or "")
        meaning, cure = explain_code(answer, t)
        why = explain_pause("policy", t)[0]
        return t("The mail server refuses our mail"), f"{why}\n\n{answer}: {meaning}\n\n{cure}"
    return t("Mails about the privacy policy need you"), str(code)
