"""What one person may do next is what the buttons' rules say, asked beforehand."""

from dataclasses import replace
from datetime import timedelta

import pytest

from consent_widget.core.draft import Draft
from consent_widget.core.staff import ROLES, Staff
from consent_widget.core.steps import steps
from consent_widget.core.workflow import Event, State
from tests.factories import NOW

AUTHOR, APPROVER, AUDITOR = (Staff(one, one, frozenset({one})) for one in ("author", "approver", "auditor"))

DRAFT = Draft(
    id=1,
    titles={"vi": "T", "en": "T"},
    summaries={"vi": "S", "en": "S"},
    texts={"vi": "", "en": ""},
    created_at=NOW,
    edited_by="author",
    edited_at=NOW,
)
WHOLE = replace(DRAFT, texts={"vi": "x\n", "en": "x\n"})
WHOLE = replace(WHOLE, source_hash=WHOLE.content_hashes["vi"])
APPROVED = replace(WHOLE, state=State.APPROVED, approved_hash=WHOLE.edition_hash)


def found(draft: Draft, staff: Staff, pending: int | None = None) -> dict[Event, str | None]:
    effective = draft.effective_at is not None and draft.effective_at <= NOW
    return {one.event: one.why_not for one in steps(draft, staff, pending=pending, is_effective=effective)}


@pytest.mark.parametrize(
    "draft, staff, event, why_not",
    [
        (replace(WHOLE, state=State.IN_REVIEW), APPROVER, Event.APPROVE, None),
        (replace(WHOLE, state=State.IN_REVIEW), AUTHOR, Event.APPROVE, "role"),
        (replace(WHOLE, state=State.IN_REVIEW, edited_by="approver"), APPROVER, Event.APPROVE, "four_eyes"),
        (replace(DRAFT, state=State.IN_REVIEW), APPROVER, Event.APPROVE, "missing_language"),
        (
            replace(WHOLE, state=State.IN_REVIEW, source_hash="other"),
            APPROVER,
            Event.APPROVE,
            "stale_translation",
        ),
        (APPROVED, APPROVER, Event.ANNOUNCE, None),
        (replace(APPROVED, approved_hash="other"), APPROVER, Event.ANNOUNCE, "approval_void"),
        (replace(APPROVED, edited_by="approver"), APPROVER, Event.ANNOUNCE, "four_eyes"),
        # What is missing keeps nobody from pressing submit: the form on the page may hold it.
        (DRAFT, AUTHOR, Event.SUBMIT, None),
    ],
)
def test_why_not(draft: Draft, staff: Staff, event: Event, why_not: str | None) -> None:
    assert found(draft, staff)[event] == why_not


def test_a_pending_version_stands_in_the_way() -> None:
    assert found(APPROVED, APPROVER, pending=2)[Event.ANNOUNCE] == "one_pending"


@pytest.mark.parametrize("days, offered", [(1, True), (0, False), (-1, False)])
def test_withdrawing_ends_with_the_effect(days: int, offered: bool) -> None:
    draft = replace(APPROVED, state=State.ANNOUNCED, number=2, effective_at=NOW + timedelta(days=days))

    assert (Event.WITHDRAW in found(draft, APPROVER)) is offered


@pytest.mark.parametrize("state", list(State))
def test_the_auditor_only_reads(state: State) -> None:
    assert set(found(replace(WHOLE, state=state), AUDITOR).values()) <= {"role"}


def test_nothing_leads_on_from_withdrawn() -> None:
    everybody = Staff("all", "All", ROLES)

    assert found(replace(WHOLE, state=State.WITHDRAWN), everybody) == {}
