"""One simulated world: the sites, the workspace, the phone network, and the lock and clock they share."""

import random
import threading
import uuid
from dataclasses import replace
from datetime import datetime

from simulator.config import Config, manner
from simulator.slack.workspace import Workspace
from simulator.twilio.account import Account
from simulator.world.calls import Calls
from simulator.world.delivery import Delivery, Sender
from simulator.world.faults import Faults
from simulator.world.payload import RESOURCES, body, payload
from simulator.world.seed import Seeding
from simulator.world.sessions import Sessions
from simulator.world.site import Site
from simulator.world.timer import Timer

DISABLED = "Webhook disabled after repeated delivery failures"


class World:
    """Everything one simulator knows. Whoever changes it holds `lock`."""

    def __init__(self, config: Config) -> None:
        self.lock = threading.RLock()
        self._wanted = config
        self.timer = Timer(config.senders)
        self.began = 0
        self._fill()

    def _fill(self) -> None:
        self.config = self._wanted
        self.random = random.Random(self.config.seed)
        self._dice = random.Random(self.config.seed + 1)  # duplicates must not shift the identifiers
        self.version = 0
        self.began += 1
        self.sessions, self.calls, self.faults = Sessions(), Calls(), Faults(self.config.seed)
        self.exports = threading.BoundedSemaphore(self.config.export_limit)
        seeding = Seeding(self.config, self.luid, self.now())
        self.home = seeding.company()
        self.sites = {site.luid: site for site in (self.home, seeding.branch(self.home))}
        self.sender = Sender(lambda: self.config, self.timer, self._delivered)
        people = [(user.full_name, user.email) for user in self.home.users.values()]
        self.slack = Workspace(self.config, people, self.now)
        self.twilio = Account(self.config, self.now, self.random)

    def reset(self) -> None:
        """Begin anew: the same company, nobody signed in, nothing received, no faults."""
        with self.lock:
            self.timer.forget()
            self._fill()

    def close(self) -> None:
        """Stop delivering."""
        self.timer.close()

    def now(self) -> datetime:
        """What time it is here."""
        return self.config.clock()

    def luid(self) -> str:
        """The next identifier; a seed gives the same row of them every time."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def changed(self) -> None:
        """Note that there is something new to see."""
        self.version += 1

    def set(self, manners: dict[str, object]) -> None:
        """Change manners by name. Raises ValueError for what is none, and then changes nothing."""
        values = {name: manner(name, value) for name, value in manners.items()}
        with self.lock:
            self.config = replace(self.config, **values)  # type: ignore[arg-type]

    def site_at(self, content_url: str) -> Site | None:
        """The site with this content URL."""
        return next((site for site in self.sites.values() if site.content_url == content_url), None)

    def emit(self, site: Site, event_type: str, *, name: str, luid: str, resource: str = "") -> dict[str, object]:
        """Tell every enabled webhook of a site that listens for this event; gives back the payload."""
        with self.lock:
            resource = resource or RESOURCES[event_type]
            fields = payload(
                event_type,
                resource=resource,
                name=name,
                luid=luid,
                site=site.luid,
                at=self.now(),
                text=self.config.payload_text,
            )
            for webhook in site.webhooks.values():
                if webhook.is_enabled and webhook.event == event_type:
                    twice = self._dice.random() < self.config.duplicates
                    for copy in range(1 + twice):
                        self.sender.send(
                            webhook, body(fields), event_type=event_type, resource_name=name, duplicate=bool(copy)
                        )
            self.changed()
        return fields

    def _delivered(self, delivery: Delivery) -> None:
        with self.lock:
            self.changed()
            for site in self.sites.values():
                if (webhook := site.webhooks.get(delivery.webhook)) is None:
                    continue
                webhook.given_up = webhook.given_up + 1 if delivery.state == "given up" else 0
                if self.config.disable_after and webhook.given_up >= self.config.disable_after:
                    webhook.is_enabled, webhook.status_change_reason = False, DISABLED
