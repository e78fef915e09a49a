"""What Alembic runs: the migrations, on the connection that `migrations.upgrade` was given."""

from alembic import context

from outsourcing_spiders.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
