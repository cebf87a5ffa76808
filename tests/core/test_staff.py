"""Staff have roles out of a fixed set."""

import pytest

from consent_widget import Staff


def test_staff_take_any_iterable_of_known_roles() -> None:
    made = Staff("7", "Lan", {"author", "officer"}, email="lan@demo.example")  # type: ignore[arg-type]

    assert made.roles == frozenset({"author", "officer"})
    assert (made.id, made.name, made.email) == ("7", "Lan", "lan@demo.example")


def test_an_unknown_role_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"unknown role 'editor'; known are approver, auditor, author, officer"
    ):
        Staff("7", "Lan", frozenset({"author", "editor"}))
