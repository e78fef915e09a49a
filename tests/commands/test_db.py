"""``scrapy db`` as users run it: real processes, a real server."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet
import pytest
from _databases import address, data_folder, make_database, server, store  # noqa: F401
from _databases import execute as execute_sql
from conftest import Server
from scrapy.cmdline import execute

import outsourcing_spiders
from outsourcing_spiders.items import Project
from outsourcing_spiders.storage.embedded import EmbeddedPostgres
from outsourcing_spiders.storage.engine import Database
from outsourcing_spiders.storage.rows import prepare, stamped
from outsourcing_spiders.storage.spool import Spool
from outsourcing_spiders.storage.tables import SCHEMA_REVISION

REPOSITORY = Path(outsourcing_spiders.__file__).parents[1]
PASSWORD = "s3cr3t-w0rd"
PROJECT = Project(platform="alpha", external_id="1", url="https://www.example.com/1", title="Größe, 日本語")
PROJECTS = (PROJECT, replace(PROJECT, external_id="2", title="=1+1"), replace(PROJECT, platform="beta"))


def environment(data: Path, **changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "COLUMNS", "FORCE_COLOR")}
    return kept | {"OUTSOURCING_SPIDERS_DATA": str(data)} | changes


def scrapy_db(data: Path, *arguments: str, code: int = 0, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the command; check its exit code, and that it shows neither a password nor a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "scrapy", "db", *arguments],
        cwd=REPOSITORY, env=environment(data, **changes), capture_output=True, text=True, encoding="utf-8", timeout=180,
        check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    if "DEBUG" not in arguments:
        assert "Traceback" not in done.stderr
    return done


class Said(NamedTuple):
    out: str
    err: str


InProcess = Callable[..., Said]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> InProcess:
    """A function that runs the command in this process, which takes a tenth of the time; for plain tests only."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("SCRAPY_SETTINGS_MODULE", "outsourcing_spiders.settings")

    def run(*arguments: str, code: int = 0, url: str = "") -> Said:
        places = (f"EMBEDDED_POSTGRES_FOLDER={tmp_path / 'postgresql'}", f"SPOOL_FOLDER={tmp_path / 'spool'}")
        options = [word for setting in (*places, f"DATABASE_URL={url}") for word in ("-s", setting)]
        with pytest.raises(SystemExit) as ended:
            execute(["scrapy", "db", *arguments, *options])
        said = Said(*capsys.readouterr())
        assert ended.value.code == code, said.err
        assert PASSWORD not in said.out + said.err
        if code:
            assert said.out == ""
            assert said.err.count("\n") == 1
        assert not list(tmp_path.iterdir())
        return said

    return run


@pytest.fixture(scope="session")
async def filled(server: EmbeddedPostgres) -> str:  # noqa: F811
    """The DATABASE_URL of a database with three projects, a run and a rejected item."""
    database = await make_database(server, "filled")
    await store(database, *PROJECTS)
    await database.close()
    await execute_sql(
        server, "filled",
        "INSERT INTO crawl_runs (spider, started_at, finished_at, reason, written, requests, listing) "
        "VALUES ('alpha', '2026-03-01T00:00Z', '2026-03-01T01:00Z', 'up_to_date', 2, 7, '{}')",
        "INSERT INTO rejected_items (spider, reason, payload, rejected_at, fingerprint) "
        "VALUES ('alpha', 'no title', '{}', now(), '\\x00')",
        "CREATE ROLE stranger LOGIN", "CREATE ROLE reader LOGIN", "GRANT SELECT ON projects TO reader",
        "GRANT SELECT ON alembic_version TO reader",
    )  # fmt: skip
    return address(server, "filled")


def test_alone_it_explains_itself(tmp_path: Path) -> None:
    done = scrapy_db(tmp_path)
    assert all(name in done.stdout for name in ("status", "upgrade", "export", "replay"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "--jsn"], "unknown argument '--jsn'; see: scrapy db status -h"),
        (["export", "--format", "xlsx"], "invalid choice: 'xlsx'"),
        (["export", "--output", "a.xlsx"], "add --format csv|jsonl|parquet"),
        (["export", "--format", "parquet"], "Parquet needs a file"),
        (["export", "--columns", "title,pric"], "no column 'pric'"),
        (["export", "--since", "soon"], "--since: 'soon' is neither an ISO time"),
    ],
)
def test_a_wrong_command_line(in_process: InProcess, arguments: list[str], said: str) -> None:
    assert said in in_process(*arguments, code=2).err


def test_before_any_data_nothing_is_made(tmp_path: Path, in_process: InProcess) -> None:
    done = scrapy_db(tmp_path, "status")
    assert "Nothing is stored yet" in done.stdout
    assert str(tmp_path / "postgresql") in done.stdout
    assert not list(tmp_path.iterdir())
    status = json.loads(in_process("status", "--json").out)
    assert (status["exists"], status["schema_revision"], status["tables"]) == (False, None, [])
    assert "run a crawl first" in in_process("export", code=1).err
    assert "Nothing waits" in in_process("replay").out


def test_status_of_a_database_in_use(data_folder: Path, filled: str) -> None:  # noqa: F811
    lines = scrapy_db(data_folder, "status", DATABASE_URL=filled).stdout.splitlines()
    words = [line.split() for line in lines]
    assert ["Schema", f"current, revision {SCHEMA_REVISION} (newest known: {SCHEMA_REVISION})"] == [
        part.strip() for part in next(line for line in lines if line.startswith("Schema")).split("  ", 1)
    ]
    assert ["projects", "3"] in [line[:2] for line in words]
    assert ["alpha", "2", "-"] in [line[:3] for line in words]
    assert ["alpha", "2026-03-01", "00:00:00Z", "up_to_date", "0", "2", "0", "0", "0", "0", "7"] in words
    assert "Texts waiting to be indexed for search: 3" in lines
    assert "Items rejected in the last 24 hours: 1" in lines
    assert not any("\x1b" in line for line in lines)
    coloured = scrapy_db(data_folder, "status", DATABASE_URL=filled, FORCE_COLOR="1").stdout
    assert "\x1b[1m" in coloured
    assert "\\x1b" not in coloured
    psql = next(line.partition(": ")[2] for line in lines if line.startswith("  or: "))
    assert shlex.split(psql)[0] == "psql"
    assert shlex.split(psql)[1].startswith("postgresql://postgres@")

    status = json.loads(scrapy_db(data_folder, "status", "--json", DATABASE_URL=filled).stdout)
    assert (status["database"], status["embedded"], status["schema"]) == ("filled", False, "current")
    assert {table["name"]: table["rows"] for table in status["tables"]}["projects"] == 3
    assert [platform["projects"] for platform in status["platforms"]] == [2, 1]
    assert status["last_runs"][0]["started_at"] == "2026-03-01T00:00:00Z"
    assert (status["texts_to_index"], status["rejected_last_day"]) == (3, 1)


def test_status_tells_what_this_user_may_not_see(data_folder: Path, server: EmbeddedPostgres, filled: str) -> None:  # noqa: F811
    url = address(server, "filled", f"reader:{PASSWORD}") + f"&password={PASSWORD}"
    done = scrapy_db(data_folder, "status", DATABASE_URL=url)
    assert "crawl runs: permission denied for table crawl_runs" in done.stdout
    assert "beta" in done.stdout


def test_status_changes_no_schema(in_process: InProcess, server: EmbeddedPostgres) -> None:  # noqa: F811
    url = address(server, "odd")
    asyncio.run(execute_sql(server, "postgres", "CREATE DATABASE odd"))
    empty = json.loads(in_process("status", "--json", url=url).out)
    assert (empty["schema"], empty["schema_revision"], empty["tables"], empty["notes"]) == ("missing", None, [], [])
    assert "scrapy db upgrade" in empty["advice"]
    assert "scrapy db upgrade" in in_process("export", code=1, url=url).err
    assert "missing (newest known" in in_process("status", url=url).out

    assert f"from nothing to revision {SCHEMA_REVISION}" in in_process("upgrade", url=url).out
    assert "is up to date" in in_process("upgrade", url=url).out

    asyncio.run(
        execute_sql(server, "odd", "UPDATE alembic_version SET version_num = 'ffff'", "DROP TABLE rejected_items")
    )
    newer = json.loads(in_process("status", "--json", url=url).out)
    assert (newer["schema"], newer["schema_revision"]) == ("newer", "ffff")
    assert "update the code" in newer["advice"]
    assert newer["rejected_last_day"] is None
    assert any("rejected_items" in note for note in newer["notes"])
    for command in ("upgrade", "export"):
        assert "newer version" in in_process(command, code=1, url=url).err


def test_status_of_the_embedded_database(server: EmbeddedPostgres, data_folder: Path) -> None:  # noqa: F811
    status = json.loads(scrapy_db(data_folder, "status", "--json").stdout)
    assert (status["embedded"], status["folder"]) == (True, str(data_folder / "postgresql"))
    assert status["psql"] == server.psql_command
    assert server.is_running()


def test_psql_starts_the_embedded_server_and_asks_it(data_folder: Path, filled: str) -> None:  # noqa: F811
    url = f"DATABASE_URL={filled}"
    asked = scrapy_db(data_folder, "psql", "-c", "SELECT title FROM projects ORDER BY platform, external_id", "-s", url)
    assert "Größe, 日本語" in asked.stdout
    assert 'column "nonsense" does not exist' in scrapy_db(data_folder, "psql", "-c", "SELECT nonsense", code=1).stderr


def test_psql_needs_no_password_on_its_command_line(tmp_path: Path, oldest_server: Server) -> None:
    url = oldest_server.url("postgres")
    asked = scrapy_db(tmp_path, "psql", "-c", "SELECT current_user, 6 * 7", DATABASE_URL=url)
    assert "tester" in asked.stdout
    assert "42" in asked.stdout


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"mysql://root:{PASSWORD}@localhost/x", "begins with mysql://"),
        (f"postgresql://root:{PASSWORD}@[::1/x", "DATABASE_URL is not an address"),
        (f"postgresql://root:{PASSWORD}@localhost:1/x", "start the server or correct DATABASE_URL"),
        ("postgresql://postgres@/nonexistent?host={run}", "does not exist"),
    ],
)
def test_a_wrong_address(in_process: InProcess, server: EmbeddedPostgres, url: str, said: str) -> None:  # noqa: F811
    assert said in in_process("status", code=1, url=url.format(run=server.run)).err


def test_debug_shows_the_traceback(data_folder: Path) -> None:  # noqa: F811
    done = scrapy_db(data_folder, "export", "-L", "DEBUG", "-s", "DATABASE_URL=postgresql://u@localhost:1/x", code=1)
    assert "Traceback" in done.stderr


def test_export_to_files(
    data_folder: Path, filled: str, tmp_path_factory: pytest.TempPathFactory, in_process: InProcess  # noqa: F811
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("exports")
    target = folder / "größe.csv"
    done = scrapy_db(data_folder, "export", "--output", str(target), DATABASE_URL=filled)
    assert f"3 rows of projects written to {target}" in done.stderr
    assert done.stdout == ""
    with target.open(encoding="utf-8", newline="") as file:
        assert [row["title"] for row in csv.DictReader(file)] == ["Größe, 日本語", "=1+1", "Größe, 日本語"]

    export = ("export", "--output", str(target))
    assert "--overwrite" in in_process(*export, code=2, url=filled).err
    asked = ("--format", "parquet", "--columns", "title, platform", "--platform", "beta")
    in_process(*export, "--overwrite", *asked, url=filled)
    assert pa.parquet.read_table(target).to_pylist() == [{"title": "Größe, 日本語", "platform": "beta"}]

    said = in_process(*export, "--overwrite", "--platform", "gamma", code=1, url=filled).err
    assert "there are rows of alpha, beta" in said
    assert pa.parquet.read_table(target).num_rows == 1
    assert [path.name for path in folder.iterdir()] == [target.name]


def test_export_to_standard_output(data_folder: Path, filled: str) -> None:  # noqa: F811
    asked = ("export", "--format", "jsonl", "--table", "crawl_runs", "--since", "2026-01-01")
    done = scrapy_db(data_folder, *asked, DATABASE_URL=filled)
    assert json.loads(done.stdout)["reason"] == "up_to_date"
    rows = list(csv.reader(io.StringIO(scrapy_db(data_folder, "export", DATABASE_URL=filled).stdout)))
    assert len(rows) == 4


async def test_export_ends_quietly_when_nobody_reads_on(data_folder: Path, server: EmbeddedPostgres) -> None:  # noqa: F811
    database = await make_database(server, "long")
    await store(database, *(replace(PROJECT, external_id=str(n), title="x" * 1000) for n in range(3_000)))
    await database.close()
    scrapy = f"{shlex.quote(sys.executable)} -m scrapy"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"set -o pipefail; {scrapy} db status | head -c 0; {scrapy} db export | head -c 20"),
        cwd=REPOSITORY, env=environment(data_folder, DATABASE_URL=address(server, "long")),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    output, said = await process.communicate()
    assert (process.returncode, output, said) == (0, b"platform,external_id", b"")


async def test_replay_stores_what_waits(data_folder: Path, server: EmbeddedPostgres) -> None:  # noqa: F811
    database = await make_database(server, "replayed")
    await store(database, PROJECT)
    await database.close()
    url = address(server, "replayed")
    seen = datetime.now(UTC)
    spools = data_folder / "spool"
    lines = [stamped(prepare(project).line, seen) for project in PROJECTS]
    Spool(spools, Database(url, embedded_root=server.root).dsn).put("projects", lines)
    Spool(spools, "another").put("projects", lines)

    status = json.loads(scrapy_db(data_folder, "status", "--json", DATABASE_URL=url).stdout)
    spool = status["spool"]
    assert (spool["files"], spool["rows"], spool["files_of_other_databases"]) == (1, 3, 1)
    done = scrapy_db(data_folder, "replay", DATABASE_URL=url)
    assert "Stored 3 projects from 1 files: 2 new, 0 changed, 1 known already, 0 rejected" in done.stdout
    assert "1 files in" in done.stdout
    done = scrapy_db(data_folder, "replay", DATABASE_URL=url)
    assert "Stored 0 projects" in done.stdout
