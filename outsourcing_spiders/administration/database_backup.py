"""What ``scrapy db backup`` and ``scrapy db restore`` take, and what they do."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rich import filesize

from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage.backup import Manifest, back_up, read_manifest, restore
from outsourcing_spiders.storage.engine import explained
from outsourcing_spiders.storage.export_file import Output, explained_output, to_file, to_stream
from outsourcing_spiders.storage.status import UncheckedDatabase

BACKUP_HELP = (
    "Write all tables to one file, as they are at one moment; crawls may run meanwhile. What terms do not let us keep "
    "for long is left out. The file is a zip of CSV files, readable for you alone. The secrets that seal tokens are "
    "not in it, nor is what waits on disk (`scrapy db replay`)."
)
RESTORE_HELP = (
    "Fill the database from a backup, all or nothing, on whatever PostgreSQL it was made, and bring the schema up to "
    "date. No crawl may run. Data that is there already is kept, and the backup refused, unless --replace is given."
)


def add_backup_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``scrapy db backup`` takes."""
    parser.add_argument("file", metavar="FILE", help="such as projects.zip; - is standard output")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")


def add_restore_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``scrapy db restore`` takes."""
    parser.add_argument("file", metavar="FILE", help="that `scrapy db backup` wrote; - is standard input")
    parser.add_argument("--replace", action="store_true", help="delete all that is in the database first")


async def write_backup(database: UncheckedDatabase, opts: argparse.Namespace) -> str:
    """Back `database` up; return what to tell."""
    standard_output = to_stream(sys.stdout.buffer, "standard output")
    with standard_output if opts.file == "-" else to_file(Path(opts.file), overwrite=opts.overwrite) as output:
        if opts.file != "-":
            os.fchmod(output.stream.fileno(), 0o600)
        async with database:
            with explained(database.name):
                manifest = await back_up(database, _Sink(output))  # type: ignore[arg-type] # a zip asks for no more
    return f"{_described(manifest)} written to {output.name} ({filesize.decimal(output.size)})."


async def read_backup(database: UncheckedDatabase, opts: argparse.Namespace) -> str:
    """Restore `database`; return what to tell."""
    with _opened(opts.file) as archive:
        # Before an embedded database is made for it.
        read_manifest(archive)
        async with database:
            manifest = await restore(database, archive, replace=opts.replace)
    return f"{database.name}: {_described(manifest)} restored, as of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC."


def _described(manifest: Manifest) -> str:
    (projects,) = [table.rows for table in manifest.tables if table.name == "projects"]
    return f"{projects:,} projects, {manifest.rows:,} rows in {len(manifest.tables)} tables"


class _Sink:
    """An output as a zip wants it."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, data: bytes) -> int:
        self._output.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""


@contextmanager
def _opened(name: str) -> Iterator[zipfile.ZipFile]:
    try:
        with _file(name) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except zipfile.BadZipFile:
        told = "standard input" if name == "-" else name
        raise StorageError(f"{told} is no backup of `scrapy db backup`, or not the whole of one.") from None


@contextmanager
def _file(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        # A zip is read from its end.
        with tempfile.TemporaryFile() as file:
            with explained_output("the folder of temporary files"):
                shutil.copyfileobj(sys.stdin.buffer, file)
            yield file
        return
    try:
        opened = Path(name).expanduser().open("rb")
    except OSError as error:
        raise StorageError(f"{name} cannot be read ({error.strerror}).") from error
    with opened:
        yield opened
