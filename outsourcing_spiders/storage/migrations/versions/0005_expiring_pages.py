"""Let kept pages expire, as the projects on them do."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and set it for the pages that were kept without."""
    op.add_column(
        "kept_pages",
        sa.Column("expires_at", sa.DateTime(timezone=True), comment="deleted then, by the terms of the platform"),
    )
    op.execute(
        "UPDATE kept_pages SET expires_at = kept_at + interval '24 hours' "
        "WHERE spider = 'upwork' AND url LIKE 'https://api.upwork.com/%'"
    )


def downgrade() -> None:
    """Remove it, with the pages that would then be kept for ever."""
    op.execute("DELETE FROM kept_pages WHERE expires_at IS NOT NULL")
    op.drop_column("kept_pages", "expires_at")
