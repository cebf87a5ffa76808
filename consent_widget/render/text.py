"""Notice Markdown to plain text that reads well without any program."""

from collections.abc import Iterator
from itertools import pairwise

from markdown_it.token import Token

from .markdown import parse

_CODE = "    "


def plain_text(markdown: str) -> str:
    """The notice as text: headings underlined, list marks kept, link targets in brackets."""
    return "\n\n".join(_blocks(parse(markdown))) + "\n"


def _blocks(tokens: list[Token]) -> Iterator[str]:
    """Each block with the marks of the lists and quotations that it stands in."""
    marks: list[str] = []
    numbers: list[int] = []
    cells: list[str] = []
    for opening, token in pairwise([tokens[0], *tokens] if tokens else []):
        _enter(token, marks, numbers)
        if token.type in ("fence", "code_block"):
            yield _marked(token.content.rstrip("\n"), [*marks, _CODE])
        elif token.type == "hr":
            yield _marked("* * *", marks)
        elif token.type == "tr_close":
            yield _marked(" | ".join(cells), marks)
            cells.clear()
        elif token.type == "inline":
            words = _words(token.children or [])
            if opening.type in ("th_open", "td_open"):
                cells.append(words)
            elif opening.type == "heading_open":
                yield _marked(f"{words}\n{'-' * len(words)}", marks)
            elif words:
                yield _marked(words, marks)


def _enter(token: Token, marks: list[str], numbers: list[int]) -> None:
    """Keep ``marks`` as they are within ``token``; ``numbers`` of the lists around, 0 where they have bullets."""
    match token.type:
        case "bullet_list_open":
            numbers.append(0)
        case "ordered_list_open":
            # Markdown may begin at 0, which would look like a bullet.
            numbers.append(max(1, int(token.attrGet("start") or 1)))
        case "bullet_list_close" | "ordered_list_close":
            numbers.pop()
        case "list_item_open":
            marks.append(f"{numbers[-1]}. " if numbers[-1] else "- ")
            numbers[-1] += bool(numbers[-1])
        case "blockquote_open":
            marks.append("> ")
        case "list_item_close" | "blockquote_close":
            marks.pop()


def _marked(block: str, marks: list[str]) -> str:
    """``block`` behind ``marks``; those of list items are used up, only their room remains."""
    first = "".join(marks)
    for at, mark in enumerate(marks):
        if mark != "> ":
            marks[at] = " " * len(mark)
    rest = "".join(marks)
    return "\n".join(((rest if at else first) + line).rstrip() for at, line in enumerate(block.split("\n")))


def _words(children: list[Token]) -> str:
    written: list[str] = []
    targets: list[tuple[str, int]] = []
    for child in children:
        if child.type == "link_open":
            targets.append((str(child.attrGet("href") or ""), len(written)))
        elif child.type == "link_close":
            target, start = targets.pop()
            told = "".join(written[start:])
            if (
                target
                and not target.startswith("#")
                and target not in (told, f"mailto:{told}", f"tel:{told}")
            ):
                written.append(f" ({target})")
        else:
            written.append({"softbreak": "\n", "hardbreak": "\n"}.get(child.type, child.content))
    return "".join(written)
