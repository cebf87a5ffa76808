"""The notice as plain text."""

import pytest

from consent_widget.render.text import plain_text


@pytest.mark.parametrize(
    "markdown, text",
    [
        ("One\ntwo", "One\ntwo"),
        ("## Title {#id .rights}\n\nWords.", "Title\n-----\n\nWords."),
        ("# Top", "Top\n---"),
        ("**bold** *and* `code`", "bold and code"),
        ("- one\n- two\n  - deep", "- one\n\n- two\n\n  - deep"),
        ("3. three\n4. four", "3. three\n\n4. four"),
        ("- first\n\n  second", "- first\n\n  second"),
        ("> said\n> so", "> said\n> so"),
        ("[here](https://example.com/a)", "here (https://example.com/a)"),
        ("[clause](#id)", "clause"),
        ("<https://example.com/>", "https://example.com/"),
        ("[a@example.com](mailto:a@example.com)", "a@example.com"),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("| A | B |\n|---|---|\n| 1 | 2 |", "A | B\n\n1 | 2"),
        ("```\ncode\n  more\n```", "    code\n      more"),
        ("a\n\n---\n\nb", "a\n\n* * *\n\nb"),
        ("![Sơ đồ](/a.png)", "Sơ đồ"),
        ("<b>raw</b>", "<b>raw</b>"),
    ],
)
def test_markdown_reads_well_as_text(markdown: str, text: str) -> None:
    assert plain_text(markdown) == text + "\n"
