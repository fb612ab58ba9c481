"""Delivers webhooks the way Tableau does: in seconds, at least once, and four times at most."""

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

# The sender is Java's HttpURLConnection; these are its manners as captured.
HEADERS = {
    "User-Agent": "TableauWebhooks/1.0",
    "Content-Type": "application/json",
    "charset": "utf-8",
    "Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Connection": "keep-alive",
}
KEPT = 2000  # deliveries remembered
ANSWER_KEPT = 500  # characters of an answer remembered


@dataclass(frozen=True)
class Attempt:
    """One POST and what came of it: a status, or the error in words."""

    at: datetime
    status: int | None
    error: str
    milliseconds: int
    answer: str = ""

    @property
    def taken(self) -> bool:
        """Whether the receiver said 2xx in time."""
        return self.status is not None and 200 <= self.status < 300


@dataclass
class Delivery:
    """One event on its way to one webhook; `state` is waiting, delivered or given up."""

    id: int
    webhook: str
    name: str
    url: str
    event_type: str
    resource_name: str
    body: bytes
    created_at: datetime
    duplicate: bool = False
    state: str = "waiting"
    attempts: list[Attempt] = field(default_factory=list)


class Sender:
    """The queue of deliveries and the log of what became of them."""

    def __init__(self, config: Callable[[], Config], timer: Timer, done: Callable[[Delivery], None]) -> None:
        self._config = config
        self._timer = timer
        self._done = done
        self.count = 0
        self.log: deque[Delivery] = deque(maxlen=KEPT)

    def send(
        self, webhook: Webhook, body: bytes, *, event_type: str, resource_name: str, duplicate: bool = False
    ) -> Delivery:
        """Queue one delivery; it starts at once, in another thread."""
        self.count += 1
        now = self._config().clock()
        names = (webhook.luid, webhook.name, webhook.url, event_type, resource_name)
        delivery = Delivery(self.count, *names, body, now, duplicate)
        self.log.append(delivery)
        self._timer.after(0, partial(self._try, delivery))
        return delivery

    def _try(self, delivery: Delivery) -> None:
        config = self._config()
        attempt = post(delivery.url, delivery.body, config)
        delivery.attempts.append(attempt)
        used = len(delivery.attempts)
        if not attempt.taken and used <= len(config.retry_waits):
            self._timer.after(config.retry_waits[used - 1], partial(self._try, delivery))
            return
        delivery.state = "delivered" if attempt.taken else "given up"
        self._done(delivery)


def post(url: str, body: bytes, config: Config) -> Attempt:
    """Send one body to one address and say what came of it. Redirects are not followed: they are no success."""
    began, at = time.monotonic(), config.clock()
    status, error, answer = None, "", ""
    try:
        with requests.Session() as session:
            session.trust_env = False
            timeout = (config.connect_timeout, config.read_timeout)
            with session.post(url, data=body, headers=HEADERS, timeout=timeout, allow_redirects=False) as response:
                status, answer = response.status_code, response.text[:ANSWER_KEPT]
    except requests.RequestException as problem:
        error = _in_words(problem)
    return Attempt(at, status, error, round((time.monotonic() - began) * 1000), answer)


def _in_words(problem: requests.RequestException) -> str:
    if isinstance(problem, requests.ConnectTimeout):
        return "connect timed out"
    if isinstance(problem, requests.Timeout):
        return "Read timed out"
    if isinstance(problem, requests.ConnectionError):
        return "Connection refused" if "refused" in str(problem) else "Connection reset"
    return type(problem).__name__
