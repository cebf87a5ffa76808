"""A stamp opens for its purpose, for its time, with its keys, and for nothing else."""

from datetime import timedelta

import pytest

from consent_widget.core.stamp import Stamps
from tests.factories import KEY, NOW

HOUR = timedelta(hours=1)


def test_what_was_sealed_opens() -> None:
    stamps = Stamps([KEY])

    stamp = stamps.seal("form", "lan", 7, now=NOW)

    assert stamps.open(stamp, "form", now=NOW, longest=HOUR) == ("lan", 7)
    assert stamp.isascii()


def test_another_purpose_does_not_open_it() -> None:
    stamps = Stamps([KEY])

    assert stamps.open(stamps.seal("form", 7, now=NOW), "preview", now=NOW, longest=HOUR) is None


@pytest.mark.parametrize(
    "later, opens",
    [
        (HOUR, True),
        (HOUR + timedelta(seconds=1), False),
        (timedelta(seconds=-300), True),
        (timedelta(seconds=-301), False),
    ],
)
def test_it_opens_for_its_time(later: timedelta, opens: bool) -> None:
    stamps = Stamps([KEY])

    assert (stamps.open(stamps.seal("form", now=NOW), "form", now=NOW + later, longest=HOUR) == ()) is opens


def test_an_older_key_still_opens_and_a_foreign_one_never() -> None:
    older, newer = "an older key of more than forty-two bytes!", "a newer key of more than forty-two bytes!!"
    stamp = Stamps([older]).seal("form", 1, now=NOW)

    assert Stamps([newer, older]).open(stamp, "form", now=NOW, longest=HOUR) == (1,)
    assert Stamps([newer]).open(stamp, "form", now=NOW, longest=HOUR) is None
    assert Stamps([newer]).open(
        Stamps([newer, older]).seal("form", 1, now=NOW), "form", now=NOW, longest=HOUR
    ) == (1,)


@pytest.mark.parametrize("stamp", ["", "x", "W10", "\0", "é", "\ud800", "a.b.c", "x" * 2000])
def test_anything_else_is_none(stamp: str) -> None:
    assert Stamps([KEY]).open(stamp, "form", now=NOW, longest=HOUR) is None
