"""The journal of ERASURE_FILE is written: what a restored backup must not undo.

Several processes append to one file, also over several machines where it lies on a volume
that they share: each line is one write at the end, under a lock, on disk when it returns.
"""

import logging
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ..core.errors import JournalUnavailable
from ..core.journal import Said, Sent, Standing, Word, standing
from ..core.subscription import Subscription
from .deployment import Deployment

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger("consent_widget")


def note(deployment: Deployment, word: Word, hashes: tuple[str, ...], *, now: datetime) -> None:
    """Append what happens to an address; call it before the commit that makes it so.

    Without ERASURE_FILE nothing is done.

    Raises:
        JournalUnavailable: the line is not on disk; whoever calls must not commit.
    """
    _append(deployment, Said(word=word, hashes=hashes, at=now).line())


def note_left(deployment: Deployment, subscription: Subscription, *, now: datetime) -> None:
    """Append that somebody left; call it before the commit. It never raises: nobody is kept from leaving."""
    _note_or_report(deployment, Word.LEFT, subscription, now)


def note_joined(deployment: Deployment, subscription: Subscription, *, now: datetime) -> None:
    """Append that somebody confirmed, or took leaving back; call it before the commit. It never raises."""
    _note_or_report(deployment, Word.JOINED, subscription, now)


def note_suppressed(deployment: Deployment, subscription: Subscription, *, now: datetime) -> None:
    """Append that nothing goes to an address any more; call it before the commit. It never raises."""
    _note_or_report(deployment, Word.SUPPRESSED, subscription, now)


def note_released(deployment: Deployment, subscription: Subscription, *, now: datetime) -> None:
    """Append that staff allow an address again; call it before the commit. It never raises."""
    _note_or_report(deployment, Word.RELEASED, subscription, now)


def note_sent(deployment: Deployment, campaign: str, claims: int) -> None:
    """Append how far ``campaign`` (``number/kind``) has gone; call it after the claim's commit, before a mail.

    Raises:
        JournalUnavailable: the line is not on disk; give the rows back and send nothing.
    """
    _append(deployment, Sent(campaign=campaign, claims=claims).line())


def hashes_of(deployment: Deployment, subscription: Subscription) -> tuple[str, ...]:
    """All hashes under which a backup may hold this mailbox: of each key, and as its row has it."""
    known = deployment.pseudonyms.every(subscription.address) if subscription.address else ()
    return tuple(dict.fromkeys((*known, subscription.address_hash)))


def read(deployment: Deployment) -> Standing:
    """What holds at the end of the journal; nothing where there is no ERASURE_FILE.

    Raises:
        JournalUnavailable: it cannot be read, or could not be written later on.
    """
    name = deployment.settings.erasure_file
    if name is None:
        return Standing()
    try:
        with os.fdopen(_open(Path(name)), "rb") as file:
            found = standing(_lines(file.read()))
    except OSError as error:
        raise _unavailable(error) from error
    if found.unread:
        logger.warning(
            "%d lines of CONSENT_WIDGET_ERASURE_FILE cannot be read and are passed over.", found.unread
        )
    return found


def claims_of(deployment: Deployment, campaign: str) -> int:
    """How far ``campaign`` had gone at its last mail, whatever the database says; 0 where nothing is known."""
    return read(deployment).claims.get(campaign, 0)


def _lines(content: bytes) -> Iterator[bytes]:
    """The lines, a last one without its end among them: it may be whole, and is harmless if it is not."""
    yield from content.split(b"\n")


def _note_or_report(deployment: Deployment, word: Word, subscription: Subscription, now: datetime) -> None:
    try:
        note(deployment, word, hashes_of(deployment, subscription), now=now)
    except JournalUnavailable as error:
        logger.error("That somebody %s is not noted, a restored backup would undo it: %s", word, error)


def _append(deployment: Deployment, line: bytes) -> None:
    name = deployment.settings.erasure_file
    if name is None:
        return
    try:
        descriptor = _open(Path(name))
        try:
            _write(descriptor, line)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unavailable(error) from error


def _open(path: Path) -> int:
    """Open for reading and appending; a new file is for us alone, and on disk with its name."""
    try:
        return os.open(path, os.O_RDWR | os.O_APPEND | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        pass
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    if sys.platform != "win32":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return descriptor


def _write(descriptor: int, line: bytes) -> None:
    """Append ``line`` whole; one that a killed process left torn is ended first."""
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # freed when it is closed
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if size:
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        if os.read(descriptor, 1) != b"\n":
            line = b"\n" + line
    written = os.write(descriptor, line)
    if written != len(line):
        raise OSError(f"{written} of {len(line)} bytes written")
    os.fsync(descriptor)


def _unavailable(error: OSError) -> JournalUnavailable:
    return JournalUnavailable(
        f"The file of CONSENT_WIDGET_ERASURE_FILE cannot be read and written ({type(error).__name__}), so nothing was "
        "erased and nothing is sent. Let the web and worker processes write to it, and look whether its disk is "
        "there and has room."
    )
