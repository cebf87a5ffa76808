"""What mailboxes get: letters sent by the real sender, opened for their links."""

import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from urllib.parse import urlsplit

from consent_widget.services.deployment import Deployment
from consent_widget.services.sending import deliver
from tests.mailroom import Relay

_URL = re.compile(r"https?://[^\s<>\"]+")


@dataclass
class Letterbox:
    """All mailboxes of the world, which take whatever ``deployment`` sends."""

    deployment: Deployment
    relay: Relay = field(default_factory=Relay)

    def collect(self) -> list[str]:
        """Send what is due; the recipients of the mails sent now, in their order."""
        before = len(self.relay.taken)
        deliver(self.deployment, self.relay, owner="letterbox", connections=1, sleep=lambda seconds: None)
        return self.relay.taken[before:]

    def mails(self, address: str) -> list[EmailMessage]:
        """Every mail that this mailbox has, oldest first."""
        raw = self.relay.mails.get(address, [])
        return [message_from_bytes(one, policy=policy.default) for one in raw]

    def link(self, address: str, page: str) -> str:
        """The path of the link to ``page`` (``confirm``, ``subscription``, ``unsubscribe``) in the newest mail."""
        mail = self.mails(address)[-1]
        text = mail.get_body(("plain",))
        assert text is not None
        written = [*_URL.findall(text.get_content()), *_URL.findall(mail.get("List-Unsubscribe", ""))]
        paths = {urlsplit(one).path for one in written}
        (found,) = [str(one) for one in paths if one.startswith(f"/privacy/{page}/")]
        return found
