"""Slack's limits on calls: the tier of each method, and one message a second in each channel.

https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

from notifiers.limits import Limit, Operation

MINUTE = 60.0
# Calls of one method a minute, in one workspace, by the method's tier.
TIERS = {1: 1, 2: 20, 3: 50, 4: 100}
METHODS = {
    "chat.update": 3,
    "conversations.history": 3,
    "conversations.list": 2,
    "conversations.open": 3,
    "conversations.replies": 3,
    "files.completeUploadExternal": 4,
    "files.getUploadURLExternal": 4,
    "usergroups.list": 2,
    "users.list": 2,
    "users.lookupByEmail": 3,
}
# Slack tolerates short bursts in a channel, so that nearly all of its limit can be used.
CHANNEL_FILL = 0.95
# Slack publishes no number for all messages of a workspace; "several hundred" a minute are usual, and short bursts are
# tolerated: two hundred refreshes that fail at once are notified at once (docs/decisions/033-slots.md).
MESSAGES_A_MINUTE, MESSAGES_AT_ONCE = 300, 200
# The methods of each operation, beside posting. chat.getPermalink has no limit in a tier.
OPERATIONS: dict[Operation, tuple[str, ...]] = {
    "post": (),
    "edit": ("chat.update",),
    "reply": (),
    "find": ("conversations.history",),
    "attach": ("files.getUploadURLExternal", "files.completeUploadExternal"),
    "permalink": (),
}
POSTING: frozenset[Operation] = frozenset(["post", "reply", "attach"])


def method_limit(method: str) -> Limit:
    """Return the limit of a method of the Web API."""
    return Limit(f"slack {method}", TIERS[METHODS[method]], MINUTE)


def limits(operation: Operation, address: str) -> tuple[Limit, ...]:
    """Return the limits of an operation on a message at this address."""
    found = tuple(map(method_limit, OPERATIONS[operation]))
    if operation in POSTING:
        found += (
            Limit(f"slack {address}", 1, 1.0, CHANNEL_FILL),
            Limit("slack chat.postMessage", MESSAGES_A_MINUTE, MINUTE, at_once=MESSAGES_AT_ONCE),
        )
    return found
