"""Everything that a site leaves behind, to look for what must not be in it."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import select

from consent_widget.storage.database import Database, metadata


def forms(needle: str) -> set[bytes]:
    """``needle`` as it may stand in a file: plain, in URLs, in mails; in lower case, as it is compared."""
    raw = needle.encode()
    found = {raw, quote(needle, safe="").encode(), needle.replace("@", "=40").encode()}
    return {one.lower() for one in found}


def holds(content: bytes, needle: str) -> bool:
    """Whether ``content`` has it in any form, base64 at any offset too."""
    lowered = content.lower()
    if any(one in lowered for one in forms(needle)):
        return True
    packed = re.sub(rb"[\r\n]", b"", content)
    return any(inner in packed for inner in _in_base64(needle))


def _in_base64(needle: str) -> set[bytes]:
    """What stands in every base64 text of something with ``needle`` in it, for each of the three offsets."""
    found = set()
    for offset in range(3):
        whole = b64encode(b"\0" * offset + needle.encode())
        # The ends share bits with what stands beside the needle.
        inner = whole[-(-offset * 4 // 3) + (1 if offset else 0) :].rstrip(b"=")[:-2]
        assert b64decode(inner[: len(inner) - len(inner) % 4])
        found.add(inner)
    return found


def columns_with(database: Database, needle: str) -> set[str]:
    """``table.column`` of every value that holds it."""
    found = set()
    with database.reading() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                found |= {
                    f"{table.name}.{name}"
                    for name, value in row.items()
                    if isinstance(value, str) and holds(value.encode("utf-8", "replace"), needle)
                }
    return found


def files_with(paths: Iterable[Path], needle: str) -> set[str]:
    """The names of those files below ``paths`` whose bytes hold it."""
    found = set()
    for path in paths:
        for one in [path] if path.is_file() else path.rglob("*"):
            try:
                if one.is_file() and holds(one.read_bytes(), needle):
                    found.add(str(one))
            except FileNotFoundError:
                continue  # a server removes files of its own
    return found


def database_files(database: Database, folder: Path) -> list[Path]:
    """Where the bytes of the database lie: SQLite's own files, or the data of a PostgreSQL on this machine.

    Without PostgreSQL's write-ahead log, for which nothing is promised; with what it logged.
    """
    if database.engine.dialect.name == "sqlite":
        return [folder]
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CHECKPOINT")  # pages are written when the server likes
    home = Path(str(database.engine.url.query["host"]))
    return [
        home / "log",
        *(one for one in (home / "data").iterdir() if one.name not in ("pg_wal", "pg_stat")),
    ]
