"""What browsers keep of a Set-Cookie line, from the standards' own algorithms: the gate's judge."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DELIMITERS = re.compile(r"[\x09\x20-\x2F\x3B-\x40\x5B-\x60\x7B-\x7E]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[^0-9].*)?", re.DOTALL)
_DAY = re.compile(r"([0-9]{1,2})(?:[^0-9].*)?", re.DOTALL)
_YEAR = re.compile(r"([0-9]{2,4})(?:[^0-9].*)?", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x08\x0A-\x1F\x7F]")


class Reading(Enum):
    """How a browser reads a line: where they differ, a cookie must not slip through any of them."""

    #: RFC 6265 section 5.2, to the letter.
    RFC6265 = "rfc6265"
    #: RFC 6265bis section 5.6: cookies without a name, lengthy attributes passed over, no controls.
    RFC6265BIS = "rfc6265bis"
    #: As before, but the line ends at the first NUL, CR or LF: Chromium before 2022.
    CUT = "cut"


@dataclass
class CookieStore:
    """The cookies of one visitor who is at ``now``; a new one is empty."""

    reading: Reading
    now: datetime
    #: (name, domain, path) -> value; RFC 6265 section 5.3, step 11.
    cookies: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def receive(self, line: str) -> None:
        """RFC 6265 sections 5.2 and 5.3. No line is refused for its domain, path or size: rather one too many."""
        found = self._named(line)
        if found is None:
            return
        name, value, attributes = found
        domain, path, expires, max_age = "", "/", None, None
        for attribute in attributes.split(";"):
            key, _, text = (part.strip(" \t") for part in attribute.partition("="))
            if self.reading is not Reading.RFC6265 and len(text) > 1024:
                continue
            match key.lower():
                case "expires":
                    expires = cookie_date(text) or expires
                case "max-age" if re.fullmatch(r"-?[0-9]+", text):
                    max_age = int(text)
                case "domain":
                    domain = text.removeprefix(".").lower()
                case "path":
                    path = text if text.startswith("/") else "/"
        if max_age is not None:
            expires = datetime.min.replace(tzinfo=UTC) if max_age <= 0 else None
        if expires is not None and expires <= self.now:
            self.cookies.pop((name, domain, path), None)
        else:
            self.cookies[name, domain, path] = value

    def _named(self, line: str) -> tuple[str, str, str] | None:
        """The name, the value and the unparsed attributes, or None for a line that is ignored."""
        if self.reading is Reading.CUT:
            line = re.split("[\0\r\n]", line, maxsplit=1)[0]
        elif self.reading is Reading.RFC6265BIS and has_controls(line):
            return None
        pair, _, attributes = line.partition(";")
        name, equals, value = (part.strip(" \t") for part in pair.partition("="))
        if not equals:
            name, value = "", name
        if not name and (self.reading is Reading.RFC6265 or not value):
            return None
        return name, value, attributes

    def sent_names(self) -> set[str]:
        """The names as a server or a script finds them in what the browser hands out (section 5.4).

        A cookie without a name is handed out as its value alone, whatever that resembles.
        """
        return {
            (name or value.partition("=")[0]).strip(" \t") for (name, _, _), value in self.cookies.items()
        }


def has_controls(line: str) -> bool:
    """Whether ``line`` holds what no header may (PEP 3333) and RFC 6265bis has browsers ignore."""
    return _CONTROLS.search(line) is not None


def cookie_date(text: str) -> datetime | None:
    """RFC 6265 section 5.1.1: which moment a browser finds in ``text``; None if it finds none."""
    time = day = month = year = None
    for token in filter(None, _DELIMITERS.split(text)):
        if time is None and (found := _TIME.fullmatch(token)):
            time = [int(part) for part in found.groups()]
        elif day is None and (found := _DAY.fullmatch(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := _YEAR.fullmatch(token)):
            year = int(found[1])
    if time is None or day is None or month is None or year is None:
        return None
    year += 1900 if 70 <= year <= 99 else 2000 if year <= 69 else 0
    try:
        hour, minute, second = time
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC) if year >= 1601 else None
    except ValueError:
        return None
