"""Keep to terms: copies that expire, tokens that rotate."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("projects", sa.Column("expires_at", _TIME, comment="deleted then, by the terms of the platform"))
    op.create_index(
        "ix_projects_expires_at", "projects", ["expires_at"], postgresql_where=sa.text("expires_at IS NOT NULL")
    )
    op.create_table(
        "credentials",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False, comment="encrypted with a secret that is in no database"),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_credentials"),
        comment="Tokens that platforms renew, such as OAuth refresh tokens that rotate",
    )


def downgrade() -> None:
    """Remove both."""
    op.drop_table("credentials")
    op.drop_index("ix_projects_expires_at", "projects")
    op.drop_column("projects", "expires_at")
