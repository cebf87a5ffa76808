"""Notice Markdown to HTML that may stand in any page.

Two fences: the parser passes no raw HTML, the cleaner keeps an explicit list.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from ..core.section import split_mark

#: Ids in a notice start with this, so that they meet none of the host's page.
ID_PREFIX = "notice-"

_TAGS = {
    "a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "hr", "img", "li", "ol", "p", "pre", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title"},
    "h2": {"id", "data-tags"},
    "h3": {"id", "data-tags"},
    "h4": {"id", "data-tags"},
    "ol": {"start"},
}
_SCHEMES = {"http", "https", "mailto", "tel"}


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One entry of the contents list: ``id`` as in the HTML, plain ``title``, ``tags`` of the section."""

    id: str
    title: str
    tags: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class RenderedNotice:
    """``html`` is safe to print unescaped; ``clauses`` are its ``h2`` in order."""

    html: str
    clauses: tuple[Clause, ...]


def _mark_headings(state: StateCore) -> None:
    """Take ``{#id .tag}`` off each heading and give every heading an id, unique in its text."""
    taken: set[str] = set()
    count = 0
    for opening, inline in pairwise(state.tokens):
        if opening.type != "heading_open":
            continue
        count += 1
        inline.content, anchor, tags = split_mark(inline.content)
        name = anchor or f"{count}"
        if tags:
            opening.attrSet("data-tags", " ".join(tags))
        while name in taken:
            name += "-"
        taken.add(name)
        opening.attrSet("id", ID_PREFIX + name)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.core.ruler.before("inline", "notice_headings", _mark_headings)
    # A page has its own h1; a text that uses one anyway is taken down a level.
    parser.core.ruler.push("notice_levels", _lower_first_level)
    return parser


def _lower_first_level(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = {"h1": "h2", "h5": "h4", "h6": "h4"}.get(token.tag, token.tag)


_PARSER = _parser()


def _own_images_only(tag: str, attribute: str, value: str) -> str | None:
    """Images from the notice's own host: a foreign one would tell a third party who reads the notice."""
    if (tag, attribute) != ("img", "src"):
        return value
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        return None
    own = not parts.scheme and not parts.netloc and "\\" not in value and not value.strip().startswith("//")
    return value if own else None


def parse(markdown: str) -> list[Token]:
    """The tokens of a notice; headings have their ids and their marks are taken off."""
    return _PARSER.parse(markdown)


@lru_cache(maxsize=64)
def render_notice(markdown: str) -> RenderedNotice:
    """The notice as HTML and its contents list. Heading ids start with ``notice-``."""
    tokens = parse(markdown)
    html = nh3.clean(
        _PARSER.renderer.render(tokens, _PARSER.options, {}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_own_images_only,
        url_schemes=_SCHEMES,
        link_rel="noopener",
        strip_comments=True,
    )
    return RenderedNotice(html=html, clauses=tuple(_clauses(tokens)))


def _clauses(tokens: list[Token]) -> list[Clause]:
    found = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.tag == "h2":
            found.append(
                Clause(
                    id=str(opening.attrGet("id")),
                    title="".join(child.content for child in inline.children or ()),
                    tags=frozenset(str(opening.attrGet("data-tags") or "").split()),
                )
            )
    return found
