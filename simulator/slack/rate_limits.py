"""Limit the calls of each method and the messages to each channel, as Slack does.

https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from datetime import datetime

# Calls of one method per minute by the tier of the method. Slack promises at least these.
TIERS = {1: 1, 2: 20, 3: 50, 4: 100}
MINUTE = 60.0
# Messages per second to one channel, and how many may arrive at once. Slack promises one per second and tolerates
# short bursts of an unpublished length.
MESSAGES_PER_SECOND, BURST = 1.0, 4
# Messages per minute in the whole workspace; Slack publishes no number, several hundred are usual.
MESSAGES_PER_MINUTE = 300


class RateLimits:
    """The recent calls. Hold the world's lock to use it."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)
        # Channel -> messages of its burst that are used up, and when that was so.
        self._bursts: dict[str, tuple[float, float]] = {}

    def count_call(self, method: str, tier: int, now: datetime) -> int:
        """Count a call of a method, and return the seconds to wait if it is one too many, else 0."""
        return self._count(method, TIERS[tier], now.timestamp())

    def count_message(self, channel: str, now: datetime) -> int:
        """Count a message to a channel, and return the seconds to wait if it is one too many, else 0."""
        moment = now.timestamp()
        used, at = self._bursts.get(channel, (0.0, moment))
        used = max(0.0, used - (moment - at) * MESSAGES_PER_SECOND)
        if used + 1 > BURST:
            return math.ceil((used + 1 - BURST) / MESSAGES_PER_SECOND)
        if seconds := self._count("chat.postMessage", MESSAGES_PER_MINUTE, moment):
            return seconds
        self._bursts[channel] = used + 1, moment
        return 0

    def _count(self, key: str, limit: int, moment: float) -> int:
        calls = self._calls[key]
        while calls and calls[0] <= moment - MINUTE:
            calls.popleft()
        if len(calls) >= limit:
            return max(1, math.ceil(calls[0] + MINUTE - moment))
        calls.append(moment)
        return 0
