"""Parquet with the types of the database, made of the JSON that PostgreSQL sends: Arrow parses that in C++.

Times are ``timestamp[us, UTC]``, lists of texts ``list<string>``, objects texts of JSON. Amounts, whose columns have no
fixed scale in the database, are ``decimal128(38, 18)``, which holds all digits of the averages that platforms
compute. If one value of a column does not fit there, the whole column is text, with every digit, and is named in
`ParquetEncoder.as_text`. ``crawl_runs.whole_since``, which may be ``-infinity``, is always text.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import asyncpg
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet
from sqlalchemy import ARRAY, BigInteger, Boolean, Column, Date, DateTime, Integer, Numeric
from sqlalchemy.dialects.postgresql import JSONB

from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage.export import JsonLinesEncoder, Selection, json_value
from outsourcing_spiders.storage.export_file import Output

_PRECISION, _SCALE = 38, 18
_MAY_BE_INFINITE = {"whole_since"}
# A dictionary of values that are hardly ever the same is only a detour.
_UNLIKE = {"url", "title", "description", "external_id", "extra", "payload", "stats", "fingerprint", "id"}
_BLOCK = 8 * 2**20
"""Bytes of JSON that are parsed at once."""
_GROUP_ROWS, _GROUP_SIZE = 131_072, 64 * 2**20
"""A row group is written when it has so many rows, or takes so many bytes in memory."""


class UnfitValue(StorageError):
    """The database holds what Parquet cannot express, such as an infinite time; the message quotes it."""


class ParquetEncoder:
    """Parse JSON lines into Arrow tables, and write them in row groups compressed with zstd."""

    def __init__(self, output: Output) -> None:
        self.as_text: list[str] = []
        """Columns of amounts that went as text, known after `prepare`."""
        self._stream = _Stream(output)
        self._schema = pa.schema([])
        self._writer: Any = None
        self._pending = bytearray()
        self._group: list[Any] = []

    async def prepare(self, connection: asyncpg.Connection, selection: Selection) -> None:
        """Find the columns of amounts that hold a value which no decimal of ours holds."""
        amounts = [column for column in selection.chosen if isinstance(column.type, Numeric)]
        if amounts:
            condition, arguments = selection.condition()
            tests = ", ".join(f"coalesce(bool_or({_does_not_fit(column)}), false)" for column in amounts)
            found = await connection.fetchrow(
                f"SELECT {tests} FROM {selection.table} AS t WHERE {condition}",  # noqa: S608 - names of our own
                *arguments,
            )
            self.as_text = [column.name for column, is_found in zip(amounts, found, strict=True) if is_found]
        self._schema = pa.schema([(column.name, self._type(column)) for column in selection.chosen])
        self._writer = pa.parquet.ParquetWriter(
            self._stream,
            self._schema,
            compression="zstd",
            use_dictionary=[_path(column) for column in selection.chosen if _repeats(column)],
        )

    def statement(self, selection: Selection) -> tuple[str, list[Any], dict[str, Any]]:
        """Return a query of objects with the values as Arrow reads them."""
        query, arguments = selection.query([self._sql(column) for column in selection.chosen])
        return f"SELECT row_to_json(r) FROM ({query}) AS r", arguments, JsonLinesEncoder.COPY_OPTIONS  # noqa: S608

    def write(self, chunk: bytes) -> None:
        """Take a part of the JSON lines."""
        self._pending += chunk
        if len(self._pending) >= _BLOCK:
            self._parse(self._pending.rfind(b"\n") + 1)

    def finish(self) -> None:
        """Write what is left, and the footer."""
        self._parse(len(self._pending))
        self._write_group()
        self._writer.close()

    def abandon(self) -> None:
        """Let go of what is held; the file, which gets no footer, is of no use."""
        self._group.clear()
        if self._writer is not None:
            # Arrow writes the footer as soon as the writer goes, be it to a disk that is full.
            self._stream.is_abandoned = True
            self._writer.close()

    def _parse(self, end: int) -> None:
        if not end:
            return
        block = bytes(self._pending[:end])
        del self._pending[:end]
        try:
            table = pa.json.read_json(
                io.BytesIO(block),
                read_options=pa.json.ReadOptions(block_size=len(block) + 1),
                parse_options=pa.json.ParseOptions(explicit_schema=self._schema, unexpected_field_behavior="error"),
            )
        except pa.ArrowInvalid as error:
            raise UnfitValue(f"A value does not fit into Parquet ({error}): export as csv or jsonl instead.") from error
        self._group.append(table)
        rows = sum(part.num_rows for part in self._group)
        if rows >= _GROUP_ROWS or sum(part.nbytes for part in self._group) >= _GROUP_SIZE:
            self._write_group()

    def _write_group(self) -> None:
        if self._group:
            table = pa.concat_tables(self._group)
            self._group.clear()
            self._writer.write_table(table, row_group_size=table.num_rows)

    def _type(self, column: Column[Any]) -> Any:
        match column.type:
            case _ if column.name in self.as_text or column.name in _MAY_BE_INFINITE:
                return pa.string()
            case Numeric():
                return pa.decimal128(_PRECISION, _SCALE)
            case DateTime():
                return pa.timestamp("us", "UTC")
            case ARRAY():
                return pa.list_(pa.string())
        plain: Mapping[type, Any] = {
            Boolean: pa.bool_(), BigInteger: pa.int64(), Integer: pa.int32(), Date: pa.date32()
        }  # fmt: skip
        return next((arrow for kind, arrow in plain.items() if isinstance(column.type, kind)), pa.string())

    def _sql(self, column: Column[Any]) -> str:
        name = f"t.{column.name}"
        match column.type:
            case Numeric():
                return f"CAST({name} AS text)" if column.name in self.as_text else f"trim_scale({name})"
            case JSONB():
                return f"CAST({name} AS text)"
            case Date():
                return f"{name} - DATE '1970-01-01'"  # days, which is what Arrow's JSON parser takes for a date
        return json_value(column)


class _Stream(io.RawIOBase):
    """An output as the file object that Arrow wants."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.is_abandoned = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if not self.is_abandoned:
            self._output.write(data)
        return len(data)


def _does_not_fit(column: Column[Any]) -> str:
    # NaN is greater than any number here, and so does not fit either.
    return f"abs(t.{column.name}) >= 1e{_PRECISION - _SCALE} OR scale(trim_scale(t.{column.name})) > {_SCALE}"


def _repeats(column: Column[Any]) -> bool:
    return column.name not in _UNLIKE and not isinstance(column.type, (DateTime, Boolean))


def _path(column: Column[Any]) -> str:
    return f"{column.name}.list.element" if isinstance(column.type, ARRAY) else column.name
