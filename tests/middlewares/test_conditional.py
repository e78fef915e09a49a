"""Pages that answer "not modified"."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, fetch, runs
from aiohttp import web
from platforms_standins._server import Answer
from platforms_standins.freelancer import FreelancerStandIn

ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)


class ValidatingStandIn(FreelancerStandIn):
    """Sends validators, and 304 to who has them."""

    etags, dates = True, False

    def answer(self, request: web.BaseRequest, alteration: str | None) -> Answer:
        answer = super().answer(request, alteration)
        found = hashlib.blake2b(answer.body, digest_size=8).hexdigest()
        etag, changed = f'W/"{found}"', formatdate(self.now - int(found, 16) % 10**6, usegmt=True)
        if (self.etags and request.headers.get("If-None-Match") == etag) or (
            self.dates and request.headers.get("If-Modified-Since") == changed
        ):
            return Answer(b"", 304)
        answer.headers |= {"ETag": etag} if self.etags else {}
        answer.headers |= {"Last-Modified": changed} if self.dates else {}
        return answer


class DatingStandIn(ValidatingStandIn):
    """Sends the time of the last change only."""

    etags, dates = False, True


@pytest.fixture(params=[ValidatingStandIn, DatingStandIn], ids=["etag", "last_modified"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[ValidatingStandIn]:
    async with request.param(250, odd_rows=False, short_pages=False, contests=0) as site:
        yield site


async def visit(site: ValidatingStandIn, database_url: str, folder: Path, **options: Any) -> Crawl:
    site.requests.clear()
    return await crawl(database_url, folder, base_url=site.base_url, **options)


@ONE_SERVER
async def test_an_unchanged_page_costs_no_parse(site: ValidatingStandIn, database_url: str, tmp_path: Path) -> None:
    await visit(site, database_url, tmp_path)
    assert all(not {"if-none-match", "if-modified-since"} & set(seen.headers) for seen in site.requests)
    done = await visit(site, database_url, tmp_path)
    assert [seen.status for seen in site.requests] == [304]
    assert (done.reason, done.items) == ("up_to_date", [])
    assert done.crawler.stats.get_value("outsourcing/not_modified") == 1
    # Not the end of it: the run after it knows as much.
    done = await visit(site, database_url, tmp_path)
    assert (done.reason, done.requests) == ("up_to_date", 1)


@ONE_SERVER
async def test_a_changed_page_is_read(site: ValidatingStandIn, database_url: str, tmp_path: Path) -> None:
    await visit(site, database_url, tmp_path)
    site.change("add", n=2)
    done = await visit(site, database_url, tmp_path)
    assert done.reason == "up_to_date"
    # What moved down made the second page another one, too; all of it is known.
    assert [seen.status for seen in site.requests] == [200, 200]
    assert (await runs(database_url))[-1]["stats"]["new"] == 2


@ONE_SERVER
async def test_a_crawl_that_reads_on_or_further_asks_for_everything(
    site: ValidatingStandIn, database_url: str, tmp_path: Path
) -> None:
    await visit(site, database_url, tmp_path, since="2h")
    await visit(site, database_url, tmp_path)
    assert next(seen.status for seen in site.requests) == 200, "the crawl before read less far"
    await visit(site, database_url, tmp_path, full="1")
    assert {seen.status for seen in site.requests} == {200}


@ONE_SERVER
async def test_nothing_is_remembered_of_a_page_whose_projects_are_not_all_stored(
    site: ValidatingStandIn, database_url: str, tmp_path: Path
) -> None:
    await visit(site, database_url, tmp_path, max_pages="1")
    site.fail("status", status=403, after=1)
    await visit(site, database_url, tmp_path)
    assert await fetch(database_url, "SELECT * FROM page_validators") == []
    site.heal()
    await visit(site, database_url, tmp_path, settings={"REMEMBER_BLOCKS": False})
    pages = await fetch(database_url, "SELECT url, etag, last_modified FROM page_validators ORDER BY url")
    assert {re.sub(r".*offset=(\d+).*", r"\1", page["url"]) for page in pages} == {"0", "95", "190"}
    assert all(page["etag"] or page["last_modified"] for page in pages)


@ONE_SERVER
async def test_another_listing_has_validators_of_its_own(
    site: ValidatingStandIn, database_url: str, tmp_path: Path
) -> None:
    await visit(site, database_url, tmp_path)
    done = await visit(site, database_url, tmp_path, query="website")
    assert 304 not in {seen.status for seen in site.requests}
    assert done.reason == "finished"
