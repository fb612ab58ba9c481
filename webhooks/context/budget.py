"""Stay within the limits of services, which all processes share, with the most urgent messages first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from notifiers import Notifier, NotifierError, Operation
from webhooks.errors import RetryLater, StoreUnavailable
from webhooks.incidents.policy import URGENCIES, Urgency
from webhooks.job import BUILT_IN_HANDLERS

if TYPE_CHECKING:
    from webhooks.context.context import Context

# A job waits so long in its thread, instead of being claimed again. A picture follows its message at once, so it waits
# as long as Slack requires between two messages in a channel.
SHORT_WAIT, PICTURE_WAIT = timedelta(seconds=0.5), timedelta(seconds=1.2)
# A message outside incidents that has waited this long goes before everything that is not new, so that none starves.
PATIENCE = timedelta(minutes=1)


def take_budget(context: Context, notifier: Notifier, operation: Operation, to: str | None, urgency: Urgency) -> None:
    """Count a call against the service's limits, which may take a second.

    Raises RetryLater with the time that is reserved for the call; counts wait until nothing else uses the limits.
    """
    try:
        limits = notifier.limits(operation, to)
    except NotifierError:
        # The call itself reports what is wrong with the configuration.
        return
    asked: dict[str, Any] = {"rank": URGENCIES.index(urgency), "spare": urgency == "count"}
    wait = context.inbox.budgets.reserve(limits, context.job, **asked)
    if wait is not None and wait <= (PICTURE_WAIT if operation == "attach" else SHORT_WAIT):
        time.sleep(wait.total_seconds())
        wait = context.inbox.budgets.reserve(limits, context.job, **asked)
    if wait is not None:
        # Each has a time of its own, so they need not be spread.
        raise RetryLater(f"{notifier.label} limits the rate of messages", context.now() + wait, spread=0.0)


@contextmanager
def observed(
    context: Context, notifier: Notifier, to: str | None, operation: Operation | None = None
) -> Iterator[None]:
    """Record by the outcome of a call whether the notifier's service works; if not, the error names the service.

    `operation` is what was counted against the limits; a call that was not processed does not count. None: nothing was
    counted, and perhaps there was no call, so success shows nothing.
    """
    service = notifier.service_of(to)
    try:
        yield
    except NotifierError as error:
        if error.unavailable:
            error.service = service
            with suppress(NotifierError, StoreUnavailable):
                context.inbox.budgets.give_back(notifier.limits(operation, to) if operation else ())
        elif error.uncertain:
            with suppress(StoreUnavailable):
                context.inbox.outages.record_lost(service, context.job)
        elif error.responded:
            context.inbox.outages.responded(service)
        raise
    if operation:
        context.inbox.outages.responded(service)


def urgency_of_job(context: Context) -> Urgency:
    """Return how urgent a message is that is not about an incident: less than what changes, until it has waited."""
    job = context.job
    if job.created_at is not None and context.now() - job.created_at > PATIENCE:
        return "open"
    return "escalation" if job.handler in BUILT_IN_HANDLERS else "repeat"
