"""What is told of each platform, without what asks a database for it: `scrapy list` does without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from outsourcing_spiders.storage.status import SchemaState

COUNTED_UP_TO = 100_000
"""Projects of one platform that are counted; of more, the planner's statistics tell about how many there are."""

Topic = Literal["projects", "crawls", "blocks", "findings"]


@dataclass(slots=True)
class LastRun:
    """The crawl of a platform that began last; without an end it is running, or was killed."""

    started_at: datetime
    finished_at: datetime | None
    reason: str | None
    items_scraped: int
    written: int


@dataclass(slots=True)
class HostBlock:
    """A host of a platform that refuses us; crawls ask for nothing before `retry_at`."""

    host: str
    reason: str
    message: str
    blocked_since: datetime
    retry_at: datetime
    times: int


@dataclass(slots=True)
class Finding:
    """Something that is not as it was in earlier crawls; it is so since `since` and not over."""

    what: str
    """In two or three words."""
    finding: str
    """In a sentence."""
    since: datetime
    run: int
    page: int | None
    """Number of the kept page that shows it (``scrapy db pages``)."""
    listing: str
    """What was asked for, as in ``crawl_runs``."""


@dataclass(slots=True)
class PlatformOverview:
    """One platform; times are aware UTC. ``None``: there is none, or `Overview.known` says that it is not known.

    `projects` is ``COUNTED_UP_TO`` at least, or an estimate, unless `projects_exact`.
    """

    projects: int | None = None
    projects_exact: bool = True
    newest_posted_at: datetime | None = None
    newest_first_seen_at: datetime | None = None
    last_run: LastRun | None = None
    blocks: list[HostBlock] = field(default_factory=list)
    compared: bool = False
    """Whether there are crawls enough to compare one with."""
    findings: list[Finding] = field(default_factory=list)
    """What is not as it was, the newest first."""


@dataclass(slots=True)
class Overview:
    """All platforms that were asked for; `notes` say in a sentence each what is not known, and why."""

    platforms: dict[str, PlatformOverview]
    known: list[Topic] = field(default_factory=list)
    schema: SchemaState = "missing"
    notes: list[str] = field(default_factory=list)
