"""The changes as a reader meets them: in words, folded where nothing happened, and never alive."""

import re

import pytest
from flask import Flask

from consent_widget.web.comparison import show_diff
from consent_widget.web.language import WORDS
from tests.factories import Element, read_page

PARAGRAPHS = [f"Đoạn số {name} của chính sách." for name in ("một", "hai", "ba", "bốn", "năm", "sáu", "bảy")]

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[bấm](javascript:alert(1))",
    '[bấm](https://evil.example/"onmouseover=alert(1))',
    "`</code><script>alert(1)</script>`",
    "**<b onclick=alert(1)>đậm</b>**",
    "## <svg onload=alert(1)> {#x .rights}",
    "- <details open ontoggle=alert(1)>x</details>",
    "| <img src=x onerror=alert(1)> | </td><script>alert(1)</script> |",
    "```\n</pre><script>alert(1)</script>\n```",
    "<https://evil.example/>",
    "![ảnh](https://evil.example/pixel.png)",
    "</ins></del><iframe srcdoc=x>",
]

#: What the comparison itself is made of.
TAGS = {"div", "p", "h2", "h3", "h4", "pre", "ins", "del", "span", "code", "strong", "em"} | {
    "details",
    "summary",
    "table",
    "tbody",
    "tr",
    "td",
}


def shown(app: Flask, old: str, new: str, lang: str = "en") -> Element:
    with app.app_context():
        return read_page(str(show_diff(old, new, WORDS[lang])))


def html(app: Flask, old: str, new: str, lang: str = "en") -> str:
    with app.app_context():
        return str(show_diff(old, new, WORDS[lang]))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_of_the_texts_becomes_markup(app: Flask, payload: str) -> None:
    around = "\n\nĐoạn giữ nguyên.\n\n"
    for old, new in [("", payload), (payload, ""), (payload + around, payload + around + "thêm"),
                     (payload + around, payload.replace("1", "2") + around)]:  # fmt: skip
        page = html(app, old, new)

        assert set(re.findall(r"<([a-z0-9]+)", page)) <= TAGS
        attributes = re.findall(r'\s([a-z-]+)="[^"]*"', "".join(re.findall(r"<[a-z][^>]*>", page)))
        assert set(attributes) <= {"class", "tabindex", "role", "aria-label"}
        read_page(page)


@pytest.mark.parametrize(
    "lang, added, removed", [("en", "added:", "removed:"), ("vi", "thêm:", "bỏ:")], ids=["en", "vi"]
)
def test_a_change_is_told_in_words_that_only_a_screen_reader_reads(
    app: Flask, lang: str, added: str, removed: str
) -> None:
    page = shown(app, "Lưu trữ 12 tháng.", "Lưu trữ 24 tháng.", lang)

    assert page.one("ins").text == f"{added} 24"
    assert page.one("del").text == f"{removed} 12"
    assert [one.text for one in page.all("span")] == [removed, added]
    assert {one["class"] for one in page.all("span")} == {"consent-widget-unseen"}


@pytest.mark.parametrize(
    "old, new, label",
    [
        ("Một.", "Một.\n\nHai đoạn mới.", "Thêm mới"),
        ("Một.\n\nHai đoạn cũ.", "Một.", "Lược bỏ"),
    ],
    ids=["added", "removed"],
)
def test_a_whole_paragraph_carries_its_word_in_plain_sight(
    app: Flask, old: str, new: str, label: str
) -> None:
    page = shown(app, old, new, "vi")

    (span,) = page.all("span")
    assert (span["class"], span.text) == ("consent-widget-diff-label", label)


def test_a_moved_paragraph_is_told_at_both_places(app: Flask) -> None:
    page = shown(app, "\n\n".join(PARAGRAPHS), "\n\n".join([PARAGRAPHS[-1], *PARAGRAPHS[:-1]]))

    assert [one.text for one in page.all("span")] == ["Moved here", "Moved elsewhere"]
    assert "Words moved: 6." in page.text


def test_a_label_is_seen_once_for_neighbours_and_heard_for_each(app: Flask) -> None:
    page = shown(app, "Một.", "Một.\n\n## Mới\n\nHai.")

    assert [(one["class"], one.text) for one in page.all("span")] == [
        ("consent-widget-diff-label", "Added"),
        ("consent-widget-unseen", "Added"),
    ]


def test_long_stretches_without_a_change_are_folded(app: Flask) -> None:
    clauses = ["## Đầu", *PARAGRAPHS[:3], "## Cuối", *PARAGRAPHS[3:]]
    old = "\n\n".join(clauses)

    page = shown(app, old, old.replace("bảy", "tám"))

    folded = page.one("details")
    assert folded.one("summary").text == "Unchanged paragraphs: 4"
    assert [one.text for one in folded.all("p")] == PARAGRAPHS[:3]
    # The heading of what has changed stays in sight, and so does what stands too short to fold.
    beside = [one.text for one in page.all("p") if one.text not in folded.text]
    assert PARAGRAPHS[3:6] == beside[1:4]
    assert [one.text for one in page.all("h2") if one.text not in folded.text] == ["Cuối"]


def test_a_table_stays_a_table(app: Flask) -> None:
    table = "| Bên nhận | Thời hạn |\n|---|---|\n| VNNIC | 12 tháng |\n"

    page = shown(app, table, table.replace("12", "24") + "| Bưu điện | 3 năm |\n")

    rows = [[cell.text for cell in row.all("td")] for row in page.one("table").all("tr")]
    assert rows == [
        ["Bên nhận", "Thời hạn"],
        ["VNNIC", "removed: 12 added: 24 tháng"],
        ["Added Bưu điện", "3 năm"],
    ]


def test_markdown_reads_as_text_but_a_changed_target_is_told(app: Flask) -> None:
    old = "## Mục {#muc .rights}\n\n- Xem [tại đây](https://htek.vn/a) và **kỹ** nhé.\n"

    page = shown(app, old, old.replace("/a", "/b"))

    assert page.one("h2").text == "Mục"
    assert page.one("strong").text == "kỹ"
    assert page.one("del").text == "removed: (https://htek.vn/a)"
    assert page.one("ins").text == "added: (https://htek.vn/b)"
    assert "[" not in page.text
    assert "•" in page.text


def test_the_first_heading_level_is_the_callers(app: Flask) -> None:
    with app.app_context():
        page = read_page(str(show_diff("", "## Một\n\n### Hai\n", WORDS["vi"], level=3)))

    assert [one.tag for one in page.all("h3") + page.all("h4")] == ["h3", "h4"]


@pytest.mark.parametrize("unseen", ["\u202e", "\u200b", "\u00ad", "\x00", "\ud800"])
def test_a_character_that_nobody_sees_is_named(app: Flask, unseen: str) -> None:
    page = shown(app, "Phí 100.", f"Phí{unseen} 100.")

    assert page.one("ins").text == f"added: U+{ord(unseen):04X}"


@pytest.mark.parametrize(
    "new, expected",
    [
        ("Một hai.", "The two texts are the same."),
        ("Một\nhai.", "Only spaces and line breaks differ. The words are the same."),
        ("Một hai ba.", "Words added: 1, removed: 0."),
    ],
)
def test_the_sentence_above_says_how_much_has_changed(app: Flask, new: str, expected: str) -> None:
    with app.app_context():
        without = read_page(str(show_diff("Một hai.", new, WORDS["en"], with_counts=False)))

    assert shown(app, "Một hai.", new).all("p")[0].text == expected
    assert expected not in without.text
