"""What a report about a mail that came back means for the mailbox (RFC 3463)."""

from datetime import datetime, timedelta
from enum import StrEnum

#: The score of a mailbox halves in this time.
HALF_LIFE = timedelta(days=30)

#: At this score nothing is sent to the mailbox any more.
LIMIT = 5.0

#: RFC 3463 section 3.2: these two name the sender's address, not the recipient's.
_SENDER_CODES = frozenset({"5.1.7", "5.1.8"})


class Kind(StrEnum):
    """What a report is about.

    ``gone``: there is no such mailbox (5.1.x). ``policy``: we are refused, not the mailbox
    (5.7.x). ``refused``: any other 5.x.x. ``soft``: 4.x.x. ``unread``: ours, but nobody can
    tell what it says. ``forged``: not for an address that we made. The rest changes nothing
    and is not kept: ``answer`` is an automatic reply or a receipt, ``delivered`` says that
    all went well, ``twice`` was read before.
    """

    GONE = "gone"
    POLICY = "policy"
    REFUSED = "refused"
    SOFT = "soft"
    UNREAD = "unread"
    FORGED = "forged"
    ANSWER = "answer"
    DELIVERED = "delivered"
    TWICE = "twice"


#: Kept with their text, for staff to look at.
UNCLEAR = frozenset({Kind.UNREAD, Kind.FORGED})


def classify(code: str) -> Kind:
    """The kind of report that ``code``, an enhanced status code, stands for; ``unread`` for any other text."""
    match code.split("."):
        case ["2", _, _]:
            return Kind.DELIVERED
        case ["4", _, _]:
            return Kind.SOFT
        case ["5", "7", _]:
            return Kind.POLICY
        case ["5", "1", _]:
            return Kind.POLICY if code in _SENDER_CODES else Kind.GONE
        case ["5", _, _]:
            return Kind.REFUSED
    return Kind.UNREAD


def score(before: float, since: datetime | None, now: datetime) -> float:
    """The score after one more report: what there was, halved every 30 days, and one."""
    if since is None:
        return before + 1.0
    age = max(now - since, timedelta())
    return float(before * 0.5 ** (age / HALF_LIFE)) + 1.0
