"""One page is read with what a developer says of it, and why none came is told."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _crawls import project_settings
from _fixture_checks import FIXTURES
from scrapy.crawler import Crawler
from scrapy.spiderloader import SpiderLoader

from outsourcing_spiders.debugging.one_page import NothingCame, fetch, load, reader_named
from outsourcing_spiders.debugging.reading import read
from outsourcing_spiders.outcomes import WrongArgument
from outsourcing_spiders.spiders.guru import GuruSpider
from outsourcing_spiders.spiders.upwork import UpworkSpider

SETTINGS = project_settings(STORAGE_ENABLED=False)
ACCOUNT = dict.fromkeys(UpworkSpider.official_api.needs, "of an account")


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


# --- more than one way in -----------------------------------------------------------------------------------------

_SKILLS: dict[str, Any] = {"arguments": {"skills": "python"}, "place": None, "detail": False}
_DETAIL: dict[str, Any] = {"arguments": {}, "place": None, "detail": True}
_NO_SKILLS = "upwork cannot be narrowed by skills"


@pytest.mark.parametrize(
    ("account", "page", "wanted", "said"),
    [
        (ACCOUNT, None, _SKILLS, None),
        (ACCOUNT, None, _DETAIL, "upwork's official API reads no pages of single projects"),
        (ACCOUNT, "api.json", _SKILLS, None),
        (ACCOUNT, "search_nuxt3.html", _SKILLS, _NO_SKILLS),
        (ACCOUNT, "bare.html", _SKILLS, _NO_SKILLS),
        (ACCOUNT, "bare.html", _DETAIL, None),
        ({}, None, _SKILLS, _NO_SKILLS),
        ({}, None, _DETAIL, None),
        ({}, "api.json", _SKILLS, None),
    ],
)
def test_what_can_be_asked_for_is_said_by_the_way_in_that_is_taken(
    account: dict[str, str], page: str | None, wanted: dict[str, Any], said: str | None
) -> None:
    settings = project_settings(**account)
    process: Any = SimpleNamespace(settings=settings, spider_loader=SpiderLoader.from_settings(settings))
    file = page and FIXTURES / "upwork" / page
    if said is None:
        assert reader_named(process, "upwork", file, **wanted) is UpworkSpider
    else:
        with pytest.raises(WrongArgument, match=said):
            reader_named(process, "upwork", file, **wanted)


def test_a_page_that_was_saved_by_hand_is_none_of_the_api(tmp_path: Path) -> None:
    page = shutil.copy(FIXTURES / "upwork" / "search_nuxt3.html", tmp_path / "page.html")
    loaded = load(project_settings(**ACCOUNT), UpworkSpider, page, arguments={}, place=None, detail=False)
    assert loaded.meta.address.startswith("https://www.upwork.com/nx/search/jobs/?")
