"""What the database says of each platform: how much there is, how new it is, how the last crawl ended.

Nothing is made or changed for it, and each look is bounded: it takes moments on a table of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage.embedded import EmbeddedPostgresError
from outsourcing_spiders.storage.engine import explained, message, sqlstate
from outsourcing_spiders.storage.judgement import FEWEST_RUNS, brief
from outsourcing_spiders.storage.overview_facts import (
    COUNTED_UP_TO,
    Finding,
    HostBlock,
    LastRun,
    Overview,
    PlatformOverview,
    Topic,
)
from outsourcing_spiders.storage.status import UncheckedDatabase, advice, is_made

_NEWEST = 5_000
"""Projects of the table, back from the last crawl of a platform, among which its newest is looked for first."""
_ALL_OF_A_PLATFORM = 20_000
"""Projects of a platform that are all looked at when none is among those."""
_PATIENCE = 5
"""Seconds after which a statement is given up."""


async def overview(url: str, platforms: Sequence[str], *, embedded_root: Path) -> Overview:
    """Return what one database knows of `platforms`; an embedded server is started for it, but never made.

    Raises nothing for a database that is not there or cannot be reached: `Overview.notes` says it.
    """
    found = Overview({name: PlatformOverview() for name in platforms})
    try:
        if not url.strip() and not is_made(embedded_root):
            found.notes.append("Nothing is stored yet: the first crawl makes the database.")
            return found
        async with UncheckedDatabase(url, embedded_root=embedded_root) as database:
            found.schema, revision = await database.schema_state()
            if sentence := advice(found.schema, revision):
                found.notes.append(sentence)
            if found.schema == "missing":
                return found
            with explained(database.name):
                async with database.engine.connect() as connection:
                    await connection.execution_options(isolation_level="AUTOCOMMIT")
                    await _look(connection, found)
    except (StorageError, EmbeddedPostgresError, OSError) as error:
        found.notes.append(f"What is stored is not known: {str(error).rstrip('.')}.")
    return found


async def _look(connection: AsyncConnection, found: Overview) -> None:
    # The planner takes all platforms for equally large, and would read the whole table for a small one.
    for setting in (f"statement_timeout = '{_PATIENCE}s'", "enable_seqscan = off", "enable_bitmapscan = off"):
        await connection.execute(text(f"SET {setting}"))
    names = list(found.platforms)
    for name, *columns in await _ask(connection, found, "crawls", _RUNS, {"names": names}):
        found.platforms[name].last_run = LastRun(*columns)
    runs = [facts.last_run for facts in found.platforms.values()]
    bounds = {"counted": COUNTED_UP_TO + 1, "newest": _NEWEST, "all_of_it": _ALL_OF_A_PLATFORM}
    asked = {"names": names, "ends": [run and run.finished_at for run in runs]} | bounds
    for name, counted, estimate, posted_at, first_seen_at in await _ask(
        connection, found, "projects", _PROJECTS, asked
    ):
        facts = found.platforms[name]
        facts.newest_posted_at, facts.newest_first_seen_at = posted_at, first_seen_at
        facts.projects_exact = counted <= COUNTED_UP_TO
        facts.projects = counted if facts.projects_exact else max(COUNTED_UP_TO, estimate or 0)
    for name, *columns in await _ask(connection, found, "blocks", _BLOCKS, {"names": names}):
        found.platforms[name].blocks.append(HostBlock(*columns))
    asked = {"names": names, "fewest": FEWEST_RUNS + 1}
    for name, crawls, kind, subject, *columns in await _ask(connection, found, "findings", _HEALTH, asked):
        found.platforms[name].compared = crawls >= FEWEST_RUNS + 1
        if kind is not None:
            found.platforms[name].findings.append(Finding(brief(kind, subject), *columns))


async def _ask(
    connection: AsyncConnection, found: Overview, what: Topic, statement: str, asked: dict[str, Any]
) -> list[Any]:
    """Return rows; none, with a note unless the schema is too old for them, when the database does not give them."""
    try:
        rows = list((await connection.execute(text(statement), asked)).all())
    except DBAPIError as error:
        match sqlstate(error):
            case "42P01" if found.schema == "older":
                pass
            case "42P01" | "42703" | "42501":
                found.notes.append(f"The {what} are not known: {message(error)}.")
            case "57014":
                found.notes.append(f"The {what} are not known: it took over {_PATIENCE} s to look.")
            case _:
                raise
        return []
    found.known.append(what)
    return rows


# Nothing of a platform is newer than the end of its last crawl: what it has among the projects just before, by
# posted_at and by first_seen_at, is the newest that it has. When it has none there, all of it is looked at,
# unless that is too much. The LIMIT keeps the planner from reading either index to its end for a maximum.
_PROJECTS = """
WITH estimated AS MATERIALIZED (
    SELECT v.platform, CAST(v.share * c.reltuples AS bigint) AS projects
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = 'platform'
    CROSS JOIN LATERAL unnest(CAST(CAST(s.most_common_vals AS text) AS text[]), s.most_common_freqs)
        AS v(platform, share)
    WHERE c.oid = to_regclass('projects')
)
SELECT asked.platform, counted.projects, estimated.projects,
    coalesce(posted.newest, whole.posted_at), coalesce(seen.newest, whole.first_seen_at)
FROM unnest(CAST(:names AS text[]), CAST(:ends AS timestamptz[])) AS asked(platform, crawl_end)
LEFT JOIN estimated ON estimated.platform = asked.platform
CROSS JOIN LATERAL (
    SELECT count(*) AS projects FROM (
        SELECT FROM projects WHERE projects.platform = asked.platform LIMIT :counted
    ) AS p
) AS counted
CROSS JOIN LATERAL (
    SELECT max(p.posted_at) AS newest FROM (
        -- A platform's clock may be ahead, and a day that is all it tells, too.
        SELECT platform, posted_at FROM projects
        WHERE posted_at <= coalesce(asked.crawl_end, now()) + interval '1 day' ORDER BY posted_at DESC LIMIT :newest
    ) AS p WHERE p.platform = asked.platform
) AS posted
CROSS JOIN LATERAL (
    SELECT max(p.first_seen_at) AS newest FROM (
        SELECT platform, first_seen_at FROM projects
        WHERE first_seen_at <= coalesce(asked.crawl_end, now()) ORDER BY first_seen_at DESC LIMIT :newest
    ) AS p WHERE p.platform = asked.platform
) AS seen
CROSS JOIN LATERAL (
    SELECT max(p.posted_at) AS posted_at, max(p.first_seen_at) AS first_seen_at FROM (
        SELECT posted_at, first_seen_at FROM projects
        WHERE projects.platform = asked.platform AND counted.projects <= :all_of_it
            AND (posted.newest IS NULL OR seen.newest IS NULL)
        LIMIT :all_of_it
    ) AS p
) AS whole
"""
_RUNS = """
SELECT asked.platform, run.started_at, run.finished_at, run.reason, run.items_scraped, run.written
FROM unnest(CAST(:names AS text[])) AS asked(platform)
CROSS JOIN LATERAL (
    SELECT * FROM crawl_runs AS r WHERE r.spider = asked.platform ORDER BY r.started_at DESC, r.id DESC LIMIT 1
) AS run
"""
_BLOCKS = """
SELECT spider, host, reason, message, blocked_since, retry_at, times FROM platform_blocks
WHERE spider = ANY(CAST(:names AS text[])) ORDER BY spider, host
"""
_HEALTH = """
SELECT asked.platform, compared.crawls, h.kind, h.subject, h.finding, h.since, h.since_run_id, h.page_id, h.listing
FROM unnest(CAST(:names AS text[])) AS asked(platform)
CROSS JOIN LATERAL (
    SELECT count(*) AS crawls FROM (
        SELECT FROM crawl_runs AS r WHERE r.spider = asked.platform AND r.stats ? 'health' AND r.items_scraped > 0
        ORDER BY r.started_at DESC LIMIT :fewest
    ) AS r
) AS compared
LEFT JOIN platform_health AS h ON h.spider = asked.platform AND h.resolved_at IS NULL
ORDER BY h.since DESC, h.id DESC
"""
