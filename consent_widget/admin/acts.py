"""What somebody did, as the audit log tells it. Plain text."""

from collections.abc import Mapping

from ..core.workflow import Event
from .desk import Words


def say_action(action: str, t: Words) -> str:
    """The act in one phrase; an action that is not known here as it was entered."""
    known: Mapping[str, str] = {
        "create": t("Started the draft"),
        Event.SAVE: t("Edited the text"),
        Event.SUBMIT: t("Submitted for review"),
        Event.RETURN: t("Returned with a comment"),
        Event.APPROVE: t("Approved"),
        Event.ANNOUNCE: t("Announced"),
        Event.WITHDRAW: t("Withdrew"),
        Event.DISCARD: t("Discarded the draft"),
        "export": t("Exported the audit log"),
        "staff_add": t("Added an account"),
        "staff_reset": t("Gave an account a new password"),
        "staff_close": t("Closed an account"),
        "pause_campaign": t("Paused the campaign"),
        "resume_campaign": t("Resumed the campaign"),
        "set_policy": t("Decided what happens to unknown mails"),
        "resend_unknown": t("Sent the unknown mails again"),
        "retry_failed": t("Tried the failed mails again"),
        "close_campaign": t("Noted how many were told when the version took effect"),
        "reveal": t("Looked at an address"),
        "suppress": t("Suppressed an address"),
        "release": t("Released an address"),
        "export_subscriptions": t("Exported the subscriptions"),
        "prove": t("Took a proof of notification with the address"),
        "open_bounce": t("Read a report of a returned mail"),
        "erase": t("Erased an address"),
    }
    return known.get(action, action)
