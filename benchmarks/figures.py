"""A measured figure beside its limit; all of them as a table and as a file."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, kw_only=True)
class Figure:
    """``value`` in ``unit``, at most ``limit``; a figure without a limit only informs.

    ``detail`` says what the value was worked out of, in a few words.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    detail: str = ""

    @property
    def ok(self) -> bool:
        return self.limit is None or self.value <= self.limit


def ratio(name: str, pairs: Iterable[tuple[float, float]], *, limit: float | None, unit: str) -> Figure:
    """The median ratio of pairs (with the widget, without) measured one right after the other.

    What disturbs the machine for longer than a pair disturbs both halves
    alike. Two decimals, as the limits have.
    """
    measured = list(pairs)
    ratios = [with_widget / without for with_widget, without in measured]
    ours, bare = (median(one) for one in zip(*measured, strict=True))
    return Figure(
        name=name,
        value=round(median(ratios), 2),
        unit="times",
        limit=limit,
        detail=f"{ours:.0f} {unit} against {bare:.0f}; {spread(ratios)} of {len(ratios)} pairs",
    )


def spread(values: Sequence[float], *, digits: int = 2) -> str:
    """The least and the largest of ``values``."""
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def table(figures: Iterable[Figure]) -> str:
    """The figures as lines of text, one column each for name, value, limit and detail."""
    rows = [("", "figure", "value", "limit", "")]
    for one in figures:
        limit = "" if one.limit is None else f"{one.limit:g}"
        rows.append(("" if one.ok else "MISSED", one.name, f"{one.value:.4g} {one.unit}", limit, one.detail))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4])).rstrip()
        for row in rows
    )


def write_results(figures: Iterable[Figure], path: Path) -> None:
    """Keep the figures as JSON: one object each."""
    found = [asdict(one) | {"value": round(one.value, 4), "ok": one.ok} for one in figures]
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
