"""Compare a crawl with the platform's own recent ones, and remember what was told: each finding is told once.

A crawl is compared with those that asked for the same (query, skills, …). What crawls that asked for different
things find alike of a platform is one finding: it is remembered for each, and told for the first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.storage.judgement import AT_ONCE, DETAILED, LISTED, PARTS, Finding, Run, Shares, is_back, judge

_LOOKED_AT = 80
"""Earlier crawls that are read, newest first: more than are compared, for not all of them are comparable."""
_REMEMBERED = "90 days"
"""What is older is no measure any more: a finding of which nothing older is left is closed without a word."""

# Any constant does, as long as every version of this project takes the same one.
_LOCKS = 7_240_213
_OF_A_LISTING = frozenset({"rows"})
"""Subjects that a crawl of one part of a platform tells nothing about another of: fewer rows of a query are no news."""
_Count = Annotated[int, msgspec.Meta(ge=0)]

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

    Of two crawls that end at the same moment one waits for the other: they find the same, and one tells it.
    """
    await connection.execute(_ONE_AT_A_TIME, {"id": run_id})
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
    host = _host(row.listing)
    elsewhere = [
        old
        for old in await connection.execute(_ELSEWHERE, kind)
        if old.subject not in _OF_A_LISTING and _host(old.listing) == host
    ]
    for subject, old in sorted(still_so.items()):
        before = await _before(connection, kind, old.since_run_id)
        since = [other for other in recent if other.id >= old.since_run_id]
        words = is_back(subject, run, past(subject, before), since) if before else ""
        if words is None:
            continue
        # Over for one, it is over for all; where it is not, it will be found, and told, anew.
        same = [old.id, *(other.id for other in elsewhere if words and other.subject == subject)]
        resolved = set((await connection.execute(_RESOLVE, {"ids": same, "run_id": run_id})).scalars())
        elsewhere = [other for other in elsewhere if other.id not in resolved]
        if old.id in resolved and words:
            done.back.append(Back(old.finding, old.since, words))
    told = {_sameness(old.subject, old.kind, old.finding) for old in elsewhere}
    new: list[Finding] = []
    for finding in judge(run, past):
        before_it = still_so.get(finding.subject)
        if before_it is None:
            new.append(finding)
        elif run.reason in AT_ONCE and finding.kind == "reason" and not _alike(finding, before_it):
            # It was away, say, and now it has another layout.
            await connection.execute(_RESOLVE, {"ids": [before_it.id], "run_id": run_id})
            new.append(finding)
    news = {finding.subject for finding in new if _sameness(finding.subject, finding.kind, finding.words) not in told}
    pages: dict[str, int | None] = {}
    for part in PARTS:
        if shown := [finding for finding in new if finding.part == part and finding.subject in news]:
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
        is_new = (await connection.execute(_TELL, values)).scalar_one_or_none() is not None
        if is_new and finding.subject in news:
            done.found.append(Told(finding, page))
    return done


def _alike(finding: Finding, old: Any) -> bool:
    return _sameness(finding.subject, finding.kind, finding.words) == _sameness(old.subject, old.kind, old.finding)


def _sameness(subject: str, kind: str, words: str) -> tuple[str, str, str]:
    """Return what findings of two crawls have in common when they are one; of a reason, how the crawl ends."""
    return subject, kind, words.partition(",")[0] if kind == "reason" else ""


def _host(listing: str) -> str | None:
    """Return the host that a crawl asked instead of the platform's own, of which it says nothing."""
    # A word before it names another way in.
    _, brace, members = listing.partition("{")
    try:
        asked = msgspec.json.decode(brace + members)
    except msgspec.MsgspecError:
        return None
    host = asked.get("base_url") if isinstance(asked, dict) else None
    return host if isinstance(host, str) else None


async def _before(connection: AsyncConnection, kind: Mapping[str, str], run_id: int) -> list[Run]:
    rows = await connection.execute(_HISTORY, {**kind, "before": run_id, "most": _LOOKED_AT})
    return [_run(row) for row in rows]


def _run(row: Any) -> Run:
    stored = row.health
    bounds = stored.get("bounds")
    return Run(
        id=row.id,
        started_at=row.started_at,
        reason=row.reason or "",
        seconds=float(row.seconds or 0),
        requests=row.requests,
        scraped=row.items_scraped,
        rejected=row.rejected,
        message=row.message or "",
        bounds=bounds if isinstance(bounds, str) else "",
        listed=_stored_shares(stored.get(LISTED)),
        detailed=_stored_shares(stored.get(DETAILED)),
    )


def _stored_shares(stored: Any) -> Shares:
    """Return what a crawl counted; nothing where somebody has written something else there."""
    try:
        counted = msgspec.convert(stored, _Counted)
    except msgspec.ValidationError:
        return Shares()
    if any(count > counted.rows for count in counted.filled.values()):
        return Shares()
    return Shares(counted.rows, counted.filled)


class _Counted(msgspec.Struct):
    rows: _Count
    filled: dict[str, _Count]


_COLUMNS = """
    r.id, r.spider, r.listing, r.started_at, r.reason, r.requests, r.items_scraped, r.rejected,
    extract(epoch FROM r.finished_at - r.started_at) AS seconds, r.stats->'health' AS health,
    r.stats->'health'->>'reader' AS reader, r.stats->>'message' AS message
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
_ONE_AT_A_TIME = text(
    f"SELECT pg_advisory_xact_lock({_LOCKS}, hashtext(spider)) FROM crawl_runs WHERE id = :id"  # noqa: S608
)
_ELSEWHERE = text(
    "SELECT id, listing, subject, kind, finding FROM platform_health "
    "WHERE spider = :spider AND reader = :reader AND listing <> :listing AND resolved_at IS NULL"
)
_RESOLVE = text(
    "UPDATE platform_health SET resolved_at = now(), resolved_run_id = :run_id "
    "WHERE id = ANY(CAST(:ids AS bigint[])) AND resolved_at IS NULL RETURNING id"
)
_TELL = text(
    """
INSERT INTO platform_health (spider, listing, reader, subject, kind, finding, since, since_run_id, page_id)
VALUES (:spider, :listing, :reader, :subject, :kind, :finding, :since, :since_run_id, :page_id)
ON CONFLICT (spider, listing, reader, subject) WHERE resolved_at IS NULL DO NOTHING RETURNING id
"""
)
