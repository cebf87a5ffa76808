"""What became of one attempt to hand over one mail, and whose fault a refusal is.

Until the final dot has left, every failure is certain: nobody took the mail. After it only
a reply is (RFC 5321 section 4.2.5); what was lost then may have been taken.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """``temporary`` and ``permanent`` are replies of the server, 4yz and 5yz; neither took the mail.

    ``certain_failure``: no transaction came about or it broke off before the final dot, so
    nothing was sent. ``unknown``: whatever was lost after the final dot.
    """

    ACCEPTED = "accepted"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    CERTAIN_FAILURE = "certain_failure"
    UNKNOWN = "unknown"


class Stage(StrEnum):
    """How far it came: ``connect`` is everything up to the sign-in, ``dot`` what follows the final dot."""

    CONNECT = "connect"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


#: The server did not know yet whom the mail is for.
_BEFORE_RECIPIENT = (Stage.CONNECT, Stage.MAIL)

#: Our own words in place of a server's code.
CONNECTION, TIMEOUT, TLS, AUTH, SIZE = "connection", "timeout", "tls", "auth", "size"
#: Refused by ourselves before any command: envelope addresses that SMTP cannot carry, a mail that is not 7-bit.
SENDER, RECIPIENT, EIGHT_BIT = "sender", "recipient", "8bit"

#: Our set-up is at fault, and each further mail would meet the same.
_SETUP = frozenset({TLS, AUTH, SIZE, SENDER, EIGHT_BIT})

#: RFC 3463 section 3.2: these two name the sender's address, not the recipient's.
_SENDER_CODES = frozenset({"5.1.7", "5.1.8"})

#: RFC 3463 section 3.4: the message is larger than the system takes.
_TOO_BIG = "5.3.4"

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")
#: With or without ``https://``: what follows the host may open a subscription.
_URL = re.compile(r"(?<![\w.-])(\w+://[^\s/?#]*|[\w-]+(?:\.[\w-]+)+(?::\d+)?)[/?#]\S+")
_LONGEST = 200
#: Of a longer word no more is looked at: a server must not keep us busy with one.
_LONGEST_WORD = 1000


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer. ``code`` is the enhanced status code (RFC 3463) if the server gave one, else its
    three digits, else a word of ours.

    ``number`` are the three digits, 0 where no server spoke. ``text`` are the server's words
    on one line, without addresses and links: they may be shown to staff and logged.
    """

    outcome: Outcome
    code: str
    text: str
    stage: Stage
    number: int = 0

    @property
    def slows_domain(self) -> bool:
        """The recipient's domain is to be written to more slowly: 421, 454, 4.7.x."""
        return self.number in (421, 454) or self.code.startswith("4.7.")

    @property
    def suppresses(self) -> bool:
        """There is no such mailbox: 5.1.x in answer to the recipient or later."""
        return (
            self.outcome is Outcome.PERMANENT
            and self.code.startswith("5.1.")
            and self.code not in _SENDER_CODES
            and self.stage not in _BEFORE_RECIPIENT
        )

    @property
    def pauses(self) -> bool:
        """We are refused, whoever the mail is for: 5.7.x, a refused sign-in, TLS, sender or size."""
        refused_us = self.number >= 500 and self.stage in _BEFORE_RECIPIENT
        return refused_us or self.code in _SETUP | _SENDER_CODES | {_TOO_BIG} or self.code.startswith("5.7.")

    @property
    def is_ours(self) -> bool:
        """Our set-up or the way to the relay is at fault; it says nothing about the address."""
        return self.pauses or self.stage in _BEFORE_RECIPIENT or self.code in (CONNECTION, TIMEOUT)

    @property
    def concerns_all(self) -> bool:
        """Each mail that were tried now would fare alike: stop trying for a while."""
        return self.pauses or self.stage in _BEFORE_RECIPIENT

    @property
    def refuses_content(self) -> bool:
        """The mail itself was refused (552, 554, 5.6.x), not its recipient; many of these are our fault."""
        return (
            self.outcome is Outcome.PERMANENT
            and self.stage in (Stage.DATA, Stage.DOT)
            and not self.code.startswith(("5.1.", "5.2."))
        )


def read_reply(number: int, words: str, *, stage: Stage, recipient: str = "") -> Reply:
    """What a server's answer means at ``stage``: 2yz means taken there, so it is read as such at the dot alone.

    A number that no server may give is a broken connection: certain before the dot, unknown after it.
    """
    text = one_line(words, recipient)
    found = _ENHANCED.match(text)
    # RFC 2034 section 4: both codes must be of one class; a server that contradicts itself is read by its digits.
    code = found[0] if found and found[1] == str(number)[0] else str(number)
    if stage is Stage.DOT and 200 <= number < 300:
        return Reply(outcome=Outcome.ACCEPTED, code=code, text=text, stage=stage, number=number)
    if not 400 <= number < 600:
        return lost(CONNECTION, f"The server answered {number} out of turn.", stage=stage)
    outcome = Outcome.TEMPORARY if number < 500 else Outcome.PERMANENT
    if stage is Stage.CONNECT:
        outcome = Outcome.CERTAIN_FAILURE
    return Reply(outcome=outcome, code=code, text=text, stage=stage, number=number)


def lost(code: str, words: str, *, stage: Stage) -> Reply:
    """No answer came: ``code`` is one of our words. Only after the final dot does nobody know."""
    outcome = Outcome.UNKNOWN if stage is Stage.DOT else Outcome.CERTAIN_FAILURE
    return Reply(outcome=outcome, code=code, text=one_line(words), stage=stage)


def one_line(words: str, recipient: str = "") -> str:
    """``words`` on one line of at most 200 characters that print.

    Without addresses, the recipient's name, and what opens a link: a server may quote the mail.
    """
    text = "".join(char if char.isprintable() else " " for char in words)
    name = recipient.rpartition("@")[0]
    # «No mailbox here by the name of alice.»
    named = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE) if name else None
    shown = ""
    for word in text.split():
        shown += f" {_mask(word, named)}"
        if len(shown) > _LONGEST:
            break
    return shown[1 : _LONGEST + 1]


def _mask(word: str, named: re.Pattern[str] | None) -> str:
    if "@" in word:
        return "[address]"
    shown = _URL.sub(r"\1/[path]", word[:_LONGEST_WORD])
    return named.sub("[address]", shown) if named else shown
