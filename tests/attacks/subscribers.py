"""A site that people subscribe to, and what their mailboxes get."""

from typing import Any

from werkzeug.test import TestResponse

from consent_widget.core.links import MANAGE, UNSUBSCRIBE
from consent_widget.core.subscription import Subscription
from consent_widget.storage import subscription as storage
from tests.attacks.conftest import MakeTarget
from tests.attacks.target import Target
from tests.letterbox import Letterbox

SUBSCRIBE = "/privacy/subscribe"
READER = "reader@good.example"

#: As a mail service posts it (RFC 8058).
ONE_CLICK = {"List-Unsubscribe": "One-Click"}

_MAIL = {"public_url": "https://www.good.example", "mail_from": "privacy@good.example"}


class Readers:
    """Who subscribes to ``target``: each request comes from a network of its own unless one is named."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.box = Letterbox(target.deployment)
        self._networks = 0

    def send(
        self, path: str, data: Any = None, *, method: str = "POST", network: str = "", **options: Any
    ) -> TestResponse:
        """The answer to a request without cookies."""
        if not network:
            self._networks += 1
            network = f"10.{self._networks >> 16}.{self._networks >> 8 & 255}.{self._networks & 255}"
        client = self.target.app.test_client(use_cookies=False)
        environ = {"REMOTE_ADDR": network}
        return client.open(path, method=method, data=data, environ_overrides=environ, **options)

    def sign_up(self, email: str = READER, *, lang: str = "en", **options: Any) -> TestResponse:
        return self.send(SUBSCRIBE, {"email": email, "lang": lang}, **options)

    def asked(self, email: str = READER) -> str:
        """The link that confirms in the letter to somebody who has just signed up."""
        assert self.sign_up(email).status_code == 202
        assert email in self.box.collect()
        return self.box.link(email, "confirm")

    def confirmed(self, email: str = READER) -> Subscription:
        """Somebody who pressed the button."""
        assert self.send(self.asked(email)).status_code == 200
        found = self.find(email)
        assert found is not None
        return found

    def find(self, email: str = READER) -> Subscription | None:
        with self.target.deployment.database.reading() as connection:
            return storage.find_by_identity(connection, email.lower())

    def state(self, email: str = READER) -> str:
        found = self.find(email)
        return found.state.value if found is not None else "none"

    def unsubscribe_link(self, one: Subscription) -> str:
        return f"/privacy/unsubscribe/{self.target.deployment.links.seal(UNSUBSCRIBE, one.id, one.salt)}"

    def manage_link(self, one: Subscription) -> str:
        return f"/privacy/subscription/{self.target.deployment.links.seal(MANAGE, one.id, one.salt)}"


def make_readers(make_target: MakeTarget, url: str, **options: Any) -> Readers:
    return Readers(make_target(url, **_MAIL | options))
