"""The words of the interface, and times and lists as a reader expects them."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from re import sub
from typing import Any, Literal
from zoneinfo import ZoneInfo

from babel.dates import (
    format_date,
    format_datetime,
    format_timedelta,
    get_timezone_gmt,
    get_timezone_location,
    get_timezone_name,
)
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from ..core.consent import LIFETIME
from ..core.language import LANGUAGES
from ..core.notice import ChangeClass, Version
from ..data import data_dir

DOMAIN = "consent_widget"


@cache
def load_catalogue(folder: Path, language: str) -> Translations:
    """The catalogue of ``language``, compiled in memory from its ``.po``: no build step to forget.

    Raises:
        FileNotFoundError: there is none for that language.
    """
    path = folder / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    with path.open("rb") as source:
        catalogue = read_po(source, locale=language, domain=DOMAIN)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled, domain=DOMAIN)


class Words:
    """Our catalogue in one language: ``t("Hello %(name)s", name=...)`` gives plain text."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._found: dict[str, str] = {}

    def __call__(self, message: str, **values: Any) -> str:
        found = self._found.get(message)
        if found is None:
            catalogue = load_catalogue(data_dir("translations"), self.language)
            found = self._found[message] = str(catalogue.gettext(message))
        return found % values if values else found


WORDS = {language: Words(language) for language in LANGUAGES}


def show_change_class(version: Version, t: Words) -> str:
    """How much a version changes, as readers understand it."""
    return {
        ChangeClass.EDITORIAL: t("Wording only, no change of meaning"),
        ChangeClass.IMPORTANT: t("Important, may affect your rights and interests"),
        ChangeClass.MATERIAL: t("Material, changes what consent was given for"),
    }[version.change_class]


_DAYS = {"vi": "d MMMM 'năm' y", "en": "d MMMM y"}
#: The month in letters where day and month could be mistaken for each other.
_BRIEF = {"vi": "HH:mm dd/MM/y", "en": "d MMM y, HH:mm"}

_MOMENTS = {"vi": "'lúc' HH:mm 'ngày' d MMMM 'năm' y", "en": "d MMMM y, HH:mm"}


def moment(when: datetime, *, zone: ZoneInfo, language: str) -> str:
    """``when`` in ``zone`` with the zone's name, to the minute: nobody has to guess which midnight."""
    local = when.astimezone(zone)
    written = format_datetime(local, _MOMENTS[language], locale=language)
    return f"{written} ({_zone_name(local, zone, language)})"


def plain_moment(when: datetime, *, zone: ZoneInfo, language: str) -> str:
    """``when`` in ``zone`` in figures, for lists that name the zone once."""
    return format_datetime(when.astimezone(zone), _BRIEF[language], locale=language)


def plain_day(when: datetime, *, zone: ZoneInfo, language: str) -> str:
    """The day of ``when`` in ``zone``, for where time and zone stand nearby."""
    return format_date(when.astimezone(zone), _DAYS[language], locale=language)


def whole_day(day: date, *, zone: ZoneInfo, language: str) -> str:
    """``day`` with the zone in which it ends, as it is called at that end."""
    end = datetime.combine(day, time.max, zone)
    return f"{format_date(day, _DAYS[language], locale=language)} ({_zone_name(end, zone, language)})"


def zone_label(zone: ZoneInfo, *, around: datetime, language: str) -> str:
    """What stands beside a field for a time in ``zone``: its name, and its offset where no date changes that.

    ``around`` is about when the times will be.
    """
    days = [(around + timedelta(days=one)).astimezone(zone) for one in (0, 91, 182, 273)]
    if len({one.utcoffset() for one in days}) > 1:
        return get_timezone_name(zone, width="long", zone_variant="generic", locale=language)
    name, short = _zone_parts(days[0], zone, language)
    return f"{name} ({short})" if name else short


def _zone_name(local: datetime, zone: ZoneInfo, language: str) -> str:
    name, short = _zone_parts(local, zone, language)
    if not name:
        return short
    # Babel gives the name as it begins a sentence; in Vietnamese this "Giờ" is no name.
    return f"{name[0].lower() + name[1:] if language == 'vi' else name}, {short}"


def _zone_parts(local: datetime, zone: ZoneInfo, language: str) -> tuple[str, str]:
    """The zone's name, empty where it has none, and the offset from GMT as people write it."""
    offset = get_timezone_gmt(local, locale=language)
    name = get_timezone_name(local, width="long", locale=language)
    if name == offset and "/" in zone.key and not zone.key.startswith("Etc/"):
        # Not every zone has a name of its own; then its country tells more than numbers.
        name = get_timezone_location(zone, locale=language)
    return "" if name == offset else name, sub(r":00$", "", sub(r"([+-])0", r"\1", offset))


def listed(words: Iterable[str], *, language: str) -> str:
    """``a, b and c`` in ``language``; empty for none."""
    items: Sequence[str] = list(words)
    return format_list(items, locale=language) if items else ""


def span(length: timedelta, *, language: str) -> str:
    """A length of time in the largest unit that tells it exactly: nothing is kept longer than it says.

    The time for which a choice holds is half a year.
    """
    exact = (unit for unit, whole in _UNITS.items() if length % whole == timedelta(0))
    unit: _Unit = "month" if length == LIFETIME else next(exact, "second")
    # Babel tries larger units first: no length reaches this threshold.
    return format_timedelta(length, granularity=unit, threshold=float("inf"), locale=language)


_Unit = Literal["year", "month", "day", "hour", "minute", "second"]
_UNITS: dict[_Unit, timedelta] = {
    "year": timedelta(days=365),
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
}
