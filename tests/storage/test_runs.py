"""The log of crawls, and when what is stored proves that the rest is stored too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from _projects import ask, number, project, put
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.parsing.dates import WHOLE
from outsourcing_spiders.parsing.rates import Rate
from outsourcing_spiders.storage.exchange_rates import load_rates, store_rates
from outsourcing_spiders.storage.rejections import insert_rejections, rejection_line
from outsourcing_spiders.storage.runs import Anchor, begin_run, find_anchor, finish_run, known_ids

COUNTS = dict.fromkeys(("items_scraped", "written", "unchanged", "merged", "rejected", "spooled", "requests"), 0)


@pytest.fixture
def engine(emptied: AsyncEngine) -> AsyncEngine:
    return emptied


async def crawl(
    engine: AsyncEngine,
    whole_since: str | None,
    *,
    reason: str = "finished",
    listing: str = "{}",
    spider: str = "alpha",
) -> int:
    """Log a crawl that began and ended."""
    async with engine.begin() as connection:
        run_id = await begin_run(connection, spider, listing)
    async with engine.begin() as connection:
        await finish_run(connection, run_id, reason=reason, whole_since=whole_since, counts=COUNTS, stats={})
    return run_id


async def anchor(engine: AsyncEngine, wanted: str = WHOLE, listing: str = "{}", spider: str = "alpha") -> Anchor | None:
    async with engine.connect() as connection:
        return await find_anchor(connection, spider, listing, wanted)


async def known(engine: AsyncEngine, *ids: str, until: datetime | None = None) -> set[str]:
    async with engine.connect() as connection:
        return await known_ids(connection, "alpha", ids, until or datetime.now(UTC) + timedelta(minutes=1))


class TestLog:
    async def test_a_running_crawl_has_no_end(self, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            run_id = await begin_run(connection, "alpha", '{"query":"php"}')
        (row,) = await ask(engine, "SELECT * FROM crawl_runs")
        assert (row.id, row.spider, row.listing) == (run_id, "alpha", '{"query":"php"}')
        assert (row.finished_at, row.reason, row.whole_since, row.items_scraped, row.stats) == (None, None, None, 0, {})

    async def test_a_finished_crawl_has_its_counts(self, engine: AsyncEngine) -> None:
        counts = {name: value for value, name in enumerate(COUNTS, 1)}
        stats = {"new": 3, "message": 'it\'s "all"', "day": datetime(2026, 1, 1, tzinfo=UTC), 7: Decimal("1.5")}
        async with engine.begin() as connection:
            other = await begin_run(connection, "alpha", "{}")
            run_id = await begin_run(connection, "alpha", "{}")
            await finish_run(
                connection, run_id, reason="up_to_date", whole_since="2026-01-01T00:00:00Z", counts=counts, stats=stats,
            )  # fmt: skip
        row, untouched = await ask(engine, "SELECT * FROM crawl_runs ORDER BY id DESC")
        assert {name: getattr(row, name) for name in COUNTS} == counts
        assert (row.reason, row.whole_since) == ("up_to_date", datetime(2026, 1, 1, tzinfo=UTC))
        assert row.finished_at >= row.started_at
        assert row.stats == {"new": 3, "message": 'it\'s "all"', "day": "2026-01-01T00:00:00Z", "7": "1.5"}
        assert (untouched.id, untouched.finished_at) == (other, None)

    @pytest.mark.parametrize(
        "stats",
        [{"rejected/a\x00b": 1}, {"a": "\ud800"}, {"a": float("nan")}, {"a": float("inf")}, {"a": {"b": 2**70}}],
        ids=["NUL", "surrogate", "NaN", "infinity", "large"],
    )  # fmt: skip
    async def test_statistics_may_be_anything(self, engine: AsyncEngine, stats: dict[str, Any]) -> None:
        async with engine.begin() as connection:
            run_id = await begin_run(connection, "alpha", "{}")
            await finish_run(connection, run_id, reason="finished", whole_since=None, counts=COUNTS, stats=stats)
        assert await number(engine, "SELECT reason FROM crawl_runs") == "finished"


class TestAnchor:
    async def test_is_the_newest_crawl_that_was_whole(self, engine: AsyncEngine) -> None:
        assert await anchor(engine) is None
        await crawl(engine, WHOLE)
        second = await crawl(engine, WHOLE)
        await crawl(engine, None, reason="blocked")
        async with engine.begin() as connection:
            await begin_run(connection, "alpha", "{}")
        finished = await number(engine, "SELECT finished_at FROM crawl_runs WHERE id = :id", id=second)
        assert await anchor(engine) == Anchor(finished, WHOLE)

    @pytest.mark.parametrize("reason", ["shutdown", "blocked", "incomplete", "database_unreachable", "finished"])
    async def test_is_no_crawl_that_was_interrupted_or_bounded(self, engine: AsyncEngine, reason: str) -> None:
        await crawl(engine, None, reason=reason)
        assert await anchor(engine, "2100-01-01T00:00:00Z") is None

    async def test_is_of_the_same_listing_and_spider(self, engine: AsyncEngine) -> None:
        await crawl(engine, WHOLE, listing='{"query":"php"}')
        await crawl(engine, WHOLE, spider="beta")
        assert await anchor(engine) is None
        assert await anchor(engine, listing='{"query":"php"}')
        assert await anchor(engine, spider="beta")

    @pytest.mark.parametrize(
        ("wanted", "serves"),
        [
            ("2026-01-01T00:00:00Z", True),
            ("2026-01-01T01:00:00+01:00", True),
            ("2026-02-01T00:00:00Z", True),
            ("2025-12-31T23:59:59.999999Z", False),
            (WHOLE, False),
        ],
    )
    async def test_with_a_bound_serves_only_what_is_no_deeper(
        self, engine: AsyncEngine, wanted: str, serves: bool
    ) -> None:
        await crawl(engine, "2026-01-01T00:00:00Z")
        found = await anchor(engine, wanted)
        assert (found is not None) is serves
        assert found is None or datetime.fromisoformat(found.whole_since) == datetime(2026, 1, 1, tzinfo=UTC)

    async def test_a_whole_crawl_serves_every_depth_and_lets_the_newest_win(self, engine: AsyncEngine) -> None:
        await crawl(engine, WHOLE)
        newest = await crawl(engine, "2026-01-01T00:00:00Z")
        finished = await number(engine, "SELECT finished_at FROM crawl_runs WHERE id = :id", id=newest)
        shallow, deep = await anchor(engine, "2026-03-01T00:00:00Z"), await anchor(engine, "2025-01-01T00:00:00Z")
        assert shallow is not None
        assert deep is not None
        assert shallow.finished_at == finished > deep.finished_at
        assert deep.whole_since == WHOLE

    async def test_up_to_date_inherits_the_depth_of_what_it_met(self, engine: AsyncEngine) -> None:
        for depth in ("2026-01-01T00:00:00Z", WHOLE):
            await crawl(engine, depth)
            met = await anchor(engine, "2026-01-01T00:00:00Z")
            assert met is not None
            inherits = await crawl(engine, met.whole_since, reason="up_to_date")
            finished = await number(engine, "SELECT finished_at FROM crawl_runs WHERE id = :id", id=inherits)
            assert await anchor(engine, depth) == Anchor(finished, met.whole_since)


class TestKnown:
    async def test_is_what_was_stored_by_then(self, engine: AsyncEngine) -> None:
        await put(engine, project(1), project(2), project(3))
        await put(engine, project(4), seen_at=datetime(2026, 1, 1, tzinfo=UTC))
        assert await known(engine, "1", "3", "4", "5", "") == {"1", "3", "4"}
        assert await known(engine, "1", "4", until=datetime(2026, 1, 1, tzinfo=UTC)) == {"4"}
        assert await known(engine, "1", "4", until=datetime(2025, 1, 1, tzinfo=UTC)) == set()
        assert await known(engine) == set()

    async def test_an_id_is_text_of_one_platform(self, engine: AsyncEngine) -> None:
        await put(engine, project("1,2"), project('a"b'), project("{x}"), project("1", platform="beta"))
        assert await known(engine, "1,2", 'a"b', "{x}", "1", "2", "NULL") == {"1,2", 'a"b', "{x}"}

    async def test_is_what_is_refused_each_time(self, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await insert_rejections(
                connection,
                [rejection_line(project(i), "no title", spider=spider, run_id=None)
                 for i, spider in ((7, "alpha"), (8, "beta"))],
            )  # fmt: skip
        assert await known(engine, "7", "8", until=datetime(2000, 1, 1, tzinfo=UTC)) == {"7"}


class TestRates:
    async def test_the_newest_of_each_currency_is_loaded(self, engine: AsyncEngine) -> None:
        day = datetime(2026, 1, 2, tzinfo=UTC).date()
        rates = [
            Rate("EUR", day, Decimal("1.1000"), "ecb"),
            Rate("EUR", day - timedelta(days=1), Decimal("1.2"), "alpha"),
            Rate("INR", day, Decimal("0.0115000000000001"), "alpha"),
        ]
        async with engine.begin() as connection:
            await store_rates(connection, rates)
            await store_rates(connection, [])
            assert sorted(await load_rates(connection)) == [rates[0], rates[2]]

    async def test_the_last_of_a_day_and_source_stays(self, engine: AsyncEngine) -> None:
        day = datetime(2026, 1, 2, tzinfo=UTC).date()
        async with engine.begin() as connection:
            for value in ("1.1", "1.3"):
                await store_rates(connection, [Rate("EUR", day, Decimal(value), "alpha")])
            assert await load_rates(connection) == [Rate("EUR", day, Decimal("1.3"), "alpha")]
        assert await number(engine, "SELECT count(*) FROM exchange_rates") == 1
