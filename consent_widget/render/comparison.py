"""What is told of a comparison, on a page and in a mail alike."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from ..core.diff import Block, Change, Diff
from ..core.passage import Form
from .catalogue import Words

#: Same paragraphs are folded where at least so many stand in a row.
_FOLD_FROM = 3


def summary_of(diff: Diff, t: Words) -> str:
    """How many words differ, or that none does."""
    counts = diff.counts
    if diff.is_empty:
        if any(piece.kind is not Change.SAME for block in diff.blocks for piece in block.pieces):
            return t("Only spaces and line breaks differ. The words are the same.")
        return t("The two texts are the same.")
    words = t("Words added: %(added)s, removed: %(removed)s.", added=counts.added, removed=counts.removed)
    if not counts.moved:
        return words
    return words + " " + t("Words moved: %(number)s.", number=counts.moved)


def fate(block: Block, t: Words) -> str:
    """What became of the whole block, empty where it is the same or only words of it have changed."""
    if block.kind in (Change.SAME, Change.CHANGED):
        return ""
    arrived = block.pieces[0].kind is Change.ADDED
    return {
        (Change.ADDED, True): t("Added"),
        (Change.REMOVED, False): t("Removed"),
        (Change.MOVED, True): t("Moved here"),
        (Change.MOVED, False): t("Moved elsewhere"),
    }[block.kind, arrived]


def stretches(blocks: Sequence[Block]) -> Iterator[tuple[bool, list[Block]]]:
    """The blocks as readers see them, in stretches; True: nothing changed there or nearby, it may be folded."""
    visible = _near_changes(blocks)
    for is_visible, places in groupby(range(len(blocks)), key=visible.__contains__):
        run = [blocks[at] for at in places if not _is_ruler(blocks[at])]
        yield not is_visible and len(run) >= _FOLD_FROM, run


def _near_changes(blocks: Sequence[Block]) -> set[int]:
    """Where the changed blocks are, those beside them, and the heading that each stands under."""
    visible: set[int] = set()
    heading = 0
    for at, block in enumerate(blocks):
        if block.form is Form.HEADING:
            heading = at
        if block.kind is not Change.SAME:
            visible |= {heading, at - 1, at, at + 1}
    return visible


_RULER = re.compile(r"[\s|:-]+")


def _is_ruler(block: Block) -> bool:
    """Whether it is the line under a table's head, which no reader sees."""
    is_row = block.form is Form.ROW and block.kind is not Change.CHANGED
    return is_row and all(_RULER.fullmatch(piece.text) for piece in block.pieces)
