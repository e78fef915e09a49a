"""Compare a crawl with the platform's own recent ones, and remember what was told: each finding is told once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.storage.judgement import DETAILED, LISTED, PARTS, Finding, Run, Shares, is_back, judge

_LOOKED_AT = 80
"""Earlier crawls that are read, newest first: more than are compared, for not all of them are comparable."""
_REMEMBERED = "90 days"
"""What is older is no measure any more: a finding of which nothing older is left is closed without a word."""

KeepPage = Callable[[str, Sequence[Finding]], Awaitable[int | None]]
"""Keep a page of the listing, or a project's own, that shows the findings; return its number, if there is one."""


class Told(NamedTuple):
    """A finding that was remembered just now, and the number of the kept page."""

    finding: Finding
    page: int | None


class Back(NamedTuple):
    """A finding that is over: what it was, since when (aware UTC), and how it is now."""

    was: str
    since: datetime
    words: str


@dataclass(slots=True)
class Review:
    """What is to be told about a crawl."""

    found: list[Told] = field(default_factory=list)
    back: list[Back] = field(default_factory=list)


def measures(reader: str, bounds: str, listed: Shares, detailed: Shares) -> dict[str, Any]:
    """Return what is stored as ``crawl_runs.stats['health']`` for later crawls to compare with."""
    parts = {LISTED: listed, DETAILED: detailed}
    told = {
        name: {"rows": part.rows, "filled": {key: count for key, count in part.filled.items() if count}}
        for name, part in parts.items()
        if part.rows
    }
    return {"reader": reader, "bounds": bounds, **told}


async def review(connection: AsyncConnection, run_id: int, keep_page: KeepPage) -> Review:
    """Compare the finished crawl `run_id` with earlier ones, remember what is new or over, and return that.

    Two crawls that end at the same moment find the same, and one of them tells it.
    """
    row = (await connection.execute(_RUN, {"id": run_id})).one_or_none()
    if row is None or row.reader is None:
        return Review()
    run = _run(row)
    kind = {"spider": row.spider, "listing": row.listing, "reader": row.reader}
    await connection.execute(_FORGET, {"spider": row.spider})
    remembered = list(await connection.execute(_REMEMBER, kind))
    recent = await _before(connection, kind, run_id)
    bad: dict[str, list[tuple[int, int]]] = {}
    for old in remembered:
        if old.resolved_run_id is not None:
            bad.setdefault(old.subject, []).append((old.since_run_id, old.resolved_run_id))

    def past(subject: str, runs: Sequence[Run] = recent) -> list[Run]:
        # Crawls that were not as they should have been are no measure.
        spans = bad.get(subject)
        return [old for old in runs if not any(first <= old.id < last for first, last in spans)] if spans else [*runs]

    done = Review()
    still_so = {old.subject: old for old in remembered if old.resolved_at is None}
    for subject, old in sorted(still_so.items()):
        before = await _before(connection, kind, old.since_run_id)
        words = is_back(subject, run, past(subject, before)) if before else ""
        if words is None:
            continue
        values = {"id": old.id, "run_id": run_id}
        if (await connection.execute(_RESOLVE, values)).scalar_one_or_none() is not None and words:
            done.back.append(Back(old.finding, old.since, words))
    new = [finding for finding in judge(run, past) if finding.subject not in still_so]
    pages: dict[str, int | None] = {}
    for part in PARTS:
        if shown := [finding for finding in new if finding.part == part]:
            pages[part] = await keep_page(part, shown)
    for finding in new:
        page = row.ending_page if finding.kind == "reason" else pages.get(finding.part)
        values = kind | {
            "subject": finding.subject,
            "kind": finding.kind,
            "finding": finding.words,
            "since": finding.since,
            "since_run_id": finding.since_run,
            "page_id": page,
        }
        if (await connection.execute(_TELL, values)).scalar_one_or_none() is not None:
            done.found.append(Told(finding, page))
    return done


async def _before(connection: AsyncConnection, kind: Mapping[str, str], run_id: int) -> list[Run]:
    rows = await connection.execute(_HISTORY, {**kind, "before": run_id, "most": _LOOKED_AT})
    return [_run(row) for row in rows]


def _run(row: Any) -> Run:
    stored = row.health
    shares = {name: stored.get(name) or {} for name in (LISTED, DETAILED)}
    return Run(
        id=row.id,
        started_at=row.started_at,
        reason=row.reason or "",
        seconds=float(row.seconds or 0),
        requests=row.requests,
        scraped=row.items_scraped,
        rejected=row.rejected,
        bounds=stored.get("bounds", ""),
        listed=Shares(shares[LISTED].get("rows", 0), shares[LISTED].get("filled", {})),
        detailed=Shares(shares[DETAILED].get("rows", 0), shares[DETAILED].get("filled", {})),
    )


_COLUMNS = """
    r.id, r.spider, r.listing, r.started_at, r.reason, r.requests, r.items_scraped, r.rejected,
    extract(epoch FROM r.finished_at - r.started_at) AS seconds, r.stats->'health' AS health,
    r.stats->'health'->>'reader' AS reader
"""
_RUN = text(
    f"SELECT {_COLUMNS}, (SELECT max(id) FROM kept_pages WHERE run_id = r.id) AS ending_page "  # noqa: S608
    "FROM crawl_runs AS r WHERE r.id = :id"
)
_HISTORY = text(
    f"""
SELECT {_COLUMNS} FROM crawl_runs AS r
WHERE r.spider = :spider AND r.listing = :listing AND r.stats->'health'->>'reader' = :reader AND r.id < :before
    AND r.finished_at IS NOT NULL AND r.started_at > now() - interval '{_REMEMBERED}'
ORDER BY r.started_at DESC, r.id DESC LIMIT :most
"""  # noqa: S608 - constants
)
_FORGET = text(
    f"DELETE FROM platform_health WHERE spider = :spider AND resolved_at < now() - interval '{_REMEMBERED}'"  # noqa: S608
)
_REMEMBER = text(
    "SELECT * FROM platform_health WHERE spider = :spider AND listing = :listing AND reader = :reader ORDER BY id"
)
_RESOLVE = text(
    "UPDATE platform_health SET resolved_at = now(), resolved_run_id = :run_id "
    "WHERE id = :id AND resolved_at IS NULL RETURNING id"
)
_TELL = text(
    """
INSERT INTO platform_health (spider, listing, reader, subject, kind, finding, since, since_run_id, page_id)
VALUES (:spider, :listing, :reader, :subject, :kind, :finding, :since, :since_run_id, :page_id)
ON CONFLICT (spider, listing, reader, subject) WHERE resolved_at IS NULL DO NOTHING RETURNING id
"""
)
