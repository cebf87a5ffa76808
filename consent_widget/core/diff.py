"""What changed between two notice texts: blocks first, then words.

Everything is compared on NFC text with LF line ends. A link's target, a date, a
number and a heading's ``{#id .tag}`` are each one word, so a change in them
shows. White space is kept, and never counts as a change of the words.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from unicodedata import normalize

from .alignment import Pair, align
from .passage import Form, Passage, likely_pairs, split


class Change(StrEnum):
    """What became of a block or a piece. Only blocks are ``changed`` or ``moved``."""

    SAME = "same"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A stretch of Markdown with the fate ``kind``: same, added or removed."""

    kind: Change
    text: str


@dataclass(frozen=True, kw_only=True)
class Block:
    """A heading, paragraph, list item or table row, with the blank lines after it.

    ``heading`` is the plain title of the section it stands in, None before the
    first. A block that moved comes twice, word for word: its pieces are
    removed at the old place and added at the new one. A block that is the same
    may hold added and removed pieces that are white space.
    """

    kind: Change
    form: Form
    heading: str | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Numbers of words; what moved is neither added nor removed."""

    added: int = 0
    removed: int = 0
    moved: int = 0


@dataclass(frozen=True, kw_only=True)
class Diff:
    """The blocks of both texts in reading order.

    The pieces but the added ones, joined, are the old text; but the removed
    ones, the new text (both NFC, LF).
    """

    blocks: tuple[Block, ...]

    @property
    def is_empty(self) -> bool:
        """Not a word, number, mark or link target differs; white space may."""
        return all(block.kind is Change.SAME for block in self.blocks)

    @property
    def counts(self) -> Counts:
        found: Counter[tuple[bool, Change]] = Counter()
        for block in self.blocks:
            for piece in block.pieces:
                if piece.kind is not Change.SAME:
                    found[block.kind is Change.MOVED, piece.kind] += sum(map(bool, _WORD.findall(piece.text)))
        return Counts(
            added=found[False, Change.ADDED],
            removed=found[False, Change.REMOVED],
            moved=found[True, Change.ADDED],
        )


#: A word to be counted, in its group; an anchor or tag of a heading is none.
_WORD = re.compile(r"\{\s*[#.][^{}\n]*\}|(\w+(?:[.,/:@-]\w+)*)")


def compare(old: str, new: str) -> Diff:
    """What changed from ``old`` to ``new``, two Markdown texts."""
    olds, news = (tuple(split(_canonical(text))) for text in (old, new))
    pairs = align([one.key for one in olds], [one.key for one in news])
    likely: list[Pair] = []
    low = start = 0
    for high, stop in [*pairs, (len(olds), len(news))]:
        found = likely_pairs(olds[low:high], news[start:stop])
        likely += [(low + one, start + other) for one, other in found]
        low, start = high + 1, stop + 1
    return Diff(blocks=tuple(_blocks(olds, news, sorted(pairs + likely))))


def _canonical(text: str) -> str:
    return normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _blocks(olds: Sequence[Passage], news: Sequence[Passage], pairs: Sequence[Pair]) -> Iterator[Block]:
    """The blocks in reading order; between two that belong together the removed ones come first."""
    lone_olds = _keys(olds, {one for one, _ in pairs})
    lone_news = _keys(news, {other for _, other in pairs})
    moved = {key for key, count in lone_olds.items() if count == lone_news[key] == 1}

    def lone(passages: Sequence[Passage], kind: Change) -> Iterator[Block]:
        for one in passages:
            pieces = (Piece(kind=kind, text=one.text),)
            yield _block(one, Change.MOVED if one.key in moved else kind, pieces)

    low = start = 0
    for high, stop in [*pairs, (len(olds), len(news))]:
        yield from lone(olds[low:high], Change.REMOVED)
        yield from lone(news[start:stop], Change.ADDED)
        if high < len(olds):
            pieces = _pieces(olds[high], news[stop])
            differs = olds[high].key != news[stop].key
            yield _block(news[stop], Change.CHANGED if differs else Change.SAME, pieces)
        low, start = high + 1, stop + 1


def _keys(passages: Sequence[Passage], paired: set[int]) -> Counter[str]:
    """How often each key stands among the passages that belong to none of the other text."""
    return Counter(one.key for at, one in enumerate(passages) if at not in paired and one.key)


def _block(passage: Passage, kind: Change, pieces: tuple[Piece, ...]) -> Block:
    return Block(kind=kind, form=passage.form, heading=passage.heading, pieces=pieces)


def _pieces(old: Passage, new: Passage) -> tuple[Piece, ...]:
    """Both texts as pieces, word by word; white space that differs is a piece of its own."""
    if old.text == new.text:
        return (Piece(kind=Change.SAME, text=new.text),)
    pieces: list[Piece] = []
    made: dict[Change, list[str]] = {Change.SAME: [], Change.REMOVED: [], Change.ADDED: []}
    same, gone, come = made.values()

    def put(*kinds: Change) -> None:
        for kind in kinds:
            if text := "".join(made[kind]):
                pieces.append(Piece(kind=kind, text=text))
            made[kind].clear()

    pairs = align([word for word, _ in old.words], [word for word, _ in new.words])
    low = start = 0
    for high, stop in [*pairs, (len(old.words), len(new.words))]:
        if high > low or stop > start:
            put(Change.SAME)
            gone += map("".join, old.words[low:high])
            come += map("".join, new.words[start:stop])
        if high == len(old.words):
            break
        if gone or come:
            put(Change.REMOVED, Change.ADDED)
        (word, before), (_, after) = old.words[high], new.words[stop]
        same.append(word)
        if before == after:
            same.append(after)
        else:
            put(Change.SAME)
            gone.append(before)
            come.append(after)
        low, start = high + 1, stop + 1
    put(Change.SAME, Change.REMOVED, Change.ADDED)
    return tuple(pieces)
