"""What a time on the wall means: once, twice or never, where clocks are set forward and back."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True, kw_only=True)
class Reading:
    """``instants`` that ``local`` may mean, aware, UTC, earlier first; more than one where it is no single time.

    ``exists`` tells a time that comes twice from one that is skipped: for the
    latter the instants are those just before and after the clocks were set.
    """

    instants: tuple[datetime, ...]
    exists: bool


def read_local(local: datetime, zone: ZoneInfo) -> Reading:
    """How the naive time ``local`` is read in ``zone`` (PEP 495).

    Raises:
        OverflowError: it lies outside of what UTC can tell.
    """
    readings = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    exists = all(one.astimezone(zone).replace(tzinfo=None) == local for one in readings)
    return Reading(instants=tuple(sorted(readings)), exists=exists)
