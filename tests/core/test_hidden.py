"""Characters that nobody sees are named with their place; what people write is not."""

import pytest

from consent_widget.core.hidden import hidden_characters


@pytest.mark.parametrize(
    "char, name",
    [
        ("\u202e", "RIGHT-TO-LEFT OVERRIDE"),
        ("\u2066", "LEFT-TO-RIGHT ISOLATE"),
        ("\u200b", "ZERO WIDTH SPACE"),
        ("\u00ad", "SOFT HYPHEN"),
        ("\ufeff", "ZERO WIDTH NO-BREAK SPACE"),
        ("\U000e0001", "LANGUAGE TAG"),
        ("\u2028", "LINE SEPARATOR"),
        ("\u3164", "HANGUL FILLER"),
        ("\x07", ""),
        ("\ufffe", ""),
        ("\ue000", ""),
    ],
)
def test_it_is_named_with_its_place(char: str, name: str) -> None:
    (found,) = hidden_characters(f"first\nsecond {char}line")

    assert (found.code, found.name) == (f"U+{ord(char):04X}", name)
    assert (found.line, found.before, found.after) == (2, "second ", "line")


@pytest.mark.parametrize(
    "text",
    ["", "Chính sách\r\n\n\tbảo mật", "“ngoặc” – — … ₫ ①", "a\u00a0b\u3000c", "日本語", "👍", "e\u0301"],
)
def test_what_people_write_is_not(text: str) -> None:
    assert hidden_characters(text) == ()


def test_what_stands_around_is_shown_without_its_own_hidden_characters() -> None:
    first, second = hidden_characters("a\u202eb\u202ec")

    assert (first.before, first.after) == ("a", "bc")
    assert (second.before, second.after) == ("ab", "c")
