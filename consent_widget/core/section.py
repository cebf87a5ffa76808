"""The sections of a notice's Markdown, as far as rules depend on them.

A section starts at a heading ``## Title {#anchor .tag}`` and ends before the
next one. Tags name what the section is about. What a mark is, pages and rules
read from here alike (render.markdown).
"""

import re
from dataclasses import dataclass

#: What a tagged section is about; a change there is never a mere correction of a typo without a second look.
TAGS = ("purposes", "recipients", "retention", "transfers", "rights")

#: A line that is a heading to CommonMark (4.2 and 4.3), of any level.
_HEADING = re.compile(
    r"^ {0,3}(?P<level>#{1,6})(?:[ \t]+(?P<text>[^\n]*?))?(?:[ \t]+#+)?[ \t]*$"
    r"|^ {0,3}(?P<setext>[^\s#>*+-][^\n]*)\n {0,3}(?:=+|-+)[ \t]*$",
    re.MULTILINE,
)
_MARK = re.compile(r"\s*\{(?P<marks>\s*[#.][A-Za-z0-9_-]+(?:\s*[#.][A-Za-z0-9_-]+)*\s*)\}\s*$")


@dataclass(frozen=True, kw_only=True)
class Section:
    """``title`` plain, ``body`` Markdown without the heading, ``tags`` without their dots."""

    title: str
    anchor: str
    tags: frozenset[str]
    body: str


def split_mark(heading: str) -> tuple[str, str, tuple[str, ...]]:
    """The words of a heading, its anchor ("" without one) and its tags, in whatever order they stand."""
    found = _MARK.search(heading)
    if found is None:
        return heading, "", ()
    marks = re.findall(r"[#.][A-Za-z0-9_-]+", found["marks"])
    anchors = [one[1:] for one in marks if one.startswith("#")]
    tags = tuple(one[1:].lower() for one in marks if one.startswith("."))
    return heading[: found.start()], anchors[0] if anchors else "", tags


def sections(markdown: str) -> tuple[Section, ...]:
    """The sections of ``markdown`` in order; what stands before the first heading has none.

    Headings of the first two levels begin one, as do lower ones that carry a tag.
    """
    found = []
    for one in _HEADING.finditer(markdown):
        title, anchor, tags = split_mark((one["text"] or one["setext"] or "").strip())
        if tags or len(one["level"] or "#") <= 2:
            found.append((one.start(), one.end(), title, anchor, tags))
    ends = [*(start for start, *_ in found), len(markdown)][1:]
    return tuple(
        Section(title=title, anchor=anchor, tags=frozenset(tags), body=markdown[begin:end].strip())
        for (_, begin, title, anchor, tags), end in zip(found, ends, strict=True)
    )


def changed_tags(old: str, new: str) -> frozenset[str]:
    """The tags of :data:`TAGS` whose sections do not say word for word the same in both texts.

    Moving a section, its heading included, changes nothing; taking its tag away does.
    """

    def by_tag(markdown: str) -> dict[str, list[tuple[str, str]]]:
        parts = [(one.title, " ".join(one.body.split()), one.tags) for one in sections(markdown)]
        return {tag: sorted((title, body) for title, body, tags in parts if tag in tags) for tag in TAGS}

    before, after = by_tag(old), by_tag(new)
    return frozenset(tag for tag in TAGS if before[tag] != after[tag])
