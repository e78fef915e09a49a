"""Pages that answer "not modified"."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from _crawls import Crawl, crawl, fetch, project_settings, runs, stored
from aiohttp import web
from platforms_standins._server import Answer, StandIn
from platforms_standins.freelancer import FreelancerStandIn
from platforms_standins.guru import GuruStandIn
from scrapy import Request
from spiders._platforms import FREELANCER, GURU, Platform

from outsourcing_spiders.spiders.guru import GuruSpider

RENDERING = "outsourcing_spiders.middlewares.rendering.RenderingMiddleware"
ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)


class Validating(StandIn):
    """Sends validators, and 304 to who has them."""

    etags, dates = True, False

    def answer(self, request: web.BaseRequest, alteration: str | None) -> Answer:
        answer = super().answer(request, alteration)
        found = hashlib.blake2b(self.version(answer.body), digest_size=8).hexdigest()
        etag, changed = f'W/"{found}"', formatdate(self.now - int(found, 16) % 10**6, usegmt=True)
        if (self.etags and request.headers.get("If-None-Match") == etag) or (
            self.dates and request.headers.get("If-Modified-Since") == changed
        ):
            return Answer(b"", 304)
        answer.headers |= {"ETag": etag} if self.etags else {}
        answer.headers |= {"Last-Modified": changed} if self.dates else {}
        return answer

    def version(self, body: bytes) -> bytes:
        """Return what makes an answer another one when it changes."""
        return body


class ValidatingFreelancer(Validating, FreelancerStandIn):
    """Pages by offset, each of which shares rows with the next one."""


class DatingFreelancer(ValidatingFreelancer):
    """Sends the time of the last change only."""

    etags, dates = False, True


class ValidatingGuru(Validating, GuruStandIn):
    """Pages by number, each the same as long as its jobs are: whatever the total is, and the hour."""

    def version(self, body: bytes) -> bytes:
        return b" ".join(re.findall(rb'data-gid="(\d+)"', body))


@pytest.fixture(params=[ValidatingFreelancer, DatingFreelancer], ids=["etag", "last_modified"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[ValidatingFreelancer]:
    async with request.param(250, odd_rows=False, short_pages=False, contests=0) as site:
        yield site


async def visit(site: Validating, database_url: str, folder: Path, **options: Any) -> Crawl:
    site.requests.clear()
    return await crawl(database_url, folder, base_url=site.base_url, **options)


async def read(platform: Platform, site: Validating, database_url: str, folder: Path) -> tuple[str, str, list[int]]:
    """Crawl a site; return how that ended, how far back it is whole, and the status of each page of the listing."""
    site.requests.clear()
    done = await platform.read(database_url, folder, site)
    run = (await runs(database_url))[-1]
    assert done.reason == run["reason"]
    return done.reason, run["whole"], [seen.status for seen in site.requests if platform.listing in seen.path]


@ONE_SERVER
async def test_an_unchanged_page_costs_no_parse(site: ValidatingFreelancer, database_url: str, tmp_path: Path) -> None:
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
async def test_a_changed_page_is_read(site: ValidatingFreelancer, database_url: str, tmp_path: Path) -> None:
    await visit(site, database_url, tmp_path)
    site.change("add", n=2)
    done = await visit(site, database_url, tmp_path)
    assert done.reason == "up_to_date"
    # What moved down made the second page another one, too; all of it is known.
    assert [seen.status for seen in site.requests] == [200, 200]
    assert (await runs(database_url))[-1]["stats"]["new"] == 2


@pytest.mark.parametrize(
    ("platform", "stand_in"), [(FREELANCER, ValidatingFreelancer), (GURU, ValidatingGuru)], ids=["offsets", "numbers"]
)
@ONE_SERVER
async def test_an_unchanged_page_below_a_changed_one_is_known(
    platform: Platform, stand_in: type[Any], database_url: str, tmp_path: Path
) -> None:
    async with stand_in(platform.reach(4), **platform.ordinary) as site:
        assert (await read(platform, site, database_url, tmp_path))[0] == "finished"
        site.add(1)
        site.close(site.listed_ids()[4])
        assert await read(platform, site, database_url, tmp_path) == ("up_to_date", "-infinity", [200, 304])
        assert (await stored(database_url)).keys() >= platform.ids(site)
        assert await read(platform, site, database_url, tmp_path) == ("up_to_date", "-infinity", [304])


@ONE_SERVER
async def test_what_was_pulled_up_past_an_unchanged_page_is_read(database_url: str, tmp_path: Path) -> None:
    class PulledUp(ValidatingGuru):
        """Closes the newest job as soon as the first page was read."""

        closing: list[str]

        def answer(self, request: web.BaseRequest, alteration: str | None) -> Answer:
            answer = super().answer(request, alteration)
            if GURU.listing in request.path and self.closing:
                self.close(self.closing.pop())
            return answer

    async with PulledUp(80, **GURU.ordinary) as site:
        site.closing = []
        await read(GURU, site, database_url, tmp_path)
        for gone in site.listed_ids()[:20]:
            site.close(gone)
        site.closing = site.add(21)[:1]
        # The last of the new ones moves up from the second page, which is then as it was.
        assert await read(GURU, site, database_url, tmp_path) == ("up_to_date", "-infinity", [200, 200, 200])
        assert (await stored(database_url)).keys() >= GURU.ids(site)


@ONE_SERVER
async def test_a_page_of_a_crawl_that_read_less_far_proves_nothing(
    site: ValidatingFreelancer, database_url: str, tmp_path: Path
) -> None:
    await read(FREELANCER, site, database_url, tmp_path)
    site.add(20)
    since = site.row(site.listed_ids()[5]).get("time_submitted")
    await visit(site, database_url, tmp_path, since=datetime.fromtimestamp(since, UTC).isoformat())
    # The newest are stored, and those that were there; what lies between is not, though it is on that page.
    reason, whole, statuses = await read(FREELANCER, site, database_url, tmp_path)
    assert (reason, whole, set(statuses)) == ("up_to_date", "-infinity", {200})
    assert (await stored(database_url)).keys() == FREELANCER.ids(site)


@ONE_SERVER
async def test_an_answer_that_nobody_asked_for_is_no_success(
    site: ValidatingFreelancer, database_url: str, tmp_path: Path
) -> None:
    site.fail("status", status=304)
    assert (await read(FREELANCER, site, database_url, tmp_path))[:2] == ("layout_changed", None)


@ONE_SERVER
async def test_a_crawl_that_reads_on_or_further_asks_for_everything(
    site: ValidatingFreelancer, database_url: str, tmp_path: Path
) -> None:
    await visit(site, database_url, tmp_path, since="2h")
    await visit(site, database_url, tmp_path)
    assert next(seen.status for seen in site.requests) == 200, "the crawl before read less far"
    await visit(site, database_url, tmp_path, full="1")
    assert {seen.status for seen in site.requests} == {200}


@ONE_SERVER
async def test_nothing_is_remembered_of_a_page_whose_projects_are_not_all_stored(
    site: ValidatingFreelancer, database_url: str, tmp_path: Path
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


@pytest.mark.parametrize(
    "deletion",
    [
        "DELETE FROM projects WHERE platform = 'freelancer'",
        "DELETE FROM projects WHERE external_id = (SELECT max(external_id) FROM projects)",
        "TRUNCATE projects",
    ],
)
@ONE_SERVER
async def test_an_unchanged_page_is_read_when_projects_were_deleted(
    deletion: str, site: ValidatingFreelancer, database_url: str, tmp_path: Path
) -> None:
    await visit(site, database_url, tmp_path)
    await fetch(database_url, deletion)
    # One that reads less far stores some of them, which proves nothing of the others.
    await visit(site, database_url, tmp_path, max_pages="1")
    _, whole, statuses = await read(FREELANCER, site, database_url, tmp_path)
    assert (whole, set(statuses)) == ("-infinity", {200})
    assert (await stored(database_url)).keys() == FREELANCER.ids(site)
    assert await read(FREELANCER, site, database_url, tmp_path) == ("up_to_date", "-infinity", [304])
    # Those of other platforms have pages of their own.
    await fetch(database_url, "DELETE FROM projects WHERE platform = 'guru'")
    assert await read(FREELANCER, site, database_url, tmp_path) == ("up_to_date", "-infinity", [304])


@ONE_SERVER
async def test_another_listing_has_validators_of_its_own(
    site: ValidatingFreelancer, database_url: str, tmp_path: Path
) -> None:
    await visit(site, database_url, tmp_path)
    done = await visit(site, database_url, tmp_path, query="website")
    assert 304 not in {seen.status for seen in site.requests}
    assert done.reason == "finished"


class RenderedGuru(GuruSpider):
    """Has its listing rendered, as far as the middlewares know: nothing renders it here."""

    def listing_request(self, place: int) -> Request:
        request = super().listing_request(place)
        return request.replace(meta={**request.meta, "render": True})


@ONE_SERVER
async def test_a_rendered_page_is_read_anew(database_url: str, tmp_path: Path) -> None:
    """Its scripts may fetch other rows into a page that is not modified."""
    middlewares = project_settings()["DOWNLOADER_MIDDLEWARES"].copy_to_dict() | {RENDERING: None}
    options = {"spider": RenderedGuru, "settings": {"DOWNLOADER_MIDDLEWARES": middlewares}}
    async with ValidatingGuru(30, odd_rows=False) as site:
        for reason in ("finished", "up_to_date"):
            done = await visit(site, database_url, tmp_path, **options)
            assert done.reason == reason
            assert {seen.status for seen in site.requests if GURU.listing in seen.path} == {200}
            assert not [seen for seen in site.requests if "if-none-match" in seen.headers]
    assert await fetch(database_url, "SELECT * FROM page_validators") == []
