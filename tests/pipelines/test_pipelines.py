"""Validation and storage as Scrapy calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from _crawls import crawl, fetch, project_settings, runs
from platforms_standins.freelancer import FreelancerStandIn
from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem

from outsourcing_spiders.items import Budget, Project
from outsourcing_spiders.pipelines.validation import ValidationPipeline
from outsourcing_spiders.spiders.freelancer import FreelancerSpider
from outsourcing_spiders.storage.store import Store

ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)


def project(**fields: Any) -> Project:
    return Project(
        **{"platform": "freelancer", "external_id": "1", "url": "https://x.example/1", "title": "A title"} | fields
    )


@pytest.fixture
def validation() -> ValidationPipeline:
    crawler = Crawler(FreelancerSpider, project_settings(STORAGE_ENABLED=False))
    crawler._apply_settings()
    return ValidationPipeline.from_crawler(crawler)


async def test_an_item_that_cannot_be_stored_is_dropped_with_the_reason(validation: ValidationPipeline) -> None:
    for item, reason in (
        (project(title=" \0 "), "title is empty"),
        (project(external_id=""), "external_id is missing"),
        ({"title": "a dictionary"}, "a spider must emit Project, not dict"),
    ):
        with pytest.raises(DropItem, match=reason):
            await validation.process_item(item)


async def test_values_that_had_to_go_are_counted_by_name(validation: ValidationPipeline) -> None:
    item = await validation.process_item(project(language="klingon", budget=Budget(currency="ZZZ")))
    assert item.language is None
    stats = validation._crawler.stats.get_stats()
    assert stats == {"outsourcing/unusable/language": 1, "outsourcing/unusable/budget.currency": 1}


class Spoiling(FreelancerSpider):
    """Emits what the database refuses, what is no project, and the same project twice."""

    def parse(self, response: Any, place: Any = None) -> Any:
        first = None
        for output in super().parse(response, place):
            if isinstance(output, Project) and first is None:
                first = output
                yield {"title": "a dictionary"}
                yield project(
                    external_id="refused", budget=Budget(minimum=None), bid_count=1, extra={"x": float("nan")}
                )
                yield project(external_id="twice")
                yield project(external_id="twice", title="Another title")
            yield output


@ONE_SERVER
async def test_what_is_not_stored_is_kept_with_the_reason_and_the_fates_add_up(
    database_url: str, tmp_path: Path
) -> None:
    async with FreelancerStandIn(20, odd_rows=False, short_pages=False) as site:
        done = await crawl(database_url, tmp_path, spider=Spoiling, base_url=site.base_url)
    (run,) = await runs(database_url)
    assert done.reason == "finished"
    assert run["items_scraped"] == 24
    assert run["rejected"] == len(await fetch(database_url, "SELECT FROM rejected_items")) >= 1
    assert run["merged"] + run["written"] + run["unchanged"] + run["rejected"] == 24
    reasons = [row["reason"] for row in await fetch(database_url, "SELECT reason FROM rejected_items")]
    assert "a spider must emit Project, not dict" in reasons
    assert run["stats"]["rejected/a spider must emit Project, not dict"] == 1


@ONE_SERVER
async def test_closing_never_raises(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drain = Store.drain

    async def fail(self: Store) -> None:
        await drain(self)
        raise RuntimeError("a bug")

    monkeypatch.setattr(Store, "drain", fail)
    async with FreelancerStandIn(20, odd_rows=False, short_pages=False) as site:
        done = await crawl(database_url, tmp_path, base_url=site.base_url)
    assert done.reason == "finished"
    assert [line for line in done.errors if "Closing the database writer failed" in line]
    (run,) = await runs(database_url)
    assert run["written"] == 20
