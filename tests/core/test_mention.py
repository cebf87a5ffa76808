"""An address is found in a text however a mail program wrote it down."""

from base64 import b64encode

import pytest

from consent_widget.core.mention import mentions

ADDRESS = "canary-7f3a@good.example"


@pytest.mark.parametrize(
    "text",
    [
        f"To: <{ADDRESS}>",
        f"To: {ADDRESS.upper()}",
        "https://site.example/?to=canary-7f3a%40good.example",
        "canary-7f3a=40good.example",
        "canary-7f3a@good.exa=\nmple",
        "Body:\n" + b64encode(f"Hello {ADDRESS}".encode()).decode(),
        "Body:\n" + b64encode(b"x" * 70 + ADDRESS.encode()).decode().replace("A", "A\n"),
        "BodyABC" + b64encode(f"and {ADDRESS} and".encode()).decode(),
    ],
)
def test_it_is_found(text: str) -> None:
    assert mentions(text, ADDRESS)


@pytest.mark.parametrize("text", ["", "canary-7f3b@good.example", "good.example", "=" * 5000, "A" * 5000])
def test_another_text_is_not_taken_for_it(text: str) -> None:
    assert not mentions(text, ADDRESS)
