"""What the states of subscriptions, campaigns and mails mean, in the reader's words. Plain text."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..core.campaign import Kind, PauseReason, Policy
from ..core.campaign import State as CampaignState
from ..core.delivery import State as Row
from ..core.subscription import State
from .desk import Words


def say_subscription(state: State, t: Words) -> str:
    known: Mapping[State, str] = {
        State.PENDING: t("Not confirmed yet"),
        State.CONFIRMED: t("Confirmed"),
        State.UNSUBSCRIBED: t("Unsubscribed"),
        State.SUPPRESSED: t("Suppressed"),
    }
    return known[state]


def explain_subscription(state: State, t: Words) -> str:
    """What somebody in this state gets."""
    known: Mapping[State, str] = {
        State.PENDING: t(
            "Somebody signed the address up; its owner has not confirmed yet. It is told of no version."
        ),
        State.CONFIRMED: t(
            "Its owner confirmed from the mailbox. It is told of every important or material change."
        ),
        State.UNSUBSCRIBED: t("It has left, and is told of nothing more unless it comes back."),
        State.SUPPRESSED: t("Nothing is sent to it, whoever signs it up, until staff release it."),
    }
    return known[state]


def say_ended(reason: str, t: Words) -> str:
    """Why a subscription ended; empty while it lasts."""
    known: Mapping[str, str] = {
        "one_click": t("by the unsubscribe button of the mail program"),
        "page": t("on the page for subscribers"),
        "bounce": t("because its mailbox does not exist, or mails to it kept coming back"),
        "staff": t("by staff"),
        "erased": t("because its owner had it erased"),
        "unconfirmed": t("because nobody confirmed it"),
    }
    return known.get(reason, reason)


def say_language(language: str, t: Words) -> str:
    return {"vi": t("Vietnamese"), "en": t("English")}.get(language, language)


def say_kind(kind: Kind | str, t: Words) -> str:
    return {"change": t("Change"), "correction": t("Correction")}[str(kind)]


def say_campaign(state: CampaignState, t: Words) -> str:
    known: Mapping[CampaignState, str] = {
        CampaignState.RUNNING: t("Sending"),
        CampaignState.PAUSED: t("Paused"),
        CampaignState.DONE: t("Done"),
        CampaignState.WITHDRAWN: t("Stopped: version withdrawn"),
    }
    return known[state]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One line of the counts: ``name`` of its colour, ``label``, and what it means in plain words."""

    name: str
    label: str
    meaning: str
    states: tuple[Row, ...]


def show_states(t: Words) -> tuple[Shown, ...]:
    """The lines of the counts, those that are settled first. What is claimed or on its way still waits."""
    return (
        Shown(
            name="accepted",
            label=t("Accepted by the mail server"),
            meaning=t("The mail server took it. Whether it arrived in the mailbox is not yet known."),
            states=(Row.ACCEPTED,),
        ),
        Shown(
            name="pending",
            label=t("Waiting"),
            meaning=t("Still to be sent, or to be tried again."),
            states=(Row.PENDING, Row.LEASED, Row.SENDING),
        ),
        Shown(
            name="failed",
            label=t("Failed"),
            meaning=t("Refused for good, came back, or refused too often. The reasons stand below."),
            states=(Row.FAILED,),
        ),
        Shown(
            name="unknown",
            label=t("Unknown"),
            meaning=t(
                "The connection broke off at the last instant: the mail server may have taken it or not."
            ),
            states=(Row.UNKNOWN,),
        ),
        Shown(
            name="suppressed",
            label=t("Suppressed"),
            meaning=t("Not sent, because nothing goes to this address any more."),
            states=(Row.SUPPRESSED,),
        ),
        Shown(
            name="cancelled",
            label=t("Cancelled"),
            meaning=t("Not sent, because its subscriber left first or the version was withdrawn."),
            states=(Row.CANCELLED,),
        ),
    )


def say_row(state: Row, t: Words) -> str:
    """One mail's state in one phrase."""
    return next(one.label for one in show_states(t) if state in one.states)


def say_policy(policy: Policy, t: Words) -> tuple[str, str]:
    """What happens to unknown mails, and what that risks."""
    known: Mapping[Policy, tuple[str, str]] = {
        Policy.HOLD: (
            t("Hold them"),
            t("They are not sent again by themselves. Nobody gets it twice; a few may not have got it."),
        ),
        Policy.RESEND_SAME_ID: (
            t("Send them again under the same Message-ID"),
            t(
                "Nobody is left out. Where the first one was taken, most mailboxes show only one; a few may show two."
            ),
        ),
    }
    return known[policy]


def explain_pause(reason: str, t: Words) -> tuple[str, str]:
    """Why a campaign is paused, and what to do."""
    known: Mapping[str, tuple[str, str]] = {
        PauseReason.STAFF: (
            t("A member of staff paused it."),
            t("Resume it when the reason is gone. Mails that were accepted stay accepted."),
        ),
        PauseReason.POLICY: (
            t("The mail server refuses our mail by its rules, whoever it is for."),
            t(
                "Usually the sender is not trusted: ask those who run the site to check SPF, DKIM and DMARC, and "
                "whether the address of the server is on a block list. Then resume."
            ),
        ),
        PauseReason.REFUSED: (
            t("The mail itself is refused, or nothing can be sent at all."),
            t("Ask those who run the site to read what the mail server says and to mend it. Then resume."),
        ),
        PauseReason.SETTINGS: (
            t("Something is missing or wrong in the settings for mail."),
            t("Ask those who run the site to run `flask consent check`, mend what it names, then resume."),
        ),
        PauseReason.RESTORED: (
            t("The database was restored from a backup that is older than some of these mails."),
            t(
                "Rows that say “waiting” may have been sent already. Compare with the mail server’s log first: "
                "whoever is told again gets a second mail. Then resume."
            ),
        ),
    }
    return known.get(reason, (t("It was paused."), t("Resume it when the reason is gone.")))


def say_mail_done(action: str, t: Words) -> str:
    """What was just done on one of these pages; empty for what is no action."""
    known: Mapping[str, str] = {
        "suppress": t("Suppressed. Nothing is sent to this address any more."),
        "release": t("Released. Its owner can subscribe again; nothing is sent by that."),
        "pause": t("Paused. A mail that was on its way at that instant still leaves."),
        "resume": t("Resumed. The next mails leave within a minute."),
        "policy": t("Saved."),
        "resend_unknown": t("The unknown ones are sent again."),
        "retry_failed": t("The failed ones are tried again."),
    }
    return known.get(action, "")


def say_mail_error(code: str, t: Words) -> str:
    """What keeps staff from doing something here; empty where the general words fit."""
    known: Mapping[str, str] = {
        "wrong_state": t("It has changed meanwhile, so this is not possible any more. Nothing was changed."),
        "address_in_reason": t(
            "Please leave email addresses out of the reason: the audit log is kept for good, and an address in it "
            "could not be erased."
        ),
        "email": t("Please type the whole address, such as an@example.vn."),
        "other_address": t("That is not the address of this subscription. Nothing was given out."),
    }
    return known.get(code, "")
