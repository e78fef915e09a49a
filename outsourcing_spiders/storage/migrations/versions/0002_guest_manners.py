"""Remember what platforms said: blocks, pages to look at, validators of pages that may be unchanged."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "platform_blocks",
        sa.Column("spider", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("blocked_since", _TIME, nullable=False),
        sa.Column("retry_at", _TIME, nullable=False, comment="crawls ask for nothing before"),
        sa.Column("times", sa.Integer, nullable=False, comment="crawls in a row that ended so"),
        sa.PrimaryKeyConstraint("spider", "host", name="pk_platform_blocks"),
        comment="Platforms that refuse us at present; a crawl that is let in again removes its row",
    )
    op.create_table(
        "kept_pages",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True)),
        sa.Column("run_id", sa.BigInteger),
        sa.Column("spider", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", postgresql.JSONB, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False, comment="gzip; without secrets and e-mail addresses"),
        sa.Column("body_size", sa.Integer, nullable=False, comment="bytes of the whole body, which may be cut"),
        sa.Column("reason", sa.Text, nullable=False, comment="one of outcomes.CloseReason"),
        sa.Column("finding", sa.Text, nullable=False, comment="what the page was recognized by"),
        sa.Column("kept_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_kept_pages"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["crawl_runs.id"], name="fk_kept_pages_run_id_crawl_runs", ondelete="SET NULL"
        ),
        comment="Pages that ended a crawl, for diagnosis; the last few of each spider",
    )
    op.create_index("ix_kept_pages_spider_kept_at", "kept_pages", ["spider", "kept_at"])
    op.create_index("ix_kept_pages_run_id", "kept_pages", ["run_id"])
    op.create_table(
        "page_validators",
        sa.Column("spider", sa.Text, nullable=False),
        sa.Column("listing", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("etag", sa.Text),
        sa.Column("last_modified", sa.Text),
        sa.Column("stored_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("spider", "listing", "url", name="pk_page_validators"),
        comment="ETag and Last-Modified of pages whose projects are all stored",
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("page_validators", "kept_pages", "platform_blocks"):
        op.drop_table(table)
