"""One page is read with what a developer says of it, and why none came is told."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from _crawls import project_settings
from _fixture_checks import FIXTURES
from scrapy.crawler import Crawler

from outsourcing_spiders.debugging.one_page import NothingCame, fetch, load
from outsourcing_spiders.debugging.reading import read
from outsourcing_spiders.spiders.guru import GuruSpider

SETTINGS = project_settings(STORAGE_ENABLED=False)


class StoppedProcess:
    """Is told to stop before an answer comes, as in a long wait."""

    settings = SETTINGS

    def create_crawler(self, spidercls: type[GuruSpider]) -> Crawler:
        """Make the crawler."""
        return Crawler(spidercls, self.settings)

    def crawl(self, crawler: Crawler, **arguments: str) -> asyncio.Future[None]:
        """Make the spider, which asks for nothing."""
        crawler._apply_settings()
        crawler.spider = crawler._create_spider(**arguments)
        crawler.stats.set_value("finish_reason", "shutdown")
        return asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """End at once."""


async def test_a_stop_is_told_as_what_it_is() -> None:
    process: Any = StoppedProcess()
    arguments = {"base_url": "http://127.0.0.1:1"}
    with pytest.raises(NothingCame, match=r"^nothing came: the crawl was told to stop before it came$"):
        fetch(process, GuruSpider, None, arguments=arguments, place=None, detail=False)


@pytest.mark.parametrize(
    ("place", "address", "asked"),
    [
        (None, None, None),
        ("2", None, "GET https://www.guru.com/d/jobs/pg/2/"),
        (None, "https://www.guru.com/d/jobs/skill/python/?x=1", "GET https://www.guru.com/d/jobs/"),
        ("2", "https://www.guru.com/d/jobs/pg/2/", None),
    ],
)
def test_a_page_from_elsewhere_is_no_broken_request(
    tmp_path: Path, place: str | None, address: str | None, asked: str | None
) -> None:
    page = shutil.copy(FIXTURES / "guru" / "listing_first.html", tmp_path / "page.html")
    wanted: dict[str, Any] = {"arguments": {}, "place": place, "detail": False, "address": address}
    loaded = load(SETTINGS, GuruSpider, page, **wanted, date="2026-09-21T14:00:00Z")
    assert (loaded.meta.asked or None) == asked
    reading = read(GuruSpider, SETTINGS, loaded.meta, loaded.body)
    assert (len(reading.items), reading.not_asked) == (20, None)
