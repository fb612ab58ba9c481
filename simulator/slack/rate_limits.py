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
# Messages per second, and how many may arrive at once: to one channel, and in the whole workspace. Slack promises one
# per second and channel, and several hundred a minute are usual in a workspace. It tolerates short bursts, but does not
# publish their length; here one of the workspace may have the messages of a minute.
CHANNEL_RATE, CHANNEL_BURST = 1.0, 4
WORKSPACE_RATE, WORKSPACE_BURST = 5.0, 300
# Not the id of a channel.
WORKSPACE = "workspace"


class RateLimits:
    """The recent calls. Hold the world's lock to use it."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)
        # By channel, and of the workspace: the messages of the burst that are used up, and when that was so.
        self._bursts: dict[str, tuple[float, float]] = {}

    def count_call(self, method: str, tier: int, now: datetime) -> int:
        """Count a call of a method, and return the seconds to wait if it is one too many, else 0."""
        calls, moment = self._calls[method], now.timestamp()
        while calls and calls[0] <= moment - MINUTE:
            calls.popleft()
        if len(calls) >= TIERS[tier]:
            return max(1, math.ceil(calls[0] + MINUTE - moment))
        calls.append(moment)
        return 0

    def count_message(self, channel: str, now: datetime) -> int:
        """Count a message to a channel, and return the seconds to wait if it is one too many, else 0."""
        moment = now.timestamp()
        used = {}
        for key, rate, burst in ((channel, CHANNEL_RATE, CHANNEL_BURST), (WORKSPACE, WORKSPACE_RATE, WORKSPACE_BURST)):
            before, at = self._bursts.get(key, (0.0, moment))
            used[key] = max(0.0, before - (moment - at) * rate) + 1
            if used[key] > burst:
                return math.ceil((used[key] - burst) / rate)
        self._bursts.update((key, (number, moment)) for key, number in used.items())
        return 0
