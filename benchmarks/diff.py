"""What the comparison of two long notices costs, against difflib on the same words.

20,000 Vietnamese words in paragraphs under clauses: an edited copy, and a text
that is another from the first word on, where nothing can be skipped.
"""

from collections.abc import Callable
from difflib import SequenceMatcher
from random import Random
from time import process_time

from consent_widget.core.diff import compare
from consent_widget.core.passage import split

from .figures import Figure, ratio
from .site import HERE

_ROUNDS = 5
_WORDS = 20_000
_PARAGRAPH = 50


def measure_diff() -> list[Figure]:
    random = Random(3)
    words = (HERE.parent / "demo_site" / "notices" / "1.vi.md").read_text(encoding="utf-8").split()
    old = _text(words, random)
    return [
        ratio(
            f"diff of {_WORDS:,} words, {name}",
            [_pair(old, new) for _ in range(_ROUNDS)],
            limit=5,
            unit="ms",
        )
        for name, new in (
            ("one in 50 edited", _edited(old, words, random)),
            ("all new", _text(words, random)),
        )
    ]


def _text(words: list[str], random: Random) -> str:
    """Paragraphs of random words, every fifth under a clause of its own."""
    paragraphs = (" ".join(random.choices(words, k=_PARAGRAPH)) for _ in range(_WORDS // _PARAGRAPH))
    return "\n\n".join(f"## {one[:40]}\n\n{one}" if at % 5 == 0 else one for at, one in enumerate(paragraphs))


def _edited(text: str, words: list[str], random: Random) -> str:
    return " ".join(random.choice(words) if random.random() < 0.02 else one for one in text.split(" "))


def _pair(old: str, new: str) -> tuple[float, float]:
    """The milliseconds of ours, everything included, and of difflib with the words given."""
    ours = _milliseconds(lambda: compare(old, new))
    olds, news = ([word for one in split(text) for word, _ in one.words] for text in (old, new))
    return ours, _milliseconds(lambda: SequenceMatcher(None, olds, news).get_opcodes())


def _milliseconds(call: Callable[[], object]) -> float:
    start = process_time()
    call()
    return (process_time() - start) * 1000
