"""Whether a text speaks of a mailbox, however a mail program wrote it down."""

import re
from base64 import b64decode
from quopri import decodestring
from urllib.parse import unquote

_BASE64 = re.compile(r"[A-Za-z0-9+/\r\n]{16,}={0,2}")


def mentions(text: str, identity: str) -> bool:
    """Whether the address stands in ``text``: plain, URL-encoded, quoted-printable or in base64; any case."""
    return any(identity in form.lower() for form in _forms(text))


def _forms(text: str) -> list[str]:
    raw = text.encode("utf-8", "surrogateescape")
    forms = [text, unquote(text), decodestring(raw).decode("utf-8", "replace")]
    for found in _BASE64.findall(text):
        packed = re.sub(r"\s|=", "", found)
        # A line of text may stand before the block without a gap: each start is tried.
        for start in range(4):
            part = packed[start:]
            whole = part[:-1] if len(part) % 4 == 1 else part
            decoded = b64decode(whole + "=" * (-len(whole) % 4))
            forms.append(decoded.decode("utf-8", "replace"))
    return forms
