"""Runs our migrations on the connection that `storage.schema.upgrade` hands over."""

from alembic import context

from consent_widget.storage import (  # noqa: F401  # their tables are in the metadata then
    account,
    campaign,
    consent,
    count,
    delivery,
    keys,
    ledger,
    notice,
    subscription,
)
from consent_widget.storage.database import metadata
from consent_widget.storage.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
