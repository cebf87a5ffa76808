"""Approvers are told by mail that something waits for them, where the host has a mailer."""

import logging
from email.message import EmailMessage

from ..core.draft import Draft
from ..core.staff import Staff
from .desk import desk, known_staff, whole_address

logger = logging.getLogger("consent_widget")

_DECIDERS = frozenset({"approver", "officer"})


def tell_approvers(draft: Draft) -> None:
    """One mail to each who may approve ``draft``, in both languages. Never fails: the draft is submitted."""
    mailer = desk().mailer
    if mailer is None or desk().staff_directory is None:
        return
    try:
        approvers = [one for one in known_staff().values() if _may_approve(one, draft)]
        for one in approvers:
            mailer(_mail(draft, one))
    except Exception as error:  # noqa: BLE001  # the host's code; whatever it raises, the draft is submitted
        # The message may hold an address, the kind of the error does not.
        logger.error("Approvers were not told of version %s: %s", draft.id, type(error).__name__)


def _may_approve(staff: Staff, draft: Draft) -> bool:
    return bool(staff.email and staff.roles & _DECIDERS and staff.id != draft.edited_by)


def _mail(draft: Draft, to: Staff) -> EmailMessage:
    settings = desk().deployment.settings
    link = whole_address(f"{desk().base()}/admin/versions/{draft.id}")
    mail = EmailMessage()
    both = list(desk().words.values())
    # A header holds one line: titles are cleaned when they are saved.
    mail["Subject"] = " / ".join(dict.fromkeys(t("A privacy policy waits for your review") for t in both))
    mail["To"] = to.email
    if settings.mail_from:
        mail["From"] = settings.mail_from
    mail.set_content(
        "\n\n-- \n\n".join(
            t(
                "Hello %(name)s,\n\nthe draft “%(title)s” was submitted for review. "
                "Please read it and approve or return it:\n\n%(link)s",
                name=to.name,
                title=draft.titles[t.language],
                link=link,
            )
            for t in both
        )
        + "\n"
    )
    return mail
