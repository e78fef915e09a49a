"""``scrapy db backup`` and ``scrapy db restore``, as operators run them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from _databases import address, data_folder, execute, make_database, server, store  # noqa: F401
from _projects import project
from conftest import REPOSITORY, scrapy_environment
from scrapy.cmdline import execute as execute_scrapy

from outsourcing_spiders.storage.embedded import EmbeddedPostgres


class Said(NamedTuple):
    out: str
    err: str


InProcess = Callable[..., Said]


@pytest.fixture
def scrapy_db(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> InProcess:
    """A function that runs the command in this process, which takes a tenth of the time."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("SCRAPY_SETTINGS_MODULE", "outsourcing_spiders.settings")

    def run(*arguments: str, code: int = 0, url: str = "") -> Said:
        places = (f"EMBEDDED_POSTGRES_FOLDER={tmp_path / 'postgresql'}", f"SPOOL_FOLDER={tmp_path / 'spool'}")
        options = [word for setting in (*places, f"DATABASE_URL={url}") for word in ("-s", setting)]
        with pytest.raises(SystemExit) as ended:
            execute_scrapy(["scrapy", "db", *arguments, *options])
        said = Said(*capsys.readouterr())
        assert ended.value.code == code, said.err
        return said

    return run


@pytest.fixture
async def url(server: EmbeddedPostgres) -> str:  # noqa: F811
    """The DATABASE_URL of a database with three projects."""
    database = await make_database(server, "backed_up")
    await store(database, *(project(number) for number in range(3)))
    await database.close()
    return address(server, "backed_up")


@pytest.fixture
async def empty(server: EmbeddedPostgres) -> str:  # noqa: F811
    """The DATABASE_URL of a database without tables."""
    await execute(server, "postgres", "DROP DATABASE IF EXISTS restored WITH (FORCE)", "CREATE DATABASE restored")
    return address(server, "restored")


def test_two_commands(scrapy_db: InProcess, url: str, empty: str, tmp_path: Path) -> None:
    file = tmp_path / "projects.zip"
    said = scrapy_db("backup", str(file), url=url)
    assert re.fullmatch(rf"scrapy db: 3 projects, 9 rows in \d+ tables written to {file} \(.* kB\)\.\n", said.err)
    assert (said.out, file.stat().st_mode & 0o777) == ("", 0o600)
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("manifest.json"))["format"] == 1
    assert "exists already: add --overwrite" in scrapy_db("backup", str(file), code=2, url=url).err
    said = scrapy_db("restore", str(file), url=empty)
    assert said.err == ""
    assert re.search(
        r"^PostgreSQL database 'restored' on .*: 3 projects, 9 rows in .* restored, as of 20.* UTC", said.out
    )
    said = scrapy_db("restore", str(file), code=1, url=empty)
    assert "holds data already" in said.err
    assert said.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_through_a_pipe_into_the_embedded_database(url: str, open_folder: Path) -> None:
    data = open_folder / "piped"
    data.mkdir()

    def piped(*arguments: str, given: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "scrapy", "db", *arguments, "-"],
            cwd=REPOSITORY, env=scrapy_environment(data) | environment, timeout=180, check=True,
            capture_output=True, input=given,
        )  # fmt: skip

    written = piped("backup", DATABASE_URL=url)
    assert b"written to standard output" in written.stderr
    told = piped("restore", given=written.stdout).stdout.decode()
    assert f"the embedded PostgreSQL in {data / 'postgresql'}: 3 projects, 9 rows" in told


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "nothing.zip cannot be read (No such file or directory)."),
        (b"PGDMP", "nothing.zip is no backup of `scrapy db backup`, or not the whole of one."),
    ],
)
def test_no_backup(scrapy_db: InProcess, tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "nothing.zip"
    if content is not None:
        file.write_bytes(content)
    assert scrapy_db("restore", str(file), code=1).err == f"scrapy db: {tmp_path}/{said}\n"
    # No database was made for it.
    assert not (tmp_path / "postgresql").exists()
    assert "there is nothing to back up" in scrapy_db("backup", "-", code=1).err
