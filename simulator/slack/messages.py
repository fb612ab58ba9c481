"""Posting, changing and reading messages.

https://docs.slack.dev/reference/methods/chat.postMessage
"""

from simulator.slack import blocks as block_kit
from simulator.slack.api import Arguments, method, parsed, whole
from simulator.slack.workspace import BOT, BOT_NAME, BOT_USER, TEAM, Message, SlackError
from simulator.world.world import World

MOST_TEXT = 40_000


@method("chat.postMessage")
def post_message(world: World, arguments: Arguments) -> Arguments:
    """Put a message into a channel or a thread."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    message = world.slack.new(channel.id, "")
    _fill(message, arguments)
    message.thread_ts = str(arguments.get("thread_ts") or "")
    world.slack.post(channel, message)
    return {"channel": channel.id, "ts": message.ts, "message": described(message)}


@method("chat.update")
def update(world: World, arguments: Arguments) -> Arguments:
    """Change a message that is there."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    message = find(world, channel.id, str(arguments.get("ts") or ""))
    _fill(message, arguments)
    message.edited = True
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": described(message)}


@method("chat.delete")
def delete(world: World, arguments: Arguments) -> Arguments:
    """Take a message back."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    message = find(world, channel.id, str(arguments.get("ts") or ""))
    world.slack.messages.remove(message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.getPermalink")
def permalink(world: World, arguments: Arguments) -> Arguments:
    """The address of a message."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    message = find(world, channel.id, str(arguments.get("message_ts") or ""))
    return {
        "channel": channel.id,
        "permalink": f"https://acme.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}",
    }


@method("conversations.history")
def history(world: World, arguments: Arguments) -> Arguments:
    """The messages of a channel, newest first."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    if not channel.member:
        raise SlackError("not_in_channel")
    top = [message for message in world.slack.messages if message.channel == channel.id and not message.thread_ts]
    return _some(top[::-1], arguments)


@method("conversations.replies")
def replies(world: World, arguments: Arguments) -> Arguments:
    """A message and its thread."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    root = find(world, channel.id, str(arguments.get("ts") or ""))
    return _some(
        [root, *[m for m in world.slack.messages if m.channel == channel.id and m.thread_ts == root.ts]], arguments
    )


def _some(messages: list[Message], arguments: Arguments) -> Arguments:
    limit, oldest = whole(arguments, "limit", 100), str(arguments.get("oldest") or "")
    recent = [message for message in messages if message.ts > oldest]
    return {"messages": [described(message) for message in recent[:limit]], "has_more": len(recent) > limit}


def find(world: World, channel: str, ts: str) -> Message:
    """The message of that time stamp. Raises message_not_found."""
    for message in world.slack.messages:
        if (message.channel, message.ts) == (channel, ts):
            return message
    raise SlackError("message_not_found")


def _fill(message: Message, arguments: Arguments) -> None:
    text = str(arguments.get("text") or "")
    blocks = parsed(arguments, "blocks", "invalid_blocks_format") or []
    attachments = parsed(arguments, "attachments", "invalid_attachments") or []
    if not isinstance(attachments, list):
        raise SlackError("invalid_attachments")
    if not text and not blocks and not attachments:
        raise SlackError("no_text")
    if len(text) > MOST_TEXT:
        raise SlackError("msg_too_long")
    allowed(blocks)
    for attachment in attachments:
        allowed(attachment.get("blocks", []) if isinstance(attachment, dict) else None)
    message.text, message.blocks, message.attachments = text, blocks, attachments


def allowed(blocks: object) -> None:
    """Raise what Slack says to blocks it would not show."""
    if problems := block_kit.check(blocks):
        raise SlackError("invalid_blocks", *problems)
    if block_kit.characters(blocks) > block_kit.MOST_CHARACTERS:
        raise SlackError(block_kit.TOO_LONG)


def described(message: Message) -> Arguments:
    """A message as the API shows it."""
    shown: Arguments = {
        "type": "message",
        "user": message.user,
        "bot_id": BOT,
        "team": TEAM,
        "text": message.text,
        "ts": message.ts,
        "bot_profile": {"id": BOT, "name": BOT_NAME, "team_id": TEAM},
    }
    for name, value in (
        ("blocks", message.blocks),
        ("attachments", message.attachments),
        ("thread_ts", message.thread_ts),
    ):
        shown |= {name: value} if value else {}
    if message.files:
        shown["files"] = [{"id": luid} for luid in message.files]
    return shown | ({"edited": {"user": BOT_USER, "ts": message.ts}} if message.edited else {})
