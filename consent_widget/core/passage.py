"""A notice's Markdown as passages (a paragraph, a list item) and words, to be compared."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cached_property

from .alignment import Pair, rising


class Form(StrEnum):
    """What a block is in Markdown; ``row`` is one line of a table."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    ROW = "row"
    CODE = "code"


_FORMS = {form.value: form for form in Form}

#: Joined, the matches are the text. Each takes the blank lines after it, the first also those before.
_PASSAGE = re.compile(
    r"""
    (?:[ \t]*+\n)*+
    (?: (?P<code>[ ]{0,3}(?P<fence>`{3,}+|~{3,}+)[^\n]*+
            (?:\n(?![ ]{0,3}(?P=fence))[^\n]*+)*+ (?:\n[^\n]*+)? (?:\n|\Z))
      | (?P<heading>[ ]{0,3}\#{1,6}(?:[ \t][^\n]*+)?(?:\n|\Z))
      | (?P<row>[ \t]*+\|[^\n]*+(?:\n|\Z))
      | (?P<item>[ \t]*+(?:[-*+]|\d{1,9}[.)])[ \t](?=[^\n]))?+
        [^\n]++(?:\n|\Z)
        (?:(?![ \t]*+(?:\n|\||(?:[-*+]|\d{1,9}[.)]|\#{1,6}|`{3,}|~{3,})[ \t\n\w]))[^\n]++(?:\n|\Z))*+
      | \Z)
    (?:[ \t]*+\n)*+
    """,
    re.VERBOSE,
)

#: A word and the white space behind it. Possessive or bounded throughout, so that no text makes it slow.
_WORD = re.compile(
    r"""
    ( \]\([^\s()<>]*+\)                          # a link's target
    | \{[ \t]*+[#.][^{}\n]{1,200}+\}             # a heading's {#id .tag}
    | https?://[^\s<>()\[\]"]++
    | \w++(?:[.+-]\w++){0,3}+@\w++(?:[.-]\w++)*+ # an e-mail address
    | \d++(?:[.,/:-]\d++)*+%?+                    # a number, a date, a time
    | [\w\u0300-\u036f]++
    | \#++ | \*++ | _++ | `++
    | \S )
    (\s*+)
    """,
    re.VERBOSE,
)

_TITLE = re.compile(r"\s*#+[ \t]*(.*?)[ \t#]*(?:\{[^{}\n]*\})?\s*")

Word = tuple[str, str]


class Passage:
    """``words`` with the white space behind each; that before the first hangs on an empty word.

    ``heading`` is the plain title of the section. Two passages of one ``key``
    say the same, word for word.
    """

    def __init__(self, form: Form, text: str, heading: str | None) -> None:
        self.form, self.text, self.heading = form, text, heading
        lead = text[: len(text) - len(text.lstrip())]
        self.words: list[Word] = [("", lead)] if lead else []
        self.words += _WORD.findall(text, len(lead))
        self.key = " ".join(word for word, _ in self.words if word)

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each word stands in it."""
        return Counter(word for word, _ in self.words if word)


def split(text: str) -> Iterator[Passage]:
    """The passages of ``text``, which must have LF line ends; their texts, joined, are the text."""
    heading = None
    for match in _PASSAGE.finditer(text):
        if not match[0]:
            continue
        form = _FORMS.get(match.lastgroup or "", Form.PARAGRAPH)
        if form is Form.HEADING and (title := _TITLE.fullmatch(match["heading"])):
            heading = title[1]
        yield Passage(form, match[0], heading)


#: Passages pair up if at least this share of their words is the same.
_LIKENESS = 0.4
#: Two words in a row that stand in more passages than this tell nothing about which belong together.
_COMMON = 8
#: With so few pairs each one is looked at.
_FEW = 64


def likely_pairs(olds: Sequence[Passage], news: Sequence[Passage]) -> list[Pair]:
    """Which of ``news`` is a rewritten one of ``olds``, in an order kept on both sides."""
    if not olds or not news:
        return []
    weighted = []
    for at, other in _candidates(olds, news):
        old, new = olds[at], news[other]
        if (old.form is Form.HEADING) == (new.form is Form.HEADING):
            common = (old.counts & new.counts).total()
            likeness = 2 * common / max(1, old.counts.total() + new.counts.total())
            if likeness >= _LIKENESS:
                weighted.append((at, other, likeness))
    return rising(weighted)


def _candidates(olds: Sequence[Passage], news: Sequence[Passage]) -> Iterator[Pair]:
    """Pairs that share a rare sequence of two words, at most a few for each old passage."""
    if len(olds) * len(news) <= _FEW:
        yield from ((at, other) for at in range(len(olds)) for other in range(len(news)))
        return
    places: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for other, passage in enumerate(news):
        for couple in _couples(passage):
            places[couple].append(other)
    for at, passage in enumerate(olds):
        votes: Counter[int] = Counter()
        for couple in _couples(passage):
            found = places.get(couple, ())
            if len(found) <= _COMMON:
                votes.update(found)
        yield from ((at, other) for other, _ in votes.most_common(3))


def _couples(passage: Passage) -> set[tuple[str, str]]:
    words = [word for word, _ in passage.words if word]
    return set(zip(["", *words], words, strict=False))
