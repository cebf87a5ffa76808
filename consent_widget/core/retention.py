"""How long what is kept (PDPL Art. 3(3) and 14(1); docs/how-to/erase-and-keep.md tells it to hosts).

Records of decisions, notice versions and the ledger are proofs, and have no end here.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from .subscription import KEEP_LEFT, KEEP_PENDING


class Rule(StrEnum):
    """What a purge takes away, and from when on its time counts.

    ``unconfirmed``: subscriptions that nobody confirmed, from the last request; one that
    had been confirmed before keeps its keyed hash. ``left``: addresses of those who left,
    from then on; their keyed hash stays. ``suppressed``: the same, from when nothing went
    there any more. ``links``: links of letters that were
    not used, and the address in those that were, from their end. ``moves``: new addresses
    that nobody confirmed, as their links. ``letters``: letters of no campaign, from when
    they were settled. ``reports``: mails that came back, from when they were read.
    ``counts``: how often somebody asked within a window, from its end. ``domains``: domains
    that wanted to be written to more slowly, from when they did not any more.
    """

    UNCONFIRMED = "unconfirmed"
    LEFT = "left"
    SUPPRESSED = "suppressed"
    LINKS = "links"
    MOVES = "moves"
    LETTERS = "letters"
    REPORTS = "reports"
    COUNTS = "counts"
    DOMAINS = "domains"


KEEP: Mapping[Rule, timedelta] = {
    Rule.UNCONFIRMED: KEEP_PENDING,
    Rule.LEFT: KEEP_LEFT,
    Rule.SUPPRESSED: timedelta(days=90),
    Rule.LINKS: timedelta(days=7),
    Rule.MOVES: timedelta(days=7),
    Rule.LETTERS: timedelta(days=30),
    Rule.REPORTS: timedelta(days=90),
    Rule.COUNTS: timedelta(),
    Rule.DOMAINS: timedelta(days=1),
}

#: After these the files of the database are written anew, at most once in SCRUB_EVERY.
PERSONAL = frozenset({Rule.UNCONFIRMED, Rule.LEFT, Rule.SUPPRESSED, Rule.LINKS, Rule.MOVES, Rule.REPORTS})

#: What was erased on request is overwritten by the worker soon after, what its time took away within this.
SCRUB_EVERY = timedelta(days=1)

#: Keyed hashes are compared with the present key so often while an older one is retained.
REHASH_EVERY = timedelta(days=1)

#: So many rows are changed in one commit: no other write waits for more than a moment.
CHUNK = 500

#: Between two of them, in seconds: SQLite has one writer, and who waits for it looks now and then only.
PAUSE = 0.05
