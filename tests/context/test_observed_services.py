"""Test that an error of a service that is unavailable names it, and that the call does not count against its limits."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select

from notifiers import NotifierError
from notifiers.limits import Limit
from tests.support.handler_context import MakeContext, MakeJob, RecordingNotifiers
from webhooks.errors import RetryLater
from webhooks.inbox import Inbox
from webhooks.inbox.jobs.tables import outages
from webhooks.inbox.server.tables import state

# One call a second.
LIMIT = Limit("slack #bi", 1, 1.0, at_once=1)


def test_call_of_a_service_that_is_unavailable(
    context: MakeContext, job: MakeJob, inbox: Inbox, notifiers: RecordingNotifiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only such an error has the service's name, and the limit can be used again at once."""
    slack = notifiers["slack"]
    monkeypatch.setattr(slack, "limits", lambda _operation, _to: (LIMIT,))
    for error, service, is_free in (
        (NotifierError("Slack: status 503"), "slack", True),
        (NotifierError("Slack cannot be reached", sent=False), "slack", True),
        (NotifierError("Slack: channel_not_found", permanent=True), "", False),
        (NotifierError("Slack: internal_error", uncertain=True), "", False),
    ):
        slack.errors.append(error)
        inbox.store.execute(delete(state))
        with pytest.raises(Exception, match="Slack") as raised:
            context(job()).notify("slack:#bi", "text")
        assert getattr(raised.value, "service", "") == service
        assert (inbox.budgets.take([LIMIT]) is None) == is_free


def test_lost_responses_are_recorded_as_an_outage(
    context: MakeContext, job: MakeJob, inbox: Inbox, notifiers: RecordingNotifiers
) -> None:
    """Those of two messages show that the service may be unavailable; both wait as long as without that."""
    for _ in range(2):
        assert inbox.outages.list() == []
        notifiers["slack"].errors.append(NotifierError("Slack: internal_error", uncertain=True))
        one = context(job())
        with pytest.raises(RetryLater) as raised:
            one.notify("slack:#bi", "text")
        assert raised.value.retry_at == one.now() + timedelta(seconds=120)
    (outage,) = inbox.outages.list()
    assert (outage.service, outage.waiting, outage.uncertain) == ("slack", 2, 2)


def test_response_ends_an_outage(
    context: MakeContext, job: MakeJob, inbox: Inbox, notifiers: RecordingNotifiers
) -> None:
    """A message that was accepted or refused shows that the service works; one whose outcome is unknown does not."""
    outage = {"service": "slack", "since": 0.0, "trial_at": 1e12, "first_job": 1, "confirmed": 1}
    for error, ends in (
        (None, True),
        (NotifierError("Slack: channel_not_found", permanent=True), True),
        (NotifierError("Slack: internal_error", uncertain=True), False),
        (NotifierError("Slack: status 503"), False),
    ):
        inbox.store.execute(delete(outages))
        inbox.store.execute(insert(outages).values(outage))
        if error:
            notifiers["slack"].errors.append(error)
        with nullcontext() if error is None else pytest.raises(Exception, match="Slack"):
            context(job()).notify("slack:#bi", "text")
        inbox.outages.wake()
        assert (inbox.store.scalar(select(outages.c.service)) is None) == ends
