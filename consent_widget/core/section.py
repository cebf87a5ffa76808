"""The sections of a notice's Markdown, as far as rules depend on them.

A section starts at a heading ``## Title {#anchor .tag}`` and ends before the
next one of that level. Tags name what the section is about.
"""

import re
from dataclasses import dataclass

#: What a tagged section is about; a change there is never a mere correction of a typo without a second look.
TAGS = ("purposes", "recipients", "retention", "transfers", "rights")

_HEADING = re.compile(
    r"^##[ \t]+(?P<title>[^\n]*?)[ \t]*"
    r"(?:\{[ \t]*(?:#(?P<anchor>[\w-]+))?(?P<tags>(?:[ \t]*\.[a-z]+)*)[ \t]*\})?[ \t]*$",
    re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True)
class Section:
    """``title`` plain, ``body`` Markdown without the heading, ``tags`` without their dots."""

    title: str
    anchor: str
    tags: frozenset[str]
    body: str


def sections(markdown: str) -> tuple[Section, ...]:
    """The sections of ``markdown`` in order; what stands before the first heading has none."""
    found = list(_HEADING.finditer(markdown))
    ends = [*(one.start() for one in found), len(markdown)][1:]
    return tuple(
        Section(
            title=one["title"],
            anchor=one["anchor"] or "",
            tags=frozenset((one["tags"] or "").replace(".", " ").split()),
            body=markdown[one.end() : end].strip(),
        )
        for one, end in zip(found, ends, strict=True)
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
