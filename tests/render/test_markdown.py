"""Notice Markdown becomes HTML that may stand in any page."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.render.markdown import Clause, render_notice
from tests.factories import read_page

FORBIDDEN = {
    "script",
    "style",
    "iframe",
    "object",
    "embed",
    "form",
    "input",
    "link",
    "meta",
    "svg",
    "base",
    "h1",
    "math",
}
ALLOWED_ATTRIBUTES = {"href", "title", "rel", "src", "alt", "id", "data-tags", "start"}


def html(markdown: str) -> str:
    return render_notice(markdown).html.strip()


def test_headings_get_the_anchor_they_name_and_their_tags() -> None:
    rendered = render_notice("## Who gets it {#recipients .recipients .country}\n\ntext")

    heading = read_page(rendered.html).one("h2")
    assert heading.attributes == {"id": "notice-recipients", "data-tags": "recipients country"}
    assert heading.text == "Who gets it"
    assert rendered.clauses == (
        Clause(id="notice-recipients", title="Who gets it", tags=frozenset({"recipients", "country"})),
    )


@pytest.mark.parametrize(
    "heading, anchor, title",
    [
        ("## Plain", "notice-1", "Plain"),
        ("## Thông tin {#thong-tin}", "notice-thong-tin", "Thông tin"),
        ("## Only a tag {.purposes}", "notice-1", "Only a tag"),
        ("## Braces {in} the middle", "notice-1", "Braces {in} the middle"),
        ("## Empty {}", "notice-1", "Empty {}"),
        ("## Strange {#a b}", "notice-1", "Strange {#a b}"),
        ("## *Stressed* and `code` {#x}", "notice-x", "Stressed and code"),
        ("## A [link](https://a.example/) {#x}", "notice-x", "A link"),
    ],
)
def test_every_clause_has_an_anchor(heading: str, anchor: str, title: str) -> None:
    (clause,) = render_notice(heading).clauses

    assert (clause.id, clause.title) == (anchor, title)


def test_anchors_are_unique_whatever_was_written() -> None:
    rendered = render_notice("## A {#x}\n\n## B {#x}\n\n## C {#x-}\n\n## D {#3}\n\n## E\n")

    ids = [clause.id for clause in rendered.clauses]
    assert len(set(ids)) == 5
    assert [one["id"] for one in read_page(rendered.html).all("h2")] == ids


def test_only_second_level_headings_are_clauses() -> None:
    rendered = render_notice("## One\n\n### Within\n\n#### Deeper\n\n## Two\n")

    assert [clause.title for clause in rendered.clauses] == ["One", "Two"]
    assert [one.tag for one in read_page(rendered.html).all()] == ["h2", "h3", "h4", "h2"]


def test_a_first_level_heading_is_taken_down_for_the_page_has_one() -> None:
    rendered = render_notice("# Title\n\n##### Deep\n\n###### Deepest")

    assert [one.tag for one in read_page(rendered.html).all()] == ["h2", "h4", "h4"]
    assert [clause.title for clause in rendered.clauses] == ["Title"]


def test_lists_tables_and_quotes_stay() -> None:
    page = read_page(
        html("- a\n- b\n\n3. c\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n> quoted\n\n**b** *i* `c`\n\n---\n")
    )

    assert {one.tag for one in page.all()} >= {
        "ul", "li", "ol", "table", "thead", "tbody", "tr", "th", "td", "blockquote", "strong", "em", "code", "hr",
    }  # fmt: skip
    assert page.one("ol")["start"] == "3"


@pytest.mark.parametrize(
    "markdown",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](vbscript:x)",
        "![x](javascript:alert(1))",
        "![x](data:image/svg+xml;base64,PHN2Zz4=)",
        "<div style='position:fixed'>x</div>",
        "<iframe src='https://evil.example'></iframe>",
        "`<script>alert(1)</script>`",
        "```html\n<script>alert(1)</script>\n```",
        "## <script>alert(1)</script> {#x}",
        '## T {#x" onclick="alert(1)}',
        "[x]: javascript:alert(1)\n\n[x]",
        "<javascript:alert(1)>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "{{ config }} {% raw %}",
        "<!-- comment -->",
        "\\<script>alert(1)</script>",
    ],
)
def test_nothing_that_acts_gets_through(markdown: str) -> None:
    page = read_page(html(markdown))

    assert not {one.tag for one in page.all()} & FORBIDDEN
    for one in page.all():
        assert set(one.attributes) <= ALLOWED_ATTRIBUTES
        if "href" in one:
            assert not one["href"].lower().startswith(("javascript", "data", "vbscript"))
        assert "src" not in one or not one["src"].startswith("data")


@pytest.mark.parametrize(
    "address, kept",
    [
        ("/static/map.png", True),
        ("map.png", True),
        ("https://evil.example/pixel.gif", False),
        ("//evil.example/pixel.gif", False),
        ("https:/evil.example", False),
        ("http://[", False),
    ],
)
def test_images_come_from_the_notices_own_host_only(address: str, kept: bool) -> None:
    """A foreign one would tell a third party who reads the notice."""
    images = read_page(html(f"![Map]({address})")).all("img")

    assert [one["src"] for one in images if "src" in one] == ([address] if kept else [])


@pytest.mark.parametrize(
    "address", ["https://a.example/x?y=1", "mailto:privacy@demo.example", "tel:+84123", "/vi/", "#notice-x"]
)
def test_links_stay(address: str) -> None:
    link = read_page(html(f"[words]({address})")).one("a")

    assert link["href"] == address
    assert link.attributes.get("rel") == "noopener"


@given(st.text(max_size=300))
def test_any_text_at_all_is_well_nested_and_harmless(markdown: str) -> None:
    page = read_page(render_notice(markdown).html)

    assert not {one.tag for one in page.all()} & FORBIDDEN
    assert all(set(one.attributes) <= ALLOWED_ATTRIBUTES for one in page.all())


@given(st.text(alphabet="#<>[]()!`*_{}\\\"'= \n.:/ax-&;|", max_size=200))
def test_any_markup_like_text_is_well_nested_and_harmless(markdown: str) -> None:
    page = read_page(render_notice(markdown).html)

    assert not {one.tag for one in page.all()} & FORBIDDEN
    assert all(set(one.attributes) <= ALLOWED_ATTRIBUTES for one in page.all())


def test_hundred_pages_of_clauses_take_no_second() -> None:
    text = "\n\n".join(f"## Clause {number} {{#c{number}}}\n\n" + "word " * 200 for number in range(300))
    started = process_time()

    rendered = render_notice(text)

    assert len(rendered.clauses) == 300
    assert process_time() - started < 5
