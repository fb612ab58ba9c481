"""Stay within the limits of services, which all processes share, with the most urgent messages first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from notifiers import Notifier, NotifierError, Operation
from webhooks.errors import RetryLater
from webhooks.incidents.policy import URGENCIES, Urgency
from webhooks.job import BUILT_IN_HANDLERS

if TYPE_CHECKING:
    from webhooks.context.context import Context

# Seconds over which jobs are spread that wait for the same limit of a service, which lets one pass about every second;
# one more after each attempt, because those that still wait then are many.
SPREAD_SECONDS, MAX_SPREAD_SECONDS = 1.0, 10.0
# A message outside incidents that has waited this long goes before everything that is not new, so that none starves.
PATIENCE = timedelta(minutes=1)


def take_budget(context: Context, notifier: Notifier, operation: Operation, to: str | None, urgency: Urgency) -> None:
    """Count a call against the service's limits. Raises RetryLater; counts wait until nothing else uses the limits."""
    try:
        limits = notifier.limits(operation, to)
    except NotifierError:
        # The call itself reports what is wrong with the configuration.
        return
    again = context.inbox.budgets.take(limits, rank=URGENCIES.index(urgency), spare=urgency == "count")
    if again is not None:
        spread = min(SPREAD_SECONDS + context.job.attempts, MAX_SPREAD_SECONDS)
        raise RetryLater(f"{notifier.label} limits the rate of messages", again, spread=spread)


def urgency_of_job(context: Context) -> Urgency:
    """Return how urgent a message is that is not about an incident: less than what changes, until it has waited."""
    job = context.job
    if job.created_at is not None and context.now() - job.created_at > PATIENCE:
        return "open"
    return "escalation" if job.handler in BUILT_IN_HANDLERS else "repeat"
