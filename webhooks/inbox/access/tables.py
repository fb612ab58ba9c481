"""The tables of sign-ins, and the audit log."""

from __future__ import annotations

from sqlalchemy import Column, Double, Integer, Table, Text

from webhooks.inbox.schema import Id, metadata

# People who are signed in to the pages. The key is a digest: the database does not contain what a browser sends.
page_sessions = Table(
    "page_sessions",
    metadata,
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    # Which sites and projects the role is limited to.
    Column("scope", Text, nullable=False, server_default="{}"),
    Column("address", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    # What identifies the person at the identity provider; empty after a sign-in with the password.
    Column("subject", Text, nullable=False, server_default=""),
    # Browser and system in a few words.
    Column("browser", Text, nullable=False, server_default=""),
    # When it was last used, to some minutes.
    Column("seen_at", Double),
    # Differs after a change of the password, with which the session ends.
    Column("password_mark", Text, nullable=False, server_default=""),
)

# What programs sign in with; the key is a digest, too.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("scope", Text, nullable=False, server_default="{}"),
    Column("author", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    sqlite_autoincrement=True,
)

# Failed sign-ins to the pages by address.
sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("address", Text, primary_key=True),
    Column("since", Double, nullable=False),
    Column("number", Integer, nullable=False),
)

# Everything that people and programs did. Triggers refuse changes; `digest` covers the row and the digest before it.
audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("acted_at", Double, nullable=False),
    Column("author", Text, nullable=False),
    # Where it was done: on a page, on the command line, in Slack.
    Column("origin", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False, server_default=""),
    Column("digest", Text, nullable=False),
    sqlite_autoincrement=True,
)
