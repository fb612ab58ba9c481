"""Deliver webhooks as Tableau does: within seconds, at least once, at most four attempts."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import requests

from simulator.config import Config
from simulator.world.site import Webhook
from simulator.world.timer import Timer

# The sender is Java's HttpURLConnection; these are its headers as captured.
HEADERS = {
    "User-Agent": "TableauWebhooks/1.0",
    "Content-Type": "application/json",
    "charset": "utf-8",
    "Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Connection": "keep-alive",
}
MAX_DELIVERIES = 2000
# Characters of a response that are kept.
MAX_RESPONSE = 500

# The states of a delivery.
WAITING, DELIVERED, GIVEN_UP = "waiting", "delivered", "given up"


@dataclass(frozen=True)
class Attempt:
    """One POST and its result: a status, or an error."""

    at: datetime
    status: int | None
    error: str
    milliseconds: int
    response: str = ""

    @property
    def succeeded(self) -> bool:
        """Return whether the receiver responded with 2xx in time."""
        return self.status is not None and 200 <= self.status < 300


@dataclass
class Delivery:
    """One event on its way to one webhook."""

    id: int
    webhook: str
    name: str
    url: str
    event_type: str
    resource_name: str
    body: bytes
    created_at: datetime
    duplicate: bool = False
    state: str = WAITING
    attempts: list[Attempt] = field(default_factory=list)


class Sender:
    """The queue of deliveries and the log of their results."""

    def __init__(self, config: Callable[[], Config], timer: Timer, done: Callable[[Delivery], None]) -> None:
        self._config = config
        self._timer = timer
        self._done = done
        self.count = 0
        self.log: deque[Delivery] = deque(maxlen=MAX_DELIVERIES)

    def send(
        self, webhook: Webhook, body: bytes, *, event_type: str, resource_name: str, duplicate: bool = False
    ) -> Delivery:
        """Queue one delivery; it starts immediately, in another thread."""
        self.count += 1
        now = self._config().clock()
        names = (webhook.luid, webhook.name, webhook.url, event_type, resource_name)
        delivery = Delivery(self.count, *names, body, now, duplicate)
        self.log.append(delivery)
        self._timer.after(0, partial(self._attempt, delivery))
        return delivery

    def _attempt(self, delivery: Delivery) -> None:
        config = self._config()
        attempt = post(delivery.url, delivery.body, config)
        delivery.attempts.append(attempt)
        made = len(delivery.attempts)
        if not attempt.succeeded and made <= len(config.retry_waits):
            self._timer.after(config.retry_waits[made - 1], partial(self._attempt, delivery))
            return
        delivery.state = DELIVERED if attempt.succeeded else GIVEN_UP
        self._done(delivery)


def post(url: str, body: bytes, config: Config) -> Attempt:
    """Send one body to one address and return the result. Redirects are not followed and count as failures."""
    began, at = time.monotonic(), config.clock()
    status, message, response_text = None, "", ""
    try:
        with requests.Session() as session:
            session.trust_env = False
            timeout = (config.connect_timeout, config.read_timeout)
            with session.post(url, data=body, headers=HEADERS, timeout=timeout, allow_redirects=False) as response:
                status, response_text = response.status_code, response.text[:MAX_RESPONSE]
    except requests.ConnectTimeout:
        message = "connect timed out"
    except requests.Timeout:
        message = "Read timed out"
    except requests.ConnectionError as error:
        message = "Connection refused" if "refused" in str(error) else "Connection reset"
    except requests.RequestException as error:
        message = type(error).__name__
    return Attempt(at, status, message, round((time.monotonic() - began) * 1000), response_text)
