"""Work on a version: every state and event, who may, what blocks, when a date is too early."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.core.draft import NEW, Draft, DraftFields, check_complete, check_four_eyes
from consent_widget.core.errors import Conflict, Forbidden, InputError
from consent_widget.core.lead import Lead, check_gate, reasons_needed
from consent_widget.core.notice import ChangeClass, content_hash
from consent_widget.core.staff import ROLES, Staff
from consent_widget.core.workflow import Event, State, advance, check_role, may

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
DAY = timedelta(days=1)
LEAD = Lead(days={ChangeClass.EDITORIAL: 0, ChangeClass.IMPORTANT: 15, ChangeClass.MATERIAL: 30})
VI = "## Mục đích {#muc-dich .purposes}\n\nGửi hóa đơn.\n"
EN = "## Purposes {#purposes .purposes}\n\nSending invoices.\n"


def draft(**values: Any) -> Draft:
    given: dict[str, Any] = {
        "id": 7,
        "titles": {"vi": "Chính sách", "en": "Policy"},
        "summaries": {"vi": "Có gì mới", "en": "What is new"},
        "texts": {"vi": VI, "en": EN},
        "source_hash": content_hash(VI),
        "created_at": NOW,
        "edited_by": "an-author",
        "edited_at": NOW,
    }
    return Draft(**given | values)


# States

EXPECTED: dict[State, dict[Event, State | None]] = {
    State.DRAFT: {Event.SAVE: State.DRAFT, Event.SUBMIT: State.IN_REVIEW, Event.DISCARD: None},
    State.IN_REVIEW: {
        Event.SAVE: State.DRAFT,
        Event.RETURN: State.DRAFT,
        Event.APPROVE: State.APPROVED,
        Event.DISCARD: None,
    },
    State.APPROVED: {
        Event.SAVE: State.DRAFT,
        Event.RETURN: State.DRAFT,
        Event.ANNOUNCE: State.ANNOUNCED,
        Event.DISCARD: None,
    },
    State.ANNOUNCED: {Event.WITHDRAW: State.WITHDRAWN},
    State.WITHDRAWN: {},
}


@pytest.mark.parametrize("state, event", list(product(State, Event)))
def test_every_event_in_every_state(state: State, event: Event) -> None:
    if event in EXPECTED[state]:
        assert advance(state, event) is EXPECTED[state][event]
    else:
        with pytest.raises(Conflict) as caught:
            advance(state, event)
        assert caught.value.code == "wrong_state"


@given(st.lists(st.sampled_from(Event), max_size=30))
def test_whatever_is_done_what_was_announced_is_never_a_draft_again(events: list[Event]) -> None:
    state: State | None = State.DRAFT
    public = False
    for event in events:
        if state is None:
            break
        try:
            state = advance(state, event)
        except Conflict:
            continue
        public = public or state is State.ANNOUNCED
        assert not public or state in (State.ANNOUNCED, State.WITHDRAWN)


# Persons

WRITERS = {"author", "approver", "officer"}
DECIDERS = {"approver", "officer"}


@pytest.mark.parametrize("role, event", list(product(sorted(ROLES), Event)))
def test_every_role_and_every_event(role: str, event: Event) -> None:
    staff = Staff("x", "X", frozenset({role}))
    allowed = role in (WRITERS if event in (Event.SAVE, Event.SUBMIT, Event.DISCARD) else DECIDERS)

    assert may(staff, event) is allowed
    if allowed:
        check_role(staff, event)
    else:
        with pytest.raises(Forbidden) as caught:
            check_role(staff, event)
        assert caught.value.code == "role"


def test_the_last_editor_is_not_the_second_pair_of_eyes() -> None:
    approver = frozenset({"approver"})

    check_four_eyes(draft(), Staff("another", "B", approver))
    with pytest.raises(Forbidden) as caught:
        check_four_eyes(draft(), Staff("an-author", "A", approver | {"author"}))
    assert caught.value.code == "four_eyes"


# What an approval binds to


@pytest.mark.parametrize(
    "change",
    [
        {"titles": {"vi": "Chính sách", "en": "Other"}},
        {"summaries": {"vi": "Khác", "en": "What is new"}},
        {"texts": {"vi": VI, "en": EN + "One more.\n"}},
        {"change_class": ChangeClass.MATERIAL},
        {"ask_again": frozenset({"analytics"})},
        {"new": frozenset({"purpose"})},
        {"effective_at": NOW},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_a_reader_meets_is_in_the_hash(change: dict[str, Any]) -> None:
    assert draft(**change).edition_hash != draft().edition_hash


def test_who_did_what_is_not_in_the_hash() -> None:
    later = draft(revision=9, edited_by="b", approved_by="c", comment="Fine", state=State.APPROVED)

    assert later.edition_hash == draft().edition_hash


# Languages in step


def test_a_whole_draft_is_complete() -> None:
    check_complete(draft())


@pytest.mark.parametrize("language, name", list(product(["vi", "en"], ["titles", "summaries", "texts"])))
def test_a_field_that_is_missing_in_one_language_blocks(language: str, name: str) -> None:
    field = {"titles": "title", "summaries": "summary", "texts": "text"}[name]
    partial = draft(**{name: {**getattr(draft(), name), language: ""}})

    with pytest.raises(InputError) as caught:
        check_complete(partial)

    assert (caught.value.code, caught.value.field) == ("missing_language", f"{field}_{language}")


@pytest.mark.parametrize("source_hash", [None, content_hash("An older text.\n")])
def test_a_translation_of_another_text_blocks(source_hash: str | None) -> None:
    stale = draft(source_hash=source_hash)

    assert stale.stale
    with pytest.raises(InputError) as caught:
        check_complete(stale)
    assert (caught.value.code, caught.value.field) == ("stale_translation", "text_en")


@pytest.mark.parametrize(
    "values, code",
    [
        ({"new": frozenset({"purpose"})}, "new_needs_material"),
        ({"new": frozenset({"country"}), "change_class": ChangeClass.IMPORTANT}, "new_needs_material"),
        ({"new": frozenset({"data"}), "change_class": ChangeClass.MATERIAL}, "nothing_asked_again"),
        ({"ask_again": frozenset({"analytics"})}, "asks_without_material"),
    ],
)
def test_a_new_purpose_is_material_and_asks_again(values: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as caught:
        check_complete(draft(**values))
    assert caught.value.code == code


def test_a_material_version_may_ask_again_for_nothing() -> None:
    check_complete(draft(change_class=ChangeClass.MATERIAL))


# What an editor sends


def fields(**values: Any) -> DraftFields:
    given: dict[str, Any] = {
        "titles": {"vi": "Tên", "en": "Title"},
        "summaries": {"vi": "Tóm tắt", "en": "Summary"},
        "texts": {"vi": "Lời", "en": "Words"},
    }
    return DraftFields(**given | values)


def test_an_unwritten_language_is_empty_and_no_error() -> None:
    found = fields(texts={"vi": "Lời"}, titles={}, summaries={"en": "  \n "})

    assert found.texts == {"vi": "Lời\n", "en": ""}
    assert found.titles == {"vi": "", "en": ""}
    assert found.summaries == {"vi": "", "en": ""}


def test_composed_and_decomposed_letters_are_one_text() -> None:
    composed = fields(texts={"vi": "Chính sách bảo mật", "en": "x"})
    decomposed = fields(texts={"vi": "Chi\u0301nh sa\u0301ch ba\u0309o ma\u0323\u0302t", "en": "x"})

    assert composed.texts == decomposed.texts


def test_line_ends_of_windows_are_those_of_the_hash() -> None:
    assert fields(texts={"vi": "a\r\nb\rc", "en": "x"}).texts["vi"] == "a\nb\nc\n"


@pytest.mark.parametrize("value", ["a\0b", "a\ud800b"], ids=["NUL", "lone surrogate"])
@pytest.mark.parametrize("name, field", [("titles", "title"), ("summaries", "summary"), ("texts", "text")])
def test_what_is_no_text_is_refused_by_field(name: str, field: str, value: str) -> None:
    with pytest.raises(InputError) as caught:
        fields(**{name: {"vi": value, "en": "x"}})
    assert (caught.value.code, caught.value.field) == ("not_text", f"{field}_vi")


@pytest.mark.parametrize("name, limit", [("titles", 200), ("summaries", 2000), ("texts", 500_000)])
def test_a_length_is_counted_in_composed_characters(name: str, limit: int) -> None:
    fits = "a\u0301" * limit  # twice as many code points before NFC

    assert len(getattr(fields(**{name: {"vi": fits}}), name)["vi"].strip()) == limit
    with pytest.raises(InputError) as caught:
        fields(**{name: {"vi": fits + "a"}})
    assert caught.value.code == "too_long"


def test_an_unknown_kind_of_news_is_refused() -> None:
    assert fields(new=frozenset(NEW)).new == set(NEW)
    with pytest.raises(InputError):
        fields(new=frozenset({"everything"}))


# The gate

BEFORE = {"vi": VI, "en": EN}


def gate(one: Draft, reason: str = "", before: dict[str, str] | None = None) -> None:
    check_gate(one, before=BEFORE if before is None else before, lead=LEAD, now=NOW, reason=reason)


@pytest.mark.parametrize("change_class, days", [("editorial", 0), ("important", 15), ("material", 30)])
def test_a_date_on_the_last_instant_of_the_lead_time_passes_and_one_before_does_not(
    change_class: str, days: int
) -> None:
    on_time = draft(change_class=ChangeClass(change_class), effective_at=NOW + days * DAY)
    too_early = replace(on_time, effective_at=NOW + days * DAY - timedelta(seconds=1))

    gate(on_time)
    with pytest.raises(InputError) as caught:
        gate(too_early)
    assert caught.value.field == "effective_at"


def test_sending_time_counts() -> None:
    lead = Lead(days=LEAD.days, sending=timedelta(hours=5))
    one = draft(change_class=ChangeClass.IMPORTANT, effective_at=NOW + 15 * DAY + timedelta(hours=4))

    assert reasons_needed(one, before=BEFORE, lead=lead, now=NOW) == ("too_early",)
    gate(one)


def test_a_reason_opens_the_gate_for_a_date_that_is_early() -> None:
    early = draft(change_class=ChangeClass.MATERIAL, effective_at=NOW + DAY)

    with pytest.raises(InputError) as caught:
        gate(early)
    assert caught.value.code == "too_early"
    gate(early, reason="A court ordered it.")


def test_no_reason_takes_a_version_back_in_time() -> None:
    past = draft(effective_at=NOW - timedelta(seconds=1))

    with pytest.raises(InputError) as caught:
        gate(past, reason="We forgot.")
    assert caught.value.code == "past_date"


def test_a_date_may_be_left_open_only_where_there_is_no_lead_time() -> None:
    gate(draft())
    with pytest.raises(InputError) as caught:
        gate(draft(change_class=ChangeClass.IMPORTANT))
    assert caught.value.code == "no_date"


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_changed_purpose_is_no_typo_in_either_language(language: str) -> None:
    before = {**BEFORE, language: BEFORE[language].replace(".\n", ", for a fee.\n")}

    with pytest.raises(InputError) as caught:
        gate(draft(), before=before)
    assert (caught.value.code, caught.value.field) == ("tagged_change", "change_class")
    gate(draft(), before=before, reason="Only the comma moved.")
    gate(draft(change_class=ChangeClass.IMPORTANT, effective_at=NOW + 15 * DAY), before=before)


def test_before_the_first_version_nothing_has_changed() -> None:
    gate(draft(), before={})


@given(
    st.sampled_from(ChangeClass),
    st.timedeltas(min_value=timedelta(days=-40), max_value=timedelta(days=40)),
)
def test_without_a_reason_nothing_passes_before_its_lead_time(
    change_class: ChangeClass, ahead: timedelta
) -> None:
    one = draft(change_class=change_class, effective_at=NOW + ahead)
    try:
        gate(one)
    except InputError:
        assert ahead < timedelta(days=LEAD.days[change_class])
    else:
        assert ahead >= timedelta(days=LEAD.days[change_class])
