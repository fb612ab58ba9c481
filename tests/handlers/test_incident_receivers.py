"""The messages that Teams, e-mail, PagerDuty and programs get about one incident, without edits and threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from notifiers import Notifiers
from simulator.receivers.mail import mail_server
from tests.handlers.test_incident_notices import FAILED, SUCCEEDED, Story
from tests.support.simulated_actions import Simulation


@pytest.fixture
def notifiers(simulation: Simulation) -> Iterator[Notifiers]:
    world = simulation.running.world
    with mail_server(world) as port:
        mail = {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(port),
            "SMTP_SECURITY": "none",
            "SMTP_FROM": "bi@example.org",
        }
        yield Notifiers.from_variables(world.config.receiver_variables(simulation.running.url) | mail)


def taken(simulation: Simulation, kind: str) -> list[Any]:
    return list(simulation.running.world.taking.of(kind))


def test_each_service_gets_what_it_can_show(simulation: Simulation, notifiers: Notifiers) -> None:
    """Teams and mail get one message at each end, PagerDuty an alert in the incident's state, a program each state."""
    destinations = '["teams:bi", "email:ann@example.org", "pagerduty:data", "post:ops"]'
    story = Story(simulation, f"notify = {destinations}", given={"notifiers": notifiers})
    story.refresh(FAILED, name="Sales")
    story.at(60)
    story.refresh(FAILED, name="Sales")
    story.at(70)
    story.act("acknowledge")
    story.at(120)
    story.refresh(SUCCEEDED, name="Sales")
    for kind in ("teams", "email"):
        first, last = taken(simulation, kind)
        assert "Failing: Sales" in first.title + first.text
        assert "Recovered: Sales" in last.title + last.text
    opened, closed = (mail.data["headers"] for mail in taken(simulation, "email"))
    assert (opened["Subject"], closed["Subject"]) == ("Failing: Sales", "Re: Failing: Sales")
    assert opened["References"] == closed["References"]
    (alert,) = simulation.running.world.taking.alerts
    assert (alert.status, alert.severity) == ("resolved", "critical")
    assert [word for before, word in zip(["", *alert.log], alert.log, strict=False) if word != before] == [
        "trigger",
        "acknowledge",
        "resolve",
    ]
    requests = [request.data for request in taken(simulation, "post")]
    states = [request["type"] for request in requests]
    assert [state for before, state in zip(["", *states], states, strict=False) if state != before] == [
        "incident.open",
        "incident.acknowledged",
        "incident.closed",
    ]
    assert len({request["data"]["incident"]["key"] for request in requests}) == 1


def test_mail_that_some_recipients_have_is_not_repeated(simulation: Simulation, notifiers: Notifiers) -> None:
    """The job is dead-lettered with the names of the others; the end of the incident is sent to all again."""
    action = 'notify = "email:ann@example.org,refused@example.org"'
    story = Story(simulation, action, given={"notifiers": notifiers})
    story.refresh(FAILED, name="Sales")
    story.at(60)
    story.refresh(FAILED, name="Sales")
    assert [mail.place for mail in taken(simulation, "email")] == ["ann@example.org"]
    dead = simulation.inbox.dead_letters.unannounced()
    assert len(dead) == 1
    assert "refused@example.org: 550" in str(dead[0].job.error)
    story.at(120)
    story.refresh(SUCCEEDED, name="Sales")
    assert [mail.data["headers"]["Subject"] for mail in taken(simulation, "email")] == [
        "Failing: Sales",
        "Re: Failing: Sales",
    ]
