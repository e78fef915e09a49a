"""A folder on disk for rows that the database could not take; the next crawl stores them.

Each file holds one batch and never changes: it is written under another name, flushed to the disk, and
then renamed. So a file that is there is whole, and any process may store it at any time: storing it twice
does no harm, since the rows say when they were seen.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

Kind = Literal["projects", "rejected"]


class Spool:
    """The spool of one database; `folder` is made when the first batch comes."""

    def __init__(self, root: Path, dsn: str) -> None:
        # Rows go back to the database that they were meant for, not to the one of the next crawl. With
        # another password or another way to encrypt it is the same database.
        self.folder = root / sha256(_identity(dsn).encode()).hexdigest()[:16]

    def put(self, kind: Kind, lines: Iterable[bytes]) -> Path:
        """Write one batch and return its file; raises `OSError` when the disk does not take it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        path = self.folder / f"{stamp}-{secrets.token_hex(4)}.{kind}.jsonl"
        unfinished = path.with_suffix(".part")
        try:
            with unfinished.open("wb") as file:
                file.writelines(line + b"\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        return path

    def files(self, kind: Kind) -> list[Path]:
        """Return the files of one kind, oldest first."""
        return sorted(self.folder.glob(f"*.{kind}.jsonl"))


def _identity(dsn: str) -> str:
    parts = urlsplit(dsn)
    options = dict(parse_qsl(parts.query))
    where = parts.netloc.rpartition("@")[2].lower(), options.get("host", ""), options.get("port", "")
    return "\0".join((*where, parts.path))


def set_aside(path: Path) -> Path:
    """Rename a file that cannot be stored, so that it is kept and met no more; raises `OSError`."""
    return path.rename(path.with_suffix(".unreadable"))


def read_lines(path: Path) -> list[bytes]:
    """Return the lines of one file; none when another process stored it meanwhile."""
    try:
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
