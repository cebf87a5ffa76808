"""Addresses as they are sent to, compared, and shown to who may not see them."""

import pytest

from consent_widget.core.address import (
    MAX_ADDRESS,
    clean_address,
    domain_of,
    identity_of,
    mailbox_of,
    mask_address,
)
from consent_widget.core.errors import InputError


@pytest.mark.parametrize(
    "typed, address",
    [
        (" a@good.example\t", "a@good.example"),
        ("An@Good.Example", "An@good.example"),
        ("o'brien+tag@good.example", "o'brien+tag@good.example"),
        ("a.b-c_d@sub.good.example", "a.b-c_d@sub.good.example"),
        ("a/b=c@good.example", "a/b=c@good.example"),
        ("x@bücher.example", "x@xn--bcher-kva.example"),
        ("x@BÜCHER.example", "x@xn--bcher-kva.example"),
        ("x@xn--bcher-kva.example", "x@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_cleaned_to_what_mail_is_sent_to(typed: str, address: str) -> None:
    assert clean_address(typed) == address


def test_the_longest_address_is_one() -> None:
    domain = ".".join(["d" * 62] * 3)
    local = "a" * (MAX_ADDRESS - len(domain) - 4)

    assert len(clean_address(f"{local}@{domain}.vn")) == MAX_ADDRESS
    with pytest.raises(InputError):
        clean_address(f"{local}@{domain}.com")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "an",
        "an@",
        "@good.example",
        "an@good.example, b@good.example",
        "An <an@good.example>",
        "an@good.example\nBcc: b@evil.example",
        "\x00an@good.example",
        "an%evil.example@good.example",
        "an!b@good.example",
        '"an b"@good.example',
        "=?utf-8?q?x=40evil.example=3E=00?=foo@good.example",
        "họ@good.example",
        "an@localhost",
        "an@[127.0.0.1]",
        "an@127.0.0.1",
        "an@-x.example",
        "an@x..example",
        "an@good.example.",
        "\ud800@good.example",
        "a" * 65 + "@good.example",
        "an@" + "d" * 64 + ".example",
    ],
)
def test_what_mail_cannot_be_sent_to_is_refused(typed: str) -> None:
    with pytest.raises(InputError) as caught:
        clean_address(typed)

    assert (caught.value.code, caught.value.field) == ("email", "email")
    assert not typed or typed not in str(caught.value)


def test_two_spellings_of_a_mailbox_are_one() -> None:
    assert identity_of("An@good.example") == identity_of(" an@GOOD.example")
    assert identity_of("an+x@good.example") != identity_of("an@good.example")


@pytest.mark.parametrize(
    "spelled", ["an.nguyen@good.example", "AnNguyen+1@good.example", "a.n.nguyen+x+y@good.example"]
)
def test_limits_know_a_mailbox_behind_tags_and_dots(spelled: str) -> None:
    assert mailbox_of(spelled) == "annguyen@good.example"


def test_the_domain_is_in_lower_case() -> None:
    assert domain_of("An@Good.Example") == "good.example"


@pytest.mark.parametrize(
    "address, shown",
    [
        ("an@good.example", "a•••@g•••.example"),
        ("x@mail.good.vn", "x•••@m•••.vn"),
        (None, ""),
        ("", ""),
    ],
)
def test_a_masked_address_is_known_to_its_owner_alone(address: str | None, shown: str) -> None:
    assert mask_address(address) == shown
