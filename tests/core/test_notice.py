"""Which version applies when, and what exactly is frozen."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.core.errors import InputError
from consent_widget.core.notice import (
    MAX_TEXT,
    ChangeClass,
    Edition,
    NoticeText,
    Schedule,
    canonical_text,
    content_hash,
)
from tests.factories import NOW, version

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def text(markdown: str = "Words", **values: Any) -> NoticeText:
    return NoticeText(**{"title": "Title", "summary": "Summary", "markdown": markdown} | values)


def test_before_the_first_version_none_is_in_force() -> None:
    planned = Schedule([version(1, effective_at=NOW + DAY)])

    assert planned.in_force(NOW) is None
    assert planned.coming(NOW) is planned.versions[0]
    assert Schedule().in_force(NOW) is None
    assert Schedule().coming(NOW) is None


def test_a_version_takes_over_at_its_instant_and_not_before() -> None:
    first, second = version(1, effective_at=NOW - DAY), version(2, effective_at=NOW)
    planned = Schedule([second, first])

    assert planned.in_force(NOW - SECOND) is first
    assert planned.coming(NOW - SECOND) is second
    assert planned.in_force(NOW) is second
    assert planned.coming(NOW) is None


def test_versions_stand_in_the_order_of_their_numbers() -> None:
    assert [one.number for one in Schedule([version(3), version(1), version(2)]).versions] == [1, 2, 3]


def test_the_higher_number_wins_where_two_take_effect_at_once() -> None:
    planned = Schedule([version(1, effective_at=NOW), version(2, effective_at=NOW)])

    found = planned.in_force(NOW)

    assert found is not None
    assert found.number == 2


def test_only_what_came_after_the_choice_and_is_in_force_asks_again() -> None:
    planned = Schedule(
        [
            version(1, effective_at=NOW - 3 * DAY, ask_again=["analytics"]),
            version(2, effective_at=NOW - 2 * DAY, ask_again=["preferences"]),
            version(3, effective_at=NOW - DAY, ask_again=["marketing"], change_class=ChangeClass.IMPORTANT),
            version(4, effective_at=NOW + DAY, ask_again=["video"]),
        ]
    )

    assert planned.asked_again(since=0, now=NOW) == {"analytics", "preferences"}
    assert planned.asked_again(since=1, now=NOW) == {"preferences"}
    assert planned.asked_again(since=2, now=NOW) == frozenset()
    assert planned.asked_again(since=2, now=NOW + DAY) == {"video"}
    assert planned.asked_again(since=99, now=NOW) == frozenset()
    assert [one.number for one in planned.asking(since=0, now=NOW)] == [2, 1]
    assert [one.number for one in planned.asking(since=2, now=NOW)] == []


@pytest.mark.parametrize(
    "written, kept",
    [
        pytest.param("Ti\u1ebfng Vi\u1ec7t", "Ti\u1ebfng Vi\u1ec7t\n", id="composed"),
        pytest.param("Tie\u0302\u0301ng Vie\u0323\u0302t", "Ti\u1ebfng Vi\u1ec7t\n", id="decomposed"),
        pytest.param("one\r\ntwo\rthree", "one\ntwo\nthree\n", id="line ends of every system"),
        pytest.param("\n\n words \n\n\n", "words\n", id="space around"),
    ],
)
def test_a_text_is_kept_in_one_spelling(written: str, kept: str) -> None:
    made = text(written)

    assert made.markdown == kept
    assert made.content_hash == sha256(kept.encode()).hexdigest()


def test_title_and_summary_are_kept_in_one_spelling_too() -> None:
    made = text(title="Vie\u0323\u0302t", summary=" Vie\u0323\u0302t\r\n")

    assert (made.title, made.summary) == ("Vi\u1ec7t", "Vi\u1ec7t")


def test_the_hash_is_that_of_the_text_alone() -> None:
    assert text(title="One").content_hash == text(title="Two").content_hash
    assert text("One").content_hash != text("Two").content_hash
    # printf 'Words\\n' | sha256sum
    assert content_hash("Words\n") == "d351be2853bf899aea71932be3941355ed7ebbf9cbdefea0c6f09dc752bf5040"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_what_was_frozen_freezes_to_itself(written: str) -> None:
    once = text(f"1. {written}")

    assert text(once.markdown) == once


@pytest.mark.parametrize("field", ["title", "summary", "markdown"])
@pytest.mark.parametrize(
    "value, code",
    [
        pytest.param("", "empty", id="empty"),
        pytest.param(" \r\n\t ", "empty", id="blank"),
        pytest.param("a\0b", "not_text", id="null byte"),
        pytest.param("a\ud800b", "not_text", id="half a surrogate pair"),
        pytest.param("a" * (MAX_TEXT + 1), "too_long", id="too long"),
    ],
)
def test_what_is_no_text_is_refused_by_field(field: str, value: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        text(**{field: value})

    assert (refused.value.code, refused.value.field) == (code, field)


def test_the_longest_text_is_taken() -> None:
    assert len(canonical_text("a" * MAX_TEXT, "markdown")) == MAX_TEXT


@pytest.mark.parametrize("language", ["vi", "en"])
def test_an_edition_wants_every_language(language: str) -> None:
    with pytest.raises(InputError) as refused:
        Edition(texts={language: text()}, change_class=ChangeClass.EDITORIAL)

    assert refused.value.code == "missing_language"
    assert refused.value.field == {"vi": "en", "en": "vi"}[language]
