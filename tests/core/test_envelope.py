"""A mail made again is the same mail, and only we can say which mail came back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.core.envelope import message_id, read_verp, verp
from consent_widget.core.links import Links

KEY, OLD_KEY, FOREIGN_KEY = ("k" * 32, "o" * 32, "f" * 32)
LINKS = Links([KEY])

deliveries = st.integers(min_value=1, max_value=2**63 - 1)


def test_a_message_id_is_the_same_each_time() -> None:
    """The form that subscribers' mailboxes keep: a mail sent twice by necessity is one to them."""
    made = message_id("secret", 7, 1234, "htek.example")

    assert made == "<7.1234.3a81089912e0029d68d7@htek.example>"


@pytest.mark.parametrize(
    "other",
    [("other", 7, 1234), ("secret", 8, 1234), ("secret", 7, 1235), ("secret", None, 71234)],
    ids=["secret", "campaign", "delivery", "letter"],
)
def test_another_mail_has_another_message_id(other: tuple[str, int | None, int]) -> None:
    assert message_id(*other, "htek.example") != message_id("secret", 7, 1234, "htek.example")


def test_a_letter_has_campaign_zero() -> None:
    assert message_id("salt", None, 5, "htek.example").startswith("<0.5.")


@given(deliveries)
def test_what_comes_back_names_its_delivery(delivery: int) -> None:
    address = verp(LINKS, "privacy@htek.example", delivery)

    assert address.endswith("@htek.example")
    assert len(address.partition("@")[0]) <= 64  # RFC 5321 section 4.5.3.1.1
    assert read_verp(LINKS, address) == delivery


@pytest.mark.parametrize(
    "change", [str.upper, "<{}>".format, " {} ".format], ids=["case", "brackets", "space"]
)
def test_what_servers_do_to_an_address_does_no_harm(change: object) -> None:
    assert callable(change)

    assert read_verp(LINKS, change(verp(LINKS, "privacy@htek.example", 12))) == 12


def test_reports_on_mails_sent_under_an_old_key_are_read() -> None:
    address = verp(Links([OLD_KEY]), "privacy@htek.example", 12)

    assert read_verp(Links([KEY, OLD_KEY]), address) == 12


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "privacy@htek.example",
        "bounce+12@htek.example",
        "bounce+12-" + "0" * 20 + "@htek.example",
        "bounce+012-" + LINKS.mac("verp", "012") + "@htek.example",
        "bounce+-12-" + LINKS.mac("verp", "-12") + "@htek.example",
        "bounce+١٢-" + LINKS.mac("verp", "١٢") + "@htek.example",
        "bounce+" + "9" * 30 + "-" + LINKS.mac("verp", "9" * 30) + "@htek.example",
        "bounce+13-" + LINKS.mac("verp", "12") + "@htek.example",
        "bounce+12-" + LINKS.mac("unsubscribe", "12") + "@htek.example",
        "bounce+12-" + LINKS.mac("verp", "12") + "@htek.example\r\nBcc: x@evil.example",
        "bounce+12-" + LINKS.mac("verp", "12") + "@" + "a" * 300,
        verp(Links([FOREIGN_KEY]), "privacy@htek.example", 12),
    ],
)
def test_what_we_did_not_make_names_no_delivery(forged: str) -> None:
    assert read_verp(LINKS, forged) is None


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    assert read_verp(LINKS, text) is None
