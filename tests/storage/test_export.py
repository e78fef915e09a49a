"""Exports of a real database, read back with the libraries that people read them with."""

from __future__ import annotations

import asyncio
import csv
import errno
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from _databases import data_folder, execute, make_database, server, store  # noqa: F401

from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage import export_file, parquet
from outsourcing_spiders.storage.embedded import EmbeddedPostgres
from outsourcing_spiders.storage.engine import Database
from outsourcing_spiders.storage.export import (
    TABLES,
    CsvEncoder,
    JsonLinesEncoder,
    NothingStored,
    Selection,
    WrongSelection,
    export,
)
from outsourcing_spiders.storage.export_file import Output, OutputError, ReaderGone, TargetExists, to_file, to_stream
from outsourcing_spiders.storage.parquet import ParquetEncoder, UnfitValue

POSTED = datetime(2026, 3, 1, 8, 0, 5, 123456, tzinfo=UTC)
ENCODERS: dict[str, Any] = {"csv": CsvEncoder, "jsonl": JsonLinesEncoder, "parquet": ParquetEncoder}

FULL = Project(
    platform="alpha",
    external_id="10",
    url="https://www.example.com/10",
    title='Größe "XL", 日本語 🙂 =1+1',
    description='One\nTwo, "three"\r\nFour\t\\n \\. \u2028 end',
    status="open",
    budget=Budget(
        minimum=Decimal("0.10"), maximum=Decimal("12345678901234567890.1234567890"), currency="EUR", period="hour",
        text="", minimum_usd=Decimal("1.5"), maximum_usd=Decimal(-3),
    ),
    skills=["C++", 'a "quoted", {one}', "NULL", "ünïcode", ""],
    category="IT",
    work_mode="remote",
    language="en",
    posted_at=POSTED,
    posted_precision="exact",
    posted_text="now",
    closes_at=datetime(9999, 12, 31, tzinfo=UTC),
    bid_count=2_147_483_647,
    bid_average=Decimal("99.95"),
    client=Client(country="DE", rating=Decimal("4.9"), reviews=0, verified=False),
    extra={"list": [1, 2.5, None, {"deep": "ä\"\\"}], "text": "line\nfeed", "yes": True},
)  # fmt: skip
BARE = Project(platform="alpha", external_id="9", url="https://www.example.com/9", title="Bare", description="")
OTHER = replace(BARE, platform="beta", external_id="Ω", description=None)


@pytest.fixture(scope="session")
async def database(server: EmbeddedPostgres) -> AsyncIterator[Database]:  # noqa: F811
    """Three projects of two platforms; one row or more in each table."""
    database = await make_database(server, "exported")
    await store(database, FULL, BARE, OTHER)
    await execute(
        server, "exported",
        "INSERT INTO crawl_runs (spider, started_at, listing, whole_since, stats) "
        """VALUES ('alpha', '2026-03-01T00:00Z', '{}', '-infinity', '{"a": 1}')""",
        "INSERT INTO rejected_items (spider, reason, payload, rejected_at, fingerprint) "
        """VALUES ('alpha', 'no title', '{"title": ""}', '2026-03-01T00:00Z', '\\x00ff')""",
        "INSERT INTO exchange_rates VALUES ('IDR', '2026-03-01', 'ecb', 0.00006123456789012345678901234567), "
        "('EUR', '2026-02-28', 'alpha', 1.1)",
    )  # fmt: skip
    yield database
    await database.close()


async def exported(database: Database, format_name: str, **selection: Any) -> bytes:
    stream = io.BytesIO()
    with to_stream(stream, "a test") as output:
        count = await export(database.engine, Selection(**selection), ENCODERS[format_name](output))
    data = stream.getvalue()
    assert count == len(read(format_name, data))
    assert output.size == len(data)
    return data


def read(format_name: str, data: bytes) -> list[dict[str, Any]]:
    if format_name == "csv":
        return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))
    if format_name == "jsonl":
        return [json.loads(line, parse_float=Decimal) for line in data.decode().split("\n")[:-1]]
    rows: list[dict[str, Any]] = pa.parquet.read_table(io.BytesIO(data)).to_pylist()
    return rows


FULL_VALUES = {
    "platform": "alpha", "external_id": "10", "url": FULL.url, "title": FULL.title, "description": FULL.description,
    "description_complete": True, "status": "open", "pricing": "hourly", "budget_min": Decimal("0.10"),
    "budget_max": Decimal("12345678901234567890.1234567890"), "currency": "EUR", "budget_text": "",
    "budget_min_usd": Decimal("1.5"), "budget_max_usd": Decimal(-3), "skills": FULL.skills, "category": "IT",
    "work_mode": "remote", "location": None, "language": "en", "posted_at": POSTED, "posted_precision": "exact",
    "posted_text": "now", "closes_at": datetime(9999, 12, 31, tzinfo=UTC), "bid_count": 2_147_483_647,
    "bid_average": Decimal("99.95"), "client_country": "DE", "client_rating": Decimal("4.9"), "client_reviews": 0,
    "client_verified": False, "extra": FULL.extra, "expires_at": None,
}  # fmt: skip
SEEN = ("first_seen_at", "last_seen_at", "changed_at")


async def test_csv_holds_every_value(database: Database) -> None:
    data = await exported(database, "csv")
    row, bare, other = read("csv", data)
    seen = [datetime.fromisoformat(row.pop(name)) for name in SEEN]
    assert all(abs(datetime.now(UTC) - moment) < timedelta(minutes=5) for moment in seen)
    assert {name: row.pop(name) for name in ("posted_at", "closes_at")} == {
        "posted_at": "2026-03-01T08:00:05.123456Z", "closes_at": "9999-12-31T00:00:00Z"
    }  # fmt: skip
    texts = {
        name: "" if value is None else json.dumps(value) if isinstance(value, bool) else str(value)
        for name, value in FULL_VALUES.items()
        if name not in ("posted_at", "closes_at", "skills", "extra")
    }
    assert json.loads(row.pop("skills")) == FULL.skills
    assert json.loads(row.pop("extra")) == FULL.extra
    assert row == texts
    assert bare["posted_at"] == ""
    assert (bare["skills"], bare["extra"], other["external_id"]) == ("[]", "{}", "Ω")


async def test_csv_is_rfc_4180(database: Database) -> None:
    data = await exported(database, "csv", columns=("external_id", "description", "budget_text"))
    assert data.decode() == (
        "external_id,description,budget_text\r\n"
        '10,"One\nTwo, ""three""\r\nFour\t\\n \\. \u2028 end",""\r\n'
        '9,"",\r\n'
        "Ω,,\r\n"
    )


def test_csv_line_ends_do_not_depend_on_how_the_data_come() -> None:
    data = b'a,b\n1,"x\n""y""\n"\n"",2\n"\n","""\n"""\n'
    whole = b'a,b\r\n1,"x\n""y""\n"\r\n"",2\r\n"\n","""\n"""\r\n'
    for size in range(1, len(data) + 1):
        stream = io.BytesIO()
        encoder = CsvEncoder(Output(stream, "a test"))
        for begin in range(0, len(data), size):
            encoder.write(data[begin : begin + size])
        assert stream.getvalue() == whole


async def test_json_lines_hold_every_value_and_digit(database: Database) -> None:
    data = await exported(database, "jsonl")
    row, bare, other = read("jsonl", data)
    assert b'"budget_max":12345678901234567890.1234567890,' in data
    assert b'"budget_min":0.10,' in data
    assert all(row.pop(name).endswith("Z") for name in SEEN)
    times = {"posted_at": "2026-03-01T08:00:05.123456Z", "closes_at": "9999-12-31T00:00:00Z"}
    assert row == FULL_VALUES | times
    assert (bare["description"], other["description"]) == ("", None)
    assert (bare["skills"], bare["extra"], bare["client_verified"]) == ([], {}, None)


async def test_parquet_holds_every_value_with_its_type(database: Database) -> None:
    data = await exported(database, "parquet")
    row, bare, other = read("parquet", data)
    assert all(isinstance(row.pop(name), datetime) for name in SEEN)
    assert json.loads(row.pop("extra")) == FULL.extra
    assert row == {name: value for name, value in FULL_VALUES.items() if name != "extra"}
    assert (bare["description"], other["description"]) == ("", None)
    assert (bare["skills"], bare["bid_count"], bare["client_verified"]) == ([], None, None)
    schema = pa.parquet.read_schema(io.BytesIO(data))
    types = ("posted_at", "skills", "budget_max", "client_verified", "bid_count", "title", "extra")
    assert [str(schema.field(name).type) for name in types] == [
        "timestamp[us, tz=UTC]", "list<element: string>", "decimal128(38, 18)", "bool", "int32", "string", "string"
    ]  # fmt: skip
    columns = [pa.parquet.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(i) for i in range(len(schema))]
    assert {column.compression for column in columns} == {"ZSTD"}
    with_dictionary = {column.path_in_schema for column in columns if column.has_dictionary_page}
    assert {"platform", "status", "currency", "skills.list.element"} <= with_dictionary
    assert not {"title", "description", "url"} & with_dictionary


@pytest.mark.parametrize("amount", ["0.0000000000000000001", "1" + "0" * 28, "NaN"])
async def test_parquet_does_not_round(server: EmbeddedPostgres, database: Database, amount: str) -> None:  # noqa: F811
    await execute(server, "exported", f"UPDATE projects SET budget_min = '{amount}' WHERE external_id = '9'")
    try:
        stream = io.BytesIO()
        encoder = ParquetEncoder(Output(stream, "a test"))
        await export(database.engine, Selection(columns=("budget_min", "budget_max")), encoder)
        assert encoder.as_text == ["budget_min"]
        rows = read("parquet", stream.getvalue())
        assert [row["budget_min"] for row in rows] == ["0.10", amount, None]
        assert rows[0]["budget_max"] == FULL_VALUES["budget_max"]
        # Rows that are not exported do not count.
        assert read("parquet", await exported(database, "parquet", platforms=("beta",)))[0]["budget_min"] is None
    finally:
        await execute(server, "exported", "UPDATE projects SET budget_min = NULL WHERE external_id = '9'")


async def test_parquet_takes_trailing_zeros(server: EmbeddedPostgres, database: Database) -> None:  # noqa: F811
    await execute(server, "exported", "UPDATE projects SET budget_min = 1.5000000000000 WHERE external_id = '9'")
    try:
        rows = read("parquet", await exported(database, "parquet", columns=("budget_min",)))
        assert rows[1] == {"budget_min": Decimal("1.5")}
    finally:
        await execute(server, "exported", "UPDATE projects SET budget_min = NULL WHERE external_id = '9'")


async def test_parquet_refuses_a_time_that_it_cannot_hold(server: EmbeddedPostgres, database: Database) -> None:  # noqa: F811
    await execute(server, "exported", "UPDATE projects SET closes_at = 'infinity' WHERE external_id = '9'")
    try:
        with pytest.raises(UnfitValue, match=r"infinity.*csv or jsonl"):
            await exported(database, "parquet")
        assert read("jsonl", await exported(database, "jsonl"))[1]["closes_at"] == "infinity"
    finally:
        await execute(server, "exported", "UPDATE projects SET closes_at = NULL WHERE external_id = '9'")


async def test_parquet_in_many_small_groups(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_BLOCK", 1)
    monkeypatch.setattr(parquet, "_GROUP_ROWS", 1)
    data = await exported(database, "parquet")
    assert [row["external_id"] for row in read("parquet", data)] == ["10", "9", "Ω"]
    assert pa.parquet.ParquetFile(io.BytesIO(data)).metadata.num_row_groups >= 1


@pytest.mark.parametrize("format_name", ENCODERS)
@pytest.mark.parametrize("table", TABLES)
async def test_every_table_in_every_format(database: Database, table: str, format_name: str) -> None:
    rows = read(format_name, await exported(database, format_name, table=table))
    assert rows
    assert not {"content_hash", "description_hash", "fingerprint"} & rows[0].keys()
    if table == "crawl_runs":
        assert rows[0]["whole_since"] == "-infinity"
    if table == "exchange_rates":
        assert [row["currency"] for row in rows] == ["EUR", "IDR"]
        assert Decimal(rows[1]["usd_per_unit"]) == Decimal("0.00006123456789012345678901234567")
        assert rows[1]["day"] in ("2026-03-01", date(2026, 3, 1))


@pytest.mark.parametrize("format_name", ENCODERS)
async def test_an_internal_column_can_be_asked_for(database: Database, format_name: str) -> None:
    data = await exported(database, format_name, table="rejected_items", columns=("fingerprint", "spider"))
    assert read(format_name, data) == [{"fingerprint": "00ff", "spider": "alpha"}]


@pytest.mark.parametrize("format_name", ENCODERS)
async def test_rows_are_chosen_and_sorted(database: Database, format_name: str) -> None:
    async def keys(**selection: Any) -> list[str]:
        data = await exported(database, format_name, columns=("external_id",), **selection)
        return [row["external_id"] for row in read(format_name, data)]

    assert await keys() == ["10", "9", "Ω"]
    assert await keys(platforms=("beta", "alpha")) == ["10", "9", "Ω"]
    assert await keys(platforms=("beta",)) == ["Ω"]
    # The two without a time were first seen just now.
    assert await keys(since=POSTED + timedelta(microseconds=1)) == ["9", "Ω"]
    assert await keys(since=POSTED, platforms=("alpha",)) == ["10", "9"]
    assert await keys(since=datetime.now(UTC) + timedelta(days=1)) == []


async def test_an_export_is_one_snapshot(server: EmbeddedPostgres, database: Database) -> None:  # noqa: F811
    class Meddling(JsonLinesEncoder):
        async def prepare(self, connection: Any, selection: Selection) -> None:
            await execute(server, "exported", "UPDATE projects SET title = 'meddled' WHERE external_id = '9'")

    stream = io.BytesIO()
    selection = Selection(columns=("title",), platforms=("alpha",))
    assert await export(database.engine, selection, Meddling(Output(stream, "a test"))) == 2
    assert b"meddled" not in stream.getvalue()
    await execute(server, "exported", "UPDATE projects SET title = 'Bare' WHERE external_id = '9'")


async def test_a_platform_without_rows_is_named(database: Database) -> None:
    with pytest.raises(NothingStored, match=r"No row of 'gamma' is in projects; there are rows of alpha, beta"):
        await exported(database, "csv", platforms=("alpha", "gamma"))


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ({"table": "pg_authid"}, "no table 'pg_authid'"),
        ({"columns": ("titel",)}, "did you mean title"),
        ({"columns": ("zzz",)}, "it has platform, external_id"),
        ({"columns": ("title", "title")}, "named twice"),
        ({"columns": ()}, "No column"),
        ({"table": "exchange_rates", "platforms": ("alpha",)}, "leave --platform out"),
    ],
)
def test_a_wrong_selection_is_explained(selection: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongSelection, match=said):
        Selection(**selection)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


class FullDisk(io.BytesIO):
    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("format_name", ENCODERS)
async def test_a_full_disk_leaves_what_was_there(
    database: Database, tmp_path: Path, format_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "projects"
    target.write_text("before")
    with pytest.raises(OutputError, match=r"No space left on device.*free some space"):  # noqa: SIM117, PT012
        with to_file(target, overwrite=True) as output:
            monkeypatch.setattr(output, "stream", FullDisk())
            await export(database.engine, Selection(), ENCODERS[format_name](output))
    assert target.read_text() == "before"
    assert names_in(tmp_path) == [target.name]
    # The connection is usable again.
    assert len(read("jsonl", await exported(database, "jsonl"))) == 3


def test_a_full_disk_that_is_met_in_a_buffer_is_one_sentence_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullRaw(io.FileIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda path, mode: io.BufferedWriter(FullRaw(path, mode.replace("b", ""))))
    target = tmp_path / "projects"
    with pytest.raises(OutputError, match=r"No space left on device.*free some space"):  # noqa: SIM117, PT012
        with to_file(target, overwrite=False) as output:
            output.write(b"less than a buffer holds")
            output.write(b"x" * 100_000)
    assert names_in(tmp_path) == []


async def test_a_stop_in_the_middle_leaves_nothing(database: Database, tmp_path: Path) -> None:
    class Stopped(CsvEncoder):
        def write(self, chunk: bytes) -> None:
            super().write(chunk)
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError), to_file(tmp_path / "a.csv", overwrite=False) as output:
        await export(database.engine, Selection(), Stopped(output))
    assert names_in(tmp_path) == []


def test_a_file_appears_whole_and_is_not_overwritten_unasked(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    with to_file(target, overwrite=False) as output:
        output.write(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    with pytest.raises(TargetExists, match="--overwrite"), to_file(target, overwrite=False):
        pass
    (tmp_path / "link.csv").symlink_to(target)
    with to_file(tmp_path / "link.csv", overwrite=True) as output:
        output.write(b"newer")
    assert target.read_bytes() == b"newer"
    assert (tmp_path / "link.csv").is_symlink()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("place", ["/dev/null", "/proc/a.csv", "/nowhere/a.csv", "."])
def test_a_place_that_takes_no_file_is_named(place: str) -> None:
    with pytest.raises(OutputError, match=f"{Path(place).resolve()}|nowhere"), to_file(Path(place), overwrite=True):
        pass
    assert Path("/dev/null").is_char_device()


def test_a_reader_that_leaves_is_no_other_error() -> None:
    class Gone(io.BytesIO):
        def write(self, data: Any) -> int:
            raise BrokenPipeError

    with pytest.raises(ReaderGone), export_file.to_stream(Gone(), "standard output") as output:
        output.write(b"x")
    assert issubclass(ReaderGone, StorageError)
