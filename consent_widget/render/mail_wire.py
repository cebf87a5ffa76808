"""A mail as bytes that every server on the way leaves as they are: ASCII, CRLF, short lines.

Written by hand instead of by the email package: the bytes are the same under every Python, a
part can be filled in without making the rest again, and no text of anybody's becomes a header.
"""

import re
from base64 import b64encode, encodebytes
from collections.abc import Iterator, Sequence
from hashlib import sha256

from ..core.hidden import is_hidden

#: What a header holds without being encoded.
_PLAIN = re.compile(r"[ -~]*")

#: What may stand in a display name between quotes (RFC 5322 section 3.2.4) and needs no escape.
_QUOTABLE = re.compile(r"[A-Za-z0-9 !#$%&'*+/=^`{|}~.,()_-]+")

#: A subject longer than this is shown nowhere, in characters.
LONGEST_LINE = 200

#: So many bytes in an encoded word keep the line under 76 characters behind every name (RFC 2047 section 2).
_CHUNK = 39

#: What is filled in later stands between two of these, which no text can hold.
_SLOT = re.compile("\0([a-z_]+)\0")


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """``text`` as a header may hold it: one line, one space between words, nothing that nobody sees."""
    clean = "".join(" " if char.isspace() else char for char in text if char.isspace() or not is_hidden(char))
    clean = " ".join(clean.split())
    return clean if len(clean) <= longest else clean[: longest - 1].rstrip() + "…"


def header(name: str, text: str) -> str:
    """A header with the words of :func:`one_line`, encoded and folded where need be (RFC 2047)."""
    clean = one_line(text)
    plain = len(name) + len(clean) <= 74 and _PLAIN.fullmatch(clean) and "=?" not in clean
    return f"{name}: {clean if plain else _encoded(clean)}\r\n"


def mailbox_header(name: str, shown: str, address: str) -> str:
    """A header that names one mailbox; ``address`` is a cleaned one (core.address)."""
    clean = one_line(shown)
    plain = len(clean) <= 60 and _QUOTABLE.fullmatch(clean) and "=?" not in clean
    phrase = f'"{clean}"' if plain else _encoded(clean)
    space = " " if len(name) + len(phrase) + len(address) <= 70 else "\r\n "
    return f"{name}: {phrase}{space}<{address}>\r\n"


def _encoded(text: str) -> str:
    """Encoded words, each of whole characters; between two of them a fold, which is not read as a space."""
    chunks: list[bytes] = [b""]
    for char in text:
        raw = char.encode()
        if len(chunks[-1]) + len(raw) > _CHUNK:
            chunks.append(b"")
        chunks[-1] += raw
    return "\r\n ".join(f"=?utf-8?b?{b64encode(chunk).decode()}?=" for chunk in chunks)


def boundary(secret: str, name: str, place: int) -> str:
    """What parts the parts; begins with ``=_``, which neither quoted-printable nor base64 can hold."""
    return f"=_{sha256(f'consent_widget.boundary {secret} {name}'.encode()).hexdigest()[:24]}.{place}"


def slot(name: str) -> str:
    """A place in a text that :func:`split` finds again."""
    return f"\0{name}\0"


def split(text: str) -> Iterator[tuple[str, str]]:
    """The text before each slot and the name of the slot; behind the last one the name is empty."""
    parts = _SLOT.split(text)
    yield from zip(parts[::2], [*parts[1::2], ""], strict=True)


# RFC 2045 section 6.7, rule 2: these stand for themselves.
_UNITS = {byte: chr(byte) if 32 <= byte <= 126 and byte != 61 else f"={byte:02X}" for byte in range(256)}

#: Each character stands for itself, and there is no space.
_SAFE = re.compile(r"[!-<>-~]+")

# Room is left for a first unit that grows and for the sign of the break: 76 in all.
_WIDTH = 73


def quoted_printable(text: str) -> str:
    """``text`` with LF line ends in quoted-printable (RFC 2045 section 6.7), with CRLF.

    No line begins with a dot, which SMTP doubles and careless servers take for the end, nor
    with ``From``, which mailbox files change.
    """
    # An address or a token, of which each mail holds some: byte by byte takes too long.
    if _SAFE.fullmatch(text):
        pieces = (text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH))
        return "=\r\n".join(f"=2E{one[1:]}" if one[0] == "." else one for one in pieces)
    lines = "\r\n".join("=\r\n".join(_wrapped(line.encode())) for line in text.split("\n"))
    return re.sub(r"(?m)^(\.|F(?=rom ))", lambda found: f"={ord(found[1]):02X}", lines)


def _wrapped(line: bytes) -> Iterator[str]:
    units = [_UNITS[byte] for byte in line]
    if units and units[-1] == " ":
        units[-1] = "=20"
    made: list[str] = []
    width = 0
    for unit in units:
        if width + len(unit) > _WIDTH:
            yield "".join(made)
            made.clear()
            width = 0
        made.append(unit)
        width += len(unit)
    yield "".join(made)


def break_line(written: str) -> str:
    """``written``, quoted-printable already, on lines of its own that are read as none."""
    return f"=\r\n{written}=\r\n"


def text_part(subtype: str, text: str, parameters: str = "") -> str:
    """A part of text with its headers, its slots kept."""
    body = "".join(quoted_printable(before) + (slot(name) if name else "") for before, name in split(text))
    return (
        f"Content-Type: text/{subtype}; charset=utf-8{parameters}\r\n"
        f"Content-Transfer-Encoding: quoted-printable\r\n\r\n{body}\r\n"
    )


def attachment(subtype: str, content: bytes, filename: str, parameters: str = "") -> str:
    """A file with its headers; ``filename`` is ASCII without quotes."""
    body = encodebytes(content).decode().replace("\n", "\r\n")
    return (
        f'Content-Type: text/{subtype}; charset=utf-8{parameters};\r\n name="{filename}"\r\n'
        f"Content-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{filename}"\r\n\r\n{body}'
    )


def multipart(subtype: str, between: str, parts: Sequence[str]) -> str:
    """Parts in a row, with the header that says what parts them."""
    written = "".join(f"--{between}\r\n{part}" for part in parts)
    return f'Content-Type: multipart/{subtype};\r\n boundary="{between}"\r\n\r\n{written}--{between}--\r\n'
