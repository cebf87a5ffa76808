"""Whatever differs between two texts shows, and nothing is lost on the way."""

import re
from itertools import pairwise
from time import process_time
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.core.alignment import align, rising
from consent_widget.core.diff import Block, Change, Diff, compare
from consent_widget.core.notice import canonical_text
from consent_widget.core.passage import Form
from tests.factories import DATA

NOTICE = canonical_text((DATA.parents[1] / "demo_site" / "notices" / "1.vi.md").read_text("utf-8"), "text")

# What Markdown is made of, and what trips up a splitter, each between two bars.
PARTS = (
    "\n¦\n\n¦ ¦  \n¦\t¦## ¦### ¦- ¦1. ¦| ¦|---|¦```\n¦~~~¦> ¦*¦](¦[¦\r\n¦\r¦\u00a0¦\u2028¦\x0b"
    "¦khách hàng¦HTEK¦e\u0302\u0301¦\U0001f468\u200d\U0001f467¦12¦01/02/2026¦a@b.vn¦[x](https://a.vn)¦{#id .rights}"
)
MARKDOWN = st.lists(st.sampled_from(PARTS.split("¦"))).map("".join)
TEXTS = st.one_of(MARKDOWN, st.text(), st.text(alphabet="ab \n-#|`"))


def canonical(text: str) -> str:
    return normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def side(diff: Diff, *, without: Change) -> str:
    return "".join(one.text for block in diff.blocks for one in block.pieces if one.kind is not without)


def changes(old: str, new: str) -> list[tuple[str, str]]:
    """What is added or removed, without the white space around it."""
    found = [piece for block in compare(old, new).blocks for piece in block.pieces]
    marked = [(one.kind.value, one.text.strip()) for one in found if one.kind is not Change.SAME]
    return [one for one in marked if one[1]]


def of_kind(diff: Diff, kind: Change) -> list[Block]:
    return [block for block in diff.blocks if block.kind is kind]


# Nothing is lost


@given(TEXTS, TEXTS)
def test_both_texts_are_got_back_from_the_pieces(old: str, new: str) -> None:
    diff = compare(old, new)

    assert side(diff, without=Change.ADDED) == canonical(old)
    assert side(diff, without=Change.REMOVED) == canonical(new)


@given(TEXTS, TEXTS)
def test_only_what_is_the_same_but_for_white_space_is_without_change(old: str, new: str) -> None:
    is_same = "".join(canonical(old).split()) == "".join(canonical(new).split())
    diff = compare(old, new)

    assert not diff.is_empty or is_same
    assert diff.is_empty == all(block.kind is Change.SAME for block in diff.blocks)
    assert all(piece.text for block in diff.blocks for piece in block.pieces)


@given(TEXTS)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    diff = compare(text, text)

    assert diff.is_empty
    assert all(piece.kind is Change.SAME for block in diff.blocks for piece in block.pieces)


@given(st.lists(st.sampled_from("abcdef"), max_size=40), st.lists(st.sampled_from("abcdef"), max_size=40))
def test_aligned_positions_are_equal_and_rise_on_both_sides(old: list[str], new: list[str]) -> None:
    pairs = align(old, new)

    assert all(old[one] == new[other] for one, other in pairs)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(pairs))


WEIGHTED = st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 9))


@given(st.lists(WEIGHTED, max_size=8, unique_by=lambda one: one[:2]))
def test_the_rising_chain_is_the_heaviest_there_is(weighted: list[tuple[int, int, int]]) -> None:
    def heaviest(one: int, other: int) -> int:
        after = [item for item in weighted if item[0] > one and item[1] > other]
        return max((item[2] + heaviest(item[0], item[1]) for item in after), default=0)

    weights = {(one, other): weight for one, other, weight in weighted}
    chain = rising(weighted)

    assert sum(weights[pair] for pair in chain) == heaviest(-1, -1)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(chain))


# What counts as a change


def test_composed_and_decomposed_vietnamese_are_one_text() -> None:
    diff = compare(normalize("NFD", NOTICE), NOTICE)

    assert diff.is_empty
    assert diff.counts == compare("", "").counts


@pytest.mark.parametrize(
    "other",
    [
        NOTICE.replace("\n", "\r\n"),
        NOTICE.replace("HTEK .", "HTEK."),
        NOTICE.replace(", ", ",\n"),
        NOTICE + "\n\n",
    ],
    ids=["line ends", "a space before a full stop", "wrapped", "blank lines"],
)
def test_white_space_is_no_change_of_the_words(other: str) -> None:
    assert compare(NOTICE, other).is_empty


@pytest.mark.parametrize(
    "old, new, expected",
    [
        (
            "Xem [tại đây](https://htek.vn/a) nhé.",
            "Xem [tại đây](https://htek.vn/b) nhé.",
            [("removed", "](https://htek.vn/a)"), ("added", "](https://htek.vn/b)")],
        ),
        (
            "Lưu trữ 12 tháng, phí 1.000.000 đồng.",
            "Lưu trữ 24 tháng, phí 1.000.500 đồng.",
            [("removed", "12"), ("added", "24"), ("removed", "1.000.000"), ("added", "1.000.500")],
        ),
        (
            "Từ ngày 01/02/2026 lúc 08:30.",
            "Từ ngày 01/03/2026 lúc 08:30.",
            [("removed", "01/02/2026"), ("added", "01/03/2026")],
        ),
        ("Giảm 5% phí.", "Giảm 15% phí.", [("removed", "5%"), ("added", "15%")]),
        (
            "Gửi tới info@htek.vn.",
            "Gửi tới dpo@htek.vn.",
            [("removed", "info@htek.vn"), ("added", "dpo@htek.vn")],
        ),
        (
            "Xem https://htek.vn/a?b=1 ngay",
            "Xem https://htek.vn/a?b=2 ngay",
            [("removed", "https://htek.vn/a?b=1"), ("added", "https://htek.vn/a?b=2")],
        ),
        (
            "## Bên nhận {#ben-nhan .recipients}",
            "## Bên nhận {#ben-nhan}",
            [("removed", "{#ben-nhan .recipients}"), ("added", "{#ben-nhan}")],
        ),
        (
            "Có cung cấp cho bên thứ ba.",
            "Không cung cấp cho bên thứ ba.",
            [("removed", "Có"), ("added", "Không")],
        ),
        ("Một **mục** ở đây", "Một mục ở đây", [("removed", "**"), ("removed", "**")]),
    ],
    ids=["link", "numbers", "date", "percent", "e-mail", "address", "tag", "negation", "emphasis"],
)
def test_a_small_change_shows_as_one_whole_word(old: str, new: str, expected: list[tuple[str, str]]) -> None:
    assert changes(old, new) == expected


def test_a_change_in_a_long_text_is_found_in_its_clause() -> None:
    diff = compare(NOTICE, NOTICE.replace("với VNNIC", "với VNNIC và ICANN"))

    (block,) = of_kind(diff, Change.CHANGED)
    assert block.form is Form.ITEM
    assert block.heading == "Sử dụng thông tin khách hàng"
    assert (diff.counts.added, diff.counts.removed, diff.counts.moved) == (2, 0, 0)


def test_a_moved_clause_is_told_from_an_added_one() -> None:
    at = NOTICE.index("## Thay đổi chính sách")
    clause = NOTICE[at:] + "\n\n"
    first = NOTICE.index("## Dữ liệu của khách hàng")
    diff = compare(NOTICE, NOTICE[:first] + clause + NOTICE[first:at])

    moved = of_kind(diff, Change.MOVED)
    assert [one.pieces[0].kind for one in moved] == [Change.ADDED] * 3 + [Change.REMOVED] * 3
    assert [one.form for one in moved[:3]] == [Form.HEADING, Form.PARAGRAPH, Form.PARAGRAPH]
    assert {one.kind for one in diff.blocks} == {Change.SAME, Change.MOVED}
    assert (diff.counts.added, diff.counts.removed) == (0, 0)
    # The clause without its mark `##` and the anchor, which nobody reads.
    assert diff.counts.moved == len(re.findall(r"[\w]+", clause.replace("{#thay-doi-chinh-sach}", "")))


def test_what_moved_and_changed_is_no_mere_move() -> None:
    texts = [
        "## Một\n\nLưu trữ 12 tháng\n",
        "## Hai\n\nĐoạn thứ hai dài hơn nhiều\n",
        "## Ba\n\nĐoạn thứ ba cũng thế\n",
    ]
    moved = [texts[1], texts[2], texts[0].replace("12", "24")]

    diff = compare("\n".join(texts), "\n".join(moved))

    assert [one.pieces[0].text.strip() for one in of_kind(diff, Change.ADDED)] == ["Lưu trữ 24 tháng"]
    assert [one.pieces[0].text.strip() for one in of_kind(diff, Change.REMOVED)] == ["Lưu trữ 12 tháng"]


def test_an_added_row_leaves_the_rest_of_its_table_alone() -> None:
    table = "| Bên nhận | Thời hạn |\n|---|---|\n| VNNIC | 12 tháng |\n| Ngân hàng | 5 năm |\n"

    diff = compare(table, table.replace("12 tháng |\n", "24 tháng |\n| Bưu điện | 3 năm |\n"))

    assert [one.kind.value for one in diff.blocks] == ["same", "same", "changed", "added", "same"]
    assert {one.form for one in diff.blocks} == {Form.ROW}


def test_a_rewritten_paragraph_does_not_borrow_from_another() -> None:
    diff = compare("HTEK lưu trữ thông tin.", "Khách có quyền yêu cầu xóa dữ liệu bất cứ lúc nào.")

    assert [one.kind for one in diff.blocks] == [Change.REMOVED, Change.ADDED]


def test_marks_within_a_code_block_start_no_block() -> None:
    (block,) = compare("", "```\n## a\n\n- b\n```\n").blocks

    assert block.form is Form.CODE


# It does not take long


def two_megabytes() -> str:
    body = NOTICE.replace("{", "(").replace("}", ")")
    parts: list[str] = []
    size = 0
    while size < 2_000_000:
        parts.append(body.replace("HTEK", f"HTEK số {len(parts)}"))
        size += len(parts[-1])
    return "\n\n".join(parts)


def seconds(old: str, new: str) -> float:
    start = process_time()
    diff = compare(old, new)
    spent = process_time() - start
    assert side(diff, without=Change.ADDED) == old
    assert side(diff, without=Change.REMOVED) == new
    return spent


def test_two_megabytes_are_compared_within_seconds() -> None:
    text = two_megabytes()

    assert seconds(text, text.replace("khách hàng", "người dùng")) < 20
    assert seconds(text, "") < 10


@pytest.mark.parametrize(
    "old, new",
    [
        ("a b " * 50_000, "b a a " * 33_000),
        (
            " ".join(f"{at} {at - 1}" for at in range(20_000)),
            " ".join(f"{at - 1} {at}" for at in range(20_000)),
        ),
        ("[" * 200_000, "(" * 200_000),
        ("](" * 100_000, "](a" * 60_000),
        ("a." * 100_000, "a." * 100_000 + "b"),
        ("a@" * 100_000, "http://" * 28_000),
        ("{#" * 100_000, "# " * 100_000),
        ("```\n" * 20_000, "~~~\n" * 20_000),
        (">" * 200_000, "*a_" * 60_000),
        (" \n" * 100_000, "\n" * 100_000),
    ],
    ids=["repeated", "chained", "brackets", "targets", "dots", "mail", "tags", "fences", "quotes", "blank"],
)
def test_no_text_of_200_kilobytes_takes_long(old: str, new: str) -> None:
    assert seconds(old, new) < 5
