"""Links in mails: the same each time, for one purpose, under every retained key."""

from hypothesis import given
from hypothesis import strategies as st

from consent_widget.core.links import MANAGE, UNSUBSCRIBE, Links, token_hash
from consent_widget.core.pseudonym import Pseudonyms

OLD, NEW = "the old key of this deployment, long", "the new key of this deployment, long"


@given(st.integers(1, 2**62), st.text("abcXYZ012-_", min_size=1, max_size=32))
def test_a_link_is_derived_and_opens_for_its_purpose_alone(number: int, salt: str) -> None:
    links = Links([NEW])
    token = links.seal(UNSUBSCRIBE, number, salt)

    assert token == links.seal(UNSUBSCRIBE, number, salt)
    assert links.open(token, UNSUBSCRIBE) == (number, salt)
    assert links.open(token, MANAGE) is None
    assert Links([OLD]).open(token, UNSUBSCRIBE) is None
    assert Links(["another", NEW]).open(token, UNSUBSCRIBE) == (number, salt)


@given(st.text(max_size=400))
def test_whatever_else_comes_opens_nothing(token: str) -> None:
    assert Links([NEW]).open(token, UNSUBSCRIBE) is None


@given(st.text(max_size=60))
def test_a_mac_is_of_one_purpose_and_value(value: str) -> None:
    links = Links([OLD])
    mac = links.mac("verp", value)

    assert Links([NEW, OLD]).made(mac, "verp", value)
    assert not links.made(mac, "verp", value + "1")
    assert not links.made(mac, "other", value)
    assert not Links([NEW]).made(mac, "verp", value)
    assert not links.made("\udce9", "verp", value)


def test_the_twin_of_a_random_token_is_the_same_token() -> None:
    """The last character of 32 bytes in base64 has two bits that mean nothing."""
    token = "A" * 42 + "E"

    assert token_hash(token) == token_hash("A" * 42 + "F")
    assert token_hash(token) != token_hash("A" * 42 + "I")


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_a_token(token: str) -> None:
    found = token_hash(token)

    assert found is None or len(found) == 64


def test_a_pseudonym_is_of_the_mailbox_and_of_the_key() -> None:
    both = Pseudonyms([NEW, OLD])

    assert both.of("Lan@Reader.example") == both.of("lan@reader.example")
    assert both.every("lan@reader.example") == (
        Pseudonyms([NEW]).of("lan@reader.example"),
        Pseudonyms([OLD]).of("lan@reader.example"),
    )
    assert both.of("lan@reader.example") != both.of("minh@reader.example")
