"""Sections are found by their headings, and a change in what a tag marks is never missed."""

import re

import pytest

from consent_widget.core.section import TAGS, changed_tags, sections
from consent_widget.render.markdown import render_notice

TEXT = """Opening words.

## Purposes {#why .purposes}

We send invoices.

### A smaller heading {#small}

Still the same section.

## Who else {#who .recipients .transfers}

Nobody.

## Plain

No tag.
"""


def test_each_heading_of_the_second_level_opens_a_section() -> None:
    found = sections(TEXT)

    assert [(one.title, one.anchor, one.tags) for one in found] == [
        ("Purposes", "why", {"purposes"}),
        ("Who else", "who", {"recipients", "transfers"}),
        ("Plain", "", frozenset()),
    ]
    assert found[0].body.endswith("Still the same section.")
    assert found[1].body == "Nobody."


def test_a_text_without_headings_has_no_sections() -> None:
    assert sections("Only words.\n") == ()
    assert sections("") == ()


def test_the_same_text_changes_no_tag() -> None:
    assert changed_tags(TEXT, TEXT) == frozenset()


@pytest.mark.parametrize(
    "old, new, expected",
    [
        pytest.param("invoices", "advertisements", {"purposes"}, id="a word"),
        pytest.param("Nobody.", "A bank.", {"recipients", "transfers"}, id="a section of two tags"),
        pytest.param("No tag.", "Still none.", set(), id="a section without a tag"),
        pytest.param("Opening words.", "Hello.", set(), id="before the first section"),
        pytest.param(" .purposes", "", {"purposes"}, id="the tag is taken away"),
        pytest.param("Who else", "Nobody else", {"recipients", "transfers"}, id="a tagged heading"),
        pytest.param("## Plain", "## Plain {.rights}", {"rights"}, id="a tag is added"),
        pytest.param("We send invoices.", "We  send\ninvoices.", set(), id="line breaks alone"),
        pytest.param("#why", "#because", set(), id="an anchor alone"),
    ],
)
def test_a_change_in_a_tagged_section_names_its_tags(old: str, new: str, expected: set[str]) -> None:
    assert old in TEXT

    assert changed_tags(TEXT, TEXT.replace(old, new)) == expected


def test_moving_a_section_changes_nothing() -> None:
    head, purposes, who, plain = TEXT.split("\n## ")

    assert changed_tags(TEXT, "\n## ".join([head, plain + "\n", who, purposes])) == frozenset()


def test_a_tag_of_no_meaning_is_no_tag_of_ours() -> None:
    assert "colour" not in TAGS
    assert changed_tags("## A {.colour}\n\none", "## A {.colour}\n\ntwo") == frozenset()


@pytest.mark.parametrize(
    "heading, tags",
    [
        pytest.param("  ## B {#x .rights}", {"rights"}, id="indented"),
        pytest.param("## B {#x .rights} ##", {"rights"}, id="closed"),
        pytest.param("# B {#x .rights}", {"rights"}, id="first level"),
        pytest.param("### B {#x .rights}", {"rights"}, id="third level"),
        pytest.param("## B {.rights #x}", {"rights"}, id="tag before anchor"),
        pytest.param("## B {#x .Rights}", {"rights"}, id="capital letter"),
        pytest.param("B {.rights}\n---", {"rights"}, id="underlined"),
        pytest.param("## B {#quyền .rights}", set(), id="an anchor that is none"),
        pytest.param("## B {.rights} and more", set(), id="in the midst"),
        pytest.param("    ## B {#x .rights}", set(), id="code"),
    ],
)
def test_the_page_and_the_rules_see_the_same_tags(heading: str, tags: set[str]) -> None:
    text = f"{heading}\n\nWords.\n"

    assert {tag for one in sections(text) for tag in one.tags} == tags
    shown = re.findall(r'data-tags="([^"]*)"', render_notice(text).html)
    assert {tag for one in shown for tag in one.split()} == tags
    assert changed_tags(text, text.replace("Words", "Other words")) == tags


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_line_ends_hide_no_section(end: str) -> None:
    assert sections("## A {.rights}\n\nb\n".replace("\n", end))[0].tags == {"rights"}
