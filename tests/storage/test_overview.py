"""What the database says of each platform, on both servers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from _projects import POSTED, ask, change, number, project, put
from conftest import Server
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.storage import overview as module
from outsourcing_spiders.storage.engine import normalize_url
from outsourcing_spiders.storage.overview import overview
from outsourcing_spiders.storage.overview_facts import Overview, PlatformOverview
from outsourcing_spiders.storage.tables import SCHEMA_REVISION

SEEN = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)


async def look(url: str, root: Path, *names: str) -> Overview:
    return await overview(url, names, embedded_root=root / "postgresql")


def run_of(spider: str, started: str, finished: str | None, reason: str | None) -> str:
    values = ", ".join("NULL" if value is None else f"'{value}'" for value in (spider, started, finished, reason))
    return (
        "INSERT INTO crawl_runs (spider, started_at, finished_at, reason, items_scraped, written, listing) "
        f"VALUES ({values}, 9, 4, '{{}}')"
    )


def block_of(spider: str, host: str) -> str:
    return (
        "INSERT INTO platform_blocks (spider, host, reason, message, blocked_since, retry_at, times) "
        f"VALUES ('{spider}', '{host}', 'blocked', 'it refuses us', '2026-03-01Z', '2026-03-02Z', 2)"
    )


def test_nothing_is_made_where_nothing_is(tmp_path: Path) -> None:
    found = asyncio.run(look("", tmp_path, "alpha"))
    assert (found.known, found.platforms) == ([], {"alpha": PlatformOverview()})
    assert found.notes == ["Nothing is stored yet: the first crawl makes the database."]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://somebody:s3cret@127.0.0.1:1/x", "cannot be reached"),
        ("mysql://somebody:s3cret@127.0.0.1/x", "begins with mysql://"),
        ("postgresql://somebody:s3cret@[::1/x", "DATABASE_URL"),
    ],
)
async def test_a_database_that_cannot_be_reached_is_told_in_a_sentence(url: str, said: str, tmp_path: Path) -> None:
    found = await look(url, tmp_path, "alpha")
    (note,) = found.notes
    assert found.known == []
    assert note.startswith("What is stored is not known: ")
    assert said in note
    assert note.endswith(".")
    assert not note.endswith("..")
    assert "s3cret" not in note


async def test_a_database_without_tables_stays_so(empty_database_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        found = await look(empty_database_url, tmp_path, "alpha")
        assert (found.known, found.schema, len(found.notes)) == ([], "missing", 1)


async def test_what_is_known_of_each_platform(database_url: str, tmp_path: Path, engine: AsyncEngine) -> None:
    await put(engine, project(1), project(2, posted_at=POSTED + DAY), seen_at=SEEN)
    await put(engine, project(3, posted_at=POSTED - DAY), seen_at=SEEN + DAY)
    untimed = {"platform": "beta", "posted_at": None, "posted_precision": "unknown"}
    await put(engine, project(1, **untimed), project(2, **untimed), seen_at=SEEN)
    await change(
        engine,
        run_of("alpha", "2026-03-03T00:00Z", "2026-03-03T01:00Z", "finished"),
        run_of("alpha", "2026-03-04T00:00Z", "2026-03-04T00:01Z", "blocked"),
        run_of("gamma", "2026-03-05T00:00Z", None, None),
        block_of("alpha", "www.example.com"),
        block_of("alpha", "sandbox.example.com"),
        block_of("unasked", "www.example.com"),
    )
    found = await look(database_url, tmp_path, "alpha", "beta", "gamma", "delta")
    assert (found.known, found.schema, found.notes) == (["crawls", "projects", "blocks", "findings"], "current", [])
    alpha, beta, gamma, delta = found.platforms.values()

    assert (alpha.projects, alpha.projects_exact) == (3, True)
    assert (alpha.newest_posted_at, alpha.newest_first_seen_at) == (POSTED + DAY, SEEN + DAY)
    assert alpha.last_run is not None
    assert (alpha.last_run.reason, alpha.last_run.started_at) == ("blocked", datetime(2026, 3, 4, tzinfo=UTC))
    assert (alpha.last_run.items_scraped, alpha.last_run.written) == (9, 4)
    assert [block.host for block in alpha.blocks] == ["sandbox.example.com", "www.example.com"]
    assert (alpha.blocks[1].reason, alpha.blocks[1].message, alpha.blocks[1].times) == ("blocked", "it refuses us", 2)
    assert alpha.blocks[1].retry_at - alpha.blocks[1].blocked_since == DAY

    assert (beta.projects, beta.newest_posted_at, beta.newest_first_seen_at) == (2, None, SEEN)
    assert (beta.last_run, beta.blocks) == (None, [])
    assert gamma.last_run is not None
    assert (gamma.projects, gamma.last_run.finished_at, gamma.last_run.reason) == (0, None, None)
    assert delta == PlatformOverview(projects=0)


async def test_an_older_schema_lacks_what_it_lacks_and_stays_so(
    database_url: str, tmp_path: Path, engine: AsyncEngine
) -> None:
    await put(engine, project(1))
    await change(engine, "DROP TABLE platform_blocks, platform_health")
    await change(engine, "UPDATE alembic_version SET version_num = '0001'")
    found = await look(database_url, tmp_path, "alpha")
    assert (found.known, found.schema) == (["crawls", "projects"], "older")
    assert found.platforms["alpha"].projects == 1
    assert len(found.notes) == 1
    assert f"0001) is older than this code ({SCHEMA_REVISION})" in found.notes[0]
    assert await number(engine, "SELECT version_num FROM alembic_version") == "0001"


async def test_what_a_user_may_not_see_is_told(
    database_url: str, tmp_path: Path, engine: AsyncEngine, server: Server
) -> None:
    await put(engine, project(1), seen_at=SEEN)
    role = "reader_of_overviews"
    await change(
        engine, f"CREATE ROLE {role} LOGIN PASSWORD 'pw'", f"GRANT SELECT ON projects, alembic_version TO {role}"
    )
    try:
        found = await look(_as_user(database_url, role), tmp_path, "alpha")
    finally:
        await change(engine, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
    assert found.known == ["projects"]
    assert (found.platforms["alpha"].projects, found.platforms["alpha"].newest_first_seen_at) == (1, SEEN)
    assert found.notes == [
        f"The {what} are not known: permission denied for table {table}."
        for what, table in (
            ("crawls", "crawl_runs"),
            ("blocks", "platform_blocks"),
            ("findings", "platform_health"),
        )
    ]


def _as_user(url: str, role: str) -> str:
    before, _, after = normalize_url(url).partition("@")
    return f"{before.partition('://')[0]}://{role}:pw@{after}"


# --- bounds -------------------------------------------------------------------------------------------------------


async def fill(engine: AsyncEngine) -> None:
    """Store 60 projects of a platform at rest, and after them 200 of a busy one, all with statistics."""
    # The server must not renew the statistics by itself.
    await change(engine, "ALTER TABLE projects SET (autovacuum_enabled = off)")
    for platform, count, first in (("at_rest", 60, 0), ("busy", 200, 30)):
        posted = [POSTED + timedelta(days=first, minutes=n) for n in range(count)]
        rows = [project(n, platform=platform, posted_at=posted[n]) for n in range(count)]
        await put(engine, *rows, seen_at=SEEN + timedelta(days=first))
    await change(engine, "ANALYZE projects")


async def test_many_projects_are_estimated(
    database_url: str, tmp_path: Path, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(engine)
    monkeypatch.setattr(module, "COUNTED_UP_TO", 60)
    found = await look(database_url, tmp_path, "at_rest", "busy")
    counted = {name: (facts.projects, facts.projects_exact) for name, facts in found.platforms.items()}
    assert counted == {"at_rest": (60, True), "busy": (200, False)}

    await change(engine, "DELETE FROM pg_statistic WHERE starelid = 'projects'::regclass")
    assert (await look(database_url, tmp_path, "busy")).platforms["busy"].projects == 60


@pytest.mark.parametrize(
    ("crawled", "all_of_it", "is_found"),
    [(True, 10, True), (False, 60, True), (False, 59, False)],
    ids=["near its last crawl", "among few", "neither"],
)
async def test_the_newest_is_looked_for_within_bounds(
    database_url: str, tmp_path: Path, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, crawled: bool,
    all_of_it: int, is_found: bool,
) -> None:  # fmt: skip
    await fill(engine)
    if crawled:
        await change(engine, run_of("at_rest", "2026-03-01T00:00Z", "2026-03-02T00:00Z", "finished"))
    monkeypatch.setattr(module, "_NEWEST", 20)
    monkeypatch.setattr(module, "_ALL_OF_A_PLATFORM", all_of_it)
    found = await look(database_url, tmp_path, "at_rest", "busy")
    at_rest, busy = found.platforms.values()
    newest = (POSTED + timedelta(minutes=59), SEEN) if is_found else (None, None)
    assert (at_rest.newest_posted_at, at_rest.newest_first_seen_at) == newest
    assert busy.newest_posted_at == POSTED + timedelta(days=30, minutes=199)


async def test_no_look_reads_the_whole_table(database_url: str, engine: AsyncEngine) -> None:
    await fill(engine)
    bounds = {"counted": 11, "newest": 10, "all_of_it": 10, "names": ["at_rest", "none"], "ends": [None, None]}
    async with engine.begin() as connection:
        for path in ("enable_seqscan", "enable_bitmapscan"):
            await connection.exec_driver_sql(f"SET LOCAL {path} = off")
        rows = await connection.execute(module.text(f"EXPLAIN {module._PROJECTS}"), bounds)
        plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan on projects" not in plan
    # A maximum that is read off an index goes through all that other platforms have.
    assert plan.count("using pk_projects") == 2


async def test_a_look_that_takes_too_long_is_given_up(
    database_url: str, tmp_path: Path, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 3)
    monkeypatch.setattr(module, "_RUNS", "SELECT pg_sleep(30), CAST(:names AS text[])")
    found = await look(database_url, tmp_path, "alpha")
    assert found.known == ["projects", "blocks", "findings"]
    assert found.notes == ["The crawls are not known: it took over 3 s to look."]
    assert await ask(engine, "SELECT 1")
