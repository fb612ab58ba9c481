"""Test that a service which accepts no messages is shown, with how many messages wait."""

from __future__ import annotations

import json

from flask.testing import FlaskClient

from tests.dashboard.conftest import fail, services_of
from tests.support.databases import NOTIFY, some_event
from webhooks.clock import utc_now
from webhooks.inbox import Inbox
from webhooks.views.formats import iso, local_time


def test_service_of_an_unknown_kind_is_shown(client: FlaskClient, inbox: Inbox) -> None:
    """A server of a newer version may have recorded it: the commands and pages of this one show it by its kind."""
    for number in range(2):
        inbox.events.receive(some_event(number))
    inbox.events.plan(lambda _: [NOTIFY])
    for job in inbox.jobs.claim("a worker", 2, 30.0):
        inbox.outages.postpone("pager office", job, 30, "status 503", free=False)
    command = client.application.test_cli_runner()
    assert "pager office: no message accepted since" in command.invoke(args=["status"]).output
    assert "pager office" in command.invoke(args=["status", "--json"]).output
    assert "pager office" in client.get("/").text


def test_site_that_does_not_respond_is_shown(client: FlaskClient, inbox: Inbox) -> None:
    """It is named as a site of Tableau, for which jobs wait."""
    for number in range(2):
        inbox.events.receive(some_event(number))
    inbox.events.plan(lambda _: [NOTIFY])
    for job in inbox.jobs.claim("a worker", 2, 30.0):
        inbox.outages.postpone("tableau Branch", job, 30, "Tableau cannot be reached", free=False)
    status = client.application.test_cli_runner().invoke(args=["status"]).output
    assert "Tableau Branch: no response since" in status
    assert "2 jobs wait" in status


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
    zone = services_of(client).settings.zone
    # Where its output is not a terminal, times have a date.
    since = f"{outage.since.astimezone(zone):%Y-%m-%d %H:%M}"
    assert f"{unavailable} {since}, 2 messages wait" in command.invoke(args=["status"]).output
    since = local_time(outage.since, utc_now(), zone)
    page = client.get("/").text
    assert f"no message accepted since {since}, 2 messages wait" in page
    assert "tableau_webhooks_services_unavailable 1.0" in client.get("/metrics").text
    expected = [{"service": "Slack", "since": iso(outage.since), "waiting": 2, "uncertain": 0}]
    assert json.loads(command.invoke(args=["status", "--json"]).stdout)["unavailable_services"] == expected
    assert client.get("/api/v1/status").get_json()["unavailable_services"] == expected
    inbox.outages.responded("slack")
    assert inbox.outages.wake() == 2
    assert unavailable not in command.invoke(args=["status"]).output
    assert "tableau_webhooks_services_unavailable 0.0" in client.get("/metrics").text


def test_service_whose_responses_are_lost_is_shown(client: FlaskClient, inbox: Inbox) -> None:
    """Messages that may have arrived are shown like others that wait, in every place, until one is confirmed."""
    for number in range(3):
        inbox.events.receive(some_event(number))
    inbox.events.plan(lambda _: [NOTIFY])
    command = client.application.test_cli_runner()
    for job in inbox.jobs.claim("a worker", 2, 30.0):
        assert "Slack" not in command.invoke(args=["status"]).output
        inbox.outages.record_lost("slack", job)
        inbox.jobs.postpone(job, 120, "Slack: internal_error. The message may have arrived; it is sent again")
    (outage,) = inbox.outages.list()
    since = local_time(outage.since, utc_now(), services_of(client).settings.zone)
    assert f"no message confirmed since {since}, 2 messages wait and may have arrived" in client.get("/").text
    assert "Slack: no message confirmed since" in command.invoke(args=["status"]).output
    expected = [{"service": "Slack", "since": iso(outage.since), "waiting": 2, "uncertain": 2}]
    assert client.get("/api/v1/status").get_json()["unavailable_services"] == expected
    (third,) = inbox.jobs.claim("a worker", 1, 30.0)
    inbox.outages.postpone("slack", third, 30, "Slack: status 503", free=False)
    assert "3 messages wait, 2 of them may have arrived" in command.invoke(args=["status"]).output
    assert "tableau_webhooks_services_unavailable 1.0" in client.get("/metrics").text
    warning = "1 service unavailable, so messages or jobs wait. Run flask status."
    assert warning in client.get("/readyz").get_json().get("warnings", [])
    inbox.outages.responded("slack")
    # The job whose message was surely not sent.
    assert inbox.outages.wake() == 1
    assert "Slack" not in command.invoke(args=["status"]).output
