"""The recipes are valid rules, and notify as their comments say: events and acts on a clock of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from notifiers import Notifiers, SlackConfig, TwilioConfig
from simulator.slack.workspace import Channel
from tests.handlers.test_incident_notices import FAILED, SUCCEEDED, Story
from webhooks import rules
from webhooks.inbox import Inbox
from webhooks.monitor.watches.recorder import Recorder
from webhooks.registry import registry
from webhooks.watches.expectation import Expectation

RECIPES = Path(__file__).resolve().parents[2] / "docs" / "recipes"
DATA_SOURCE = "DatasourceRefreshFailed"
# Findings of the watch: a refresh did not come, or content was not up to date as the watch Morning figures asks.
MISSED, NOT_FRESH = "missed", "declared Morning figures"
# They start work in other systems; test_post_action.py plays them.
WITHOUT_MESSAGES = {"airflow", "dbt", "github"}
ON_CALL = "twilio:+15550100"


@dataclass
class Step:
    """Something that happens `minutes` after the beginning, and who has been notified of it a minute later."""

    minutes: float
    what: str
    notified: tuple[str, ...] = ()
    name: str = "Sales"


# Of the simulated workbooks, Sales is in Finance and Ben's, Web Traffic in Marketing, Delivery Times in Operations,
# Scratchpad in Default and Finn's, and Cash Flow has the tag board.
RECIPE_STEPS: dict[str, list[Step]] = {
    "owner-first": [
        Step(0, FAILED, ("slack:ben",)),
        Step(119, "", ()),
        Step(121, "", ("slack:#bi",)),
    ],
    "third-failure": [
        Step(0, FAILED),
        Step(60, FAILED),
        Step(120, FAILED, ("slack:#bi",)),
        Step(180, FAILED),
    ],
    "retry-first": [
        Step(0, FAILED),
        Step(20, SUCCEEDED),
        Step(600, FAILED),
        Step(620, FAILED, ("slack:#bi",)),
        Step(700, FAILED, name="Web Traffic"),
        Step(744, ""),
        Step(746, "", ("slack:#bi",)),
    ],
    # It begins at 22:00.
    "quiet-nights": [
        Step(0, FAILED),
        Step(5, FAILED, name="Web Traffic"),
        Step(60, SUCCEEDED, name="Web Traffic"),
        Step(539, ""),
        Step(541, "", ("slack:#bi",)),
    ],
    "executives": [
        Step(0, FAILED, ("slack:#board-reports @here", ON_CALL), name="Cash Flow"),
        Step(10, FAILED, ("slack:#bi",), name="Web Traffic"),
    ],
    "channel-per-project": [
        Step(0, FAILED, ("slack:#finance-data",)),
        Step(10, FAILED, ("slack:#marketing-data",), name="Web Traffic"),
        Step(20, FAILED, ("slack:#bi",), name="Delivery Times"),
    ],
    "routes": [
        Step(0, FAILED, ("slack:#finance-data", "slack:ben")),
        Step(10, FAILED, ("slack:#marketing-data",), name="Web Traffic"),
        Step(20, FAILED, ("slack:#bi",), name="Delivery Times"),
    ],
    "on-call": [
        Step(0, FAILED, ("slack:#bi",)),
        Step(29, ""),
        Step(31, "", (ON_CALL,)),
        Step(40, FAILED, ("slack:#bi",), name="Web Traffic"),
        Step(45, "acknowledge", ("slack:#bi thread",)),
        Step(90, ""),
    ],
    "reminders": [
        Step(0, FAILED, ("slack:#bi",)),
        Step(239, ""),
        Step(241, "", ("slack:#bi thread",)),
        Step(250, "acknowledge", ("slack:#bi thread",)),
        Step(500, ""),
    ],
    "every-failure": [
        Step(0, FAILED, ("slack:#bi", "slack:#refresh-log")),
        Step(60, FAILED, ("slack:#refresh-log",)),
    ],
    "without-sandbox": [
        Step(0, FAILED, ("slack:#bi",)),
        Step(10, FAILED, ("slack:finn",), name="Scratchpad"),
    ],
    "data-engineers": [
        Step(0, FAILED, ("slack:#bi",)),
        Step(10, DATA_SOURCE, ("slack:#data-engineering",), name="Orders"),
    ],
    "runbook": [
        Step(0, FAILED),
        Step(10, FAILED, ("slack:#finance-data",), name="Month End Close"),
    ],
    "morning-figures": [
        Step(0, NOT_FRESH, ("slack:#finance-data",), name="Cash Flow"),
        Step(10, MISSED, ("slack:#bi",), name="Delivery Times"),
        Step(20, FAILED, ("slack:#bi",), name="Web Traffic"),
        Step(30, NOT_FRESH, name="Sales"),
        Step(60, SUCCEEDED, ("slack:#finance-data thread",), name="Cash Flow"),
    ],
    "project-lead": [
        Step(0, FAILED, ("slack:#bi",)),
        Step(1439, ""),
        Step(1441, "", ("slack:ben",)),
    ],
}


@pytest.fixture
def story(simulation: Any, tmp_path: Path) -> Iterator[Story]:
    """Begin three days ago at 22:00."""
    told = Story(simulation)
    told.now = (told.now - timedelta(days=2)).replace(hour=22, minute=0, second=0)
    told.start = told.now
    simulation.inbox = Inbox.open(f"sqlite:///{tmp_path}/story.sqlite3", clock=told.seconds)
    yield told
    simulation.inbox.close()


def notifications(story: Story) -> list[str]:
    """Return where messages have arrived so far, in their order by service."""
    world = story.simulation.running.world
    members = {member.id: member.name for member in world.slack.members}
    found = []
    for one in world.slack.messages:
        channel = next(known for known in world.slack.channels.values() if known.id == one.channel)
        to = f"slack:{members[channel.user]}" if channel.user else f"slack:#{channel.name.lstrip('#')}"
        found.append(to + (" thread" if one.thread_ts else "") + (" @here" if "<!here" in one.text else ""))
    return found + [f"twilio:{sms.to}" for sms in world.twilio.messages]


def miss(story: Story, task: str, name: str) -> None:
    """Let the watch find that a refresh has not come, and run the jobs of the next minute."""
    home, inbox = story.simulation.running.world.home, story.simulation.inbox
    luid = next(one.luid for one in home.workbooks.values() if one.name == name)
    expected = Expectation(f"{task} {luid}", luid, "workbook", story.now - timedelta(minutes=30))
    Recorder(inbox, UTC).missed(expected, story.now, home.luid, name)
    story.work(60)


def test_every_recipe_is_played() -> None:
    """Each file has its steps here and its line on the page, and a comment on top."""
    files = {file.stem: file.read_text(encoding="utf-8") for file in RECIPES.glob("*.toml")}
    assert files.keys() == RECIPE_STEPS.keys() | WITHOUT_MESSAGES
    assert all(text.startswith("# ") for text in files.values())
    linked = re.findall(r"\]\(([\w-]+)\.toml\)", (RECIPES / "index.md").read_text(encoding="utf-8"))
    assert sorted(linked) == sorted(files)


@pytest.mark.parametrize("recipe", RECIPE_STEPS)
def test_recipe(story: Story, recipe: str) -> None:
    """The events lead to these notifications, at these times."""
    world, url = story.simulation.running.world, story.simulation.running.url
    config = world.config
    sender = config.twilio_from
    twilio = TwilioConfig(config.twilio_account_sid, config.twilio_auth_token, sender, "", api_url=f"{url}/twilio")
    slack = SlackConfig(config.slack_token, config.slack_channel, f"{url}/slack/api/")
    story.given = {"notifiers": Notifiers(slack=slack, twilio=twilio)}
    story.rules = rules.parse((RECIPES / f"{recipe}.toml").read_text(encoding="utf-8"), registry.actions)
    for name in ("board-reports", "refresh-log", "marketing-data", "data-engineering"):
        world.slack.channels[name] = Channel(f"C{name}", name)
    seen: list[str] = []
    for step in RECIPE_STEPS[recipe]:
        story.at(step.minutes)
        if step.what == "acknowledge":
            story.act("acknowledge")
        elif step.what in {MISSED, NOT_FRESH}:
            miss(story, step.what, step.name)
        elif step.what:
            story.refresh(step.what, name=step.name, run_seconds=60)
        else:
            story.work(30)
        now = notifications(story)
        new = list(now)
        for one in seen:
            new.remove(one)
        assert sorted(new) == sorted(step.notified), f"after {step.minutes} minutes"
        seen = now
