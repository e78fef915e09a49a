"""Commands that have sub-commands take Scrapy's own options wherever they stand."""

from __future__ import annotations

import argparse
from typing import Any

import pytest
from scrapy.commands import ScrapyCommand
from scrapy.settings import Settings

from outsourcing_spiders.commands import db, deployment


def read(command: ScrapyCommand, *words: str) -> argparse.Namespace:
    """Read what follows the command's name, as Scrapy does."""
    command.settings = Settings()
    parser = argparse.ArgumentParser(conflict_handler="resolve")
    command.add_options(parser)
    opts, unknown = parser.parse_known_args(words)
    command.process_options(unknown, opts)
    return opts


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["health", "-s", "A=1"], {"part": "health", "parts": []}),
        (["health", "-s", "A=b c", "crawls", "-LDEBUG", "database"], {"parts": ["crawls", "database"]}),
        (
            ["-L", "DEBUG", "-s", "A=1", "health", "scrapyd", "--set", "B=2"],
            {"loglevel": "DEBUG", "set": ["A=1", "B=2"]},
        ),
        (["health", "--logfile", "x", "--", "crawls"], {"parts": ["crawls"], "logfile": "x"}),
        (["systemd", "-s", "A=1", "--user", "u", "--program=/x", "--output", "o"], {"user": "u", "output": "o"}),
        (["-s", "A=1"], {"part": None}),
    ],
)
def test_what_deployment_reads(words: list[str], expected: dict[str, Any]) -> None:
    opts = vars(read(deployment.Command(), *words))
    assert opts | expected == opts


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pages", "-s", "A=1"], {"number": None, "set": ["A=1"]}),
        (["pages", "-L", "DEBUG", "7"], {"number": 7, "loglevel": "DEBUG"}),
        (["psql", "-c", "-- s", "-s", "A=1", "-c", "SELECT 1"], {"command": ["-- s", "SELECT 1"]}),
        (["backup", "-", "--overwrite"], {"file": "-", "overwrite": True}),
    ],
)
def test_what_db_reads(words: list[str], expected: dict[str, Any]) -> None:
    opts = vars(read(db.Command(), *words))
    assert opts | expected == opts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["health", "-s"], "argument -s/--set: expected one argument; see: scrapy deployment health -h"),
        (["health", "--bogus", "-s", "A=1"], "unknown argument '--bogus'; see: scrapy deployment health -h"),
        (["systemd", "here"], "unknown argument 'here'; see: scrapy deployment systemd -h"),
        (["systemd", "--out", "here"], "unknown argument '--out'; see: scrapy deployment systemd -h"),
        (["--bogus"], "unknown argument '--bogus'; see: scrapy deployment -h"),
    ],
)
def test_a_wrong_line_is_one_sentence(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        read(deployment.Command(), *words)
    assert capsys.readouterr().err == f"scrapy deployment: {said}\n"


@pytest.mark.parametrize("words", [["-h"], ["health", "-h"], ["health", "-s", "A=1", "--help"]])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        read(deployment.Command(), *words)
    shown = capsys.readouterr().out
    assert ("PART" in shown) == (words[0] == "health")
    assert "-s NAME=VALUE" in shown
