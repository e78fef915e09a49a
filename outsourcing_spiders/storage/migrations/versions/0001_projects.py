"""Create the projects, what is derived from them, and the log of crawls."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create everything."""
    _create_tables()
    op.execute(_SEARCH_CONFIGURATION)
    op.execute(_SEARCH_VECTOR)
    op.execute(_ANNOUNCE)
    op.execute(_ON_INSERT)
    op.execute(_ON_UPDATE)
    op.execute(_ON_DELETE)
    op.execute(
        "CREATE TRIGGER projects_inserted AFTER INSERT ON projects "
        "REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projects_inserted()"
    )
    op.execute(
        "CREATE TRIGGER projects_updated AFTER UPDATE ON projects "
        "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows "
        "FOR EACH STATEMENT EXECUTE FUNCTION projects_updated()"
    )
    op.execute(
        "CREATE TRIGGER projects_deleted AFTER DELETE ON projects "
        "REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION projects_deleted()"
    )


def downgrade() -> None:
    """Drop everything."""
    for table in (
        "exchange_rates",
        "rejected_items",
        "crawl_runs",
        "project_search",
        "project_history",
        "projects",
    ):
        op.drop_table(table)
    for function in (
        "projects_inserted()",
        "projects_updated()",
        "projects_deleted()",
        "announce_projects(text, text[])",
        "project_search_vector(text, text, text[], text)",
        "project_search_configuration(text)",
    ):
        op.execute(f"DROP FUNCTION {function}")


def _create_tables() -> None:
    op.create_table(
        "projects",
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("external_id", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("description_complete", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("pricing", sa.Text, nullable=False),
        sa.Column("budget_min", sa.Numeric),
        sa.Column("budget_max", sa.Numeric),
        sa.Column("currency", sa.Text),
        sa.Column("budget_text", sa.Text),
        sa.Column("budget_min_usd", sa.Numeric),
        sa.Column("budget_max_usd", sa.Numeric),
        sa.Column("skills", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("category", sa.Text),
        sa.Column("work_mode", sa.Text, nullable=False),
        sa.Column("location", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("posted_at", _TIME),
        sa.Column("posted_precision", sa.Text, nullable=False),
        sa.Column("posted_text", sa.Text),
        sa.Column("closes_at", _TIME),
        sa.Column("bid_count", sa.Integer),
        sa.Column("bid_average", sa.Numeric),
        sa.Column("client_country", sa.Text),
        sa.Column("client_rating", sa.Numeric),
        sa.Column("client_reviews", sa.Integer),
        sa.Column("client_verified", sa.Boolean),
        sa.Column("extra", postgresql.JSONB, nullable=False),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("last_seen_at", _TIME, nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("platform", "external_id", name="pk_projects"),
        sa.CheckConstraint(
            "status IN ('open', 'closed', 'awarded', 'cancelled', 'unknown')", name=op.f("ck_projects_status")
        ),
        sa.CheckConstraint(
            "pricing IN ('fixed', 'hourly', 'daily', 'monthly', 'unknown')", name=op.f("ck_projects_pricing")
        ),
        sa.CheckConstraint(
            "work_mode IN ('remote', 'onsite', 'hybrid', 'unknown')", name=op.f("ck_projects_work_mode")
        ),
        sa.CheckConstraint(
            "posted_precision IN ('exact', 'minute', 'hour', 'day', 'unknown')",
            name=op.f("ck_projects_posted_precision"),
        ),
        postgresql_with={"fillfactor": 85},
    )
    op.create_index("ix_projects_posted_at", "projects", ["posted_at"])
    op.create_index("ix_projects_first_seen_at", "projects", ["first_seen_at"])
    op.create_index("ix_projects_skills", "projects", ["skills"], postgresql_using="gin")
    op.create_table(
        "project_history",
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("external_id", sa.Text, nullable=False),
        sa.Column("observed_at", _TIME, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("bid_count", sa.Integer),
        sa.Column("bid_average", sa.Numeric),
        sa.Column("budget_min", sa.Numeric),
        sa.Column("budget_max", sa.Numeric),
        sa.Column("currency", sa.Text),
        sa.PrimaryKeyConstraint("platform", "external_id", "observed_at", name="pk_project_history"),
        comment="The first observation of each project, and one row for each real change after it",
    )
    op.create_table(
        "project_search",
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("external_id", sa.Text, nullable=False),
        sa.Column("search", postgresql.TSVECTOR, comment="null: the text is new and not indexed yet"),
        sa.PrimaryKeyConstraint("platform", "external_id", name="pk_project_search"),
        comment="Full-text vectors of the projects; derived, beside the projects so that a new bid rewrites no text",
    )
    op.create_index("ix_project_search_search", "project_search", ["search"], postgresql_using="gin")
    op.create_index(
        "ix_project_search_pending",
        "project_search",
        ["platform", "external_id"],
        postgresql_where=sa.text("search IS NULL"),
    )
    op.create_table(
        "crawl_runs",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True)),
        sa.Column("spider", sa.Text, nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME, comment="null: running, or killed"),
        sa.Column("reason", sa.Text, comment="one of outcomes.CloseReason"),
        *(
            sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0"))
            for name in ("items_scraped", "written", "unchanged", "merged", "rejected", "spooled", "requests")
        ),
        sa.Column("stats", postgresql.JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column(
            "listing",
            sa.Text,
            nullable=False,
            comment="what was asked for: the arguments that narrow the listing",
        ),
        sa.Column(
            "whole_since",
            _TIME,
            comment="the listing is stored without gaps back to this time (-infinity: to its end); "
            "null: the crawl did not get so far",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_crawl_runs"),
    )
    op.create_index("ix_crawl_runs_spider_started_at", "crawl_runs", ["spider", "started_at"])
    op.create_table(
        "rejected_items",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True)),
        sa.Column(
            "run_id",
            sa.BigInteger,
            sa.ForeignKey("crawl_runs.id", name="fk_rejected_items_run_id", ondelete="SET NULL"),
        ),
        sa.Column("spider", sa.Text, nullable=False),
        sa.Column("url", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("payload", postgresql.JSONB, nullable=False),
        sa.Column("rejected_at", _TIME, nullable=False, comment="the last time"),
        sa.Column("external_id", sa.Text),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False, comment="of spider, project and reason"),
        sa.PrimaryKeyConstraint("id", name="pk_rejected_items"),
    )
    op.create_index("ix_rejected_items_fingerprint", "rejected_items", ["fingerprint"], unique=True)
    op.create_index("ix_rejected_items_spider_external_id", "rejected_items", ["spider", "external_id"])
    op.create_index("ix_rejected_items_run_id", "rejected_items", ["run_id"])
    op.create_table(
        "exchange_rates",
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("source", sa.Text, nullable=False, comment="the platform that told it, or ecb"),
        sa.Column("usd_per_unit", sa.Numeric, nullable=False),
        sa.PrimaryKeyConstraint("currency", "day", "source", name="pk_exchange_rates"),
        sa.CheckConstraint("usd_per_unit > 0", name=op.f("ck_exchange_rates_usd_per_unit")),
    )


# The stemmers that PostgreSQL 15 ships; a language without one is searched by whole words.
_SEARCH_CONFIGURATION = """
CREATE FUNCTION project_search_configuration(language text) RETURNS regconfig
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT CASE language
    WHEN 'ar' THEN 'pg_catalog.arabic' WHEN 'ca' THEN 'pg_catalog.catalan' WHEN 'da' THEN 'pg_catalog.danish'
    WHEN 'de' THEN 'pg_catalog.german' WHEN 'el' THEN 'pg_catalog.greek' WHEN 'en' THEN 'pg_catalog.english'
    WHEN 'es' THEN 'pg_catalog.spanish' WHEN 'eu' THEN 'pg_catalog.basque' WHEN 'fi' THEN 'pg_catalog.finnish'
    WHEN 'fr' THEN 'pg_catalog.french' WHEN 'ga' THEN 'pg_catalog.irish' WHEN 'hi' THEN 'pg_catalog.hindi'
    WHEN 'hu' THEN 'pg_catalog.hungarian' WHEN 'hy' THEN 'pg_catalog.armenian'
    WHEN 'id' THEN 'pg_catalog.indonesian' WHEN 'it' THEN 'pg_catalog.italian'
    WHEN 'lt' THEN 'pg_catalog.lithuanian' WHEN 'ne' THEN 'pg_catalog.nepali' WHEN 'nl' THEN 'pg_catalog.dutch'
    WHEN 'no' THEN 'pg_catalog.norwegian' WHEN 'pt' THEN 'pg_catalog.portuguese'
    WHEN 'ro' THEN 'pg_catalog.romanian' WHEN 'ru' THEN 'pg_catalog.russian' WHEN 'sr' THEN 'pg_catalog.serbian'
    WHEN 'sv' THEN 'pg_catalog.swedish' WHEN 'ta' THEN 'pg_catalog.tamil' WHEN 'tr' THEN 'pg_catalog.turkish'
    WHEN 'yi' THEN 'pg_catalog.yiddish'
    ELSE 'pg_catalog.simple' END::regconfig
$$
"""

# A tsvector holds at most 1 MB: three times 50,000 characters never reach it. One text that did would keep
# all others from being indexed.
_SEARCH_VECTOR = """
CREATE FUNCTION project_search_vector(title text, description text, skills text[], language text)
RETURNS tsvector LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT setweight(to_tsvector(project_search_configuration(language), left(title, 50000)), 'A')
    || setweight(to_tsvector('pg_catalog.simple', left(array_to_string(skills, ' '), 50000)), 'B')
    || setweight(to_tsvector(project_search_configuration(language), left(coalesce(description, ''), 50000)), 'C')
$$
"""

# {"change": "new" | "changed", "count": 2, "projects": ["freelancer/1", "freelancer/2"]}. A notice may hold
# fewer than 8,000 bytes: when the keys are too many, "projects" is null and the listener asks the table.
_ANNOUNCE = """
CREATE FUNCTION announce_projects(change text, keys text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    notice text := json_build_object('change', change, 'count', cardinality(keys), 'projects', keys);
BEGIN
    IF octet_length(notice) >= 8000 THEN
        notice := json_build_object('change', change, 'count', cardinality(keys), 'projects', NULL);
    END IF;
    PERFORM pg_notify('outsourcing_projects', notice);
END
$$
"""

_ON_INSERT = """
CREATE FUNCTION projects_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    keys text[];
BEGIN
    SELECT array_agg(platform || '/' || external_id) INTO keys FROM new_rows;
    IF keys IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO project_history
        (platform, external_id, observed_at, status, bid_count, bid_average, budget_min, budget_max, currency)
    SELECT platform, external_id, changed_at, status, bid_count, bid_average, budget_min, budget_max, currency
    FROM new_rows ON CONFLICT DO NOTHING;
    INSERT INTO project_search (platform, external_id)
    SELECT platform, external_id FROM new_rows
    ON CONFLICT (platform, external_id) DO UPDATE SET search = NULL;
    PERFORM announce_projects('new', keys);
    RETURN NULL;
END
$$
"""

_ON_UPDATE = """
CREATE FUNCTION projects_updated() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    keys text[];
BEGIN
    SELECT array_agg(n.platform || '/' || n.external_id) INTO keys
    FROM new_rows n JOIN old_rows o USING (platform, external_id)
    WHERE n.changed_at IS DISTINCT FROM o.changed_at;
    IF keys IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO project_history
        (platform, external_id, observed_at, status, bid_count, bid_average, budget_min, budget_max, currency)
    SELECT platform, external_id, n.changed_at, n.status, n.bid_count, n.bid_average, n.budget_min, n.budget_max,
        n.currency
    FROM new_rows n JOIN old_rows o USING (platform, external_id)
    WHERE (n.status, n.bid_count, n.bid_average, n.budget_min, n.budget_max, n.currency)
        IS DISTINCT FROM (o.status, o.bid_count, o.bid_average, o.budget_min, o.budget_max, o.currency)
    ON CONFLICT DO NOTHING;
    INSERT INTO project_search (platform, external_id)
    SELECT platform, external_id FROM new_rows n JOIN old_rows o USING (platform, external_id)
    WHERE (n.title, n.description, n.skills, n.language)
        IS DISTINCT FROM (o.title, o.description, o.skills, o.language)
    ORDER BY platform, external_id
    ON CONFLICT (platform, external_id) DO UPDATE SET search = NULL;
    PERFORM announce_projects('changed', keys);
    RETURN NULL;
END
$$
"""

_ON_DELETE = """
CREATE FUNCTION projects_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM project_search s USING old_rows o
    WHERE s.platform = o.platform AND s.external_id = o.external_id;
    DELETE FROM project_history h USING old_rows o
    WHERE h.platform = o.platform AND h.external_id = o.external_id;
    RETURN NULL;
END
$$
"""
