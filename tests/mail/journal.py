"""What a mail server of the tests took, a line of JSON each, written before it answers."""

import hashlib
import json
import threading
import time
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Received:
    """One mail that was taken; ``raw`` are its bytes where the server keeps mails, else empty."""

    at: float
    sender: str
    recipients: tuple[str, ...]
    message_id: str
    sha256: str
    raw: bytes


class Journal:
    """A file that outlives a killed server; ``mails``, a folder, keeps the bytes too."""

    def __init__(self, path: Path, mails: Path | None = None) -> None:
        self._path = path
        self._mails = mails
        self._lock = threading.Lock()
        path.touch()
        if mails is not None:
            mails.mkdir(parents=True, exist_ok=True)

    def note(self, *, sender: str, recipients: list[str], raw: bytes) -> None:
        """Write down one mail, with the bytes between DATA and the final dot, dots unstuffed."""
        sha256 = hashlib.sha256(raw).hexdigest()
        head = BytesHeaderParser().parsebytes(raw.partition(b"\r\n\r\n")[0])
        entry = {
            "at": time.time(),
            "sender": sender,
            "recipients": recipients,
            "message_id": str(head["Message-ID"] or ""),
            "sha256": sha256,
        }
        if self._mails is not None:
            (self._mails / sha256).write_bytes(raw)
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def read(self) -> list[Received]:
        """All mails taken so far, in their order."""
        found = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            kept = self._mails / entry["sha256"] if self._mails is not None else None
            raw = kept.read_bytes() if kept is not None else b""
            found.append(Received(**entry | {"recipients": tuple(entry["recipients"]), "raw": raw}))
        return found
