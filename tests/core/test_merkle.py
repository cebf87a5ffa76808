"""The tree of RFC 6962: the vectors that other implementations test with, and its definition."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_widget.core.merkle import Peaks, add_leaf, hash_leaf, hash_node, root_of

#: The leaves and roots with which the certificate-transparency project tests its trees.
LEAVES = [
    bytes.fromhex(one)
    for one in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def grow(leaves: list[bytes]) -> Peaks:
    peaks: Peaks = ()
    for size, leaf in enumerate(leaves):
        peaks = add_leaf(peaks, size, hash_leaf(leaf))
    return peaks


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH(D[n]) word for word (RFC 6962 section 2.1)."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return hash_leaf(leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hash_node(defined_root(leaves[:split]), defined_root(leaves[split:]))


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_the_root_is_that_of_the_known_vectors(size: int) -> None:
    assert root_of(grow(LEAVES[:size])).hex() == ROOTS[size]


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_root_is_as_defined_and_there_is_a_peak_for_each_bit(leaves: list[bytes]) -> None:
    peaks = grow(leaves)

    assert root_of(peaks) == defined_root(leaves)
    assert len(peaks) == len(leaves).bit_count()
