"""Queries of Tableau's jobs by handlers, within a part of the limit that all programs of a site share."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from webhooks.context.context import JOB_QUERIES_PER_HOUR
from webhooks.errors import RetryLater

if TYPE_CHECKING:
    from webhooks.context.context import Context

# The time after which a job that found the limit used up asks again.
PAUSE = timedelta(minutes=10)


def take_job_query(context: Context) -> None:
    """Count a query, or a cancellation, of a job of Tableau. Raises RetryLater if this hour's are used up."""
    key = f"queries of jobs {context.tableau.site_name}"
    if not context.inbox.quotas.take(key, JOB_QUERIES_PER_HOUR):
        words = f"{JOB_QUERIES_PER_HOUR} queries of Tableau's jobs were made within an hour, of 20,000 a day"
        raise RetryLater(words, context.now() + PAUSE)
