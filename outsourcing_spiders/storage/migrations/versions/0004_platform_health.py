"""Remember what is not as it was on a platform, so that it is told once."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_KEPT_PAGES = "Pages that ended a crawl, for diagnosis; the last few of each spider"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "platform_health",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True)),
        sa.Column("spider", sa.Text, nullable=False),
        sa.Column("listing", sa.Text, nullable=False, comment="as in crawl_runs"),
        sa.Column("reader", sa.Text, nullable=False, comment="the class that read the platform: the way in"),
        sa.Column("subject", sa.Text, nullable=False, comment="what it is about, such as listed:budget"),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("finding", sa.Text, nullable=False, comment="in words"),
        sa.Column("since", _TIME, nullable=False, comment="start of the first crawl that had it"),
        sa.Column("since_run_id", sa.BigInteger, nullable=False),
        sa.Column("page_id", sa.BigInteger, comment="a page that shows it, while it is kept"),
        sa.Column("resolved_at", _TIME, comment="null: it is so still"),
        sa.Column("resolved_run_id", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_platform_health"),
        sa.ForeignKeyConstraint(
            ["page_id"], ["kept_pages.id"], name="fk_platform_health_page_id_kept_pages", ondelete="SET NULL"
        ),
        comment="What is not as it was in earlier crawls of a platform; told when it is found, and when it is over",
    )
    op.create_index(
        "ix_platform_health_open",
        "platform_health",
        ["spider", "listing", "reader", "subject"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_index("ix_platform_health_page_id", "platform_health", ["page_id"])
    op.create_table_comment(
        "kept_pages",
        "Pages that ended a crawl, or show what is not as it was; the last few of each spider",
        existing_comment=_KEPT_PAGES,
    )


def downgrade() -> None:
    """Drop the table."""
    op.create_table_comment("kept_pages", _KEPT_PAGES)
    op.drop_table("platform_health")
