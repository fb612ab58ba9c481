"""Read the messages of a channel and of a thread, by page.

https://docs.slack.dev/reference/methods/conversations.history
"""

from __future__ import annotations

import base64
import binascii
from decimal import Decimal, InvalidOperation

from simulator.slack.api import Arguments, bool_argument, channel_by_id, int_argument, method
from simulator.slack.messages import describe_message
from simulator.slack.workspace import Message, SlackError
from simulator.world.world import World

MAX_LIMIT = 999


@method("conversations.history", tier=3)
def history(world: World, arguments: Arguments) -> Arguments:
    """List the messages of a channel, newest first; of the replies only those that are also in the channel."""
    channel = channel_by_id(world, arguments, "history")
    if not channel.member:
        raise SlackError("not_in_channel")
    top = [
        message
        for message in reversed(world.slack.messages)
        if message.channel == channel.id and not message.ephemeral_for and (not message.is_reply or message.broadcast)
    ]
    return _page(world, top, arguments, default_limit=100) | {"pin_count": 0}


@method("conversations.replies", tier=3)
def replies(world: World, arguments: Arguments) -> Arguments:
    """List a message and its thread, oldest first."""
    channel = channel_by_id(world, arguments, "history")
    if not channel.member:
        raise SlackError("not_in_channel")
    root = world.slack.message(channel.id, str(arguments.get("ts") or ""))
    if root is None or root.ephemeral_for:
        raise SlackError("thread_not_found")
    thread = [reply for reply in world.slack.replies(root) if not reply.ephemeral_for]
    return _page(world, [root, *thread], arguments, default_limit=1000)


def _page(world: World, messages: list[Message], arguments: Arguments, *, default_limit: int) -> Arguments:
    limit = int_argument(arguments, "limit", default_limit)
    if limit != default_limit and not 1 <= limit <= MAX_LIMIT:
        raise SlackError("invalid_limit")
    oldest, latest = _bound(arguments, "oldest"), _bound(arguments, "latest")
    inclusive = bool_argument(arguments, "inclusive")

    def in_range(message: Message) -> bool:
        ts = Decimal(message.ts)
        after = oldest is None or ts > oldest or (inclusive and ts == oldest)
        return after and (latest is None or ts < latest or (inclusive and ts == latest))

    found = [message for message in messages if in_range(message)]
    # A cursor names the message that the page before ended with, so that new messages do not shift the pages.
    start = 0
    if cursor := str(arguments.get("cursor") or ""):
        start = next((number for number, one in enumerate(found, 1) if one.ts == _decoded(cursor)), 0)
        if not start:
            raise SlackError("invalid_cursor")
    page, has_more = found[start : start + limit], len(found) > start + limit
    with_metadata = bool_argument(arguments, "include_all_metadata")
    content: Arguments = {
        "messages": [describe_message(world, message, with_metadata=with_metadata) for message in page],
        "has_more": has_more,
    }
    if has_more:
        content["response_metadata"] = {"next_cursor": base64.b64encode(f"next_ts:{page[-1].ts}".encode()).decode()}
    return content


def _bound(arguments: Arguments, name: str) -> Decimal | None:
    text = str(arguments.get(name) or "")
    try:
        bound = Decimal(text) if text else None
    except InvalidOperation as error:
        raise SlackError(f"invalid_ts_{name}") from error
    if bound is not None and not bound.is_finite():
        raise SlackError(f"invalid_ts_{name}")
    return bound


def _decoded(cursor: str) -> str:
    try:
        return base64.b64decode(cursor, validate=True).decode().removeprefix("next_ts:")
    except (binascii.Error, ValueError) as error:
        raise SlackError("invalid_cursor") from error
