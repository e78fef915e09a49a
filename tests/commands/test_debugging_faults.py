"""What a newcomer does wrong with the commands for debugging is told in a line, and ends them."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import scrapy_environment

REPOSITORY = Path(__file__).parents[2]
GURU = "tests/fixtures/guru"
LISTING = f"{GURU}/listing_first.html"
SCRAPY = [sys.executable, "-m", "scrapy"]


def environment(**more: str) -> dict[str, str]:
    """Return an environment with a database that is down."""
    down = {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "SCRAPY_PYTHON_SHELL": "python", "COLUMNS": "150"}
    return scrapy_environment(Path("/proc/nowhere")) | down | more


def scrapy(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*SCRAPY, *arguments], cwd=REPOSITORY, env=environment(**more), capture_output=True, text=True, timeout=180,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["shell", "--spider=guru", GURU], 2, "scrapy shell: 'tests/fixtures/guru' is a folder; name a file in it"),
        (["shell", f"{GURU}/nothing.html"], 2, "is neither a web address nor a file"),
        (["shell", f"{GURU}/detail.meta.json"], 2, f"saved beside a page; read {GURU}/detail.html"),
        (["shell", LISTING, "-c", "explian(rows[0])"], 1, "-c explian(rows[0]): NameError: name 'explian' is not"),
        (["shell", LISTING, "-c", "explain(rows)"], 1, "explain takes one row: explain(rows[0])"),
        (["shell", LISTING, "-c", "explain(rows[0])['bids']"], 1, "no field 'bids'; there are platform, external_id,"),
        (["shell", LISTING, "-c", "x = 1"], 1, "an expression is wanted"),
        (["parse", "--spider=guru", f"{GURU}/nothing.html"], 2, "is neither a web address nor a file"),
        (["parse", "pyproject.toml"], 2, "which spider is to read it? --spider=NAME"),
        (["parse", LISTING, "-c", "pars"], 2, "scrapy parse: guru has no callback 'pars'"),
        (["diff", "guru", GURU], 2, "is a folder; name a file in it"),
        (["check", "guru", "--folder", "/nowhere"], 2, "scrapy check: there is no folder '/nowhere'"),
    ],
)
def test_a_mistake_is_told_in_a_line(command: list[str], code: int, said: str) -> None:
    ended = scrapy(*command)
    assert said in ended.stderr
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.count("\n") == 1


def test_a_page_that_gives_nothing_is_no_success_of_parse() -> None:
    ended = scrapy("parse", f"{GURU}/blocked.html")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "Imperva Incapsula keeps programs out" in ended.stderr


def test_a_row_that_cannot_be_read_is_no_success_of_parse(tmp_path: Path) -> None:
    page = tmp_path / "guru.html"
    page.write_text((REPOSITORY / LISTING).read_text().replace("data-gid", "data-id", 1))
    ended = scrapy("parse", "--spider=guru", str(page), "--nolinks")
    assert ended.returncode == 1
    assert re.search(r"^ +0  no id +it has no id \(KeyError: 'data-gid'\)", ended.stdout, re.MULTILINE)
    assert ended.stdout.count("stored as it is") == 19


def test_an_address_of_no_spider_is_not_waited_for_without_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        ended = scrapy("shell", address, "-s", "ROBOTSTXT_OBEY=0", "--timeout", "1", "-c", "response")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "--spider=NAME puts rows, item and explain in reach" in ended.stderr
    assert "took longer than 1" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "command", [f"parse {LISTING}", "check guru freemoa", f"shell {LISTING} -c 'explain(rows[0])'"]
)
def test_who_reads_no_further_is_no_error(command: str) -> None:
    ended = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m scrapy {command} | true"], cwd=REPOSITORY, env=environment(),
        capture_output=True, text=True, timeout=180, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in ended.stderr
    assert "BrokenPipe" not in ended.stderr


@pytest.mark.parametrize(
    "command",
    [["list", "--explain"], ["parse", "tests/fixtures/freemoa/listing.json"], ["shell", LISTING, "-c", "explain()"]],
)
def test_a_locale_that_has_no_such_letters(command: list[str]) -> None:
    ended = scrapy(*command, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.isascii()


def test_a_console_wants_somebody_who_types() -> None:
    ended = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m scrapy shell {LISTING} <&-"], cwd=REPOSITORY, env=environment(),
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert (
        ended.stderr
        == "scrapy shell: standard input is closed, so that nothing can be typed; -c CODE prints and ends\n"
    )


def test_a_narrow_terminal_gets_no_table() -> None:
    ended = scrapy("shell", LISTING, "-c", "explain(rows[0])", COLUMNS="40")
    lines = ended.stdout.splitlines()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert max(map(len, lines[:-1])) < 40
    at = lines.index("bid_count: 3")
    assert lines[at + 1 : at + 3] == ["  raw   '21 hrs ago', '3 Quotes Receiv…", "  from  .jobRecord__meta strong"]
    assert lines[lines.index("client.rating:") + 1] == "  empty '.feedback-score' matches"
