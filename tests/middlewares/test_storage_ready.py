"""The first contact with the database."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from _crawls import crawl, project_settings
from platforms_standins.freelancer import FreelancerStandIn
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from outsourcing_spiders.extensions.run_log import RunLog
from outsourcing_spiders.middlewares.known_projects import KnownProjectsMiddleware
from outsourcing_spiders.middlewares.storage_ready import StorageReadyMiddleware
from outsourcing_spiders.pipelines.storage import StoragePipeline
from outsourcing_spiders.spiders.freelancer import FreelancerSpider


async def test_a_database_that_cannot_be_used_ends_the_crawl_before_its_first_request(tmp_path: Path) -> None:
    url = "postgresql://127.0.0.1:1/nothing"
    async with FreelancerStandIn(20) as site:
        done = await crawl(url, tmp_path, base_url=site.base_url)
        assert site.requests == []
    assert done.reason == "database_unreachable"
    assert len(done.errors) == 1
    assert "Traceback" not in "".join(done.log)
    assert done.errors[0].endswith(str(done.outcome))


@pytest.mark.parametrize("component", [StorageReadyMiddleware, KnownProjectsMiddleware, StoragePipeline, RunLog])
def test_where_nothing_is_stored_nothing_needs_a_database(component: type) -> None:
    crawler = Crawler(FreelancerSpider, project_settings(STORAGE_ENABLED=False))
    with pytest.raises(NotConfigured):
        component.from_crawler(crawler)


async def test_a_crawl_without_storage_makes_the_same_items(tmp_path: Path) -> None:
    async with FreelancerStandIn(20, odd_rows=False, short_pages=False) as site:
        done = await crawl(None, tmp_path, base_url=site.base_url)
    assert done.reason == "finished"
    assert len(done.items) == 20
    assert not [*os.scandir(tmp_path)]
