"""The journal is read as what holds at its end, and a torn line spoils nothing."""

from datetime import timedelta

import pytest

from consent_widget.core.journal import Said, Sent, Word, read_line, standing
from tests.factories import NOW

LATER = NOW + timedelta(days=1)


def said(word: Word, *hashes: str, at: object = NOW) -> bytes:
    return Said(word=word, hashes=hashes, at=at).line()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line",
    [
        Said(word=Word.ERASED, hashes=("a" * 64, "b" * 64), at=NOW),
        Said(word=Word.RELEASED, hashes=("a" * 64,), at=LATER),
        Sent(campaign="2/change", claims=57),
    ],
    ids=["erased", "released", "sent"],
)
def test_a_line_is_read_as_it_was_written(line: Said | Sent) -> None:
    assert line.line().endswith(b"\n")
    assert read_line(line.line()) == line


def test_the_format_is_kept() -> None:
    """Files outlive releases."""
    assert said(Word.LEFT, "h") == b'{"kind":"left","hashes":["h"],"at":"2026-12-01T02:00:00+00:00"}\n'
    assert Sent(campaign="2/change", claims=3).line() == b'{"kind":"sent","campaign":"2/change","claims":3}\n'


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind":"erased","hashes":["a',
        b"",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b'{"kind":"moved","hashes":["a"],"at":"2026-12-01T02:00:00+00:00"}',
        b'{"kind":"erased","hashes":["a"],"at":"yesterday"}',
        b'{"kind":"sent","campaign":"2/change","claims":"many"}',
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_says_nothing(line: bytes) -> None:
    assert read_line(line) is None


def test_a_torn_line_hides_no_other() -> None:
    found = standing([said(Word.ERASED, "a"), b'{"kind":"era', said(Word.ERASED, "b"), b"", b'{"kin'])

    assert set(found.erased) == {"a", "b"}
    assert found.unread == 2


def test_the_last_word_holds() -> None:
    lines = [
        said(Word.LEFT, "a"),
        said(Word.LEFT, "b"),
        said(Word.JOINED, "a", at=LATER),
        said(Word.SUPPRESSED, "c"),
        said(Word.SUPPRESSED, "d"),
        said(Word.RELEASED, "d"),
        said(Word.LEFT, "b", at=LATER),
    ]

    found = standing(lines)

    assert {one: line.at for one, line in found.left.items()} == {"b": LATER}
    assert set(found.suppressed) == {"c"}


def test_nothing_takes_an_erasure_back() -> None:
    found = standing([said(Word.ERASED, "a"), said(Word.JOINED, "a", at=LATER)])

    assert set(found.erased) == {"a"}


def test_a_word_counts_under_every_key_of_its_mailbox() -> None:
    found = standing([said(Word.LEFT, "new", "old"), said(Word.JOINED, "old")])

    assert set(found.left) == {"new"}


def test_the_highest_count_of_a_campaign_holds() -> None:
    lines = [
        Sent(campaign=name, claims=claims).line()
        for name, claims in (("2/change", 7), ("3/change", 1), ("2/change", 5))
    ]

    assert standing(lines).claims == {"2/change": 7, "3/change": 1}
