"""The Merkle tree of RFC 6962 section 2.1, grown leaf by leaf.

A tree is known by its *peaks*: the roots of its complete subtrees, the largest
first, one for each bit that is set in its size. They are all that is needed to
add a leaf.
"""

from hashlib import sha256

Peaks = tuple[bytes, ...]


def hash_leaf(data: bytes) -> bytes:
    """The hash of a leaf; the prefix keeps it apart from that of a node."""
    return sha256(b"\x00" + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def add_leaf(peaks: Peaks, size: int, leaf: bytes) -> Peaks:
    """The peaks of the tree with one leaf more than the ``size`` of before, in O(log size)."""
    grown = list(peaks)
    while size & 1:
        leaf = hash_node(grown.pop(), leaf)
        size >>= 1
    return (*grown, leaf)


def root_of(peaks: Peaks) -> bytes:
    """The root of the tree; that of an empty one is the hash of nothing."""
    if not peaks:
        return sha256(b"").digest()
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = hash_node(peak, root)
    return root
