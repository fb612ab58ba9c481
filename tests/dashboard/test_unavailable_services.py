"""Test that a service which accepts no messages is shown, with how many messages wait."""

from __future__ import annotations

from flask.testing import FlaskClient

from tests.dashboard.conftest import fail, services_of
from tests.support.databases import NOTIFY, some_event
from webhooks.clock import utc_now
from webhooks.inbox import Inbox
from webhooks.views.formats import local_time


def test_service_that_accepts_no_messages_is_shown(client: FlaskClient, inbox: Inbox) -> None:
    """The pages, `flask status` and the metrics show it once two messages have failed, until one is accepted."""
    fail(inbox)
    for number in range(2):
        inbox.events.receive(some_event(number))
    inbox.events.plan(lambda _: [NOTIFY])
    command = client.application.test_cli_runner()
    first, second = inbox.jobs.claim("a worker", 2, 30.0)
    inbox.outages.postpone("slack", first, 30, "Slack: status 503", free=False)
    unavailable = "Slack: no message accepted since"
    assert unavailable not in command.invoke(args=["status"]).output
    inbox.outages.postpone("slack", second, 30, "Slack: status 503", free=False)
    (outage,) = inbox.outages.list()
    since = local_time(outage.since, utc_now(), services_of(client).settings.zone)
    assert f"{unavailable} {since}, 2 messages wait" in command.invoke(args=["status"]).output
    page = client.get("/").text
    assert f"no message accepted since {since}, 2 messages wait" in page
    assert "tableau_webhooks_services_unavailable 1.0" in client.get("/metrics").text
    inbox.outages.responded("slack")
    assert inbox.outages.wake() == 2
    assert unavailable not in command.invoke(args=["status"]).output
    assert "tableau_webhooks_services_unavailable 0.0" in client.get("/metrics").text
