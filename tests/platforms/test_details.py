"""Projects' own pages: which are asked for, and what becomes of a project whose page cannot be had."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from _crawls import Crawl, crawl, fetch, runs
from platforms_standins.peopleperhour import PeoplePerHourStandIn
from scrapy.http import Response
from scrapy.utils.asyncio import call_later

from outsourcing_spiders.extensions import prompt_stop
from outsourcing_spiders.items import Project
from outsourcing_spiders.platforms.details import DetailPagesSpider
from outsourcing_spiders.platforms.json_rows import Row
from outsourcing_spiders.spiders.peopleperhour import PeoplePerHourSpider

ONE_SERVER = pytest.mark.parametrize("server", ["embedded_server"], indirect=True)


class Teasers(DetailPagesSpider, PeoplePerHourSpider):
    """A listing that cuts its texts."""

    detail_marker = PeoplePerHourSpider.marker

    def item(self, row: Row, response: Response) -> Project:
        item = super().item(row, response)
        item.description, item.description_complete = (item.description or "")[:20], False
        return item

    def detail(self, item: Project, response: Response) -> Project:
        (record,) = self.state(response)["entities"]["projects"].values()
        item.description, item.description_complete = record["attributes"]["proj_desc"], True
        return item


def plain(projects: int = 50) -> PeoplePerHourStandIn:
    return PeoplePerHourStandIn(projects, odd_rows=False)


async def read(url: str | None, folder: Path, site: PeoplePerHourStandIn, **options: Any) -> Crawl:
    return await crawl(url, folder, spider=Teasers, base_url=site.base_url, **options)


def details(site: PeoplePerHourStandIn) -> list[str]:
    """Return the ids of the projects whose pages were asked for."""
    return [found[1] for seen in site.requests if (found := re.search(r"-(\d+)$", seen.path))]


async def complete(url: str) -> dict[str, bool]:
    rows = await fetch(url, "SELECT external_id, description_complete FROM projects")
    return {row["external_id"]: row["description_complete"] for row in rows}


@ONE_SERVER
async def test_each_page_is_asked_for_once_and_before_the_next_page_of_the_listing(
    database_url: str, tmp_path: Path
) -> None:
    async with plain() as site:
        done = await read(database_url, tmp_path, site)
        assert (done.reason, len(done.items), done.errors) == ("finished", 50, [])
        assert sorted(details(site)) == sorted(site.listed_ids())
        # The page after the next waits until the projects of this one are read.
        third = next(index for index, seen in enumerate(site.requests) if seen.query.get("page") == "3")
        assert sum(bool(re.search(r"-\d+$", seen.path)) for seen in site.requests[:third]) >= 20
        assert all((await complete(database_url)).values())
        for row in await fetch(database_url, "SELECT external_id, description FROM projects"):
            assert row["description"] == site.projects[row["external_id"]]["description"]
        site.requests.clear()
        again = await read(database_url, tmp_path, site)
        assert (again.reason, len(site.requests)) == ("up_to_date", 2)
        full = await read(database_url, tmp_path, site, full="1")
        assert (full.reason, details(site)) == ("finished", [])
        # A teaser never takes the place of a full text.
        assert all((await complete(database_url)).values())
        (new,) = site.add(1)
        assert (await read(database_url, tmp_path, site)).reason == "up_to_date"
        assert details(site) == [new]


@ONE_SERVER
@pytest.mark.parametrize("fault", ["status", "cut_short"])
async def test_a_page_that_cannot_be_had_is_read_by_a_later_crawl(
    fault: str, database_url: str, tmp_path: Path
) -> None:
    async with plain() as site:
        lost = site.listed_ids()[30]
        site.fail(fault, path=f"-{lost}", **({"status": 500} if fault == "status" else {}))
        done = await read(database_url, tmp_path, site)
        assert (done.reason, len(done.items)) == ("finished", 50)
        assert done.counted("details") == {"failed": 1}
        assert [key for key, whole in (await complete(database_url)).items() if not whole] == [lost]
        assert (await runs(database_url))[0]["whole"] is None
        site.heal()
        site.requests.clear()
        again = await read(database_url, tmp_path, site)
        assert (again.reason, details(site)) == ("finished", [lost])
        assert all((await complete(database_url)).values())
        assert (await runs(database_url))[1]["whole"] == "-infinity"


@ONE_SERVER
@pytest.mark.parametrize("status", [404, 410])
async def test_a_page_that_is_gone_keeps_nothing_from_being_whole(
    status: int, database_url: str, tmp_path: Path
) -> None:
    async with plain() as site:
        gone = site.listed_ids()[3]
        site.fail("status", status=status, path=f"-{gone}")
        done = await read(database_url, tmp_path, site)
        assert done.counted("details") == {"gone": 1}
        assert (await runs(database_url))[0]["whole"] == "-infinity"
        assert (await complete(database_url))[gone] is False
        site.heal()
        site.requests.clear()
        # It stands on a known page, and is asked for again all the same.
        again = await read(database_url, tmp_path, site)
        assert (again.reason, details(site)) == ("up_to_date", [gone])
        assert all((await complete(database_url)).values())


async def test_pages_that_robots_txt_forbids_are_left_out(tmp_path: Path) -> None:
    async with plain(20) as site:
        site.robots = "User-agent: *\nAllow: /freelance-jobs?\nDisallow: /freelance-jobs/\n"
        done = await read(None, tmp_path, site)
        assert (done.reason, len(done.items), details(site)) == ("finished", 20, [])
    assert done.counted("details") == {"forbidden": 20}


@ONE_SERVER
@pytest.mark.parametrize("fault", ["login", "forbidden"])
async def test_pages_that_are_for_members_only_keep_nothing_from_being_whole(
    fault: str, database_url: str, tmp_path: Path
) -> None:
    async with plain() as site:
        private = set(site.listed_ids()[3:15:5])
        for key in private:
            site.fail(fault, path=f"-{key}")
        done = await read(database_url, tmp_path, site)
        assert (done.reason, done.outcome, len(done.items), done.errors) == ("finished", None, 50, [])
        assert done.counted("details") == {"withheld": 3}
        told = [line for line in done.log if line.startswith("WARNING") and "withheld from us: http" in line]
        assert len(told) == 3
        assert (await runs(database_url))[0]["whole"] == "-infinity"
        assert {key for key, whole in (await complete(database_url)).items() if not whole} == private
        site.requests.clear()
        again = await read(database_url, tmp_path, site)
        assert (again.reason, set(details(site)), again.counted("details")) == ("up_to_date", private, {"withheld": 3})
        site.heal()
        await read(database_url, tmp_path, site)
        assert all((await complete(database_url)).values())


Fault = Callable[[PeoplePerHourStandIn], object]


@ONE_SERVER
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda site: site.fail("status", status=500, path="/freelance-jobs/"), "unreachable"),
        (lambda site: site.fail("cut_short", path="/freelance-jobs/"), "unreachable"),
        (lambda site: site.fail("challenge", path="/freelance-jobs/", after=3), "blocked"),
        (lambda site: site.fail("login", path="/freelance-jobs/", after=3), "login_required"),
        (lambda site: site.fail("empty_body", path="/freelance-jobs/"), "layout_changed"),
        (lambda site: site.fail("error_envelope", path="/freelance-jobs/"), "layout_changed"),
    ],
    ids=["unreachable", "cut off", "blocked", "login", "empty", "layout"],
)
async def test_a_crawl_that_gets_no_pages_ends(fault: Fault, reason: str, database_url: str, tmp_path: Path) -> None:
    async with plain() as site:
        fault(site)
        done = await read(database_url, tmp_path, site)
        assert done.reason == reason
        (run,) = await runs(database_url)
        assert (run["reason"], run["whole"]) == (reason, None)
        assert len(details(site)) < 20
        site.heal()
        await read(database_url, tmp_path, site, settings={"REMEMBER_BLOCKS": False})
        assert set(await complete(database_url)) == set(site.listed_ids())
        assert all((await complete(database_url)).values())


class Picky(Teasers):
    """Cannot read the pages of some projects."""

    odd: ClassVar[list[str]] = []

    def detail(self, item: Project, response: Response) -> Project:
        if item.external_id in self.odd:
            raise ValueError("no such field")
        return super().detail(item, response)


@ONE_SERVER
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("error_envelope", "ValueError(\"it holds no 'window.PPHReact.initialState'\")"),
        (None, "ValueError('no such field')"),
    ],
    ids=["another layout", "unreadable"],
)
async def test_a_page_that_cannot_be_read_costs_its_text(
    fault: str | None, said: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with plain() as site:
        odd = site.listed_ids()[5]
        if fault is None:
            monkeypatch.setattr(Picky, "odd", [odd])
        else:
            site.fail(fault, path=f"-{odd}")

        async def read_picky() -> Crawl:
            return await crawl(database_url, tmp_path, spider=Picky, base_url=site.base_url)

        done = await read_picky()
        assert (done.reason, done.outcome, len(done.items), done.errors) == ("finished", None, 50, [])
        assert done.counted("details") == {"misread": 1}
        (told,) = [line for line in done.log if line.startswith("WARNING") and odd in line and "Retrying" not in line]
        assert told.endswith(f"-{odd} cannot be read: {said}")
        assert [key for key, whole in (await complete(database_url)).items() if not whole] == [odd]
        # Its page may stand there for ever: the listing is not read from end to end for it, again and again.
        assert (await runs(database_url))[0]["whole"] == "-infinity"
        site.requests.clear()
        again = await read_picky()
        assert (again.reason, set(details(site)), again.counted("details")) == ("up_to_date", {odd}, {"misread": 1})
        site.heal()
        monkeypatch.setattr(Picky, "odd", [])
        await read_picky()
        assert all((await complete(database_url)).values())


@ONE_SERVER
@pytest.mark.parametrize(("count", "whole", "errors"), [(4, "-infinity", 0), (6, None, 2)])
async def test_many_pages_that_cannot_be_read_are_the_layouts_fault(
    count: int, whole: str | None, errors: int, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with plain() as site:
        monkeypatch.setattr(Picky, "odd", site.listed_ids()[10 : 10 + count])
        done = await crawl(database_url, tmp_path, spider=Picky, base_url=site.base_url)
    assert (done.reason, len(done.items), len(done.errors)) == ("finished", 50, errors)
    assert done.counted("details") == {"misread": count}
    assert done.crawler.stats.get_value("spider_exceptions/count", 0) == errors
    assert (await runs(database_url))[0]["whole"] == whole


async def test_pages_that_cannot_be_read_at_all_are_another_layout(tmp_path: Path) -> None:
    class Blind(Teasers):
        def detail(self, item: Project, response: Response) -> Project:
            raise KeyError("description")

    async with plain() as site:
        done = await crawl(None, tmp_path, spider=Blind, base_url=site.base_url)
    assert done.reason == "layout_changed"


async def test_a_page_that_is_given_up_is_no_forbidden_one(tmp_path: Path) -> None:
    made: list[Crawl] = []

    async def stop_when_asked(site: PeoplePerHourStandIn) -> None:
        while not details(site):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        await made[0].crawler.stop_async()

    async with plain() as site:
        site.fail("slow", delay=30, path="/freelance-jobs/")
        stopping = asyncio.ensure_future(stop_when_asked(site))
        done = await read(
            None, tmp_path, site, settings={"STOP_GRACE": 0.1}, on_answer=lambda _, done: made.append(done)
        )
        await stopping
    assert done.reason == "shutdown"
    # Those that were not sent yet as well.
    assert done.counted("details") == {"given_up": len(done.items)}
    assert len(done.items) >= 20


@ONE_SERVER
async def test_what_is_given_up_is_stored_before_the_database_has_no_time_left(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays: list[float] = []

    def call_now(delay: float, function: Callable[[], None]) -> Any:
        delays.append(delay)
        return call_later(0, function)

    monkeypatch.setattr(prompt_stop, "call_later", call_now)
    async with plain() as site:
        site.fail("held", path="/freelance-jobs/", after=5)
        done = await read(database_url, tmp_path, site, on_item=stop, settings={"STOP_GRACE": 600})
    assert done.reason == "shutdown"
    assert delays == [450]
    (run,) = await runs(database_url)
    assert (run["spooled"], run["written"] in (20, 40)) == (0, True)


_stopping: set[asyncio.Future[None]] = set()


def stop(number: int, done: Crawl) -> None:
    """Tell a crawl to stop, as a signal does, when its fifth project is stored."""
    if number == 5:
        _stopping.add(asyncio.ensure_future(done.crawler.stop_async()))


@ONE_SERVER
@pytest.mark.parametrize(
    ("reason", "fault", "options"),
    [
        ("shutdown", None, {"on_item": stop, "settings": {"STOP_GRACE": 60}}),
        ("closespider_itemcount", None, {"settings": {"CLOSESPIDER_ITEMCOUNT": 5}}),
        ("blocked", {"kind": "challenge", "after": 5}, {}),
        ("rate_limited", {"status": 429, "after": 5}, {}),
        ("unreachable", {"status": 500, "after": 5}, {}),
    ],
)
async def test_an_interrupted_crawl_keeps_what_it_read_and_is_not_whole(
    reason: str, fault: dict[str, Any] | None, options: dict[str, Any], database_url: str, tmp_path: Path
) -> None:
    async with plain() as site:
        if fault is not None:
            site.fail(**fault, path="/freelance-jobs/")
        first = await read(database_url, tmp_path, site, **options)
        assert first.reason == reason
        (run,) = await runs(database_url)
        assert (run["whole"], run["spooled"], run["items_scraped"]) == (None, 0, run["written"])
        found = await complete(database_url)
        # Whole pages of the listing, also those projects whose own page waited to be asked for.
        assert set(found) == set(site.listed_ids()[: len(found)])
        assert len(found) in (20, 40)
        kept = {key for key, whole in found.items() if whole}
        assert len(kept) >= 5
        counted = first.counted("details")
        assert counted["given_up"] > 5
        assert len(found) - len(kept) - sum(counted.values()) in (0, 1), "one was refused"
        site.heal()
        site.requests.clear()
        done = await read(database_url, tmp_path, site, settings={"REMEMBER_BLOCKS": False})
        assert (done.reason, set(details(site))) == ("finished", set(site.listed_ids()) - kept)
        assert all((await complete(database_url)).values())


@ONE_SERVER
async def test_pages_that_wait_on_disk_are_not_given_up(database_url: str, tmp_path: Path) -> None:
    async with plain() as site:
        kept_on_disk = {"JOBDIR": str(tmp_path / "job"), "STOP_GRACE": 60}
        first = await read(database_url, tmp_path, site, on_item=stop, settings=kept_on_disk)
        assert (first.reason, first.counted("details")) == ("shutdown", {})
        assert all((await complete(database_url)).values())
        asked = details(site)
        site.requests.clear()
        await read(database_url, tmp_path, site, settings=kept_on_disk)
        assert set(details(site)) == set(site.listed_ids()) - set(asked)
        assert await complete(database_url) == dict.fromkeys(site.listed_ids(), True)
