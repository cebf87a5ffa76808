"""The one Protocol of this room: a connection that hands over one mail at a time."""

from typing import Protocol

from ..core.reply import Outcome, Reply, Stage

__all__ = ["Outcome", "Reply", "Stage", "Transport"]


class Transport(Protocol):
    """One kept-open connection, used by one thread at a time.

    It opens by itself at the first mail and again after it was lost.
    """

    def send(self, message: bytes, *, sender: str, recipient: str) -> Reply:
        """Hand over ``message`` to one recipient, once.

        Never raises for anything the network or the server does: that is in the reply.
        """
        ...

    def close(self) -> None:
        """Say goodbye; the next mail opens again."""
        ...
