"""Characters that no reader's program can be sent."""

import re

#: XML 1.0 section 2.2; RFC 5545 section 3.1 forbids the control characters among them as well.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """``text`` without the characters that XML and calendars cannot hold."""
    return _UNPRINTABLE.sub("", text)
