"""What the law asks of a notice, held against its text.

The product warns. It never rewrites a text and never blocks one for this:
whether a sentence is good enough is for people, often for a lawyer. What the
sections' tags tell is computed, everything else is a question to staff. The
articles are those of docs/law.md, which says how each was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .language import LANGUAGES
from .section import TAGS, sections

PERSONAL_DATA = "91/2025/QH15"
PERSONAL_DATA_DECREE = "356/2025/NĐ-CP"
CONSUMERS = "19/2023/QH15"


class Kind(StrEnum):
    LAW = "law"
    DECREE = "decree"


@dataclass(frozen=True, kw_only=True)
class Article:
    """``law`` by its number; ``clause`` and ``point`` are empty where the article is meant as a whole."""

    law: str
    article: int
    clause: int | None = None
    point: str = ""

    @property
    def kind(self) -> Kind:
        return Kind.DECREE if self.law.endswith("-CP") else Kind.LAW


class Finding(StrEnum):
    PRESENT = "present"
    ABSENT = "absent"
    QUESTION = "question"


@dataclass(frozen=True, kw_only=True)
class Item:
    """``code`` is a tag of core.section or the name of a question; ``absent_in`` lists languages."""

    code: str
    articles: tuple[Article, ...]
    finding: Finding = Finding.QUESTION
    absent_in: tuple[str, ...] = ()


def _law(article: int, clause: int | None = None, point: str = "") -> Article:
    return Article(law=PERSONAL_DATA, article=article, clause=clause, point=point)


def _decree(article: int, clause: int | None = None) -> Article:
    return Article(law=PERSONAL_DATA_DECREE, article=article, clause=clause)


_TAGGED: Mapping[str, tuple[Article, ...]] = {
    "purposes": (_law(3, 2), _law(9, 2)),
    "recipients": (_law(9, 2), _law(17)),
    "retention": (_law(3, 3), _law(14, 1)),
    "transfers": (_law(20),),
    "rights": (_law(4, 1), _decree(5)),
}

_QUESTIONS: tuple[tuple[str, tuple[Article, ...]], ...] = (
    ("silence", (_law(9, 4, "d"), _decree(6, 3))),
    ("cookies", (_law(9, 2), _decree(4), _decree(6))),
    ("kinds", (_law(9, 2), _law(3, 2))),
    ("controller", (_law(9, 2),)),
    ("requests", (_law(17, 1, "đ"),)),
    ("withdrawal", (_law(10), _law(4, 1))),
    ("complaint", (_law(4, 1), _law(19, 2))),
    ("ground", (_law(19),)),
    ("children", (_law(24),)),
    ("incidents", (_law(23),)),
    ("changes", (_law(3, 2), _law(9))),
    ("advertising", (Article(law=CONSUMERS, article=18, clause=4),)),
    ("processor", (_law(2),)),
    # No article: a text that contradicts itself, or two of which none governs, misleads whatever the law says.
    ("absolute", ()),
    ("languages", ()),
)


def check(texts: Mapping[str, str]) -> tuple[Item, ...]:
    """The list for the Markdown ``texts`` by language: the computed items first, then the questions."""
    tagged = {
        language: {tag for one in sections(texts.get(language, "")) if one.body for tag in one.tags}
        for language in LANGUAGES
    }
    computed = []
    for tag in TAGS:
        absent = tuple(language for language in LANGUAGES if tag not in tagged[language])
        finding = Finding.ABSENT if absent else Finding.PRESENT
        computed.append(Item(code=tag, articles=_TAGGED[tag], finding=finding, absent_in=absent))
    return (*computed, *(Item(code=code, articles=articles) for code, articles in _QUESTIONS))


def lost_anchors(before: str, after: str) -> tuple[str, ...]:
    """The anchors of sections in ``before`` that ``after`` has no longer: links to them lead nowhere now."""
    kept = {one.anchor for one in sections(after)}
    return tuple(one.anchor for one in sections(before) if one.anchor and one.anchor not in kept)
