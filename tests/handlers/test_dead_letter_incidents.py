"""Dead letters against a simulated Slack: one message for each destination or handler that fails, which closes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from notifiers import Notifiers, SlackConfig, TwilioConfig
from tests.handlers.test_incident_notices import Story
from tests.support.simulated_actions import Simulation
from webhooks import rules
from webhooks.inbox import Inbox
from webhooks.job import NewJob
from webhooks.planner import plan_announcements
from webhooks.registry import registry

Fail = Callable[..., None]


@pytest.fixture
def story(simulation: Simulation, tmp_path: Path) -> Iterator[Story]:
    told = Story(simulation, rules=rules.parse("", registry.actions))
    simulation.inbox = Inbox.open(f"sqlite:///{tmp_path}/story.sqlite3", clock=told.seconds)
    simulation.inbox.dead_letters.announcements = plan_announcements(("slack:#bi",))
    yield told
    simulation.inbox.close()


@pytest.fixture
def fail(story: Story) -> Fail:
    """Dead-letter some jobs at that time, and run all other jobs that this leads to."""

    def fail(minutes: float, number: int = 1, *, to: str = "slack:#closed", handler: str = "notify") -> None:
        story.at(minutes)
        inbox = story.simulation.inbox
        params: dict[str, Any] = {"to": to} if to else {}
        for _ in range(number):
            inbox.events.receive(story.simulation.event("WorkbookCreated"))
            inbox.events.plan(lambda _: [NewJob("R/notify", handler, rule="R", params=params)])
        for job in inbox.jobs.claim("tests", number, 3600):
            inbox.dead_letters.dead_letter(job, "channel_not_found")
        story.work(1200)

    return fail


def kinds(story: Story) -> list[tuple[str, str, int]]:
    records = story.simulation.inbox.incidents.list()
    return [(one.incident.resource_luid, one.incident.state, one.incident.failures) for one in records]


def test_dead_letters_of_one_destination_are_one_message(story: Story, fail: Fail) -> None:
    """The count is edited; the message names the commands, and closes when nothing is left in the list."""
    fail(0)
    assert kinds(story) == [("to slack:#closed", "open", 1)]
    (text,) = story.top_level
    assert text.startswith('Could not deliver "Sales" to #closed\n')
    assert "flask events replay --dead 1" in text
    fail(60, 3)
    assert kinds(story) == [("to slack:#closed", "open", 4)]
    (text,) = story.top_level
    assert text.startswith("4 messages could not be delivered to #closed\n")
    inbox = story.simulation.inbox
    assert inbox.dead_letter_groups.close_solved(story.now) == 0
    inbox.dead_letters.requeue()
    for job in inbox.jobs.claim("tests", 10, 60):
        inbox.jobs.finish(job)
    story.at(134)
    assert inbox.dead_letter_groups.close_solved(story.now) == 1
    assert inbox.dead_letter_groups.close_solved(story.now) == 0
    story.work()
    (text,) = story.top_level
    assert text.startswith("Recovered: 4 messages could not be delivered to #closed\n")


def test_each_destination_and_each_handler_is_an_incident(story: Story, fail: Fail) -> None:
    """A rule whose channel is closed has nothing to do with a handler that has an error."""
    fail(0)
    fail(60, 2, to="", handler="own.handler")
    assert kinds(story) == [("own.handler", "open", 2), ("to slack:#closed", "open", 1)]
    assert [text.splitlines()[0] for text in story.top_level] == [
        'Could not deliver "Sales" to #closed',
        "2 jobs failed permanently: own.handler",
    ]


def test_ten_times_as_many_alert_people_again(story: Story, fail: Fail) -> None:
    """Counts only edit the message, so a growing problem has a reply that people see."""
    fail(0)
    fail(60, 5)
    assert story.replies == []
    fail(120, 6)
    (reply,) = story.replies
    assert "12 messages could not be delivered to #closed" in reply


def test_closed_by_hand_is_dismissed_until_the_next_one(story: Story, fail: Fail) -> None:
    """The jobs stay in the list."""
    fail(0)
    story.act("close")
    assert [state for _, state, _ in kinds(story)] == ["closed"]
    story.now += timedelta(hours=1)
    assert story.simulation.inbox.dead_letter_groups.close_solved(story.now) == 0
    fail(180)
    assert [state for _, state, _ in kinds(story)] == ["open", "closed"]


def test_dead_slack_is_reported_by_sms_and_leads_to_no_further_dead_letters(story: Story, fail: Fail) -> None:
    """Slack itself is the problem: the other notifier is used, and nothing goes round in circles."""
    url = story.simulation.running.url
    config = story.simulation.running.world.config
    twilio = TwilioConfig(
        config.twilio_account_sid,
        config.twilio_auth_token,
        config.twilio_from,
        to="+15550100",
        api_url=f"{url}/twilio",
    )
    revoked = SlackConfig("xoxb-revoked", "#bi", f"{url}/slack/api/")
    story.given = {"notifiers": Notifiers(slack=revoked, twilio=twilio)}
    fail(0)
    inbox = story.simulation.inbox
    (record,) = inbox.incidents.list()
    assert record.incident.state == "open"
    sms = story.simulation.running.world.twilio.messages
    assert len(sms) == 1
    story.at(240)
    story.act("acknowledge")
    dead = [job.job.handler for event in inbox.events.list() for job in event.jobs if job.job.state.word == "dead"]
    assert dead == ["notify"]
