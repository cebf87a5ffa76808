"""What codes and states mean, in the reader's words. Plain text."""

from collections.abc import Callable, Mapping

from ..core.workflow import Event
from .desk import Words

Saying = Callable[[Words], str]

_ERRORS: Mapping[str, Saying] = {
    # What was filled in
    "not_text": lambda t: t(
        "This field holds characters that are no text. Please delete them and save again."
    ),
    "too_long": lambda t: t("This is too long. Please shorten it."),
    "unknown_value": lambda t: t("Please choose one of the values that are offered."),
    "missing_language": lambda t: t("Title, text and summary are needed in both languages."),
    "stale_translation": lambda t: t(
        "The Vietnamese text was changed after the English one was written. "
        "Bring the English text up to date, or tick that it still fits."
    ),
    "new_needs_material": lambda t: t(
        "A new purpose, recipient, kind of data or country makes the change material."
    ),
    "nothing_asked_again": lambda t: t("Please say which categories visitors are asked about again."),
    "asks_without_material": lambda t: t("Only a material change asks visitors again."),
    "no_date": lambda t: t("Please say when the version takes effect."),
    "past_date": lambda t: t("This date has passed. Please choose a later one."),
    "too_early": lambda t: t(
        "This is before the lead time is over. Choose a later date, or write down a reason: "
        "it will be printed on the version’s page."
    ),
    "tagged_change": lambda t: t(
        "A section on purposes, recipients, retention, transfers or rights has changed, so this is hardly "
        "editorial. Change the class, or write down a reason: it will be printed on the version’s page."
    ),
    "no_comment": lambda t: t("Please write what should be changed."),
    "no_reason": lambda t: t("Please write down the reason."),
    "bad_time": lambda t: t("Please give date and time as YYYY-MM-DDTHH:MM."),
    "bad_revision": lambda t: t("The form does not say which state of the text it was filled in for."),
    "unknown_action": lambda t: t("Please use one of the buttons on the page."),
    # Who may
    "role": lambda t: t("Your role does not allow this. Nothing was changed."),
    "four_eyes": lambda t: t(
        "Whoever edited the text last cannot approve or announce it. Please ask a colleague. Nothing was changed."
    ),
    "stale_form": lambda t: t(
        "The form was open for too long, or you have signed in anew since. Nothing was saved yet: please check "
        "it and send it again."
    ),
    "foreign_origin": lambda t: t("The form was sent from another website. Nothing was changed."),
    "bad_key": lambda t: t(
        "The link to this preview has expired or is incomplete. Please ask for a new one."
    ),
    "signed_out": lambda t: t("You are no longer signed in. Sign in again in another tab; then save."),
    # Things have moved on
    "revision": lambda t: t(
        "Somebody else has saved this version meanwhile. Nothing of yours was saved yet."
    ),
    "wrong_state": lambda t: t("The version has moved on meanwhile, so this is not possible any more."),
    "approval_void": lambda t: t(
        "The text is no longer the one that was approved. Please have it approved again."
    ),
    "one_pending": lambda t: t(
        "Another version is announced and not yet in force. Wait until it is, or withdraw it."
    ),
    "in_force": lambda t: t("The version is in force. To change it, make a new version."),
    "ledger_altered": lambda t: t(
        "The audit log was altered, so nothing can be entered and nothing was changed. Trying again does not help: "
        "please tell those who run this site. `flask consent verify` names the entry."
    ),
    # The rest
    "not_found": lambda t: t("There is nothing at this address. It may have been discarded."),
    "method_not_allowed": lambda t: t("This cannot be done at this address. Nothing was changed."),
    "too_large": lambda t: t(
        "More was sent than a privacy policy can hold. Nothing was saved; please go back."
    ),
    "store_unavailable": lambda t: t(
        "The database does not answer. Nothing was saved; please try again soon."
    ),
}


def say_error(code: str, t: Words) -> str:
    """What went wrong and what to do."""
    found = _ERRORS.get(code)
    return found(t) if found else t("Something went wrong on our side. Please try again in a moment.")


def say_state(state: str, t: Words) -> str:
    """A stored or computed state of a version."""
    known: Mapping[str, str] = {
        "draft": t("Draft"),
        "in_review": t("In review"),
        "approved": t("Approved"),
        "announced": t("Announced"),
        "in_force": t("In force"),
        "superseded": t("Superseded"),
        "withdrawn": t("Withdrawn"),
    }
    return known[state]


def say_class(change_class: str, t: Words) -> str:
    """The name of a change class."""
    known: Mapping[str, str] = {
        "editorial": t("Editorial"),
        "important": t("Important"),
        "material": t("Material"),
    }
    return known[change_class]


def explain_class(change_class: str, t: Words) -> str:
    """When a change is of this class, in plain words."""
    known: Mapping[str, str] = {
        "editorial": t(
            "Spelling, wording or layout. Nothing changes for customers, and nobody is asked again."
        ),
        "important": t("Something that customers should know beforehand, within the purposes known to them."),
        "material": t("A new purpose, recipient, kind of data or country. Visitors are asked again."),
    }
    return known[change_class]


def say_lead(days: int, t: Words) -> str:
    """How long beforehand a class is announced."""
    return t("No lead time") if days == 0 else t("Announced %(days)s days ahead", days=days)


def say_new(kind: str, t: Words) -> tuple[str, str]:
    """One of the four questions, and what it means."""
    known: Mapping[str, tuple[str, str]] = {
        "purpose": (t("A new purpose"), t("Personal data is used for something it was not used for before.")),
        "recipient": (t("A new recipient"), t("Somebody gets personal data who did not get any before.")),
        "data": (t("A new kind of data"), t("Something is collected that was not collected before.")),
        "country": (t("A new country"), t("Personal data goes to a country it did not go to before.")),
    }
    return known[kind]


def say_done(action: str, t: Words) -> str:
    """What was just done; empty for what is no action."""
    known: Mapping[str, str] = {
        Event.SAVE: t("Saved."),
        Event.SUBMIT: t("Submitted for review."),
        Event.RETURN: t("Returned to its author."),
        Event.APPROVE: t("Approved. It can be announced now."),
        Event.ANNOUNCE: t("Announced. Visitors are told from now on."),
        Event.WITHDRAW: t("Withdrawn. It will not take effect."),
        Event.DISCARD: t("The draft was discarded."),
    }
    return known.get(action, "")


def say_event(event: Event, t: Words) -> str:
    """What a button does."""
    known: Mapping[Event, str] = {
        Event.SAVE: t("Edit the text"),
        Event.SUBMIT: t("Submit for review"),
        Event.RETURN: t("Return to the author"),
        Event.APPROVE: t("Approve"),
        Event.ANNOUNCE: t("Announce"),
        Event.WITHDRAW: t("Withdraw this version"),
        Event.DISCARD: t("Discard this draft"),
    }
    return known[event]


def say_why_not(code: str, t: Words) -> str:
    """Why a button is not there, before anybody pressed it."""
    if code == "role":
        return t("your role does not allow this")
    if code == "four_eyes":
        return t("you edited the text last, so a colleague has to do this")
    return say_error(code, t)
