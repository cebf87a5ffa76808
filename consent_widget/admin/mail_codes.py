"""What an answer of a mail server means, and what to do about it, in the reader's words."""

from collections.abc import Mapping
from dataclasses import dataclass

from .desk import Words

#: (what it means, what to do)
Explained = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How many mails were answered by ``code``, and what that means."""

    code: str
    count: int
    meaning: str
    cure: str


def show_failures(counts: Mapping[str, int], t: Words) -> list[Failure]:
    """The most frequent first."""
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return [
        Failure(code=code or t("none"), count=count, meaning=said[0], cure=said[1])
        for code, count in ordered
        for said in (explain_code(code, t),)
    ]


def explain_code(code: str, t: Words) -> Explained:
    """What ``code`` means: an enhanced status code (RFC 3463), three digits (RFC 5321), or a word of ours."""
    known = _ours(t) | _digits(t) | _enhanced(t)
    if code in known:
        return known[code]
    subject = code.rpartition(".")[0]
    if code.count(".") == 2:
        # 4.2.1 and 5.2.1 are of one subject; the class says whether it was final (RFC 3463 section 3.1).
        return known.get(f"{subject}.", known.get(f"5{subject[1:]}.", _other(t)))
    return _other(t)


def _other(t: Words) -> Explained:
    return t("The mail server gave an answer that is not known here."), t("Ask whoever runs the mail server.")


def _nothing(t: Words) -> str:
    return t("Nothing to do.")


def _ours(t: Words) -> dict[str, Explained]:
    network = t("Ask those who run the site whether the mail server can be reached; then retry.")
    settings = t("Ask those who run the site to correct the settings for mail; then retry.")
    return {
        "connection": (t("The connection to the mail server failed or broke off."), network),
        "timeout": (t("The mail server did not answer in time."), network),
        "tls": (t("No encrypted connection to the mail server came about."), settings),
        "auth": (t("The mail server does not accept our user name and password."), settings),
        "size": (t("The mail is larger than the mail server takes."), t("Shorten the text or the summary.")),
        "sender": (t("Our sender address cannot be used."), settings),
        "recipient": (t("The address cannot be written to by mail."), _nothing(t)),
        "8bit": (t("The mail server takes no such mail."), settings),
        "": (t("It was given up without an answer."), network),
    }


def _digits(t: Words) -> dict[str, Explained]:
    later = t("It was tried for nearly five days. Retry it in a few days.")
    return {
        "421": (t("The mail server was too busy."), later),
        "450": (t("The mailbox was busy or not available for the moment."), later),
        "451": (t("The mail server had a fault of its own."), later),
        "452": (t("The mail server had no room."), later),
        "454": (t("The mail server refused the sign-in for the moment."), later),
        "550": (t("The mailbox does not exist, or its server does not take mail from us."), _nothing(t)),
        "551": (t("The mailbox has moved elsewhere."), _nothing(t)),
        "552": (t("The mailbox is full, or the mail too large."), later),
        "553": (t("The name of the mailbox is not allowed there."), _nothing(t)),
        "554": (t("The mail server refused the mail without saying why."), t("Retry it once.")),
    }


def _enhanced(t: Words) -> dict[str, Explained]:
    gone = t("Nothing to do: such an address is suppressed by itself.")
    full = t("Retry it in a few days.")
    trust = t(
        "Ask those who run the site to check SPF, DKIM and DMARC, and whether our server is on a block list; "
        "then retry."
    )
    return {
        "5.1.1": (t("There is no such mailbox."), gone),
        "5.1.2": (t("There is no such mail domain."), gone),
        "5.1.10": (t("This domain takes no mail at all."), gone),
        # RFC 3463 section 3.2: these two name our address.
        "5.1.7": (t("Our sender address cannot be used."), trust),
        "5.1.8": (t("Our sender address cannot be used."), trust),
        "5.1.": (t("The address does not exist."), gone),
        "5.2.1": (t("The mailbox is switched off."), _nothing(t)),
        "5.2.2": (t("The mailbox is full."), full),
        "4.2.2": (t("The mailbox is full."), full),
        "5.2.3": (t("The mail is larger than this mailbox takes."), t("Shorten the text or the summary.")),
        "5.2.": (t("The mailbox does not take the mail."), full),
        "5.3.4": (t("The mail is larger than the mail server takes."), t("Shorten the text or the summary.")),
        "5.3.": (t("The mail server of the recipient has a fault or no room."), full),
        "5.4.": (t("The mail server of the recipient was not reached."), full),
        "5.5.": (
            t("The two mail servers did not understand each other."),
            t("Ask whoever runs the mail server."),
        ),
        "5.6.": (t("The form of the mail was not accepted."), t("Ask whoever runs the mail server.")),
        "5.7.26": (t("The sender is not proved by SPF, DKIM or DMARC."), trust),
        "5.7.1": (t("The recipient’s server refuses us by its rules."), trust),
        "4.7.": (t("The recipient’s server asked us to send more slowly."), full),
        "5.7.": (t("The recipient’s server refuses us by its rules."), trust),
    }
