"""The comparison in a mail: read without colour, stylesheet or patience, and never longer than a mail."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.core.notice import NoticeText
from consent_widget.render.catalogue import WORDS
from consent_widget.render.mail_diff import MOST_BYTES, MailDiff, mail_diff
from tests.factories import read_page

PARAGRAPHS = [f"Đoạn số {name} của chính sách." for name in ("một", "hai", "ba", "bốn", "năm", "sáu", "bảy")]

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[bấm](javascript:alert(1))",
    '[bấm](https://evil.example/"onmouseover=alert(1))',
    "`</code><script>alert(1)</script>`",
    "**<b onclick=alert(1)>đậm</b>**",
    "## <svg onload=alert(1)> {#x .rights}",
    "| <img src=x onerror=alert(1)> | </td><script>alert(1)</script> |",
    "```\n</pre><script>alert(1)</script>\n```",
    "![ảnh](https://evil.example/pixel.png)",
    "</ins></del><iframe srcdoc=x>",
    "<ins>giả</ins> <del>giả</del> <code>giả</code>",
    "&lt;ins&gt; &amp; &#60;del&#62;",
    "\u202egiả",
]

markdown = st.text(alphabet="ab ạ\n#-*|`[](){}<>&.1", min_size=1, max_size=200).filter(str.strip)


def text(words: str, title: str = "T") -> NoticeText:
    return NoticeText(title=title, summary="S", markdown=words)


def diff(old: str, new: str, language: str = "vi") -> MailDiff:
    return mail_diff(text(old), text(new), WORDS[language])


def html(found: MailDiff) -> str:
    return "".join(f"<p>{one.html}</p>" for one in found.told)


def plain(found: MailDiff) -> str:
    return "\n".join(one.text for one in found.told)


@pytest.mark.parametrize(
    "language, words",
    [
        ("vi", "Lưu trữ [bỏ: 12] [thêm: 24] tháng."),
        ("en", "Lưu trữ [removed: 12] [added: 24] tháng."),
    ],
    ids=["vi", "en"],
)
def test_a_change_is_told_in_both_forms(language: str, words: str) -> None:
    found = diff("Lưu trữ 12 tháng.", "Lưu trữ 24 tháng.", language)

    (one,) = found.told
    page = read_page(f"<p>{one.html}</p>")
    assert page.one("del").text == "12"
    assert page.one("ins").text == "24"
    # Without any style the elements still say it, and a space keeps both apart.
    assert re.sub("<[^>]*>", "", one.html).strip() == "Lưu trữ 12 24 tháng."
    assert one.text == words


def test_marks_need_no_stylesheet() -> None:
    found = html(diff("Lưu trữ 12 tháng.", "Lưu trữ 24 tháng."))

    assert "class=" not in found
    assert re.search(r"<ins style=\"[^\"]*text-decoration:underline", found)
    assert re.search(r"<del style=\"[^\"]*text-decoration:line-through", found)


@pytest.mark.parametrize(
    "old, new, label, words",
    [
        ("Một.", "Một.\n\nHai đoạn mới.", "Thêm mới", "Hai đoạn mới."),
        ("Một.\n\nHai đoạn cũ.", "Một.", "Lược bỏ", "Hai đoạn cũ."),
    ],
    ids=["added", "removed"],
)
def test_a_whole_paragraph_carries_its_word(old: str, new: str, label: str, words: str) -> None:
    (one,) = [one for one in diff(old, new).told if one.label]

    assert (one.label, one.text) == (label, words)


def test_long_stretches_without_a_change_are_left_out_and_said_so() -> None:
    old = "\n\n".join(["## Đầu", *PARAGRAPHS[:3], "## Cuối", *PARAGRAPHS[3:]])

    found = diff(old, old.replace("bảy", "tám"))

    (gap,) = [one for one in found.told if one.kind == "gap"]
    assert gap.text == "4 đoạn không thay đổi, không nhắc lại ở đây."
    assert PARAGRAPHS[0] not in plain(found)
    assert [one.text for one in found.told if one.kind == "heading"] == ["Cuối"]


def test_no_heading_stands_above_nothing() -> None:
    old = "\n\n".join(["## Đầu", "Lưu trữ 12 tháng.", "## Cuối", *PARAGRAPHS])

    found = diff(old, old.replace("12", "24"))

    assert [(one.kind, one.text) for one in found.told] == [
        ("heading", "Đầu"),
        ("paragraph", "Lưu trữ [bỏ: 12] [thêm: 24] tháng."),
        ("gap", "8 đoạn không thay đổi, không nhắc lại ở đây."),
    ]


def test_a_long_stretch_within_a_paragraph_is_shortened_to_its_ends() -> None:
    words = " ".join(f"từ{number}" for number in range(1000))

    found = diff(f"12 {words} cuối cũ", f"24 {words} cuối mới")

    (one,) = found.told
    assert one.text.startswith("[bỏ: 12] [thêm: 24] từ0 ")
    assert " […] " in one.text
    assert one.text.endswith("từ999 cuối [bỏ: cũ] [thêm: mới]")
    assert len(one.text) < 500
    assert found.missing == 0


def test_a_paragraph_beyond_all_measure_is_cut_and_counted() -> None:
    found = diff("Một.", "Một.\n\n" + "rất dài " * 5000)

    assert plain(found).endswith(" […]")
    assert found.missing == 1


def test_what_does_not_fit_is_counted() -> None:
    old = "\n\n".join(
        f"Điều {number} quy định việc lưu trữ trong 12 tháng kể từ ngày {number}." for number in range(1000)
    )

    found = diff(old, old.replace("12 tháng", "24 tháng"))

    assert len(html(found).encode()) <= MOST_BYTES
    shown = sum("<ins" in one.html for one in found.told)
    assert 50 < shown < 1000
    assert found.missing == 1000 - shown


def test_a_new_title_is_told_first() -> None:
    found = mail_diff(
        text("Như cũ.", "Chính sách bảo mật"), text("Như cũ.", "Chính sách riêng tư"), WORDS["vi"]
    )

    (one,) = found.told
    assert (one.label, one.text) == ("Tiêu đề", "Chính sách [bỏ: bảo mật] [thêm: riêng tư]")


def test_nothing_is_told_where_nothing_has_changed() -> None:
    found = diff("Một.\n\nHai.", "Một.\n\nHai.")

    assert (found.told, found.missing) == ((), 0)
    assert found.summary == "Hai văn bản giống nhau."


def test_a_row_of_a_table_is_one_line() -> None:
    old = "| Dữ liệu | Thời hạn |\n|---|---|\n| E-mail | 12 tháng |"

    found = diff(old, old.replace("12", "24"))

    assert "E-mail | [bỏ: 12] [thêm: 24] tháng" in plain(found)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_of_the_texts_becomes_markup(payload: str) -> None:
    around = "\n\nĐoạn giữ nguyên.\n\n"
    for old, new in [("x", payload), (payload, "x"), (payload + around, payload + around + "thêm"),
                     (payload + around, payload.replace("1", "2") + around)]:  # fmt: skip
        found = html(diff(old, new))

        assert set(re.findall(r"<([a-z0-9]+)", found)) <= {"p", "ins", "del", "code", "strong", "em"}
        attributes = re.findall(r'\s([a-z-]+)="[^"]*"', "".join(re.findall(r"<[a-z][^>]*>", found)))
        assert set(attributes) <= {"style"}
        read_page(found)


@given(markdown, markdown)
def test_any_two_texts_are_compared(old: str, new: str) -> None:
    found = diff(old, new)

    assert len(html(found).encode()) <= MOST_BYTES
    for one in found.told:
        read_page(f"<p>{one.html}</p>")
        assert one.html.count("<ins") == one.html.count("</ins>")
        if one.label == "" and one.kind != "gap":
            assert one.text.count("[thêm: ") >= one.html.count("<ins")
            assert one.text.count("[bỏ: ") >= one.html.count("<del")
