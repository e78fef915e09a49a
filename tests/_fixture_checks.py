"""Read a captured answer again (`scrapy capture`), and compare what the spider makes of it with what is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from _crawls import project_settings
from scrapy.http import Response

from outsourcing_spiders.commands._capture_fixture import Files, Items, Meta, Reading, answer, read
from outsourcing_spiders.platforms.listing import ListingSpider

FIXTURES = Path(__file__).parent / "fixtures"


def loaded(folder: Path, name: str) -> tuple[Meta, bytes]:
    """Return what a fixture is read with, and its page."""
    files = Files(folder, name)
    meta, page = files.load_meta(), files.page()
    assert meta is not None, f"{files.meta} is missing"
    assert page is not None, f"{files.folder} has no page {name}"
    return meta, page.read_bytes()


def saved_answer(folder: Path, name: str) -> Response:
    """Return a saved answer as the spider gets it, with its ``Date``."""
    return answer(*loaded(folder, name))


def reading_of(spidercls: type[ListingSpider[Any]], folder: Path, name: str) -> Reading:
    """Return what the spider makes of a saved answer today."""
    return read(spidercls, project_settings(STORAGE_ENABLED=False), *loaded(folder, name))


def saved_items(folder: Path, name: str) -> Items:
    """Return the items of a fixture, with the fields that projects have got since it was saved."""
    items = Files(folder, name).load_items()
    assert items is not None, f"{folder / name}.items.json is missing"
    return items


def check_fixture(spidercls: type[ListingSpider[Any]], folder: Path, name: str) -> None:
    """Assert that a captured answer gives the items that were saved with it, or fails as it did."""
    reading = reading_of(spidercls, folder, name)
    if loaded(folder, name)[0].problem:
        assert reading.problem is not None
    else:
        assert (reading.items, reading.problem) == (saved_items(folder, name), None)
