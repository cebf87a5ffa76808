"""What one person may do next with a version, and why not where not.

The same rules as behind the buttons (core.workflow), asked beforehand: a page
that leaves a button out says why.
"""

from dataclasses import dataclass

from .draft import Draft, check_complete, check_four_eyes
from .errors import Conflict, Forbidden, InputError
from .staff import Staff
from .workflow import Event, advance, check_role


@dataclass(frozen=True, kw_only=True)
class Step:
    """``event`` leads on from where the version is; ``why_not`` is the code of what stands in the way, or None."""

    event: Event
    why_not: str | None = None


def steps(draft: Draft, staff: Staff, *, pending: int | None, is_effective: bool) -> tuple[Step, ...]:
    """Every event that leads on from the state of ``draft``, in the order in which work goes.

    ``pending``: the number of another version that is announced and not yet in
    force. ``is_effective``: the version itself has taken effect already.
    """
    return tuple(
        Step(event=event, why_not=_why_not(draft, event, staff, pending))
        for event in Event
        if _leads_on(draft, event) and not (event is Event.WITHDRAW and is_effective)
    )


def _leads_on(draft: Draft, event: Event) -> bool:
    try:
        advance(draft.state, event)
    except Conflict:
        return False
    return True


def _why_not(draft: Draft, event: Event, staff: Staff, pending: int | None) -> str | None:
    try:
        check_role(staff, event)
        if event in (Event.APPROVE, Event.ANNOUNCE):
            check_four_eyes(draft, staff)
            check_complete(draft)
    except (Forbidden, InputError) as error:
        return error.code
    if event is Event.ANNOUNCE and draft.approved_hash != draft.edition_hash:
        return "approval_void"
    if event is Event.ANNOUNCE and pending is not None:
        return "one_pending"
    return None
