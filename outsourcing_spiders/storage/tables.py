"""The tables. ``projects`` is a public interface: users write SQL against it, so add, don't rename.

Times are ``timestamptz``; the connections of this package speak UTC. Amounts are ``numeric`` in the
currency beside them. ``null`` means that the platform does not say.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

SCHEMA_REVISION = "0006"
"""The newest migration; a test holds it to the migrations folder."""

CHANGES_CHANNEL = "outsourcing_projects"
"""``LISTEN`` on it to hear of new and changed projects; the payload is JSON, see the first migration."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


projects = Table(
    "projects",
    metadata,
    Column("platform", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text),
    Column("description_complete", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("pricing", Text, nullable=False),
    Column("budget_min", Numeric),
    Column("budget_max", Numeric),
    Column("currency", Text),
    Column("budget_text", Text),
    Column("budget_min_usd", Numeric),
    Column("budget_max_usd", Numeric),
    Column("skills", ARRAY(Text), nullable=False),
    Column("category", Text),
    Column("work_mode", Text, nullable=False),
    Column("location", Text),
    Column("language", Text),
    Column("posted_at", DateTime(timezone=True)),
    Column("posted_precision", Text, nullable=False),
    Column("posted_text", Text),
    Column("closes_at", DateTime(timezone=True)),
    Column("bid_count", Integer),
    Column("bid_average", Numeric),
    Column("client_country", Text),
    Column("client_rating", Numeric),
    Column("client_reviews", Integer),
    Column("client_verified", Boolean),
    Column("extra", JSONB, nullable=False),
    Column("first_seen_at", DateTime(timezone=True), nullable=False),
    Column("last_seen_at", DateTime(timezone=True), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), comment="deleted then, by the terms of the platform"),
    PrimaryKeyConstraint("platform", "external_id"),
    _one_of("status", "open", "closed", "awarded", "cancelled", "unknown"),
    _one_of("pricing", "fixed", "hourly", "daily", "monthly", "unknown"),
    _one_of("work_mode", "remote", "onsite", "hybrid", "unknown"),
    _one_of("posted_precision", "exact", "minute", "hour", "day", "unknown"),
    Index(None, "posted_at"),
    Index(None, "first_seen_at"),
    Index("ix_projects_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    Index(None, "skills", postgresql_using="gin"),
    # Room on each page for the next version of a row whose bids change: such an update then touches no index.
    postgresql_with={"fillfactor": 85},
)

project_history = Table(
    "project_history",
    metadata,
    Column("platform", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("observed_at", DateTime(timezone=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("bid_count", Integer),
    Column("bid_average", Numeric),
    Column("budget_min", Numeric),
    Column("budget_max", Numeric),
    Column("currency", Text),
    PrimaryKeyConstraint("platform", "external_id", "observed_at"),
    comment="The first observation of each project, and one row for each real change after it",
)

project_search = Table(
    "project_search",
    metadata,
    Column("platform", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("search", TSVECTOR, comment="null: the text is new and not indexed yet"),
    PrimaryKeyConstraint("platform", "external_id"),
    Index(None, "search", postgresql_using="gin"),
    Index(
        "ix_project_search_pending",
        "platform",
        "external_id",
        postgresql_where=text("search IS NULL"),
    ),
    comment="Full-text vectors of the projects; derived, beside the projects so that a new bid rewrites no text",
)

crawl_runs = Table(
    "crawl_runs",
    metadata,
    Column("id", BigInteger, Identity(always=True)),
    Column("spider", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True), comment="null: running, or killed"),
    Column("reason", Text, comment="one of outcomes.CloseReason"),
    Column("items_scraped", Integer, nullable=False, server_default=text("0")),
    Column("written", Integer, nullable=False, server_default=text("0")),
    Column("unchanged", Integer, nullable=False, server_default=text("0")),
    Column("merged", Integer, nullable=False, server_default=text("0")),
    Column("rejected", Integer, nullable=False, server_default=text("0")),
    Column("spooled", Integer, nullable=False, server_default=text("0")),
    Column("requests", Integer, nullable=False, server_default=text("0")),
    Column("stats", JSONB, nullable=False, server_default=text("'{}'")),
    Column("listing", Text, nullable=False, comment="what was asked for: the arguments that narrow the listing"),
    Column(
        "whole_since",
        DateTime(timezone=True),
        comment="the listing is stored without gaps back to this time (-infinity: to its end); "
        "null: the crawl did not get so far",
    ),
    PrimaryKeyConstraint("id"),
    Index(None, "spider", "started_at"),
)

rejected_items = Table(
    "rejected_items",
    metadata,
    Column("id", BigInteger, Identity(always=True)),
    Column("run_id", BigInteger, ForeignKey("crawl_runs.id", ondelete="SET NULL")),
    Column("spider", Text, nullable=False),
    Column("url", Text),
    Column("reason", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("rejected_at", DateTime(timezone=True), nullable=False, comment="the last time"),
    Column("external_id", Text),
    Column("fingerprint", LargeBinary, nullable=False, comment="of spider, project and reason"),
    PrimaryKeyConstraint("id"),
    # The same bad row, met at every crawl, is one row here.
    Index(None, "fingerprint", unique=True),
    Index(None, "spider", "external_id"),
    Index(None, "run_id"),
)

exchange_rates = Table(
    "exchange_rates",
    metadata,
    Column("currency", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("source", Text, nullable=False, comment="the platform that told it, or ecb"),
    Column("usd_per_unit", Numeric, nullable=False),
    PrimaryKeyConstraint("currency", "day", "source"),
    CheckConstraint("usd_per_unit > 0", name="usd_per_unit"),
)

platform_blocks = Table(
    "platform_blocks",
    metadata,
    Column("spider", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("blocked_since", DateTime(timezone=True), nullable=False),
    Column("retry_at", DateTime(timezone=True), nullable=False, comment="crawls ask for nothing before"),
    Column("times", Integer, nullable=False, comment="crawls in a row that ended so"),
    PrimaryKeyConstraint("spider", "host"),
    comment="Platforms that refuse us at present; a crawl that is let in again removes its row",
)

kept_pages = Table(
    "kept_pages",
    metadata,
    Column("id", BigInteger, Identity(always=True)),
    Column("run_id", BigInteger, ForeignKey("crawl_runs.id", ondelete="SET NULL")),
    Column("spider", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="gzip; without secrets and e-mail addresses"),
    Column("body_size", Integer, nullable=False, comment="bytes of the whole body, which may be cut"),
    Column("reason", Text, nullable=False, comment="one of outcomes.CloseReason"),
    Column("finding", Text, nullable=False, comment="what the page was recognized by"),
    Column("kept_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), comment="deleted then, by the terms of the platform"),
    PrimaryKeyConstraint("id"),
    Index(None, "spider", "kept_at"),
    Index(None, "run_id"),
    comment="Pages that ended a crawl, or show what is not as it was; the last few of each spider",
)

platform_health = Table(
    "platform_health",
    metadata,
    Column("id", BigInteger, Identity(always=True)),
    Column("spider", Text, nullable=False),
    Column("listing", Text, nullable=False, comment="as in crawl_runs"),
    Column("reader", Text, nullable=False, comment="the class that read the platform: the way in"),
    Column("subject", Text, nullable=False, comment="what it is about, such as listed:budget"),
    Column("kind", Text, nullable=False),
    Column("finding", Text, nullable=False, comment="in words"),
    Column("since", DateTime(timezone=True), nullable=False, comment="start of the first crawl that had it"),
    Column("since_run_id", BigInteger, nullable=False),
    Column(
        "page_id",
        BigInteger,
        ForeignKey("kept_pages.id", ondelete="SET NULL"),
        comment="a page that shows it, while it is kept",
    ),
    Column("resolved_at", DateTime(timezone=True), comment="null: it is so still"),
    Column("resolved_run_id", BigInteger),
    PrimaryKeyConstraint("id"),
    Index(
        "ix_platform_health_open",
        "spider",
        "listing",
        "reader",
        "subject",
        unique=True,
        postgresql_where=text("resolved_at IS NULL"),
    ),
    Index(None, "page_id"),
    comment="What is not as it was in earlier crawls of a platform; told when it is found, and when it is over",
)

page_validators = Table(
    "page_validators",
    metadata,
    Column("spider", Text, nullable=False),
    Column("listing", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("stored_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("spider", "listing", "url"),
    comment="ETag and Last-Modified of pages whose projects are all stored",
)

credentials = Table(
    "credentials",
    metadata,
    Column("name", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False, comment="encrypted with a secret that is in no database"),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("name"),
    comment="Tokens that platforms renew, such as OAuth refresh tokens that rotate",
)
