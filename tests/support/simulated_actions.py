"""A simulated Tableau and Slack with the shipped actions."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import simulator
from notifiers import Notifiers, SlackConfig
from simulator.world.events import EventRequest, simulate_event
from tableau_rest import PersonalAccessToken, Tableau
from tests.support.handler_context import MakeEvent
from webhooks import rules
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.context import Context, call
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.job import Job
from webhooks.planner import Planner
from webhooks.registry import Registry, registry

RULE = """
[[rule]]
name = "R"
on = "{event_type}"
"""


@dataclass
class Simulation:
    """Cause events in the simulated Tableau, run a rule's jobs for them, read the messages in Slack."""

    running: simulator.Running
    inbox: Inbox
    event: MakeEvent
    settings: Settings
    signing_secret: str = ""
    tableau: Tableau = field(init=False)
    minutes: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        config = self.running.world.config
        credential = PersonalAccessToken(config.pat_name, config.pat_secret)
        self.tableau = Tableau(self.running.url, config.content_url, credential)

    def cause(self, event_type: str, **wish: str) -> Event:
        """Cause an event in Tableau and return it as the webhook reports it."""
        payload = simulate_event(self.running.world, self.running.world.home, EventRequest(event_type, **wish))
        return self.event(**payload)

    def happen(self, event_type: str, **wish: str) -> Event:
        """Cause an event like `cause`, each a minute after the one before, so that none is the duplicate of another."""
        minute = next(self.minutes)
        payload = self.cause(event_type, **wish).payload
        return self.event(**{**payload, "created_at": f"2026-01-31T{10 + minute // 60:02}:{minute % 60:02}:00Z"})

    def inject(self, **fault: object) -> int:
        """Switch on a fault of the simulated Tableau and return its id."""
        return self.running.world.faults.add({"target": "tableau", **fault}).id

    def plan(self, event: Event, action: str) -> list[Job]:
        """Return the claimed jobs of a rule with this action."""
        parsed = rules.parse(RULE.format(event_type=event.event_type) + action, registry.actions)
        if event.origin:
            self.inbox.synthetic_events.add(event, event.origin, utc_now())
        else:
            self.inbox.events.receive(event)
        self.inbox.events.plan(Planner(parsed, Registry()).jobs)
        return self.inbox.jobs.claim("tests", 10, 60)

    def job(self, event: Event, action: str = 'notify = "slack"') -> Job:
        """Return the only job of such a rule."""
        (job,) = self.plan(event, action)
        return job

    def context(self, job: Job, **given: Any) -> Context:
        world, url = self.running.world, self.running.url
        slack = SlackConfig(
            world.config.slack_token, world.config.slack_channel, f"{url}/slack/api/", self.signing_secret
        )
        parts = {"inbox": self.inbox, "notifiers": Notifiers(slack=slack), "settings": self.settings}
        return Context(job, **{**parts, "tableau": lambda: self.tableau, **given})

    def run(self, event: Event, action: str = 'notify = "slack"', **given: Any) -> str:
        """Run the jobs of a rule with this action and return their results."""
        results = []
        for job in self.plan(event, action):
            results.append(call(registry.handler(job.handler), self.context(job, **given)))
            self.inbox.jobs.finish(job, results[-1])
        return "; ".join(filter(None, results))

    @property
    def messages(self) -> list[Any]:
        return list(self.running.world.slack.messages)

    @property
    def text(self) -> str:
        """The text of the only message, as Slack shows it."""
        (message,) = [one for one in self.messages if not one.thread_ts]
        return html.unescape(message.text)


@pytest.fixture
def simulation(inbox: Inbox, event: MakeEvent, settings: Settings) -> Iterator[Simulation]:
    registry.load()
    with simulator.running() as running:
        yield Simulation(running, inbox, event, settings)
