"""Mails that come back, as mail systems write them."""

from email.message import EmailMessage

_STATUS = """Reporting-MTA: dns; mx.reader.example
Arrival-Date: Tue, 1 Dec 2026 09:00:00 +0700

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {diagnostic}
"""


def report(
    to: str,
    *,
    status: str = "5.1.1",
    action: str = "failed",
    diagnostic: str = "550 5.1.1 No such user",
    recipient: str = "reader0@reader.example",
    message_id: str = "<report@mx.reader.example>",
) -> bytes:
    """A delivery status notification (RFC 3464) about one recipient."""
    status_part = _STATUS.format(recipient=recipient, action=action, status=status, diagnostic=diagnostic)
    return f"""Return-Path: <>
Delivered-To: {to}
From: MAILER-DAEMON@mx.reader.example (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
Date: Tue, 1 Dec 2026 09:00:05 +0700
Message-ID: {message_id}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--b
Content-Type: message/delivery-status

{status_part}
--b
Content-Type: message/rfc822

From: privacy@demo.example
To: {recipient}
Subject: Policy

Text.

--b--
""".encode()


def plain(to: str, text: str, *, subject: str = "failure notice", **headers: str) -> bytes:
    """A mail of one text; ``x_failed_recipients`` stands for ``X-Failed-Recipients``."""
    message = EmailMessage()
    message["From"] = "MAILER-DAEMON@mx.reader.example"
    message["To"] = to
    message["Subject"] = subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return bytes(message)


QMAIL = """Hi. This is the qmail-send program at mx.reader.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<reader0@reader.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <privacy@demo.example>
"""

EXIM = """This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  reader0@reader.example
    SMTP error from remote mail server after RCPT TO:<reader0@reader.example>:
    550 5.1.1 <reader0@reader.example>: Recipient address rejected
"""
