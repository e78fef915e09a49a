"""What is said of a crawl beside earlier ones, and that it is said once."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from _projects import ask, change
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.storage.health import Review, measures, review
from outsourcing_spiders.storage.judgement import (
    Finding,
    Run,
    Shares,
    brief,
    chance_of_so_few,
    is_back,
    judge,
    spread_of,
)

NOW = datetime(2026, 11, 20, 14, 2, tzinfo=UTC)


def run(number: int = 100, *, rows: int = 50, detailed: int = 0, filled: Any = None, **values: Any) -> Run:
    """Return a crawl of an hour whose number it is; `filled`: in how many rows each field was."""
    listed, own = Shares(rows, filled or {}), Shares(detailed, values.pop("own", {}))
    plain = {"reason": "finished", "seconds": 30.0, "requests": 10, "scraped": rows + detailed, "rejected": 0}
    return Run(id=number, started_at=NOW + timedelta(hours=number - 100), listed=listed, detailed=own, **plain | values)


def past(number: int, **values: Any) -> list[Run]:
    """Return so many earlier crawls that were alike, newest first."""
    return [run(99 - index, **values) for index in range(number)]


def found(now: Run, before: Sequence[Run]) -> list[str]:
    return [finding.words for finding in judge(now, lambda _: before)]


# --- fields -------------------------------------------------------------------------------------------------------

VANISHED = "`budget` vanished: in 0 of {} rows, before in {} %"
FELL = "`budget` is missing more often: in {} of {} rows ({} %), before in {} %"


@pytest.mark.parametrize(
    ("rows", "filled", "crawls", "of", "share", "said"),
    [
        # Nearly all had it, now none has.
        (50, 0, 5, 40, 0.95, VANISHED.format(50, 95)),
        (10, 0, 5, 40, 0.95, VANISHED.format(10, 95)),
        (10, 0, 3, 20, 1.0, VANISHED.format(10, 100)),
        # Too few rows to tell, too few crawls, too few rows in them.
        (9, 0, 5, 40, 0.95, None),
        (50, 0, 2, 40, 0.95, None),
        (50, 0, 3, 16, 0.95, None),
        (50, 0, 20, 4, 0.95, None),
        # What half of the rows have is missing in 10 by chance, but not in 60.
        (10, 0, 20, 40, 0.5, None),
        (60, 0, 20, 40, 0.5, VANISHED.format(60, 50)),
        # What is rare is missing anyway.
        (50, 0, 20, 40, 0.1, None),
        # Less than it was.
        (220, 154, 20, 220, 0.95, FELL.format(154, 220, 70, 95)),
        (50, 35, 20, 50, 0.95, None),
        (50, 20, 20, 50, 0.95, FELL.format(20, 50, 40, 96)),
        (220, 190, 20, 220, 0.95, None),
        # As ever, more than ever, and of many rows.
        (50, 47, 20, 50, 0.95, None),
        (50, 50, 20, 50, 0.5, None),
        (20_000, 18_900, 20, 20_000, 0.95, None),
        (20_000, 0, 20, 20_000, 0.95, VANISHED.format("20,000", 95)),
    ],
)
def test_a_field(rows: int, filled: int, crawls: int, of: int, share: float, said: str | None) -> None:
    before = past(crawls, rows=of, filled={"budget": round(of * share)})
    assert found(
        run(rows=rows, filled={"budget": filled}, scraped=50), [replace(old, scraped=50) for old in before]
    ) == ([said] if said else [])


def test_what_varies_from_crawl_to_crawl_surprises_nobody() -> None:
    before = [run(99 - index, filled={"language": (0, 50, 45, 3)[index % 4]}) for index in range(20)]
    assert found(run(filled={"language": 1}), before) == []


def test_the_top_of_a_listing_is_not_compared_with_all_of_it() -> None:
    deep = past(20, rows=220, filled={"bid_count": 200}, scraped=20)
    assert found(run(rows=20, filled={"bid_count": 0}), deep) == []
    shallow = past(20, rows=20, filled={"bid_count": 18})
    assert found(run(rows=20, filled={"bid_count": 0}), shallow + deep) == [
        "`bid_count` vanished: in 0 of 20 rows, before in 90 %"
    ]


def test_crawls_too_small_to_tell_say_since_when() -> None:
    without = [run(99, rows=3), run(98, rows=0), run(97, rows=4)]
    before = [replace(old, id=old.id - 3, scraped=20) for old in past(10, rows=20, filled={"budget": 20})]
    (finding,) = judge(run(rows=20), lambda _: without + before)
    assert (finding.since_run, finding.since) == (97, NOW - timedelta(hours=3))


def test_parts_of_what_vanished_are_not_told() -> None:
    names = ("budget", "budget.minimum", "budget.currency", "client", "client.country", "extra.hours")
    before = past(5, filled=dict.fromkeys(names, 48))
    told = judge(run(filled={"client": 48}), lambda _: before)
    assert [finding.subject for finding in told] == ["field:budget", "field:client.country", "field:extra.hours"]


def test_what_only_own_pages_tell_is_seen_on_those() -> None:
    before = past(6, rows=20, detailed=20, filled={"title": 20}, own={"title": 20, "work_mode": 20})
    (finding,) = judge(run(rows=20, detailed=15, filled={"title": 20}, own={"title": 15}), lambda _: before)
    assert finding.words == "`work_mode` vanished from the projects' own pages: in 0 of 15 rows, before in 100 %"
    assert (finding.subject, finding.part) == ("field:work_mode", "detailed")
    # No page of a project was read: that says nothing.
    assert found(run(rows=40, filled={"title": 40}), before) == []
    # What the listing tells is missing on its page, even where all items came with their own.
    (finding,) = judge(run(rows=0, detailed=20, own={"work_mode": 20}), lambda _: before)
    assert (finding.words.partition(":")[0], finding.part) == ("`title` vanished", "listed")


def test_a_few_own_pages_a_crawl_say_it_together() -> None:
    """A listing that is looked at often shows a few new projects each time."""
    good, broken = {"title": 3, "work_mode": 3}, {"title": 3}
    before = past(30, rows=0, detailed=3, own=good, scraped=0)
    told: dict[int, Any] = {}
    for number in range(100, 108):
        # Every second one shows no new project at all.
        now = run(number, rows=0, detailed=3, own=broken, scraped=0) if number % 2 else run(number, rows=0, scraped=0)
        told[number] = [(finding.words, finding.since_run) for finding in judge(now, lambda _, seen=before: seen)]
        before = [now, *before]
    words = "`work_mode` vanished from the projects' own pages: in 0 of 12 rows of 4 crawls, before in 100 %"
    assert told == {number: [] for number in range(100, 107)} | {107: [(words, 101)]}
    since = [old for old in before if old.id >= 101]
    for number in range(108, 112):
        now = run(number, rows=0, detailed=3, own=good, scraped=0)
        back = is_back("field:work_mode", now, past(30, rows=0, detailed=3, own=good), since)
        # The first ones share their rows with crawls that were without it.
        assert back == ("`work_mode` is back: in 12 of 12 rows" if number == 111 else None)
        since = [now, *since]


def test_what_the_listing_tells_is_back_with_the_listing() -> None:
    """A few own pages come with it, in crawls that were without the field, too."""
    good, bad = {"filled": {"budget": 45}, "own": {"budget": 3}}, {"filled": {}, "own": {}}
    before = past(8, rows=45, detailed=3, **good)
    since = [run(number, rows=45, detailed=3, **bad) for number in (103, 102, 101, 100)]
    now = run(104, rows=45, detailed=3, **good)
    assert is_back("field:budget", now, before, since) == "`budget` is back: in 45 of 45 rows"


def test_what_only_own_pages_tell_is_back_with_those() -> None:
    told = {"filled": {"title": 20}, "own": {"title": 12, "work_mode": 12}}
    before = past(8, rows=20, detailed=12, **told)
    now = run(104, rows=20, detailed=12, **told)
    assert is_back("field:work_mode", now, before) == "`work_mode` is back: in 12 of 12 rows"


def test_a_few_own_pages_a_crawl_say_together_that_it_fell() -> None:
    before = past(30, rows=0, detailed=5, own={"work_mode": 5}, scraped=0)
    first, second = (run(number, rows=0, detailed=5, own={"work_mode": 1}, scraped=0) for number in (100, 101))
    assert found(first, before) == []
    words = "`work_mode` is missing more often on the projects' own pages: in 2 of 10 rows of 2 crawls (20 %)"
    assert found(second, [first, *before]) == [f"{words}, before in 100 %"]


def test_no_false_alarm_in_thousands_of_crawls_that_are_as_ever() -> None:
    rng = random.Random(7)

    def filled(share: float, rows: int, firmness: float) -> int:
        own = rng.betavariate(share * firmness, (1 - share) * firmness)
        return sum(rng.random() < own for _ in range(rows))

    alarms = 0
    for _ in range(1_500):
        share, firmness = rng.choice((0.05, 0.3, 0.6, 0.9, 0.98)), rng.choice((60, 1_000))
        crawls = [rng.choice((10, 20, 40)) for _ in range(rng.choice((3, 6, 20)) + 1)]
        now, *before = [run(99, rows=rows, filled={"x": filled(share, rows, firmness)}, scraped=0) for rows in crawls]
        alarms += bool(found(now, before))
        pages = [rng.randint(0, 6) for _ in range(60)]
        now, *before = [
            run(99, rows=0, detailed=rows, own={"x": filled(share, rows, firmness)}, scraped=0) for rows in pages
        ]
        alarms += bool(found(now, before))
    assert alarms == 0


def test_the_chance_is_that_of_the_distribution() -> None:
    # A share that may be anything makes each number equally likely.
    assert chance_of_so_few(4, 9, 1, 1) == pytest.approx(0.5)
    assert chance_of_so_few(9, 9, 3, 2) == pytest.approx(1)
    # Nearly certain of its share, it is the binomial distribution.
    assert chance_of_so_few(0, 10, 0.5e9, 0.5e9) == pytest.approx(0.5**10, rel=1e-4)
    assert spread_of([(40, 40)] * 20)[1] < 1
    assert sum(spread_of([(0, 40), (40, 40)] * 10)) < 1


# --- other measures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        ({"rejected": 45}, {}, "more items are rejected: 45 of 50 (90 %), before 0 %; see the table rejected_items"),
        ({"rejected": 20}, {"rejected": 1}, "more items are rejected: 20 of 50 (40 %), before 2 %; see the table"),
        ({"rejected": 3}, {"rejected": 1}, None),
        ({"rejected": 9, "scraped": 9}, {"scraped": 12}, None),
        ({"scraped": 12}, {"scraped": 220}, "far fewer rows: 12, usually about 220"),
        ({"scraped": 0}, {"scraped": 220}, "far fewer rows: 0, usually about 220"),
        ({"scraped": 120}, {"scraped": 220}, None),
        ({"scraped": 2}, {"scraped": 12}, None),
        # Another bound, another end.
        ({"scraped": 12, "bounds": "max_pages=1"}, {"scraped": 220}, None),
        ({"scraped": 12, "reason": "up_to_date"}, {"scraped": 220}, None),
        ({"scraped": 12, "reason": "shutdown"}, {"scraped": 220}, None),
        ({"seconds": 400.0}, {}, "much slower: 40 s a request, usually 3.0 s"),
        ({"seconds": 80.0}, {}, None),
        ({"seconds": 20.0, "requests": 1}, {}, None),
        ({"seconds": 400.0, "requests": 100}, {}, None),
        ({"reason": "layout_changed"}, {}, "it ends as layout_changed, usually as finished"),
        (
            {"reason": "layout_changed", "message": "no rows, no marker"},
            {},
            "it ends as layout_changed, usually as finished: no rows, no marker",
        ),
        ({"reason": "unreachable"}, {}, None),
        ({"reason": "wrong_argument"}, {}, None),
        ({"reason": "failed"}, {"reason": "shutdown"}, None),
        ({"reason": "failed"}, {"reason": "failed"}, None),
    ],
    ids=str,
)
def test_other_measures(now: dict[str, Any], before: dict[str, Any], said: str | None) -> None:
    told = found(run(**now), past(8, **before))
    assert len(told) == bool(said)
    assert not said or told[0].startswith(said)


def test_numbers_that_vary_by_themselves_are_nothing_strange() -> None:
    counts = (20, 200, 35, 60, 20, 150, 20, 90)
    before = [run(99 - index, rows=count, reason="up_to_date") for index, count in enumerate(counts)]
    assert found(run(rows=20, reason="up_to_date"), before) == []


def test_trouble_that_may_pass_is_told_when_it_stays() -> None:
    before = [run(99, reason="unreachable"), *(replace(old, id=old.id - 1) for old in past(5))]
    (finding,) = judge(run(reason="blocked"), lambda _: before)
    assert (finding.words, finding.since_run) == ("it ends as blocked, usually as finished", 99)


# --- back ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "now", "said"),
    [
        ("field:budget", {"filled": {"budget": 48}}, "`budget` is back: in 48 of 50 rows"),
        ("field:budget", {"rows": 10, "filled": {"budget": 10}}, "`budget` is back: in 10 of 10 rows"),
        ("field:budget", {"rows": 9, "filled": {"budget": 9}}, None),
        ("field:budget", {"filled": {"budget": 20}}, None),
        ("field:budget", {}, None),
        ("field:budget", {"rows": 0}, None),
        ("field:budget", {"filled": {"budget": 48}, "detailed": 20, "own": {}}, None),
        ("reason", {"reason": "up_to_date"}, "it ends as up_to_date again"),
        ("reason", {"reason": "shutdown"}, None),
        ("rejected", {"rejected": 1}, "no more items are rejected than usual: 1 of 50"),
        ("rejected", {"rejected": 30}, None),
        ("rejected", {"scraped": 5}, None),
        ("rows", {"scraped": 48}, "as many rows as usual: 48"),
        ("rows", {"scraped": 20}, None),
        ("slow", {"seconds": 41.0}, "as fast as usual: 4.1 s a request"),
        ("slow", {"seconds": 61.0}, None),
    ],
    ids=str,
)
def test_what_is_over(subject: str, now: dict[str, Any], said: str | None) -> None:
    before = past(8, filled={"budget": 48}, detailed=10, own={"budget": 10}, scraped=50)
    assert is_back(subject, run(**{"scraped": 50, **now}), before) == said


def test_words_for_a_table() -> None:
    words = [brief(kind, "field:budget") for kind in ("vanished", "fell", "rejected", "rows", "slow", "reason", "new")]
    assert words == [
        "budget vanished", "budget missing more often", "more rejected", "fewer rows", "slower", "fails", "new",
    ]  # fmt: skip


# --- in the database ----------------------------------------------------------------------------------------------


async def stored(engine: AsyncEngine, filled: int, *, rows: int = 50, age: str = "1 h", **values: Any) -> int:
    """Log a crawl in which so many rows had a budget; return its number."""
    health = measures("Reader", "", Shares(rows, {"budget": filled, "never": 0}), Shares())
    columns = {"spider": "alpha", "listing": "{}", "reason": "finished", "health": health} | values
    statement = text(
        "INSERT INTO crawl_runs (spider, listing, started_at, finished_at, reason, items_scraped, requests, stats) "
        f"VALUES (:spider, :listing, now() - interval '{age}', now() - interval '{age}' + interval '30 s', :reason, "
        ":rows, 3, CAST(:stats AS jsonb)) RETURNING id"
    )
    stats = json.dumps({"health": columns.pop("health")})
    async with engine.begin() as connection:
        return int((await connection.execute(statement, columns | {"rows": rows, "stats": stats})).scalar_one())


async def reviewed(engine: AsyncEngine, number: int, page: int | None = None) -> Review:
    async def keep(part: str, findings: Sequence[Finding]) -> int | None:
        assert part == "listed"
        assert [finding.subject for finding in findings] == ["field:budget"]
        return page

    async with engine.begin() as connection:
        return await review(connection, number, keep)


@pytest.fixture
async def with_past(engine: AsyncEngine) -> AsyncEngine:
    """A database with crawls that were as they should be."""
    for _ in range(5):
        assert await reviewed(engine, await stored(engine, 48)) == Review()
    return engine


async def test_each_finding_is_told_once_and_its_end_too(with_past: AsyncEngine) -> None:
    await change(
        with_past,
        "INSERT INTO kept_pages (spider, url, status, headers, body, body_size, reason, finding, kept_at) "
        "VALUES ('alpha', '-', 200, '{}', '', 0, 'layout_changed', '-', now())",
    )
    first = await stored(with_past, 0)
    (told,) = (await reviewed(with_past, first, page=1)).found
    assert (told.page, told.finding.since_run) == (1, first)
    assert told.finding.words == "`budget` vanished: in 0 of 50 rows, before in 96 %"
    # However long it lasts.
    for _ in range(25):
        assert await reviewed(with_past, await stored(with_past, 0)) == Review()
    over = await stored(with_past, 47)
    done = await reviewed(with_past, over)
    assert [(back.was, back.words) for back in done.back] == [
        (told.finding.words, "`budget` is back: in 47 of 50 rows")
    ]
    assert done.found == []
    assert await reviewed(with_past, await stored(with_past, 47)) == Review()
    # The crawls without it are no measure.
    assert len((await reviewed(with_past, await stored(with_past, 0), page=1)).found) == 1
    # A page that goes takes its number with it.
    await change(with_past, "DELETE FROM kept_pages")
    rows = await ask(with_past, "SELECT since_run_id, page_id, resolved_run_id FROM platform_health ORDER BY id")
    assert tuple(rows[0]) == (first, None, over)
    assert rows[1].page_id is None


async def test_only_crawls_of_the_same_kind_are_compared(with_past: AsyncEngine) -> None:
    other = measures("Another", "", Shares(50, {}), Shares())
    for values in ({"spider": "beta"}, {"listing": '{"query":"x"}'}, {"health": other}, {"health": {}}):
        assert await reviewed(with_past, await stored(with_past, 0, **values)) == Review()
    assert await reviewed(with_past, 1_000_000) == Review()
    assert len((await reviewed(with_past, await stored(with_past, 0))).found) == 1


async def test_two_crawls_at_a_time_tell_it_once(with_past: AsyncEngine) -> None:
    numbers = [await stored(with_past, 0), await stored(with_past, 0)]
    done = [await reviewed(with_past, number) for number in reversed(numbers)]
    assert [len(one.found) for one in done] == [1, 0]
    done = [await reviewed(with_past, await stored(with_past, 48))]
    # At the same moment, too; and only the one that tells it keeps a page.
    kept = []

    async def at_once(number: int, gate: asyncio.Barrier) -> Review:
        async def keep(part: str, findings: Sequence[Finding]) -> int | None:
            kept.append(number)
            return None

        async with with_past.begin() as connection:
            await gate.wait()
            return await review(connection, number, keep)

    numbers = [await stored(with_past, 0), await stored(with_past, 0)]
    gate = asyncio.Barrier(2)
    done = await asyncio.gather(*(at_once(number, gate) for number in numbers))
    assert sorted(len(one.found) for one in done) == [0, 1]
    assert len(kept) == 1


async def test_what_nothing_older_is_left_of_ends_without_a_word(with_past: AsyncEngine) -> None:
    assert len((await reviewed(with_past, await stored(with_past, 0))).found) == 1
    await change(with_past, "UPDATE crawl_runs SET started_at = started_at - interval '91 days'")
    assert await reviewed(with_past, await stored(with_past, 0)) == Review()
    (row,) = await ask(with_past, "SELECT resolved_at FROM platform_health")
    assert row.resolved_at is not None
    await change(with_past, "UPDATE platform_health SET resolved_at = resolved_at - interval '91 days'")
    await reviewed(with_past, await stored(with_past, 0))
    assert await ask(with_past, "SELECT id FROM platform_health") == []


async def test_a_crawl_that_ended_badly_is_remembered_with_the_page_that_ended_it(with_past: AsyncEngine) -> None:
    number = await stored(with_past, 0, rows=0, reason="layout_changed")
    await change(
        with_past,
        "INSERT INTO kept_pages (run_id, spider, url, status, headers, body, body_size, reason, finding, kept_at) "
        f"VALUES ({number}, 'alpha', '-', 200, '{{}}', '', 0, 'layout_changed', '-', now())",
    )
    (told,) = (await reviewed(with_past, number)).found
    assert (told.finding.kind, told.page) == ("reason", 1)


async def test_what_narrowed_crawls_find_alike_is_told_once(engine: AsyncEngine) -> None:
    listings = ("{}", '{"query":"x"}', '{"skills":["y"]}')
    for listing in listings:
        for _ in range(4):
            assert await reviewed(engine, await stored(engine, 48, listing=listing)) == Review()
    numbers = [await stored(engine, 0, listing=listing) for listing in listings]
    done = [await reviewed(engine, number) for number in numbers]
    assert [[told.finding.since_run for told in one.found] for one in done] == [[numbers[0]], [], []]
    # It is over for all of them at once, and told once.
    over = [await reviewed(engine, await stored(engine, 48, listing=listing)) for listing in listings[1:]]
    assert [[back.words for back in one.back] for one in over] == [["`budget` is back: in 48 of 50 rows"], []]
    assert len(await ask(engine, "SELECT id FROM platform_health WHERE resolved_at IS NULL")) == 0
    # Unless it is not: then it is told again.
    assert len((await reviewed(engine, await stored(engine, 0))).found) == 1


@pytest.mark.parametrize("way_in", ["", "graphql "], ids=["pages", "graphql"])
async def test_a_smaller_finding_or_another_host_hides_nothing(engine: AsyncEngine, way_in: str) -> None:
    listings = [way_in + asked for asked in ('{"query":"x"}', '{"base_url":"http://127.0.0.1:8000/"}', "{}")]
    for listing in listings:
        for _ in range(4):
            assert await reviewed(engine, await stored(engine, 48, listing=listing)) == Review()
    said = [
        told.finding.kind
        for listing, filled in zip(listings, (10, 0, 0), strict=True)
        for told in (await reviewed(engine, await stored(engine, filled, listing=listing))).found
    ]
    assert said == ["fell", "vanished", "vanished"]


async def test_another_reason_is_another_finding(with_past: AsyncEngine) -> None:
    numbers = [
        await stored(with_past, 0, rows=0, reason=reason)
        for reason in ("unreachable", "unreachable", "layout_changed", "layout_changed", "unreachable")
    ]
    said = [[told.finding for told in (await reviewed(with_past, number)).found] for number in numbers]
    assert [[(finding.words, finding.since_run) for finding in one] for one in said] == [
        [],
        [("it ends as unreachable, usually as finished", numbers[0])],
        [("it ends as layout_changed, usually as finished", numbers[2])],
        [],
        [],
    ]
    done = await reviewed(with_past, await stored(with_past, 48))
    assert [back.was for back in done.back] == ["it ends as layout_changed, usually as finished"]


@pytest.mark.parametrize(
    "damaged",
    [
        {"listed": "x"},
        {"listed": [1]},
        {"listed": {"rows": "50", "filled": {}}},
        {"listed": {"rows": 50, "filled": {"budget": None}}},
        {"listed": {"rows": 50, "filled": {"budget": 5_000}}},
        {"listed": {"rows": -50, "filled": {}}},
        {"listed": {"rows": 50}, "bounds": 7},
        {"detailed": 0},
    ],
    ids=str,
)
async def test_damaged_statistics_are_no_measure(with_past: AsyncEngine, damaged: dict[str, Any]) -> None:
    number = await stored(with_past, 48, health={"reader": "Reader"} | damaged)
    assert await reviewed(with_past, number) == Review()
    assert len((await reviewed(with_past, await stored(with_past, 0))).found) == 1
