"""What changed between two notice texts, as HTML that also reads without colour, script or sight."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from markupsafe import Markup

from ..core.diff import Block, Change, compare
from ..core.passage import Form
from ..render.catalogue import Words
from ..render.comparison import fate, stretches, summary_of
from ..render.pieces import cells_of, inline, without_marks
from .context import render


@dataclass(frozen=True, kw_only=True)
class ShownBlock:
    """``change`` as in core/diff.py; ``label`` says in words what became of the whole block, if anything.

    ``follows`` is true where the block before it in the group has the same
    label. ``cells`` are those of a table row; ``html`` is the element that
    anything else is.
    """

    change: str
    label: str
    follows: bool
    html: Markup
    cells: tuple[Markup, ...]


@dataclass(frozen=True, kw_only=True)
class ShownGroup:
    """Blocks one after the other, the rows of one table or none."""

    is_table: bool
    blocks: tuple[ShownBlock, ...]


@dataclass(frozen=True, kw_only=True)
class ShownRun:
    """Groups to print, folded under ``summary`` if there is one."""

    summary: str
    groups: tuple[ShownGroup, ...]


def show_diff(old: str, new: str, t: Words, *, level: int = 2, with_counts: bool = True) -> Markup:
    """The changes from ``old`` to ``new``, two Markdown texts, in the words of ``t``.

    The clauses' headings are ``<h{level}>``. ``with_counts`` puts a sentence
    above it: how many words, or that there is no change. Nothing of the texts
    becomes markup or a link: an approver reads what an author wrote without
    its effects. Needs an app context.
    """
    diff = compare(old, new)
    context = {
        "t": t,
        "summary": summary_of(diff, t) if with_counts else "",
        "runs": () if diff.is_empty else tuple(_runs(diff.blocks, t, level)),
    }
    return render("notice/_diff.html", context)


def _runs(blocks: Sequence[Block], t: Words, level: int) -> Iterator[ShownRun]:
    """The blocks, what is far from any change folded."""
    for folded, run in stretches(blocks):
        yield ShownRun(
            summary=t("Unchanged paragraphs: %(number)s", number=len(run)) if folded else "",
            groups=tuple(
                ShownGroup(is_table=is_row, blocks=tuple(_shown_in_order(group, t, level)))
                for is_row, group in groupby(run, key=lambda one: one.form is Form.ROW)
            ),
        )


def _shown_in_order(blocks: Iterable[Block], t: Words, level: int) -> Iterator[ShownBlock]:
    before = ""
    for block in blocks:
        shown = _shown(block, t, level)
        yield replace(shown, follows=bool(before) and shown.label == before)
        before = shown.label


def _shown(block: Block, t: Words, level: int) -> ShownBlock:
    label = fate(block, t)
    words = {} if label else {Change.ADDED: t("added:"), Change.REMOVED: t("removed:")}
    pieces = without_marks(block)
    cells: tuple[Markup, ...] = ()
    html = Markup("")
    if block.form is Form.ROW:
        cells = tuple(inline(cell, words) for cell in cells_of(pieces))
    else:
        tag = {Form.HEADING: f"h{_depth(block, level)}", Form.CODE: "pre"}.get(block.form, "p")
        html = Markup("<{0}>{1}</{0}>").format(Markup(tag), inline(pieces, words))
    return ShownBlock(change=block.kind.value, label=label, follows=False, html=html, cells=cells)


def _depth(block: Block, level: int) -> int:
    """The level of a heading: that of the clauses, ``##``, is ``level``."""
    marks = re.match(r"\s*(#*)", block.pieces[-1].text)
    return min(6, level + max(0, len(marks[1] if marks else "") - 2))
