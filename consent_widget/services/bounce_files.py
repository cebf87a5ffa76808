"""Reports as mail systems leave them: in a maildir, in an mbox, or one message on standard input."""

import os
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from ..core.report import MAX_REPORT

#: The line before each message of an mbox (RFC 4155, appendix A).
_FROM = re.compile(rb"From \S+ +\w{3} +\w{3} +\d{1,2} +\d{1,2}:\d{2}")

#: A line may be as long as the sender likes.
_LINE = 64 * 1024


def is_maildir(folder: Path) -> bool:
    return (folder / "new").is_dir() and (folder / "cur").is_dir()


def read_maildir(folder: Path, take: Callable[[bytes], object]) -> Iterator[str]:
    """Hand each new message to ``take``, then move it to ``cur`` with the flag "seen".

    What cannot be read stays where it is and is named. Where ``take`` raises, its message stays too.
    """
    for path in sorted((folder / "new").iterdir()):
        try:
            descriptor = os.open(
                path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            )
            with os.fdopen(descriptor, "rb") as file:
                content = file.read(MAX_REPORT)
        except FileNotFoundError:
            continue  # another run was faster
        except OSError as error:
            yield f"{path.name}: {type(error).__name__}"
            continue
        take(content)
        try:
            path.rename(folder / "cur" / f"{path.name.partition(':')[0]}:2,S")
        except FileNotFoundError:
            continue


def read_stream(stream: BinaryIO) -> Iterator[bytes]:
    """The messages of an mbox, or the one that is there; of each, as much as is looked at."""
    message: list[bytes] = []
    size, before, is_mbox = 0, b"\n", False
    for line in iter(lambda: stream.readline(_LINE), b""):
        if before in (b"\n", b"\r\n") and (is_mbox or not message) and _FROM.match(line):
            if message:
                yield b"".join(message)
            message, size, is_mbox = [], 0, True
        elif size < MAX_REPORT:
            message.append(line)
            size += len(line)
        before = line
    if message and any(one.strip() for one in islice(message, 1000)):
        yield b"".join(message)
