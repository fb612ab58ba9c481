"""Let one job at a time work on the message of a notice, or of a group of notices."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from webhooks.errors import RetryLater

if TYPE_CHECKING:
    # The database takes half of the start of a command that only checks rules.
    from webhooks.context.context import Context
    from webhooks.inbox import GroupRecord, NoticeRecord

# Seconds in which one job may work on a notice before another may take over.
LOCK_SECONDS = 120.0
# The jobs of one event come at the same moment, so that the lock is free again soon; else the job is run again later.
LOCK_PATIENCE_SECONDS = 1.0
LOCK_POLL_SECONDS = 0.05
LOCK_WAIT_SECONDS = 5.0


def name_of(notice: NoticeRecord | GroupRecord) -> str:
    """Return a name that no other message has."""
    from webhooks.inbox import GroupRecord  # noqa: PLC0415 - as for the types

    return f"{'group' if isinstance(notice, GroupRecord) else 'notice'} {notice.id}"


@contextmanager
def locked(context: Context, notice: NoticeRecord | GroupRecord) -> Iterator[None]:
    """Let one job at a time work on a message, waiting briefly. Raises RetryLater while another does for longer."""
    task, owner = name_of(notice), f"job {context.job.id} {context.job.attempts}"
    patience = time.monotonic() + LOCK_PATIENCE_SECONDS
    while not context.inbox.locks.acquire(task, owner, LOCK_SECONDS):
        if time.monotonic() > patience:
            again = context.now() + timedelta(seconds=LOCK_WAIT_SECONDS)
            raise RetryLater("Another job updates this message", again, spread=1.0)
        time.sleep(LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        context.inbox.locks.release(task, owner)
