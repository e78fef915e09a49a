"""What ``scrapy db export`` takes, and what that means."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from outsourcing_spiders.parsing.dates import parse_since
from outsourcing_spiders.storage.export import (
    TABLES,
    CsvEncoder,
    Encoder,
    JsonLinesEncoder,
    Selection,
    WrongSelection,
)
from outsourcing_spiders.storage.export_file import Output, to_file, to_stream

FORMATS = {"csv": (".csv",), "jsonl": (".jsonl", ".ndjson"), "parquet": (".parquet", ".pq")}
"""What can be exported, and the endings of files by which it is known."""

EXPORT_HELP = (
    "Write a table to a file: one consistent snapshot, sorted by key, values as they are stored. In particular nothing "
    "guards a text that begins with =, +, - or @ against a spreadsheet that takes it for a formula: import CSV with "
    'the columns set to text. In CSV, nothing at all is null, and "" is an empty text. In Parquet, amounts are '
    "decimal128(38, 18); a column with a value that does not fit becomes text, and that is said."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``scrapy db export`` takes."""
    parser.add_argument("--format", choices=FORMATS, help="default: by the ending of the file; csv for standard output")
    parser.add_argument("--output", metavar="FILE", default="-", help="default: -, which is standard output")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    parser.add_argument("--table", choices=TABLES, default="projects", help="default: projects")
    parser.add_argument("--columns", metavar="A,B,C", help="default: all but internal ones")
    parser.add_argument(
        "--platform", metavar="NAME", action="append", default=[], help="only of this platform; may be repeated"
    )
    parser.add_argument(
        "--since",
        metavar="TIME",
        help="only what was posted (or first seen, if the platform tells no time; in other tables: made) since an "
        "ISO time, or an age such as 12h or 3d",
    )


def selected(opts: argparse.Namespace) -> Selection:
    """Return which rows and columns are asked for; raises `WrongSelection`."""
    columns = None if opts.columns is None else tuple(name.strip() for name in opts.columns.split(","))
    return Selection(table=opts.table, columns=columns, platforms=tuple(opts.platform), since=_since(opts.since))


def _since(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_since(text, now=datetime.now(UTC))
    except ValueError as error:
        raise WrongSelection(f"--since: {error}.") from None


def _format(opts: argparse.Namespace) -> str:
    """Return the format asked for, or that of the file's ending."""
    ending = Path(opts.output).suffix.lower()
    chosen: str | None = opts.format
    if chosen is None and opts.output == "-":
        chosen = "csv"
    if chosen is None:
        chosen = next((name for name, endings in FORMATS.items() if ending in endings), None)
    if chosen is None:
        raise WrongSelection(f"{opts.output!r} does not say which format is meant: add --format {'|'.join(FORMATS)}.")
    if chosen == "parquet" and opts.output == "-":
        raise WrongSelection("Parquet needs a file: add --output FILE.parquet.")
    return chosen


def encoder_of(opts: argparse.Namespace) -> Callable[[Output], Encoder]:
    """Return what makes the encoder of the format asked for; raises `WrongSelection` when there is none."""
    name = _format(opts)
    if name == "parquet":
        # Arrow takes a third of a second to load.
        from outsourcing_spiders.storage.parquet import ParquetEncoder

        return ParquetEncoder
    return CsvEncoder if name == "csv" else JsonLinesEncoder


def opened(opts: argparse.Namespace) -> AbstractContextManager[Output]:
    """Return the output asked for; raises `storage.export_file.OutputError` when it cannot be had."""
    if opts.output == "-":
        return to_stream(sys.stdout.buffer, "standard output")
    return to_file(Path(opts.output), overwrite=opts.overwrite)
