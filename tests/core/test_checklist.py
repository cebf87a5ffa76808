"""What the tags of sections tell, and what is left to people."""

import pytest

from consent_widget.core.checklist import Finding, check, lost_anchors
from consent_widget.core.section import TAGS

WHOLE = "".join(f"## {tag} {{#{tag} .{tag}}}\n\nWords.\n\n" for tag in TAGS)


def test_every_tag_is_found_in_both_languages() -> None:
    found = {one.code: one.finding for one in check({"vi": WHOLE, "en": WHOLE}) if one.code in TAGS}

    assert found == dict.fromkeys(TAGS, Finding.PRESENT)


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_that_one_language_lacks(tag: str) -> None:
    without = WHOLE.replace(f" .{tag}", "")

    (item,) = [one for one in check({"vi": WHOLE, "en": without}) if one.code == tag]

    assert (item.finding, item.absent_in) == (Finding.ABSENT, ("en",))


def test_a_heading_alone_is_no_section() -> None:
    empty = "## Rights {#rights .rights}\n\n## Next\n\nWords."

    (item,) = [one for one in check({"vi": WHOLE, "en": empty}) if one.code == "rights"]

    assert item.absent_in == ("en",)


def test_one_section_may_answer_for_several_tags() -> None:
    both = "## Both {#both .purposes .retention}\n\nWords."

    found = {one.code for one in check({"vi": both, "en": both}) if one.finding is Finding.PRESENT}

    assert found == {"purposes", "retention"}


def test_nothing_written_lacks_everything() -> None:
    assert all(one.absent_in == ("vi", "en") for one in check({}) if one.code in TAGS)


def test_items_name_their_articles_where_there_are_any() -> None:
    items = check({})

    assert {one.code for one in items if not one.articles} == {"absolute", "languages"}
    assert "requests" in {one.code for one in items}
    assert len({one.code for one in items}) == len(items)
    assert [one.finding for one in items[len(TAGS) :]] == [Finding.QUESTION] * (len(items) - len(TAGS))


def test_anchors_that_are_gone() -> None:
    before = "## One {#one}\n\n## Two {#two .rights}\n\n## No anchor\n"

    assert lost_anchors(before, "## Renamed {#two}\n") == ("one",)
    assert lost_anchors(before, before) == ()
