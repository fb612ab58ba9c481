"""All tables of the inbox, for what works on every table: migrations, and copies of the whole inbox."""

from __future__ import annotations

# Each adds its tables to the metadata.
import webhooks.inbox.access.tables
import webhooks.inbox.events.tables
import webhooks.inbox.inbound.tables
import webhooks.inbox.incidents.tables
import webhooks.inbox.jobs.tables
import webhooks.inbox.limits.tables
import webhooks.inbox.notices.tables
import webhooks.inbox.resources.tables
import webhooks.inbox.runs.tables
import webhooks.inbox.server.tables  # noqa: F401 - see above
from webhooks.inbox.schema import metadata

__all__ = ["metadata"]
