"""Digests, ids and marks: the database has them in place of the secrets of sessions and tokens."""

from __future__ import annotations

import hashlib
from functools import cache

from sqlalchemy import ColumnElement, func, true

from webhooks.inbox.access.tables import page_sessions

# Hexadecimal digits of a session's key by which lists and addresses name it.
ID_LENGTH = 16
# Bytes of the mark of a password: enough to tell two passwords apart, too few to confirm a guess.
MARK_BYTES = 2
# The cost of a mark, https://docs.python.org/3/library/hashlib.html#hashlib.scrypt: 8 MB for some milliseconds.
MARK_COST = 2**13


def key_of(value: str, password: str) -> str:
    """Return the digest under which a value is stored. Values are random, so that a digest cannot be reversed."""
    digest = hashlib.sha256(password.encode()).digest()
    return hashlib.sha256(digest + value.encode("utf-8", "replace")).hexdigest()


@cache
def mark_of(password: str) -> str:
    """Return what tells in the database with which password a session was started."""
    digest = hashlib.scrypt(password.encode(), salt=b"page_sessions", n=MARK_COST, r=8, p=1, dklen=MARK_BYTES)
    return digest.hex()


def is_usable(password: str | None) -> ColumnElement[bool]:
    """Return the condition for sessions that were started with this password, as far as that is known."""
    if password is None:
        return true()
    # Servers of an earlier version store no mark.
    return page_sessions.c.password_mark.in_(("", mark_of(password)))


def has_id(session_id: str) -> ColumnElement[bool]:
    return func.substr(page_sessions.c.key, 1, ID_LENGTH) == session_id
