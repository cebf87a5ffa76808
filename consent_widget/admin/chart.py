"""The counts of a campaign as a bar and a table beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from babel.numbers import format_decimal

from ..core.delivery import Counts
from .desk import Words
from .mail_words import show_states

#: A part of the bar is at least so wide, in per cent: one mail in a million is to be seen as well.
_NARROWEST = 0.8


@dataclass(frozen=True, kw_only=True)
class Part:
    """One state: its ``count``, and of the bar where it begins and how wide it is, in per cent."""

    name: str
    label: str
    meaning: str
    count: int
    share: str
    start: str
    width: str


def show_parts(counts: Counts, t: Words) -> list[Part]:
    """Every state, in the order of the bar; those without mails have no width."""
    lines = [(one, sum(counts[state] for state in one.states)) for one in show_states(t)]
    parts, start = [], 0.0
    for (one, count), width in zip(lines, _widths([count for _, count in lines]), strict=True):
        parts.append(
            Part(
                name=one.name,
                label=one.label,
                meaning=one.meaning,
                count=count,
                share=say_share(count, counts.rows, t),
                start=f"{start:.3f}",
                width=f"{width:.3f}",
            )
        )
        start += width
    return parts


def _widths(counts: Sequence[int]) -> list[float]:
    whole = sum(counts)
    if not whole:
        return [0.0 for _ in counts]
    wide = [max(100 * count / whole, _NARROWEST) if count else 0.0 for count in counts]
    return [100 * one / sum(wide) for one in wide]


def say_share(count: int, whole: int, t: Words) -> str:
    """``count`` out of ``whole`` in per cent, rounded down: 100 % means all of them."""
    if not whole or not count:
        return "0%"
    share = floor(1000 * count / whole) / 10
    if not share:
        return f"< {format_decimal(0.1, locale=t.language)}%"
    return f"{format_decimal(share, locale=t.language)}%"
