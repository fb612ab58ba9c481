"""Run the migrations on the connection, and in the transaction, that `migrate` opened."""

from __future__ import annotations

from alembic import context

import webhooks.inbox.indexes  # noqa: F401 - adds the partial indexes to the metadata
from webhooks.inbox.all_tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
