"""Mails to staff through MAIL_URL, for hosts that give no ``mailer`` of their own."""

from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from ..core.errors import MailNotSent
from ..core.reply import Outcome
from .transport import Transport

#: Seven bits: not every server takes eight.
_POLICY = SMTP.clone(cte_type="7bit")


def host_mailer(
    open_one: Callable[[], Transport],
    sender: str,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], str],
) -> Callable[[EmailMessage], None]:
    """What sends one mail to each of its ``To`` over a connection of its own; Bcc and Cc are not looked at.

    ``From``, ``Date`` and ``Message-ID`` are added where they are missing.
    The function it gives raises MailNotSent when the server did not take the mail, or did not say so.
    """

    def send(mail: EmailMessage) -> None:
        if "From" not in mail:
            mail["From"] = sender
        if "Date" not in mail:
            mail["Date"] = format_datetime(clock())
        if "Message-ID" not in mail:
            mail["Message-ID"] = f"<{new_id()}@{sender.rpartition('@')[2]}>"
        raw = mail.as_bytes(policy=_POLICY)
        transport = open_one()
        try:
            for one in mail["To"].addresses:
                reply = transport.send(raw, sender=sender, recipient=one.addr_spec)
                if reply.outcome is not Outcome.ACCEPTED:
                    raise MailNotSent(reply.code, reply.text)
        finally:
            transport.close()

    return send
