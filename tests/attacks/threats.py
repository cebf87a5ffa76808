"""What a page holds that must not be there, read by the rules of browsers (HTML parsing of the WHATWG)."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element

import html5lib

#: Where test pages are.
ORIGIN = "https://localhost"

_HTML = "{http://www.w3.org/1999/xhtml}"

#: All that the notice's own text may consist of, with its attributes.
_TEXT: dict[str, set[str]] = {
    "a": {"href", "title", "rel"},
    "blockquote": set(),
    "br": set(),
    "code": set(),
    "em": set(),
    "h2": {"id", "data-tags"},
    "h3": {"id", "data-tags"},
    "h4": {"id", "data-tags"},
    "hr": set(),
    "img": {"src", "alt", "title"},
    "li": set(),
    "ol": {"start"},
    "p": set(),
    "pre": set(),
    "strong": set(),
    "table": set(),
    "tbody": set(),
    "td": set(),
    "th": set(),
    "thead": set(),
    "tr": set(),
    "ul": set(),
}

#: None of our pages has one; of the others each must be one of ours.
_NEVER = {
    "applet", "audio", "base", "bgsound", "embed", "frame", "frameset", "marquee", "math", "object", "picture",
    "source", "video",
}  # fmt: skip
_ADDRESSES = {"href", "src", "action", "formaction", "data", "poster", "srcset", "background", "cite", "ping"}


def parse(html: str, *, scripting: bool = False) -> Element:
    """The document as a browser builds it; with ``scripting`` what is for browsers without scripts is raw text."""
    document: Element = html5lib.parse(html, treebuilder="etree", scripting=scripting)
    return document


def serialised(document: Element) -> str:
    """``document`` as HTML again."""
    written: str = html5lib.serialize(
        document,
        tree="etree",
        omit_optional_tags=False,
        quote_attr_values="always",
        alphabetical_attributes=True,
    )
    return written


def threats_in_text(html: str) -> list[str]:
    """What of a rendered notice is more than text, headings, lists, tables, links and own images."""
    found = []
    for scripting in (False, True):
        body = parse(f"<!doctype html><body>{html}", scripting=scripting).find(f"{_HTML}body")
        assert body is not None
        found += [one for element in body.iter() if element is not body for one in _beyond_text(element)]
    return found


def _beyond_text(element: Element) -> Iterator[str]:
    name = _name(element)
    if name not in _TEXT:
        yield f"<{name}>"
    else:
        yield from (f"<{name} {one}>" for one in element.attrib if one not in _TEXT[name])
    yield from _bad_addresses(element, name)
    if not (element.get("id") or "notice-").startswith("notice-"):
        yield f"id={element.get('id')!r}"


def threats_in_page(html: str) -> list[str]:
    """What of a whole page of ours would run, overlay, lead or load from elsewhere."""
    return [
        one
        for scripting in ((False, True) if "<noscript" in html.lower() else (False,))  # only there it matters
        for element in parse(html, scripting=scripting).iter()
        for one in _threats(element)
    ]


def _threats(element: Element) -> Iterator[str]:
    name = _name(element)
    if name in _NEVER:
        yield f"<{name}>"
    if name == "meta" and element.get("http-equiv"):
        yield "<meta http-equiv>"
    if name == "style" or (
        name == "script" and not (element.get("src") or "").startswith("/privacy/assets/")
    ):
        yield f"<{name}> {element.text}"
    if name == "link" and not (element.get("href") or "").startswith("/"):
        yield "<link> elsewhere"
    if name == "iframe" and not _is_preview(element):
        yield "<iframe> that is no sandboxed preview"
    for attribute in element.attrib:
        if attribute.startswith("on") or attribute in ("style", "srcdoc"):
            yield f"<{name} {attribute}>"
    yield from _bad_addresses(element, name)


def _is_preview(frame: Element) -> bool:
    return frame.get("sandbox") == "" and (frame.get("src") or "/privacy/admin/").startswith(
        "/privacy/admin/"
    )


def _bad_addresses(element: Element, name: str) -> Iterator[str]:
    for attribute in _ADDRESSES & set(element.attrib):
        # What a browser makes of it: control characters and blanks around it vanish.
        written = re.sub(r"[\t\n\r]", "", element.get(attribute) or "").strip("".join(map(chr, range(33))))
        try:
            address = urljoin(f"{ORIGIN}/privacy/", written.replace("\\", "/"))
            parts = urlsplit(address)
        except ValueError:
            continue  # no address to anybody
        allowed = {"http", "https", "mailto", "tel"} if (name, attribute) == ("a", "href") else {"https"}
        if parts.scheme not in allowed or (
            (name, attribute) != ("a", "href") and parts.netloc != "localhost"
        ):
            yield f"<{name} {attribute}={written!r}>"


def _name(element: Element) -> str:
    # A comment has a function for its tag.
    tag: object = element.tag
    return tag.removeprefix(_HTML) if isinstance(tag, str) else "!--"


def stays_here(location: str) -> bool:
    """Whether a browser stays on this origin (WHATWG URL: a backslash is a slash, control characters vanish)."""
    if any(ord(char) < 0x21 or ord(char) > 0x7E for char in location) or "\\" in location:
        return False
    parts = urlsplit(location)
    return not parts.scheme and not parts.netloc and location.startswith("/") and location[1:2] != "/"
