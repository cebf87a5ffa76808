"""A time on the wall means one instant, two, or none."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from consent_widget.core.local_time import read_local

BERLIN, HANOI, LORD_HOWE = (
    ZoneInfo(one) for one in ("Europe/Berlin", "Asia/Ho_Chi_Minh", "Australia/Lord_Howe")
)


@pytest.mark.parametrize(
    "zone, local, instants, exists",
    [
        (HANOI, "2027-01-01T00:00", ["2026-12-31T17:00"], True),
        (BERLIN, "2027-03-28T01:59", ["2027-03-28T00:59"], True),
        (BERLIN, "2027-03-28T02:00", ["2027-03-28T00:00", "2027-03-28T01:00"], False),
        (BERLIN, "2027-03-28T02:59", ["2027-03-28T00:59", "2027-03-28T01:59"], False),
        (BERLIN, "2027-03-28T03:00", ["2027-03-28T01:00"], True),
        (BERLIN, "2027-10-31T02:00", ["2027-10-31T00:00", "2027-10-31T01:00"], True),
        (BERLIN, "2027-10-31T03:00", ["2027-10-31T02:00"], True),
        # Half an hour, in October.
        (LORD_HOWE, "2027-10-03T02:15", ["2027-10-02T15:15", "2027-10-02T15:45"], False),
    ],
)
def test_what_it_means(zone: ZoneInfo, local: str, instants: list[str], exists: bool) -> None:
    reading = read_local(datetime.fromisoformat(local), zone)

    assert reading.instants == tuple(datetime.fromisoformat(one).replace(tzinfo=UTC) for one in instants)
    assert reading.exists is exists


def test_before_time_began() -> None:
    with pytest.raises(OverflowError):
        read_local(datetime.fromisoformat("0001-01-01T00:00"), HANOI)
