"""``scrapy db pages``: the page that ended a crawl can be looked at."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from _crawls import crawl
from platforms_standins.freelancer import FreelancerStandIn

ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)
Run = Callable[..., subprocess.CompletedProcess[str]]


@ONE_SERVER
async def test_the_page_that_ended_a_crawl_can_be_looked_at(database_url: str, tmp_path: Path, scrapy: Run) -> None:
    assert scrapy("db", "pages", DATABASE_URL=database_url).stdout == "No crawl was ended by a page.\n"
    async with FreelancerStandIn(20) as site:
        site.fail("challenge")
        done = await crawl(database_url, tmp_path, base_url=site.base_url)
    assert any("`scrapy db pages 1` prints it" in line for line in done.log)
    listed = scrapy("db", "pages", DATABASE_URL=database_url).stdout
    assert len(listed.splitlines()) == 1
    for part in ("    1  ", "freelancer", "blocked", "403", site.base_url, "Cloudflare"):
        assert part in listed
    printed = scrapy("db", "pages", "1", DATABASE_URL=database_url)
    assert "<title>Just a moment...</title>" in printed.stdout
    assert "freelancer  blocked  403" in printed.stderr


@ONE_SERVER
async def test_a_page_that_is_not_there(database_url: str, scrapy: Run) -> None:
    done = scrapy("db", "pages", "7", DATABASE_URL=database_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "scrapy db: There is no page 7; `scrapy db pages` lists them.\n"


def test_nothing_is_made_to_look_at_nothing(tmp_path: Path, scrapy: Run) -> None:
    done = scrapy("db", "pages")
    assert done.returncode == 1
    assert "run a crawl first" in done.stderr
    assert not list(tmp_path.iterdir())
