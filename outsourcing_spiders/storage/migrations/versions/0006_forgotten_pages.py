"""Forget the validators of a platform's pages when projects of it are deleted: "not modified" would hide them."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_FORGET = """
CREATE FUNCTION forget_page_validators() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM page_validators;
    ELSE
        DELETE FROM page_validators WHERE spider IN (SELECT platform FROM old_rows);
    END IF;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    """Add the triggers, whoever deletes; what was deleted before is unknown, so that every page is read once more."""
    op.execute(_FORGET)
    op.execute(
        "CREATE TRIGGER projects_deleted_from_pages AFTER DELETE ON projects "
        "REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION forget_page_validators()"
    )
    op.execute(
        "CREATE TRIGGER projects_truncated AFTER TRUNCATE ON projects "
        "FOR EACH STATEMENT EXECUTE FUNCTION forget_page_validators()"
    )
    op.execute("DELETE FROM page_validators")


def downgrade() -> None:
    """Remove them."""
    op.execute("DROP TRIGGER projects_deleted_from_pages ON projects")
    op.execute("DROP TRIGGER projects_truncated ON projects")
    op.execute("DROP FUNCTION forget_page_validators()")
