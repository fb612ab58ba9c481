"""Presses of buttons in the message that several incidents share."""

from __future__ import annotations

import html
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.handlers.test_incident_notices import FAILED, SUCCEEDED, Story
from tests.handlers.test_notice_groups import storm
from tests.support.simulated_actions import Simulation
from webhooks.inbox import Inbox
from webhooks.job import JobState
from webhooks.messages.group_buttons import (
    ACKNOWLEDGE_ALL,
    SNOOZE_ALL,
    WHY_GROUP,
    GroupTarget,
    act_of_group_button,
)


class GroupPresses(Story):
    """A storm of failures, and people who press the buttons of their message."""

    @property
    def message(self) -> Any:
        (found,) = [one for one in self.simulation.messages if "refreshes" in one.text and not one.is_reply]
        return found

    @property
    def buttons(self) -> dict[str, str]:
        blocks: list[Any] = [block for block in self.message.blocks if block["type"] == "actions"]
        elements = [one for block in blocks for one in block["elements"]]
        found = {one["action_id"]: one["value"] for one in elements if one["type"] == "button"}
        chosen = [one["value"] for menu in elements if menu["type"] == "overflow" for one in menu["options"]]
        return found | dict(one.split(" ", 1) for one in chosen)

    @property
    def states(self) -> dict[str, str]:
        records = self.simulation.inbox.incidents.list()
        return {record.incident.resource_name: record.incident.state for record in records}

    def press(
        self, action: str, *, email: str = "ann@acme.example", value: str = "", seconds: float = 1, **changes: Any
    ) -> str:
        """Press a button, run the jobs of the next seconds, and return what only the person sees."""
        person = next(one for one in self.simulation.running.world.slack.members if one.email == email)
        target = GroupTarget.parse(value or self.buttons[action])
        assert target
        params = {
            "action": action,
            "user": person.id,
            "user_name": person.name,
            "is_member": True,
            "channel": self.message.channel,
            "message": self.message.ts,
        } | changes
        act = act_of_group_button(action, person.name, self.now) if params["is_member"] else None
        before = len(self.simulation.messages)
        self.simulation.inbox.presses.record_group(secrets.token_hex(8), target.number, params, act)
        if seconds:
            self.work(seconds)
        shown = [one for one in self.simulation.messages[before:] if one.ephemeral_for]
        return "\n".join(html.unescape(one.text) for one in shown)


@pytest.fixture
def story(simulation: Simulation, tmp_path: Path) -> Iterator[GroupPresses]:
    simulation.signing_secret = "secret"
    told = GroupPresses(simulation)
    simulation.inbox = Inbox.open(f"sqlite:///{tmp_path}/story.sqlite3", clock=told.seconds)
    storm(told, FAILED, range(5))
    told.work()
    yield told
    simulation.inbox.close()


def test_all_are_acknowledged_at_once(story: GroupPresses) -> None:
    """One press acknowledges all that are open; the table, the thread and single messages say so within a second.

    This is also true right after a recovery has changed the table, when a further count would wait for ten seconds.
    """
    assert set(story.buttons) == {ACKNOWLEDGE_ALL, SNOOZE_ALL, WHY_GROUP}
    storm(story, SUCCEEDED, range(1, 2))
    assert story.press(ACKNOWLEDGE_ALL) == ""
    assert story.states == {"Report 1": "closed"} | dict.fromkeys(("Report 0", *names(2, 5)), "acknowledged")
    single, group = story.top_level
    assert "Acknowledged by: Ann Okafor (ann@acme.example)" in single
    assert group.startswith("Acknowledged: 5 refreshes\n4 acknowledged, 1 closed.")
    assert group.count("Acknowledged by Ann Okafor (ann@acme.example)") == 4
    story.work(10)
    assert sum("Acknowledged by Ann Okafor (ann@acme.example): 4 incidents" in one for one in story.replies) == 1
    assert set(story.buttons) == {WHY_GROUP}
    before = len(story.replies)
    storm(story, SUCCEEDED, range(2, 3))
    assert len(story.replies) == before


def names(first: int, end: int) -> list[str]:
    return [f"Report {number}" for number in range(first, end)]


def test_act_on_one_is_shown_at_once(story: GroupPresses) -> None:
    """If one incident is acknowledged elsewhere, its line shows it within a second, and the others stay open."""
    storm(story, SUCCEEDED, range(1, 2))
    record = next(one for one in story.simulation.inbox.incidents.list() if one.incident.resource_name == "Report 3")
    act = act_of_group_button(ACKNOWLEDGE_ALL, "Ben", story.now)
    assert act
    story.simulation.inbox.incidents.act(record.id, act)
    story.work(1)
    assert "3 open, 1 acknowledged, 1 closed." in html.unescape(story.message.text)


def test_snooze_keeps_what_is_acknowledged(story: GroupPresses) -> None:
    """Snooze all changes only those that are open; afterwards they can still be acknowledged, and come back alone."""
    record = next(one for one in story.simulation.inbox.incidents.list() if one.incident.resource_name == "Report 3")
    act = act_of_group_button(ACKNOWLEDGE_ALL, "Ben", story.now)
    assert act
    story.simulation.inbox.incidents.act(record.id, act)
    story.work(5)
    story.press(SNOOZE_ALL, email="ben@acme.example")
    expected = dict.fromkeys(names(0, 5), "snoozed") | {"Report 3": "acknowledged"}
    assert story.states == expected
    assert set(story.buttons) == {ACKNOWLEDGE_ALL, WHY_GROUP}
    story.now += timedelta(hours=1, seconds=1)
    story.work()
    assert story.states == dict.fromkeys(names(0, 5), "open") | {"Report 3": "acknowledged"}


def test_press_without_effect_is_answered(story: GroupPresses) -> None:
    """Repeated presses, those of other messages, servers and organizations, and of closed incidents change nothing."""
    value = story.buttons[ACKNOWLEDGE_ALL]
    assert "Only members" in story.press(ACKNOWLEDGE_ALL, is_member=False)
    assert "another server" in story.press(ACKNOWLEDGE_ALL, value="group 99")
    assert "another server" in story.press(ACKNOWLEDGE_ALL, message="1795600000.000100")
    assert set(story.states.values()) == {"open"}
    story.press(ACKNOWLEDGE_ALL)
    assert "already" in story.press(ACKNOWLEDGE_ALL, value=value, email="ben@acme.example")
    storm(story, SUCCEEDED, range(5))
    story.work()
    assert "have closed" in story.press(ACKNOWLEDGE_ALL, value=value)
    assert {len(one.incident.acts) for one in story.simulation.inbox.incidents.list()} == {1}


def test_why_explains_the_group(story: GroupPresses) -> None:
    """The explanation says why they share a message, names the rule, and what follows."""
    words = story.press(WHY_GROUP)
    assert "5 refreshes: 5 open\nAt least three of these refreshes failed within a minute" in words
    assert "at slack:#bi. Rules: “R”." in words


def test_slack_that_does_not_say_who_pressed(story: GroupPresses) -> None:
    """Without the scope for names, the acts are carried out anyway, with the name in the request."""
    story.simulation.running.world.set({"slack_scopes": "chat:write"})
    story.press(ACKNOWLEDGE_ALL)
    assert set(story.states.values()) == {"acknowledged"}
    assert "Acknowledged by ann" in html.unescape(story.message.text)


def test_server_that_stops_after_the_press_has_stored_the_acts(story: GroupPresses) -> None:
    """The acts are committed with the press: before its job runs, each incident is already acknowledged."""
    story.press(ACKNOWLEDGE_ALL, seconds=0)
    box = story.simulation.inbox
    assert {box.incidents.get(one.id).incident.state for one in box.incidents.list()} == {"acknowledged"}
    (job,) = [
        record.job for event in box.events.list() for record in event.jobs if record.job.handler == "slack_group_press"
    ]
    assert job.state == JobState.READY
