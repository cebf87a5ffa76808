"""The words of the interface, and times and lists as a reader expects them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_timedelta, get_timezone_name
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

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


def moment(when: datetime, *, zone: ZoneInfo, language: str) -> str:
    """``when`` in ``zone`` with the zone's name, to the minute: nobody has to guess which midnight."""
    local = when.astimezone(zone)
    offset = local.strftime("%z")
    name = get_timezone_name(local, width="long", locale=language)
    return f"{format_datetime(local, 'd MMMM y, HH:mm' if language == 'en' else 'HH:mm, d MMMM y', locale=language)} ({name}, UTC{offset[:3]}:{offset[3:]})"


def listed(words: Iterable[str], *, language: str) -> str:
    """``a, b and c`` in ``language``; empty for none."""
    items: Sequence[str] = list(words)
    return format_list(items, locale=language) if items else ""


def span(length: timedelta, *, language: str) -> str:
    """A length of time in its largest fitting unit."""
    return format_timedelta(length, threshold=1.5, locale=language)
