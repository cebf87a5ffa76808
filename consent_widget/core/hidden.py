"""Characters that a reader does not see and that may change what is read (Unicode Technical Report 36).

They are not removed: Vietnamese needs none of them, yet a text is its author's.
Whoever writes and whoever approves is shown where they stand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from unicodedata import category, name

#: Letters by their category that show nothing.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")

_CONTEXT = 20


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """``code`` like ``U+202E``, its Unicode ``name``, the ``line`` (from 1), and what stands around it."""

    code: str
    name: str
    line: int
    before: str
    after: str


def hidden_characters(text: str) -> tuple[Hidden, ...]:
    """Every such character of ``text`` in order; line ends and tabs are none."""
    return tuple(_find(text))


def is_hidden(char: str) -> bool:
    """Control, format, private use, unassigned, a lone surrogate, or a letter that shows nothing; no mere space."""
    return char in _BLANK or not (char.isprintable() or char in "\n\t" or category(char) == "Zs")


def _find(text: str) -> Iterator[Hidden]:
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.isprintable() and _BLANK.isdisjoint(line):
            continue
        for at, char in enumerate(line):
            if is_hidden(char):
                yield Hidden(
                    code=f"U+{ord(char):04X}",
                    name=name(char, ""),
                    line=number,
                    before=_visible(line[max(0, at - _CONTEXT) : at]),
                    after=_visible(line[at + 1 : at + 1 + _CONTEXT]),
                )


def _visible(text: str) -> str:
    return "".join(char for char in text if not is_hidden(char))
