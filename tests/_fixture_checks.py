"""Read a fixture again, as ``scrapy check`` does, and compare what the spider makes of it with what is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from _crawls import project_settings
from scrapy.http import Response

from outsourcing_spiders.debugging.fixtures import Files, Items, answer, find
from outsourcing_spiders.debugging.reading import Reading, make_spider, read
from outsourcing_spiders.platforms.listing import ListingSpider

FIXTURES = Path(__file__).parent / "fixtures"

Spider = type[ListingSpider[Any]]


def saved_answer(folder: Path, name: str) -> Response:
    """Return a saved answer as the spider gets it, with its ``Date``."""
    files = Files(folder, name)
    meta, page = files.load_meta(), files.page()
    assert meta is not None, f"{files.meta} is missing"
    assert page is not None, f"{folder} has no page {name}"
    return answer(meta, page.read_bytes())


def spider_of(spidercls: Spider, folder: Path, name: str) -> tuple[Any, Response]:
    """Return the spider that reads a fixture, and the answer that it gets."""
    fixture = Files(folder, name).load()
    spider = make_spider(spidercls, project_settings(), fixture.meta)
    return spider, answer(fixture.meta, fixture.body)


def reading_of(spidercls: Spider, folder: Path, name: str) -> Reading:
    """Return what the spider makes of a saved answer today."""
    fixture = Files(folder, name).load()
    return read(spidercls, project_settings(), fixture.meta, fixture.body)


def saved_items(folder: Path, name: str) -> Items:
    """Return the items of a fixture, with the fields that projects have got since it was saved."""
    return Files(folder, name).load().items


def names_of(platform: str) -> list[str]:
    """Return the names of a platform's fixtures, to make a test of each."""
    return [files.name for files in find(FIXTURES / platform)]


def check_fixture(spidercls: Spider, folder: Path, name: str) -> None:
    """Assert that a saved answer gives the items that were saved with it, or ends the crawl as it did."""
    fixture = Files(folder, name).load()
    reading = read(spidercls, project_settings(), fixture.meta, fixture.body)
    if fixture.meta.outcome:
        assert reading.outcome == fixture.meta.outcome
    else:
        assert (reading.problem, reading.items) == (None, fixture.items)
