"""A simulated Tableau and Slack, and what the shipped actions make of what happens there."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import simulator
from notifiers import Notifiers, SlackConfig
from simulator.world.events import EventRequest, simulate_event
from tableau_rest import PersonalAccessToken, Tableau
from webhooks import rules
from webhooks.config.settings import Settings
from webhooks.context import Context, call
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.job import Job
from webhooks.registry import registry

RULE = """
[[rule]]
name = "R"
on = "*"
"""


@dataclass
class Scene:
    """A Tableau where things happen, a rule about them, and what Slack shows then."""

    running: simulator.Running
    inbox: Inbox
    event: Callable[..., Event]
    settings: Settings
    tableau: Tableau = field(init=False)

    def __post_init__(self) -> None:
        config = self.running.world.config
        credential = PersonalAccessToken(config.pat_name, config.pat_secret)
        self.tableau = Tableau(self.running.url, config.content_url, credential)

    def happen(self, event_type: str, **wish: str) -> Event:
        """Something happens in Tableau; the webhook's event."""
        payload = simulate_event(self.running.world, self.running.world.home, EventRequest(event_type, **wish))
        return self.event(**payload)

    def plan(self, event: Event, action: str) -> list[Job]:
        """The jobs of a rule with this action, claimed."""
        read = rules.parse(RULE + action, registry.actions)
        self.inbox.events.receive(event)
        self.inbox.events.plan(read.matching)
        return self.inbox.jobs.claim("tests", 10, 60)

    def job(self, event: Event, action: str = 'notify = "slack"') -> Job:
        """The only job of such a rule."""
        (job,) = self.plan(event, action)
        return job

    def context(self, job: Job, **given: Any) -> Context:
        world, url = self.running.world, self.running.url
        slack = SlackConfig(world.config.slack_token, world.config.slack_channel, f"{url}/slack/api/")
        parts = {"inbox": self.inbox, "notifiers": Notifiers(slack=slack), "settings": self.settings}
        return Context(job, **{**parts, "tableau": lambda: self.tableau, **given})

    def run(self, event: Event, action: str = 'notify = "slack"', **given: Any) -> None:
        for job in self.plan(event, action):
            call(registry.handler(job.handler), self.context(job, **given))
            self.inbox.jobs.finish(job)

    @property
    def messages(self) -> list[Any]:
        return list(self.running.world.slack.messages)

    @property
    def text(self) -> str:
        """The one message there is, as people read it."""
        (message,) = [one for one in self.messages if not one.thread_ts]
        return html.unescape(message.text)
