"""Notices as files: ``N.vi.md`` and ``N.en.md``, Markdown with YAML front matter."""

from pathlib import Path
from typing import Any

import frontmatter
import yaml

from ..core.errors import InputError, NoticeError
from ..core.language import LANGUAGES
from ..core.notice import ChangeClass, Edition, NoticeText

_KEYS = {"title", "summary", "class", "ask_again", "effective_at"}


def numbers_in(folder: Path) -> list[int]:
    """The numbers of the notices in ``folder``, ascending.

    Raises:
        NoticeError: there is none.
    """
    numbers = sorted(
        {int(path.name.split(".")[0]) for path in folder.glob("*.*.md") if path.name.split(".")[0].isdigit()}
    )
    if not numbers:
        raise NoticeError(str(folder), "holds no notice; expected files like 1.vi.md and 1.en.md.")
    return numbers


def read_edition(folder: Path, number: int, categories: tuple[str, ...]) -> tuple[Edition, object]:
    """The edition in the files of ``number``, and the effective date they name, unparsed.

    Raises:
        NoticeError: a file is missing or faulty, or the languages disagree.
    """
    texts: dict[str, NoticeText] = {}
    heads: dict[str, tuple[object, ...]] = {}
    for language in LANGUAGES:
        head, texts[language] = _read_text(folder / f"{number}.{language}.md")
        heads[language] = (head.get("class"), head.get("ask_again") or [], head.get("effective_at"))
    if len({repr(head) for head in heads.values()}) > 1:
        raise NoticeError(
            str(folder),
            f"class, ask_again and effective_at of version {number} differ between the languages.",
        )
    change_class, ask_again, effective_at = heads[LANGUAGES[0]]
    where = str(folder / f"{number}.{LANGUAGES[0]}.md")
    if change_class not in list(ChangeClass):
        raise NoticeError(where, f"class must be one of {', '.join(ChangeClass)}, not {change_class!r}.")
    if not isinstance(ask_again, list) or not all(isinstance(name, str) for name in ask_again):
        raise NoticeError(where, "ask_again must be a list of category names.")
    for name in ask_again:
        if name not in categories:
            raise NoticeError(
                where, f"ask_again names {name!r}; optional categories are {', '.join(categories)}."
            )
    edition = Edition(
        texts=texts, change_class=ChangeClass(str(change_class)), ask_again=frozenset(ask_again)
    )
    return edition, effective_at


def _read_text(path: Path) -> tuple[dict[str, Any], NoticeText]:
    try:
        post = frontmatter.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NoticeError(str(path), "is missing; a version needs every language.") from None
    except (UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        # TypeError: a key of the front matter is no text.
        raise NoticeError(str(path), f"cannot be read: {error}") from error
    head = post.metadata
    unknown = set(head) - _KEYS
    if unknown:
        raise NoticeError(str(path), f"the front matter has an unknown key {sorted(unknown)[0]!r}.")
    try:
        text = NoticeText(
            title=str(head.get("title") or ""), summary=str(head.get("summary") or ""), markdown=post.content
        )
    except InputError as error:
        raise NoticeError(str(path), str(error)) from error
    return head, text
