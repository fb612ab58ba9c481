"""Test that an error of a service that is unavailable names it, and that the call does not count against its limits."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from notifiers import NotifierError
from notifiers.limits import Limit
from tests.support.handler_context import MakeContext, MakeJob, RecordingNotifiers
from webhooks.inbox import Inbox
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
