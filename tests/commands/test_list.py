"""`scrapy list` explains itself to people, and gives programs the names alone."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import scrapy_environment

REPOSITORY = Path(__file__).parents[2]
NAMES = sorted(file.stem for file in (REPOSITORY / "outsourcing_spiders" / "spiders").glob("[!_]*.py"))
Scrapy = Callable[..., subprocess.CompletedProcess[str]]


def on_a_terminal(folder: Path, columns: int, **environment: str) -> str:
    """Return what ``scrapy list`` prints on a terminal, without its colours."""
    ours, theirs = pty.openpty()
    environment = {"COLUMNS": str(columns), "TERM": "xterm", "DATABASE_URL": "postgresql://127.0.0.1:1/x"} | environment
    with subprocess.Popen(
        [sys.executable, "-m", "scrapy", "list"], cwd=REPOSITORY, env=scrapy_environment(folder) | environment,
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        # Linux says "no such device" at the end, macOS nothing.
        with suppress(OSError):
            while piece := os.read(ours, 65536):
                seen += piece
        assert process.wait(60) == 0
    os.close(ours)
    return re.sub(r"\x1b\[[\d;]*m", "", seen.decode()).replace("\r\n", "\n")


def rows_of(table: str) -> dict[str, list[str]]:
    """Return what stands in the cells of a table, without blanks: how wide they are, the longest decide."""
    header, *lines = table.splitlines()
    begins = [header.index(name) for name in header.split()]
    rows: dict[str, list[str]] = {}
    cells: list[str] = []
    for line in lines:
        if not line.startswith(" "):
            cells = rows[line.split()[0]] = [""] * len(begins)
        for number, (begin, end) in enumerate(zip(begins, [*begins[1:], None], strict=True)):
            cells[number] += "".join(line[begin:end].split())
    return rows


def test_programs_get_the_names_alone(scrapy: Scrapy) -> None:
    # As Scrapyd's runner asks.
    ended = scrapy("list", "-s", "LOG_STDOUT=0", DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [name for name in ended.stdout.splitlines() if name in NAMES] == NAMES
    assert all(re.fullmatch(r"\w+", line) for line in ended.stdout.splitlines())


@pytest.mark.parametrize("columns", [72, 60, 40])
def test_names_to_be_copied_stay_whole_on_a_narrow_terminal(tmp_path: Path, columns: int) -> None:
    shown = on_a_terminal(tmp_path, columns)
    assert max(map(len, shown.splitlines())) <= columns
    assert re.findall(r"^Spider +(\S+)$", shown, re.MULTILINE) == NAMES
    for name in ("FREELANCER_TOKEN", "UPWORK_CLIENT_SECRET", "UPWORK_REFRESH_TOKEN", "PERMITTED_PLATFORMS=wishket"):
        assert name in shown


@pytest.mark.parametrize("columns", [200, 80])
def test_people_are_told_what_each_reads_and_needs(tmp_path: Path, columns: int) -> None:
    shown = on_a_terminal(tmp_path, columns)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= columns
    assert re.split(r"\s{2,}", lines[0].strip()) == ["Spider", "Access", "Needs", "Reads"]
    assert [line.split()[0] for line in lines[1:] if not line.startswith(" ")] == NAMES
    # Aligned: what is needed begins in the same column everywhere.
    at = lines[0].index("Needs")
    assert all(line[at - 2 : at].strip() == "" for line in lines)
    told = " ".join(shown.split())
    if columns == 200:
        assert "freelancer api FREELANCER_TOKEN (optional) Open projects of Freelancer.com, newest first" in told
    assert "PERMITTED_PLATFORMS=wishket" in shown
    assert "UPWORK_REFRESH_TOKEN" in shown


def test_the_lines_in_the_readme_come(tmp_path: Path) -> None:
    text = (REPOSITORY / "README.md").read_text()
    told = re.findall(r"^\$ scrapy list\n((?:.*\n)*?)```", text, re.MULTILINE)
    assert told
    wanted, shown = rows_of(told[0].replace("…\n", "")), rows_of(on_a_terminal(tmp_path, 80, TERM="dumb"))
    assert {name: shown.get(name) for name in wanted} == wanted


def test_what_is_set_and_permitted_is_told(scrapy: Scrapy) -> None:
    account = {f"UPWORK_{name}": "abcdefgh" for name in ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN")}
    ended = scrapy("list", "--explain", PERMITTED_PLATFORMS="wishket", FREELANCER_TOKEN="very-secret", **account)
    assert ended.returncode == 0
    rows = {line.split()[0]: re.split(r"\s{2,}", line) for line in ended.stdout.splitlines()[1:]}
    assert rows["freelancer"][1:3] == ["api", "FREELANCER_TOKEN (set)"]
    assert rows["wishket"][1:] == ["permission (given)", "-", "Projects of Wishket, newest first"]
    assert rows["guru"][1:] == ["public", "-", "Open jobs of Guru.com, newest first"]
    assert rows["upwork"][2].endswith("UPWORK_CLIENT_ID, UPWORK_CLIENT_SECRET, UPWORK_REFRESH_TOKEN (set)")
    assert "secret" not in ended.stdout
    assert "abcdefgh" not in ended.stdout
