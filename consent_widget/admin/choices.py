"""What the editor offers to choose from, each with what it means."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..core.draft import NEW
from ..core.notice import ChangeClass
from ..services.decision import lead_for
from .desk import Words, desk
from .forms import Typed
from .page import show_moment
from .sayings import explain_class, say_class, say_lead, say_new


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A radio button or a tick box; ``label`` and ``hint`` plain."""

    value: str
    label: str
    hint: str
    checked: bool


def show_classes(sent: Typed, now: datetime, t: Words) -> list[dict[str, Any]]:
    lead = lead_for(desk().deployment)
    return [
        {
            "value": one.value,
            "label": say_class(one.value, t),
            "hint": explain_class(one.value, t),
            "lead": say_lead(lead.days[one], t),
            "earliest": show_moment(lead.earliest(one, now), t) if lead.days[one] else "",
            "checked": one.value == sent.change_class,
        }
        for one in ChangeClass
    ]


def show_questions(sent: Typed, t: Words) -> list[Choice]:
    said = {one: say_new(one, t) for one in NEW}
    return [
        Choice(value=one, label=label, hint=hint, checked=one in sent.new)
        for one, (label, hint) in said.items()
    ]


def show_categories(sent: Typed, t: Words) -> list[Choice]:
    register = desk().deployment.register
    return [
        Choice(value=one.name, label=one.title[t.language], hint="", checked=one.name in sent.ask_again)
        for one in register
        if not one.necessary
    ]
