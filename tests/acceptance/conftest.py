"""A simulated Tableau, Slack and Twilio for each test, and webhooks for every event type."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests

from simulator import Config, Running, running
from simulator.world.payload import RESOURCES
from tests.support.databases import postgres_server
from tests.support.server import Server

__all__ = ["postgres_server"]


@pytest.fixture
def site() -> Iterator[Running]:
    with running(Config(refresh_seconds=0, retry_waits=(0.3, 0.6, 1.2))) as site:
        yield site


@pytest.fixture
def register(site: Running) -> Callable[[Server], None]:
    """Create the webhooks as an administrator, by password: a sign-in by token would end the server's session."""

    def create(server: Server) -> None:
        config = site.world.config
        who = {"name": config.username, "password": config.password, "site": {"contentUrl": config.content_url}}
        api = f"{site.url}/api/{config.api_version}"
        json = {"Accept": "application/json"}
        signed_in = requests.post(f"{api}/auth/signin", json={"credentials": who}, headers=json, timeout=30).json()
        headers = json | {"X-Tableau-Auth": signed_in["credentials"]["token"]}
        for event_type in RESOURCES:
            destination = {"webhook-destination-http": {"method": "POST", "url": server.hook}}
            body = {"webhook": {"name": event_type, "event": event_type, "webhook-destination": destination}}
            luid = signed_in["credentials"]["site"]["id"]
            created = requests.post(f"{api}/sites/{luid}/webhooks", json=body, headers=headers, timeout=30)
            assert created.status_code == 201, created.text

    return create
