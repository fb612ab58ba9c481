"""The simulated world: sites, Slack workspace, Twilio account, and the lock and clock that they share."""

from __future__ import annotations

import random
import threading
import uuid
from dataclasses import replace
from datetime import datetime

from simulator.config import Config, parse_setting
from simulator.receivers.state import Taking
from simulator.slack.workspace import Workspace
from simulator.twilio.account import Account
from simulator.world.calls import Calls
from simulator.world.delivery import GIVEN_UP, Delivery, Sender
from simulator.world.faults import Faults
from simulator.world.payload import RESOURCES, body, payload
from simulator.world.seed import Seed
from simulator.world.sessions import Sessions
from simulator.world.site import Site
from simulator.world.timer import Timer

DISABLED = "Webhook disabled after repeated delivery failures"


class World:
    """The whole state of one simulator. Hold `lock` to change it."""

    def __init__(self, config: Config) -> None:
        self.lock = threading.RLock()
        self._initial_config = config
        self.timer = Timer(config.senders)
        self.generation = 0
        self._fill()

    def _fill(self) -> None:
        self.config = self._initial_config
        self.random = random.Random(self.config.seed)
        # A separate generator, so that duplicates do not shift the identifiers.
        self._duplicates = random.Random(self.config.seed + 1)
        self.version = 0
        self.generation += 1
        self.sessions, self.calls, self.faults = Sessions(), Calls(), Faults(self.config.seed)
        self.exports = threading.BoundedSemaphore(self.config.export_limit)
        seed = Seed(self.config, self.luid, self.now())
        self.home = seed.company()
        self.sites = {site.luid: site for site in (self.home, seed.branch(self.home))}
        self.sender = Sender(lambda: self.config, self.timer, self._delivery_ended)
        people = [(user.full_name, user.email) for user in self.home.users.values()]
        self.slack = Workspace(self.config, people, self.now)
        self.taking = Taking()
        self.twilio = Account(self.config, self.now, self.random)

    def reset(self) -> None:
        """Restore the initial state: the same company, no sessions, no messages, no faults."""
        with self.lock:
            self.timer.clear()
            self.slack.sockets.cut()
            self._fill()

    def close(self) -> None:
        """Stop delivering, and end the connections of the app."""
        self.timer.close()
        self.slack.sockets.cut()

    def now(self) -> datetime:
        """Return the simulator's time."""
        return self.config.clock()

    def luid(self) -> str:
        """Return the next identifier; the same seed leads to the same sequence."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def changed(self) -> None:
        """Note that the page has something new to show."""
        self.version += 1

    def set(self, settings: dict[str, object]) -> None:
        """Change settings by name. Raises ValueError for an invalid one, and then changes none."""
        values = {name: parse_setting(name, value) for name, value in settings.items()}
        with self.lock:
            self.config = replace(self.config, **values)  # type: ignore[arg-type]
            if "slack_scopes" in values:
                self.slack.scopes = self.config.slack_scopes.split(",")

    def site_at(self, content_url: str) -> Site | None:
        """Return the site with this content URL."""
        return next((site for site in self.sites.values() if site.content_url == content_url), None)

    def emit(
        self, site: Site, event_type: str, *, name: str, luid: str, resource: str = "", at: datetime | None = None
    ) -> dict[str, object]:
        """Send an event to every enabled webhook of the site for this type, and return the payload.

        It happened `at` that time, by default now.
        """
        with self.lock:
            fields = payload(
                event_type,
                resource=resource or RESOURCES[event_type],
                name=name,
                luid=luid,
                site=site.luid,
                at=at or self.now(),
                text=self.config.payload_text,
            )
            for webhook in site.webhooks.values():
                if webhook.is_enabled and webhook.event == event_type:
                    copies = 2 if self._duplicates.random() < self.config.duplicates else 1
                    for copy in range(copies):
                        self.sender.send(
                            webhook, body(fields), event_type=event_type, resource_name=name, duplicate=bool(copy)
                        )
            self.changed()
        return fields

    def _delivery_ended(self, delivery: Delivery) -> None:
        with self.lock:
            self.changed()
            for site in self.sites.values():
                if (webhook := site.webhooks.get(delivery.webhook)) is None:
                    continue
                webhook.given_up = webhook.given_up + 1 if delivery.state == GIVEN_UP else 0
                if self.config.disable_after and webhook.given_up >= self.config.disable_after:
                    webhook.is_enabled, webhook.status_change_reason = False, DISABLED
