"""The commands for looking at pages need no database, and do not touch one that is configured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from platforms_standins._server import StandInProcess
from platforms_standins.freelancer import standin_process

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site() -> Iterator[StandInProcess]:
    """A small Freelancer.com."""
    with standin_process(projects=250, seed=1) as site:
        yield site


def scrapy(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with a database that is down and a data folder that cannot be made."""
    return subprocess.run(
        [sys.executable, "-m", "scrapy", *arguments],
        cwd=REPOSITORY,
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "OUTSOURCING_SPIDERS_DATA": "/proc/nowhere",
            "DATABASE_URL": "postgresql://127.0.0.1:1/x",
            "SCRAPY_PYTHON_SHELL": "python",
        },
        input=typed,
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_fetch_prints_the_page_alone(site: StandInProcess) -> None:
    ended = scrapy("fetch", "--spider=freelancer", f"{site.base_url}/robots.txt")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("User-agent: *")


def test_check_runs_the_contracts(site: StandInProcess) -> None:
    site.requests(clear=True)
    ended = scrapy("check")
    assert ended.returncode == 0
    assert ended.stderr.rstrip().endswith("OK")
    assert site.requests() == []


def test_list() -> None:
    ended = scrapy("list")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "freelancer" in ended.stdout.split()
