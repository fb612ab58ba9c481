"""The tables of content."""

from __future__ import annotations

from sqlalchemy import Column, Double, Table, Text

from webhooks.inbox.schema import metadata

# Content as last seen on the site, so that the message about a deletion can name it and its owner.
resources = Table(
    "resources",
    metadata,
    Column("luid", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("site_luid", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("updated_at", Double),
    Column("gone_at", Double),
)

# The workbooks that use a data source, as a job last saw them: a JSON list of objects.
downstream = Table(
    "downstream",
    metadata,
    Column("resource_luid", Text, primary_key=True),
    Column("workbooks", Text, nullable=False),
    Column("looked_up_at", Double, nullable=False),
)
