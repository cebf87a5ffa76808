"""How much a test does: a sample in ``make test``, the whole in ``make soak``."""

import os

IS_SOAK = bool(os.environ.get("SOAK"))


def volume(sample: int, full: int) -> int:
    return full if IS_SOAK else sample
