"""What changed between two versions, as a mail can tell it: no stylesheet, no script, and a limit to its length."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape

from markupsafe import Markup

from ..core.diff import Block, Change, Piece, compare
from ..core.notice import NoticeText
from ..core.passage import Form
from .catalogue import Words
from .comparison import fate, stretches, summary_of
from .pieces import cells_of, inline, without_marks

#: So long may the comparison in a mail be, in bytes of HTML: big mail services hide what lies beyond 100 kB.
MOST_BYTES = 40_000

#: A paragraph is shortened beyond this, in bytes of text; each mark of a change counts as well.
_MOST_OF_BLOCK, _MARK = 6000, 90

#: A stretch without change is shortened beyond this to its ends, in characters.
_LONGEST_SAME, _END = 400, 150

_LEFT_OUT = "[…]"

# Colour and background always come together, so that both modes of a mail program can be read.
_STYLES = {
    "<ins>": '<ins style="background-color:#d9f2e1;color:#0b3d1f;font-weight:bold;text-decoration:underline;">',
    "<del>": '<del style="background-color:#fbe3e0;color:#6e1414;text-decoration:line-through;">',
    "<code>": "<code style=\"font-family:Consolas,Menlo,'Courier New',monospace;font-size:14px;\">",
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """One paragraph of a comparison: ``html`` to stand in an element, and the same as ``text``.

    ``kind`` is heading, paragraph, code, or gap: a sentence of ours in place of what is left
    out. ``label`` says in words what became of the whole, if anything.
    """

    kind: str
    label: str
    html: Markup
    text: str


@dataclass(frozen=True, kw_only=True)
class MailDiff:
    """``summary`` counts words; ``missing`` is how many changed paragraphs are not shown, or not whole."""

    summary: str
    told: tuple[Told, ...]
    missing: int


def mail_diff(old: NoticeText, new: NoticeText, t: Words) -> MailDiff:
    """What changed from ``old`` to ``new``, in at most :data:`MOST_BYTES` of HTML."""
    diff = compare(old.markdown, new.markdown)
    changed = sum(block.kind is not Change.SAME for block in diff.blocks)
    told = list(_title(old.title, new.title, t))
    whole = 0
    room = MOST_BYTES - sum(map(_size, told))
    for one, is_whole_change in () if diff.is_empty else _told(diff.blocks, t):
        room -= _size(one)
        if room < 0:
            break
        told.append(one)
        whole += is_whole_change
    return MailDiff(summary=summary_of(diff, t), told=tuple(told), missing=changed - whole)


def _size(one: Told) -> int:
    return len(one.html.encode()) + len(one.label.encode()) + _MARK


def _title(old: str, new: str, t: Words) -> Iterator[Told]:
    """The title if it has changed: it is no part of the text."""
    if old != new:
        pieces = [piece for block in compare(old, new).blocks for piece in block.pieces]
        yield _shown(pieces, kind="paragraph", label=t("Title"), t=t, is_whole=False)


def _told(blocks: Sequence[Block], t: Words) -> Iterator[tuple[Told, bool]]:
    """What is told in its order, and whether it is a change that is shown whole."""
    heading: list[tuple[Told, bool]] = []  # waits for something to stand under it
    for folded, run in stretches(blocks):
        if folded:
            words = t(
                "%(number)s paragraphs that did not change are not repeated here.",
                number=len(run) + len(heading),
            )
            heading.clear()
            yield Told(kind="gap", label="", html=Markup("{}").format(words), text=words), False
            continue
        for block in run:
            yield from heading
            heading.clear()
            pieces, is_whole = _shortened(without_marks(block))
            is_same = block.kind is Change.SAME
            told = _block(block, pieces, t), is_whole and not is_same
            if is_same and block.form is Form.HEADING:
                heading.append(told)
            else:
                yield told


def _block(block: Block, pieces: Sequence[Piece], t: Words) -> Told:
    kind = {Form.HEADING: "heading", Form.CODE: "code"}.get(block.form, "paragraph")
    label = fate(block, t)
    return _shown(pieces, kind=kind, label=label, t=t, is_whole=bool(label), is_row=block.form is Form.ROW)


def _shown(
    pieces: Sequence[Piece], *, kind: str, label: str, t: Words, is_whole: bool, is_row: bool = False
) -> Told:
    cells = cells_of(pieces) if is_row else [pieces]
    html = Markup(" | ").join(inline(cell, {}) for cell in cells)
    # Without a stylesheet nothing else keeps what goes from what comes.
    html = html.replace(Markup("</del><ins>"), Markup("</del> <ins>"))
    # A word for the whole says it once; within a paragraph each change says what it is.
    marks = {} if is_whole else {"<ins>": f"[{t('added:')} ", "<del>": f"[{t('removed:')} "}
    text = _as_text(html, marks)
    # The line breaks of a paragraph are those of whoever typed it.
    words = text.strip("\n") if kind == "code" else " ".join(text.split())
    return Told(kind=kind, label=label, html=_styled(html), text=words)


def _styled(html: Markup) -> Markup:
    """``html`` with its tags styled; whatever is written in a text was escaped, so these tags are ours."""
    return Markup(re.sub("<(?:ins|del|code)>", lambda found: _STYLES[found[0]], html))


def _as_text(html: Markup, marks: dict[str, str]) -> str:
    def replaced(tag: re.Match[str]) -> str:
        closes = marks and tag[0] in ("</ins>", "</del>")
        return "]" if closes else marks.get(tag[0], "")

    return unescape(re.sub("<[^>]*>", replaced, html))


def _shortened(pieces: Sequence[Piece]) -> tuple[list[Piece], bool]:
    """Without the middle of long stretches that are the same; False: it was beyond all measure and is cut."""
    short: list[Piece] = []
    room = _MOST_OF_BLOCK
    for at, piece in enumerate(pieces):
        text = piece.text
        if piece.kind is Change.SAME and len(text) > _LONGEST_SAME:
            text = _middle_out(text, is_first=at == 0, is_last=at == len(pieces) - 1)
        raw = text.encode()
        room -= len(raw) + (piece.kind is not Change.SAME) * _MARK
        if room < 0:
            kept = raw[: max(0, room + len(raw))].decode(errors="ignore")
            return [*short, Piece(kind=piece.kind, text=f"{_start(kept, len(kept))} {_LEFT_OUT}")], False
        short.append(Piece(kind=piece.kind, text=text))
    return short, True


def _middle_out(text: str, *, is_first: bool, is_last: bool) -> str:
    """The ends of ``text`` that stand beside a change; of what stands alone, its beginning."""
    start = "" if is_first and not is_last else _start(text, _END)
    end = "" if is_last else _end(text, _END)
    return " ".join(part for part in (start, _LEFT_OUT, end) if part)


def _start(text: str, longest: int) -> str:
    cut = text[:longest]
    return cut.rsplit(maxsplit=1)[0] if " " in cut.strip() else cut


def _end(text: str, longest: int) -> str:
    cut = text[-longest:]
    return cut.split(maxsplit=1)[-1] if " " in cut.strip() else cut
