"""Times, lists and spans as readers of each language expect them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from consent_widget.data import data_dir
from consent_widget.render.catalogue import WORDS, listed, load_catalogue, moment, plain_day, span

WHEN = datetime(2026, 12, 31, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "zone, language, expected",
    [
        ("Asia/Ho_Chi_Minh", "vi", "lúc 00:30 ngày 1 tháng 1 năm 2027 "),
        ("Asia/Ho_Chi_Minh", "en", "1 January 2027, 00:30"),
        ("UTC", "en", "31 December 2026, 17:30"),
        ("America/New_York", "en", "31 December 2026, 12:30"),
    ],
)
def test_a_moment_is_told_in_the_deployments_zone(zone: str, language: str, expected: str) -> None:
    assert moment(WHEN, zone=ZoneInfo(zone), language=language).startswith(expected)


@pytest.mark.parametrize(
    "zone, language, expected",
    [
        ("Asia/Ho_Chi_Minh", "vi", "(giờ Việt Nam, GMT+7)"),
        ("Asia/Ho_Chi_Minh", "en", "(Vietnam Time, GMT+7)"),
        ("America/New_York", "en", "(Eastern Standard Time, GMT-5)"),
        ("Asia/Kolkata", "en", "(India Time, GMT+5:30)"),
        ("Etc/GMT-10", "vi", "(GMT+10)"),
        ("UTC", "vi", "(giờ Phối hợp Quốc tế, GMT+0)"),
    ],
)
def test_a_moment_names_its_zone(zone: str, language: str, expected: str) -> None:
    """Nobody has to guess which midnight is meant."""
    assert expected in moment(WHEN, zone=ZoneInfo(zone), language=language)


@pytest.mark.parametrize(
    "words, language, expected",
    [
        ([], "en", ""),
        (["a"], "en", "a"),
        (["a", "b"], "en", "a and b"),
        (["a", "b", "c"], "en", "a, b, and c"),
        (["a", "b"], "vi", "a và b"),
        (["a", "b", "c"], "vi", "a, b và c"),
    ],
)
def test_a_list_reads_as_a_sentence(words: list[str], language: str, expected: str) -> None:
    assert listed(words, language=language) == expected


@pytest.mark.parametrize(
    "length, vietnamese, english",
    [
        (timedelta(days=182), "6 tháng", "6 months"),
        (timedelta(days=365), "1 năm", "1 year"),
        (timedelta(days=730), "2 năm", "2 years"),
        (timedelta(days=400), "400 ngày", "400 days"),
        (timedelta(days=180), "180 ngày", "180 days"),
        (timedelta(days=90), "90 ngày", "90 days"),
        (timedelta(days=30), "30 ngày", "30 days"),
        (timedelta(days=1), "1 ngày", "1 day"),
        (timedelta(hours=36), "36 giờ", "36 hours"),
        (timedelta(hours=2), "2 giờ", "2 hours"),
        (timedelta(minutes=90), "90 phút", "90 minutes"),
        (timedelta(seconds=90), "90 giây", "90 seconds"),
    ],
)
def test_a_lifetime_is_told_in_the_largest_unit_that_is_exact(
    length: timedelta, vietnamese: str, english: str
) -> None:
    assert (span(length, language="vi"), span(length, language="en")) == (vietnamese, english)


def test_a_day_is_that_of_the_zone() -> None:
    zone = ZoneInfo("Asia/Ho_Chi_Minh")

    assert plain_day(WHEN, zone=zone, language="vi") == "1 tháng 1 năm 2027"
    assert plain_day(WHEN, zone=zone, language="en") == "1 January 2027"


def test_words_are_plain_text_with_their_values() -> None:
    assert WORDS["vi"]("Version %(number)s", number=2) == "Phiên bản 2"
    assert WORDS["en"]("Version %(number)s", number="<2>") == "Version <2>"
    assert WORDS["vi"]("Withdrawn") == "Đã rút lại"


def test_a_catalogue_is_compiled_once() -> None:
    folder = data_dir("translations")

    assert load_catalogue(folder, "vi") is load_catalogue(folder, "vi")


def test_a_catalogue_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_catalogue(tmp_path, "vi")


@pytest.mark.parametrize("name", ["static", "translations"])
def test_the_data_folders_are_found_in_a_checkout(name: str) -> None:
    assert data_dir(name).is_dir()


def test_a_data_folder_that_was_not_installed_is_told_with_the_cure() -> None:
    with pytest.raises(FileNotFoundError, match=r"without its folder 'nothing'; install it again"):
        data_dir("nothing")
