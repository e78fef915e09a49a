"""Storing a project again: what is news, what is kept, and what costs nothing."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from _projects import PLAIN, POSTED, ask, bad_row, change, number, one, prepared, project, put
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.storage.engine import sqlstate
from outsourcing_spiders.storage.full_texts import with_full_text
from outsourcing_spiders.storage.rows import PreparedRow
from outsourcing_spiders.storage.upsert import Stored, is_refusal, upsert, upsert_by_halves


@pytest.fixture
def engine(emptied: AsyncEngine) -> AsyncEngine:
    return emptied


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
EUR = Budget(minimum=Decimal(250), maximum=Decimal(750), currency="EUR", period="total")
IN_DOLLARS = replace(EUR, minimum_usd=Decimal(275), maximum_usd=Decimal(825))


class TestUnchanged:
    async def test_costs_no_row_version_and_next_to_no_log(self, engine: AsyncEngine) -> None:
        many = [
            project(
                i, title=f"Title {i}", description=f"Text {i} " * 40, extra={"n": i}, skills=["Python", "SQL"],
                client=Client(country="DE", rating=Decimal("4.5")),
            )
            for i in range(500)
        ]  # fmt: skip
        start = await _log_position(engine)
        assert await put(engine, *many) == (500, 0)
        inserted = await _log_position(engine) - start
        versions = await ask(engine, "SELECT external_id, xmin, ctid FROM projects ORDER BY 1")
        again = inserted
        # The log is the whole server's: a checkpoint or a vacuum may write to it meanwhile, but not each time.
        for _ in range(5):
            start = await _log_position(engine)
            assert await put(engine, *many) == (0, 0)
            again = min(again, await _log_position(engine) - start)
            if again < inserted * 0.05:
                break
        assert await ask(engine, "SELECT external_id, xmin, ctid FROM projects ORDER BY 1") == versions
        assert again < inserted * 0.05, f"{again} bytes of log, after {inserted} for the insert"

    @pytest.mark.parametrize(
        ("stored", "seen"),
        [
            ({"budget": EUR}, {"budget": replace(EUR, minimum=Decimal("250.00"))}),
            ({"bid_average": Decimal("1E+2")}, {"bid_average": Decimal("100.0")}),
            ({"extra": {"a": 1, "b": {"c": 2, "d": 3}}}, {"extra": {"b": {"d": 3, "c": 2}, "a": 1}}),
            ({"extra": {"a": 1}}, {"extra": {"a": 1.0}}),
            ({"description": "All of it."}, {"description": "All…", "description_complete": False}),
            ({"description": "All of it."}, {"description": None}),
            ({"posted_precision": "hour"}, {"posted_precision": "hour", "posted_at": POSTED + timedelta(minutes=40)}),
            ({"posted_precision": "exact"}, {"posted_precision": "minute", "posted_at": POSTED + timedelta(minutes=1)}),
            ({"posted_precision": "hour"}, {"posted_precision": "day", "posted_at": POSTED - timedelta(hours=9)}),
            ({"posted_precision": "minute"}, {"posted_precision": "unknown", "posted_at": None}),
            ({"posted_text": "2 hours ago", "posted_precision": "hour"},
             {"posted_text": "3 hours ago", "posted_precision": "hour"}),
            ({"budget": IN_DOLLARS}, {"budget": replace(IN_DOLLARS, minimum_usd=Decimal(276))}),
            ({"budget": IN_DOLLARS}, {"budget": EUR}),
            ({"budget": None}, {"budget": Budget()}),
        ],
        ids=[
            "250 and 250.00", "1E+2 and 100.0", "keys in another order", "1 and 1.0", "teaser after full text",
            "no text after full text", "the same hour", "less exact than exact", "a day after an hour",
            "no time after a time", "2 hours ago, 3 hours ago", "the dollar moved", "no rate today", "nothing known",
        ],
    )  # fmt: skip
    async def test_is_what_means_the_same(
        self, engine: AsyncEngine, stored: dict[str, Any], seen: dict[str, Any]
    ) -> None:
        await put(engine, project(**stored))
        before = await one(engine)
        assert await put(engine, project(**seen)) == (0, 0)
        assert await one(engine) == before

    async def test_last_seen_is_refreshed_after_an_hour(self, engine: AsyncEngine) -> None:
        await put(engine, project(1), project(2))
        await change(
            engine,
            "UPDATE projects SET first_seen_at = first_seen_at - interval '2 days', changed_at = changed_at - "
            "interval '1 day', last_seen_at = last_seen_at - CASE external_id WHEN '1' THEN interval '61 minutes' "
            "ELSE interval '59 minutes' END",
        )
        before = [await one(engine, 1), await one(engine, 2)]
        history = await number(engine, "SELECT count(*) FROM project_history")
        assert await put(engine, project(1), project(2)) == (0, 0)
        old, recent = await one(engine, 1), await one(engine, 2)
        assert datetime.now(UTC) - old.last_seen_at < timedelta(minutes=1)
        assert (old.changed_at, old.first_seen_at) == (before[0].changed_at, before[0].first_seen_at)
        assert recent == before[1]
        assert await number(engine, "SELECT count(*) FROM project_history") == history

    async def test_a_refresh_does_not_wait_for_who_holds_the_row(self, engine: AsyncEngine) -> None:
        await put(engine, project(1))
        await change(engine, "UPDATE projects SET last_seen_at = last_seen_at - interval '2 hours'")
        before = await one(engine)
        async with engine.begin() as holder:
            await holder.exec_driver_sql("SELECT 1 FROM projects FOR UPDATE")
            async with asyncio.timeout(60):
                assert await put(engine, project(1)) == (0, 0)
        assert await one(engine) == before


class TestChanged:
    async def test_new_bids_make_one_version(self, engine: AsyncEngine) -> None:
        await put(engine, PLAIN)
        before = await one(engine)
        assert await put(engine, project(bid_count=4, bid_average=Decimal(510))) == (0, 1)
        after = await one(engine)
        assert (after.bid_count, after.bid_average) == (4, 510)
        assert after.version != before.version
        assert after.first_seen_at == before.first_seen_at
        assert after.changed_at == after.last_seen_at > before.changed_at
        assert await put(engine, project(bid_count=4, bid_average=Decimal(510))) == (0, 0)

    @pytest.mark.parametrize(
        "changes",
        [
            {"url": "https://www.example.com/one"}, {"title": "Another"}, {"description": "More of it."},
            {"status": "closed"}, {"budget": replace(EUR, period="hour")}, {"budget": replace(EUR, currency="CHF")},
            {"budget": replace(EUR, text="250 to 750")}, {"budget": None}, {"skills": ["MySQL", "PHP"]},
            {"category": "IT"}, {"work_mode": "remote"}, {"location": "Köln"}, {"language": "en"},
            {"posted_at": POSTED + timedelta(microseconds=1)}, {"closes_at": POSTED}, {"bid_count": None},
            {"client": Client(country="DE")}, {"client": Client(verified=False)}, {"extra": {"a": [None]}},
        ],
        ids=lambda changes: ",".join(changes),
    )  # fmt: skip
    async def test_any_column_that_a_platform_means_is_news(self, engine: AsyncEngine, changes: dict[str, Any]) -> None:
        await put(engine, PLAIN)
        assert await put(engine, project(**changes)) == (0, 1)
        assert await put(engine, project(**changes)) == (0, 0)
        fresh = project(external_id="fresh", **{"url": PLAIN.url, **changes})
        await put(engine, replace(fresh, url=changes.get("url", PLAIN.url)))
        same = {"version": 0, "external_id": 0, "first_seen_at": 0, "last_seen_at": 0, "changed_at": 0}
        assert (await one(engine, 1))._asdict() | same == (await one(engine, "fresh"))._asdict() | same


class TestTexts:
    async def test_a_full_text_replaces_a_teaser_when_nothing_else_changed(self, engine: AsyncEngine) -> None:
        await put(engine, project(description="All…", description_complete=False))
        assert await put(engine, PLAIN) == (0, 1)
        row = await one(engine)
        assert (row.description, row.description_complete) == ("All of it.", True)

    async def test_the_same_text_known_to_be_complete_is_news_once(self, engine: AsyncEngine) -> None:
        await put(engine, project(description_complete=False))
        assert await put(engine, PLAIN) == (0, 1)
        assert (await one(engine)).description_complete
        assert await put(engine, PLAIN) == (0, 0)

    async def test_a_teaser_never_overwrites_a_full_text_also_when_the_rest_changed(self, engine: AsyncEngine) -> None:
        await put(engine, PLAIN)
        assert await put(engine, project(description="All…", description_complete=False, bid_count=9)) == (0, 1)
        row = await one(engine)
        assert (row.description, row.description_complete, row.bid_count) == ("All of it.", True, 9)

    async def test_a_teaser_replaces_a_teaser(self, engine: AsyncEngine) -> None:
        await put(engine, project(description="One…", description_complete=False))
        assert await put(engine, project(description="Two…", description_complete=False)) == (0, 1)
        assert (await one(engine)).description == "Two…"

    async def test_no_text_replaces_none_but_a_teaser(self, engine: AsyncEngine) -> None:
        await put(engine, PLAIN)
        assert await put(engine, project(description=None)) == (0, 0)
        assert (await one(engine)).description == "All of it."
        await put(engine, project(external_id="2", description="All…", description_complete=False))
        assert await put(engine, project(external_id="2", description=None)) == (0, 1)
        row = await one(engine, 2)
        assert (row.description, row.description_complete) == (None, True)

    async def test_that_there_is_no_text_is_known_until_a_full_one_comes(self, engine: AsyncEngine) -> None:
        await put(engine, project(description=None))
        assert await put(engine, project(description=None, description_complete=False)) == (0, 0)
        assert await put(engine, project(description="All…", description_complete=False)) == (0, 0)
        row = await one(engine)
        assert (row.description, row.description_complete) == (None, True)
        assert await put(engine, PLAIN) == (0, 1)
        assert (await one(engine)).description == "All of it."

    async def test_which_texts_need_not_be_asked_for(self, engine: AsyncEngine) -> None:
        await put(engine, PLAIN)
        await put(engine, project(external_id="teaser", description_complete=False))
        for name in ("none", "none, long ago"):
            await put(engine, project(external_id=name, description=None))
        async with engine.begin() as connection:
            await connection.exec_driver_sql(
                "UPDATE projects SET changed_at = now() - interval '8 days' WHERE external_id <> 'none'"
            )
            ids = ["1", "teaser", "none", "none, long ago", "never seen"]
            assert await with_full_text(connection, "alpha", ids) == {"1", "none"}


class TestTimes:
    @pytest.mark.parametrize("worse", ["minute", "hour", "day", "unknown"])
    async def test_a_less_exact_time_never_replaces_an_exact_one(self, engine: AsyncEngine, worse: Any) -> None:
        await put(engine, PLAIN)
        moved = POSTED + timedelta(hours=3)
        assert await put(engine, project(posted_at=moved, posted_precision=worse, bid_count=9)) == (0, 1)
        row = await one(engine)
        assert (row.posted_at, row.posted_precision, row.bid_count) == (POSTED, "exact", 9)

    async def test_an_exact_time_is_news(self, engine: AsyncEngine) -> None:
        await put(engine, project(posted_at=POSTED - timedelta(hours=1), posted_precision="hour", posted_text="1 h"))
        assert await put(engine, PLAIN) == (0, 1)
        row = await one(engine)
        assert (row.posted_at, row.posted_precision, row.posted_text) == (POSTED, "exact", None)

    async def test_a_more_exact_time_comes_with_the_next_change(self, engine: AsyncEngine) -> None:
        await put(engine, project(posted_at=POSTED - timedelta(hours=1), posted_precision="day"))
        assert await put(engine, project(posted_precision="hour")) == (0, 0)
        assert await put(engine, project(posted_precision="hour", bid_count=9)) == (0, 1)
        row = await one(engine)
        assert (row.posted_at, row.posted_precision) == (POSTED, "hour")

    async def test_an_exact_time_that_is_missing_replaces_none(self, engine: AsyncEngine) -> None:
        await put(engine, project(posted_precision="hour"))
        await put(engine, project(posted_at=None, posted_precision="exact", bid_count=9))
        row = await one(engine)
        assert (row.posted_at, row.posted_precision, row.bid_count) == (POSTED, "hour", 9)


class TestDollars:
    async def test_stay_with_an_unchanged_budget_also_when_the_rest_changed(self, engine: AsyncEngine) -> None:
        await put(engine, project(budget=IN_DOLLARS))
        moved = replace(IN_DOLLARS, minimum_usd=Decimal(280), maximum_usd=Decimal(840))
        assert await put(engine, project(budget=moved, bid_count=9)) == (0, 1)
        row = await one(engine)
        assert (row.budget_min_usd, row.budget_max_usd, row.bid_count) == (275, 825, 9)

    async def test_follow_a_changed_budget(self, engine: AsyncEngine) -> None:
        await put(engine, project(budget=IN_DOLLARS))
        raised = replace(IN_DOLLARS, maximum=Decimal(1000), minimum_usd=Decimal(280), maximum_usd=Decimal(1120))
        assert await put(engine, project(budget=raised)) == (0, 1)
        row = await one(engine)
        assert (row.budget_min_usd, row.budget_max_usd) == (280, 1120)

    async def test_without_a_rate_a_changed_budget_has_none(self, engine: AsyncEngine) -> None:
        await put(engine, project(budget=IN_DOLLARS))
        await put(engine, project(budget=replace(EUR, currency="XXX")))
        row = await one(engine)
        assert (row.budget_min_usd, row.budget_max_usd) == (None, None)

    async def test_are_filled_in_with_the_next_change(self, engine: AsyncEngine) -> None:
        await put(engine, project(budget=EUR))
        assert await put(engine, project(budget=IN_DOLLARS, bid_count=9)) == (0, 1)
        assert (await one(engine)).budget_min_usd == 275


class TestOlderObservations:
    async def test_never_overwrite_newer_ones_but_make_the_project_older(self, engine: AsyncEngine) -> None:
        await put(engine, project(bid_count=9))
        before = await one(engine)
        assert await put(engine, project(bid_count=1, title="Older"), seen_at=LONG_AGO) == (0, 0)
        after = await one(engine)
        differs = {"version": "", "first_seen_at": None}
        assert after._asdict() | differs == before._asdict() | differs
        assert after.first_seen_at == LONG_AGO

    async def test_of_an_unchanged_project_make_it_older_once(self, engine: AsyncEngine) -> None:
        await put(engine, PLAIN)
        before = await one(engine)
        assert await put(engine, PLAIN, seen_at=LONG_AGO) == (0, 0)
        after = await one(engine)
        assert (after.first_seen_at, after.last_seen_at, after.changed_at) == (
            LONG_AGO, before.last_seen_at, before.changed_at,
        )  # fmt: skip
        assert await put(engine, PLAIN, seen_at=LONG_AGO + timedelta(days=1)) == (0, 0)
        assert await one(engine) == after

    async def test_are_stored_with_the_time_they_were_made(self, engine: AsyncEngine) -> None:
        assert await put(engine, PLAIN, seen_at=LONG_AGO) == (1, 0)
        row = await one(engine)
        assert row.first_seen_at == row.last_seen_at == row.changed_at == LONG_AGO
        later = LONG_AGO + timedelta(days=1)
        assert await put(engine, project(bid_count=9), seen_at=later) == (0, 1)
        row = await one(engine)
        assert (row.first_seen_at, row.last_seen_at, row.changed_at) == (LONG_AGO, later, later)

    async def test_a_clock_that_is_ahead_does_not_block_what_comes_after(self, engine: AsyncEngine) -> None:
        await put(engine, PLAIN, seen_at=datetime.now(UTC) + timedelta(days=1))
        assert (await one(engine)).last_seen_at <= datetime.now(UTC) + timedelta(minutes=1)
        assert await put(engine, project(bid_count=9)) == (0, 1)


async def test_concurrent_writers_do_not_deadlock_and_count_right(engine: AsyncEngine) -> None:
    """Eight writers, overlapping batches in the order of a crawl, each with news of its own."""
    rng = random.Random(7)

    async def write(writer: int) -> Stored:
        total = Stored(0, 0)
        for round_ in range(4):
            ids = rng.sample(range(120), 60)
            stored = await put(engine, *(project(i, bid_count=100 * writer + round_) for i in ids))
            total = Stored(total.new + stored.new, total.changed + stored.changed)
        return total

    async with asyncio.timeout(180):
        totals = await asyncio.gather(*(write(writer) for writer in range(8)))
    stored = await number(engine, "SELECT count(*) FROM projects")
    assert sum(total.new for total in totals) == stored
    history = await number(engine, "SELECT count(*) FROM project_history")
    assert sum(total.new + total.changed for total in totals) == history


class TestHalving:
    @pytest.mark.parametrize("bad", [set(), {0}, {99}, {3, 4, 77}, set(range(100))], ids=lambda bad: f"{len(bad)} bad")
    async def test_isolates_each_refused_row(self, engine: AsyncEngine, bad: set[int]) -> None:
        rows = [bad_row(f"{i:03}") if i in bad else prepared([project(f"{i:03}")])[0] for i in range(100)]
        statements = 0

        async def write(lines: Any) -> Stored:
            nonlocal statements
            statements += 1
            async with engine.begin() as connection:
                return await upsert(connection, lines)

        stored, refused = await upsert_by_halves([row.line for row in rows], write)
        assert stored == (100 - len(bad), 0)
        assert refused.keys() == bad
        assert all("ck_projects_status" in reason for reason in refused.values())
        assert {row.external_id for row in await ask(engine, "SELECT external_id FROM projects")} == {
            row.key[1] for i, row in enumerate(rows) if i not in bad
        }
        assert len(bad) > 3 or statements <= 1 + 14 * len(bad)

    @pytest.mark.parametrize(
        ("row", "state"),
        [
            (bad_row(), "23514"),
            (bad_row(bid_count="3000000000"), "22003"),
            (bad_row(bid_count='"many"'), "22P02"),
            (bad_row(budget_min='"much"'), "22P02"),
            (bad_row(title="null"), "23502"),
            (bad_row(title='"\\u0000"'), "22P05"),
            (bad_row(posted_at='"yesterday-ish"'), "22007"),
            (bad_row(posted_at='"2026-02-31T00:00:00Z"'), "22008"),
            (bad_row(external_id='"' + random.Random(1).randbytes(3000).hex() + '"'), "54000"),
            (bad_row()._replace(line=b'{"platform":'), "22P02"),
            (bad_row()._replace(line=b'{"platform":"\xff"}'), "22021"),
        ],
        ids=["status", "too large", "no integer", "no number", "null", "NUL", "no time", "no day", "index", "cut",
             "encoding"],
    )  # fmt: skip
    async def test_a_refusal_names_the_reason_without_the_row(
        self, engine: AsyncEngine, row: PreparedRow, state: str
    ) -> None:
        with pytest.raises(DBAPIError) as caught:
            async with engine.begin() as connection:
                await upsert(connection, [row.line])
        assert sqlstate(caught.value) == state
        assert is_refusal(caught.value)
        assert "A shop for shoes" not in str(caught.value).partition("DETAIL")[0]

    async def test_what_is_no_refusal_goes_to_the_caller(self, engine: AsyncEngine) -> None:
        async def write(lines: Any) -> Stored:
            async with engine.connect() as connection:
                await connection.exec_driver_sql("ALTER TABLE projects RENAME COLUMN title TO headline")
                return await upsert(connection, lines)

        with pytest.raises(ProgrammingError):
            await upsert_by_halves([row.line for row in prepared([project(1), project(2)])], write)


async def test_a_batch_may_be_empty_or_hold_keys_of_many_platforms(engine: AsyncEngine) -> None:
    assert await put(engine) == (0, 0)
    assert await put(engine, project(1), Project(platform="beta", external_id="1", url="u", title="t")) == (2, 0)


async def _log_position(engine: AsyncEngine) -> int:
    return int(await number(engine, "SELECT pg_current_wal_insert_lsn() - '0/0'"))
