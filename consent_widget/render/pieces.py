"""The pieces of a diff as HTML. Markdown is read as far as it helps a reader; nothing of it comes alive."""

import re
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from ..core.diff import Block, Change, Piece
from ..core.passage import Form

_HEAD = {Form.HEADING: re.compile(r"\s*#+\s+"), Form.ITEM: re.compile(r"\s*[-*+]\s+")}
_TAIL = re.compile(r"\s*\{\s*[#.][^{}\n]{0,200}\}\s*$")


def without_marks(block: Block) -> list[Piece]:
    """The pieces without the Markdown that makes the block what it is, unless just that has changed."""
    pieces = list(block.pieces)
    whole = len(pieces) == 1
    head = _HEAD.get(block.form)
    if head and (whole or pieces[0].kind is Change.SAME):
        text = head.sub("• " if block.form is Form.ITEM else "", pieces[0].text, count=1)
        pieces[0] = Piece(kind=pieces[0].kind, text=text)
    if block.form is Form.HEADING and (whole or pieces[-1].kind is Change.SAME):
        pieces[-1] = Piece(kind=pieces[-1].kind, text=_TAIL.sub("", pieces[-1].text))
    for at, piece in enumerate(pieces):
        # A changed link target stands alone: `[text` before it loses its bracket, as links in one piece do.
        if at and piece.text.startswith("](") and pieces[at - 1].kind is Change.SAME:
            text = re.sub(r"\[([^\[\]]*)\Z", r"\1", pieces[at - 1].text)
            pieces[at - 1] = Piece(kind=Change.SAME, text=text)
    return pieces


def cells_of(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The pieces of each cell of a table row."""
    cells: list[list[Piece]] = [[]]
    for piece in pieces:
        for at, text in enumerate(re.split(r"(?<!\\)\|", piece.text)):
            if at:
                cells.append([])
            cells[-1].append(Piece(kind=piece.kind, text=text))
    # The bars at both ends have nothing outside them.
    outside = [at for at in (0, len(cells) - 1) if not any(piece.text.strip() for piece in cells[at])]
    return [cell for at, cell in enumerate(cells) if at not in outside]


def inline(pieces: Sequence[Piece], words: Mapping[Change, str]) -> Markup:
    """The pieces as ``ins``, ``del`` and plain text; white space stays outside of the marks."""
    # Collected and joined once: to add to a long text again and again takes time by its square.
    html: list[str] = []
    for piece in pieces:
        if piece.kind is Change.SAME:
            html.append(_marked(piece.text, is_same=True))
            continue
        text = piece.text.strip()
        before, after = piece.text[: len(piece.text) - len(piece.text.lstrip())], piece.text[-1:]
        if text:
            html.append(
                Markup("{0}<{1}>{2}{3}</{1}>{4}").format(
                    " " if text.startswith("](") else before,
                    Markup("ins" if piece.kind is Change.ADDED else "del"),
                    Markup('<span class="consent-widget-unseen">{} </span>').format(words[piece.kind])
                    if words
                    else "",
                    _marked(text, is_same=False),
                    after if after.isspace() else "",
                )
            )
        elif piece.kind is Change.ADDED:
            html.append(piece.text)
    return Markup("").join(html)


#: Markdown within a line, where it is whole; what is cut in two by a change is shown as written.
_MARKED = re.compile(
    r"""
      \*\*(?P<strong>[^*\n]+)\*\*
    | (?<![\w*])\*(?=\S)(?P<em>[^*\n]+)(?<=\S)\*(?![\w*])
    | `(?P<code>[^`\n]+)`
    | (?:\[(?P<text>[^\[\]\n]+))?\]\((?P<target>[^\s()<>]*)\)
    | (?P<unseen>[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff])
    """,
    re.VERBOSE,
)


def _marked(text: str, *, is_same: bool) -> Markup:
    """``text`` escaped, with emphasis; a link's target in brackets unless it is the same.

    Characters that nobody sees, or that turn the order of the others around
    (Unicode Technical Report 36, 2.5), are named.
    """
    html: list[str] = []
    end = 0
    for match in _MARKED.finditer(text):
        html.append(text[end : match.start()])
        end = match.end()
        kind = match.lastgroup
        if kind in ("strong", "em"):
            html.append(Markup("<{0}>{1}</{0}>").format(Markup(kind), _marked(match[kind], is_same=is_same)))
        elif kind == "code":
            html.append(Markup("<code>{}</code>").format(match["code"]))
        elif kind == "unseen":
            html.append(Markup("<code>U+{:04X}</code>").format(ord(match["unseen"])))
        else:
            html.append(_marked(match["text"] or "", is_same=is_same))
            if not is_same or match["text"] is None:
                space = " " if match.start() else ""
                html.append(Markup("{}<code>({})</code>").format(space, match["target"]))
    return Markup("").join([*html, text[end:]])
