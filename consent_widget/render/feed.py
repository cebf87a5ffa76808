"""A feed of the versions of a notice (Atom, RFC 4287)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from .characters import printable

_ATOM = "http://www.w3.org/2005/Atom"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

# Some readers know the elements only without a prefix.
register_namespace("", _ATOM)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One version; ``uid`` is a UUID, texts are plain, ``url`` may be a path of the feed's own host."""

    uid: str
    title: str
    summary: str
    url: str
    published_at: datetime
    updated_at: datetime
    category: str


def write_feed(
    entries: Iterable[Entry], *, uid: str, language: str, title: str, author: str, url: str, page_url: str
) -> bytes:
    """The feed at ``url``, which tells what ``page_url`` tells to people; ``entries`` newest first, at least one."""
    shown = list(entries)
    feed = Element(_name("feed"), {_LANG: language})
    _add(feed, "id", f"urn:uuid:{uid}")
    _add(feed, "title", title)
    _add(feed, "updated", _time(max(one.updated_at for one in shown)))
    _add(SubElement(feed, _name("author")), "name", author)
    SubElement(feed, _name("link"), rel="self", href=url, type="application/atom+xml")
    SubElement(feed, _name("link"), rel="alternate", href=page_url, type="text/html", hreflang=language)
    for one in shown:
        entry = SubElement(feed, _name("entry"))
        _add(entry, "id", f"urn:uuid:{one.uid}")
        _add(entry, "title", one.title)
        _add(entry, "published", _time(one.published_at))
        _add(entry, "updated", _time(one.updated_at))
        _add(entry, "summary", one.summary)
        SubElement(entry, _name("category"), term=one.category)
        SubElement(entry, _name("link"), rel="alternate", href=one.url, type="text/html", hreflang=language)
    return bytes(tostring(feed, encoding="utf-8", xml_declaration=True))


def _name(tag: str) -> str:
    return f"{{{_ATOM}}}{tag}"


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, _name(tag)).text = printable(text)


def _time(when: datetime) -> str:
    """RFC 3339."""
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
