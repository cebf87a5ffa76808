"""Which items of two sequences belong together, in an order kept on both sides.

Items that are unique on both sides hold the rest in place (the "patience" way
of comparing), and only short stretches between them are left to difflib. A
reader finds that easier to follow than the longest match first, and the time
stays near linear: difflib alone is quadratic where words repeat.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

#: The largest stretch left to difflib, old items by new ones: it may walk through one for each match.
_SHORT = 160_000

Pair = tuple[int, int]
_Gap = tuple[int, int, int, int]

#: How many times an item may be looked at, all in all. Real texts need three
#: to six; past it a stretch counts as rewritten, so that no text takes long.
_EFFORT = 20


def align(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """The positions of equal items, rising on both sides."""
    pairs: list[Pair] = []
    effort = _EFFORT * (len(old) + len(new))
    gaps: list[_Gap] = [(0, len(old), 0, len(new))]
    while gaps:
        low, high, start, stop = _strip_ends(old, new, gaps.pop(), pairs)
        effort -= high - low + stop - start
        if low == high or start == stop or effort < 0:
            continue
        anchors = _anchors(old[low:high], new[start:stop])
        if anchors:
            before = (low, start)
            for one, other in anchors:
                at = (low + one, start + other)
                pairs.append(at)
                gaps.append((before[0], at[0], before[1], at[1]))
                before = (at[0] + 1, at[1] + 1)
            gaps.append((before[0], high, before[1], stop))
            continue
        cost = _cost(old[low:high], new[start:stop])
        if 0 < cost <= effort and (high - low) * (stop - start) <= _SHORT:
            effort -= cost
            matcher = SequenceMatcher(None, old[low:high], new[start:stop], autojunk=False)
            for one, other, size in matcher.get_matching_blocks():
                pairs.extend((low + one + step, start + other + step) for step in range(size))
    return sorted(pairs)


def _strip_ends(old: Sequence[str], new: Sequence[str], gap: _Gap, pairs: list[Pair]) -> _Gap:
    """``gap`` without what is equal at its two ends, which goes into ``pairs``."""
    low, high, start, stop = gap
    while low < high and start < stop and old[low] == new[start]:
        pairs.append((low, start))
        low, start = low + 1, start + 1
    while low < high and start < stop and old[high - 1] == new[stop - 1]:
        high, stop = high - 1, stop - 1
        pairs.append((high, stop))
    return low, high, start, stop


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """The longest rising run of items that stand once on each side."""
    places = _unique_places(new)
    common = [(at, places[item]) for item, at in _unique_places(old).items() if item in places]
    return rising((one, other, 1) for one, other in sorted(common))


def _unique_places(items: Sequence[str]) -> dict[str, int]:
    counts = Counter(items)
    return {item: at for at, item in enumerate(items) if counts[item] == 1}


def _cost(old: Sequence[str], new: Sequence[str]) -> int:
    """How many pairs of equal items there are: what difflib walks through."""
    counts = Counter(new)
    return sum(counts[item] for item in old)


def rising(weighted: Iterable[tuple[int, int, float]]) -> list[Pair]:
    """Of ``(old, new, weight)`` the chain of greatest weight that rises on both sides.

    Each position is used once. O(k log k): the chains are kept by their last
    ``new`` position, and only those that none before them outweighs.
    """
    ends: list[int] = []
    chains: list[tuple[float, Pair, int]] = []  # by end: weight, the last pair, where the rest is kept
    kept: list[tuple[Pair, int]] = []
    for one, other, weight in sorted(weighted, key=lambda item: (item[0], -item[1])):
        place = bisect_left(ends, other)
        total, rest = weight, -1
        if place:
            before, _, rest = chains[place - 1]
            total += before
        if place < len(ends) and ends[place] == other and chains[place][0] >= total:
            continue
        kept.append(((one, other), rest))
        last = place
        while last < len(ends) and chains[last][0] <= total:
            last += 1
        ends[place:last] = [other]
        chains[place:last] = [(total, (one, other), len(kept) - 1)]
    found: list[Pair] = []
    at = chains[-1][2] if chains else -1
    while at >= 0:
        pair, at = kept[at]
        found.append(pair)
    return found[::-1]
