"""Post, update and read messages.

https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

from simulator.slack import blocks as block_kit
from simulator.slack.api import Arguments, int_argument, json_argument, method
from simulator.slack.workspace import BOT, BOT_NAME, BOT_USER, TEAM, Message, SlackError
from simulator.world.world import World

MAX_TEXT = 40_000


@method("chat.postMessage", "chat:write")
def post_message(world: World, arguments: Arguments) -> Arguments:
    """Post a message to a channel or thread."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    message = world.slack.new_message(channel.id, "")
    _fill(message, arguments)
    message.thread_ts = str(arguments.get("thread_ts") or "")
    world.slack.post(channel, message)
    return {"channel": channel.id, "ts": message.ts, "message": describe_message(message)}


@method("chat.update")
def update(world: World, arguments: Arguments) -> Arguments:
    """Update a message."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    message = find_message(world, channel.id, str(arguments.get("ts") or ""))
    _fill(message, arguments)
    message.edited = True
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": describe_message(message)}


@method("chat.delete")
def delete(world: World, arguments: Arguments) -> Arguments:
    """Delete a message."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    message = find_message(world, channel.id, str(arguments.get("ts") or ""))
    world.slack.messages.remove(message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.getPermalink")
def permalink(world: World, arguments: Arguments) -> Arguments:
    """Return the address of a message."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    message = find_message(world, channel.id, str(arguments.get("message_ts") or ""))
    address = f"https://acme.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    return {"channel": channel.id, "permalink": address}


@method("conversations.history")
def history(world: World, arguments: Arguments) -> Arguments:
    """List the messages of a channel, newest first."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    if not channel.member:
        raise SlackError("not_in_channel")
    top = [message for message in world.slack.messages if message.channel == channel.id and not message.thread_ts]
    return _page(top[::-1], arguments)


@method("conversations.replies")
def replies(world: World, arguments: Arguments) -> Arguments:
    """List a message and its thread."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    root = find_message(world, channel.id, str(arguments.get("ts") or ""))
    thread = [one for one in world.slack.messages if (one.channel, one.thread_ts) == (channel.id, root.ts)]
    return _page([root, *thread], arguments)


def _page(messages: list[Message], arguments: Arguments) -> Arguments:
    limit, oldest = int_argument(arguments, "limit", 100), str(arguments.get("oldest") or "")
    recent = [message for message in messages if message.ts > oldest]
    return {"messages": [describe_message(message) for message in recent[:limit]], "has_more": len(recent) > limit}


def find_message(world: World, channel: str, ts: str) -> Message:
    """Return the message with this time stamp. Raises SlackError."""
    for message in world.slack.messages:
        if (message.channel, message.ts) == (channel, ts):
            return message
    raise SlackError("message_not_found")


def _fill(message: Message, arguments: Arguments) -> None:
    text = str(arguments.get("text") or "")
    blocks = json_argument(arguments, "blocks", "invalid_blocks_format") or []
    attachments = json_argument(arguments, "attachments", "invalid_attachments") or []
    if not isinstance(attachments, list):
        raise SlackError("invalid_attachments")
    if not text and not blocks and not attachments:
        raise SlackError("no_text")
    if len(text) > MAX_TEXT:
        raise SlackError("msg_too_long")
    check_blocks(blocks)
    for attachment in attachments:
        check_blocks(attachment.get("blocks", []) if isinstance(attachment, dict) else None)
    message.text, message.blocks, message.attachments = text, blocks, attachments


def check_blocks(blocks: object) -> None:
    """Raise SlackError for blocks that Slack would not show."""
    if problems := block_kit.validate(blocks):
        raise SlackError("invalid_blocks", *problems)
    if block_kit.count_characters(blocks) > block_kit.MAX_CHARACTERS:
        raise SlackError(block_kit.TOO_LONG)


def describe_message(message: Message) -> Arguments:
    """Return a message as the API shows it."""
    content: Arguments = {
        "type": "message",
        "user": message.user,
        "bot_id": BOT,
        "team": TEAM,
        "text": message.text,
        "ts": message.ts,
        "bot_profile": {"id": BOT, "name": BOT_NAME, "team_id": TEAM},
    }
    optional = {
        "blocks": message.blocks,
        "attachments": message.attachments,
        "thread_ts": message.thread_ts,
        "files": [{"id": luid} for luid in message.files],
        "edited": {"user": BOT_USER, "ts": message.ts} if message.edited else {},
    }
    return content | {name: value for name, value in optional.items() if value}
