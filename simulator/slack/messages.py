"""Post, update, delete and react to messages.

https://docs.slack.dev/reference/methods/chat.postMessage and https://docs.slack.dev/reference/methods/chat.update
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any, cast

from simulator.slack import blocks as block_kit
from simulator.slack import data_blocks
from simulator.slack.api import (
    Arguments,
    bool_argument,
    channel_by_id,
    json_argument,
    method,
    raise_if_limited,
)
from simulator.slack.workspace import BOT, BOT_NAME, BOT_USER, TEAM, Channel, Content, Message, SlackError
from simulator.world.current import current_world
from simulator.world.world import World

MAX_TEXT, MAX_UPDATED_TEXT = 40_000, 4_000
EMOJI_NAME = re.compile(r"[a-z0-9_+'-]{1,100}(::skin-tone-[2-6])?")


@method("chat.postMessage", scope="chat:write")
def post_message(world: World, arguments: Arguments) -> Arguments:
    """Post a message to a channel or thread."""
    channel = _writable_channel(world, arguments)
    message = world.slack.new_message(channel.id, read_content(arguments))
    message.thread_ts = str(arguments.get("thread_ts") or "")
    message.broadcast = message.is_reply and bool_argument(arguments, "reply_broadcast")
    world.slack.post(channel, message)
    return {"channel": channel.id, "ts": message.ts, "message": describe_message(world, message)}


@method("chat.postEphemeral", scope="chat:write", tier=4)
def post_ephemeral(world: World, arguments: Arguments) -> Arguments:
    """Post a message that only one member of the channel sees."""
    channel = _writable_channel(world, arguments)
    user = str(arguments.get("user") or "")
    if all(member.id != user for member in world.slack.members):
        raise SlackError("user_not_in_channel")
    message = world.slack.new_message(channel.id, read_content(arguments))
    message.ephemeral_for, message.thread_ts = user, str(arguments.get("thread_ts") or "")
    world.slack.post(channel, message)
    return {"message_ts": message.ts}


def _writable_channel(world: World, arguments: Arguments) -> Channel:
    """Return the channel to post to, by id or name, and count the message. Raises SlackError."""
    channel = world.slack.find(str(arguments.get("channel") or ""))
    if not channel.member and "chat:write.public" not in world.slack.scopes:
        raise SlackError("not_in_channel")
    if world.config.slack_rate_limits:
        raise_if_limited(world.slack.rate_limits.count_message(channel.id, world.now()))
    return channel


@method("chat.update", scope="chat:write", tier=3)
def update(world: World, arguments: Arguments) -> Arguments:
    """Update a message; Slack accepts only the id of the channel here."""
    channel = channel_by_id(world, arguments)
    message = find_message(world, channel.id, str(arguments.get("ts") or ""))
    if message.user != BOT_USER or message.ephemeral_for:
        raise SlackError("cant_update_message")
    if channel.archived:
        raise SlackError("is_inactive")
    window = world.config.slack_edit_window
    if window is not None and world.now() - message.at > timedelta(seconds=window):
        raise SlackError("edit_window_closed")
    content = read_content(arguments, message.content)
    if bool_argument(arguments, "reply_broadcast"):
        raise SlackError("no_dual_broadcast_content_update")
    world.slack.edit(message, content)
    described = describe_message(world, message)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": described}


@method("chat.delete", scope="chat:write", tier=3)
def delete(world: World, arguments: Arguments) -> Arguments:
    """Delete a message."""
    channel = channel_by_id(world, arguments)
    message = find_message(world, channel.id, str(arguments.get("ts") or ""))
    if message.user != BOT_USER or message.ephemeral_for:
        raise SlackError("cant_delete_message")
    world.slack.delete(message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.getPermalink")
def permalink(world: World, arguments: Arguments) -> Arguments:
    """Return the address of a message."""
    channel = channel_by_id(world, arguments)
    message = find_message(world, channel.id, str(arguments.get("message_ts") or ""))
    address = f"https://acme.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    thread = f"?thread_ts={message.thread_ts}&cid={channel.id}" if message.is_reply else ""
    return {"channel": channel.id, "permalink": address + thread}


@method("reactions.add", scope="reactions:write", tier=3)
def add_reaction(world: World, arguments: Arguments) -> Arguments:
    """Add a reaction to a message."""
    channel = channel_by_id(world, arguments)
    name = str(arguments.get("name") or "").strip(":")
    if not EMOJI_NAME.fullmatch(name):
        raise SlackError("invalid_name")
    if not (ts := str(arguments.get("timestamp") or "")):
        raise SlackError("no_item_specified")
    users = find_message(world, channel.id, ts).reactions.setdefault(name, [])
    if BOT_USER in users:
        raise SlackError("already_reacted")
    users.append(BOT_USER)
    return {}


def find_message(world: World, channel: str, ts: str) -> Message:
    """Return the message with this time stamp. Raises SlackError."""
    if message := world.slack.message(channel, ts):
        return message
    raise SlackError("message_not_found")


def read_content(arguments: Arguments, before: Content | None = None) -> Content:
    """Return the content of a new message, or the one that an update makes of `before`. Raises SlackError.

    An update keeps the blocks if it has no text either, and attachments and metadata that it leaves out.
    """
    text = str(arguments.get("text") or "")
    blocks = json_argument(arguments, "blocks", "invalid_blocks_format")
    attachments = json_argument(arguments, "attachments", "invalid_attachments")
    metadata = _metadata(arguments)
    if attachments is not None and not isinstance(attachments, list):
        raise SlackError("invalid_attachments")
    if not text and not blocks and not attachments:
        raise SlackError("no_text")
    if len(text) > (MAX_TEXT if before is None else MAX_UPDATED_TEXT):
        raise SlackError("msg_too_long")
    check_blocks(blocks or [])
    for attachment in attachments or []:
        check_blocks(attachment.get("blocks", []) if isinstance(attachment, dict) else None)
    if before is None:
        return Content(text, blocks or [], attachments or [], metadata or {})
    if "text" not in arguments:
        text, blocks = before.text, before.blocks if blocks is None else blocks
    if _has_rich_text(before.blocks) and not _has_rich_text(blocks or []):
        raise SlackError("block_mismatch")
    return Content(
        text,
        blocks or [],
        before.attachments if attachments is None else attachments,
        before.metadata if metadata is None else metadata,
    )


def _has_rich_text(blocks: list[dict[str, object]]) -> bool:
    return any(block.get("type") == "rich_text" for block in blocks)


def _metadata(arguments: Arguments) -> dict[str, object] | None:
    """Return the metadata of a call, None if it has none. Raises SlackError."""
    metadata = json_argument(arguments, "metadata", "invalid_metadata_format")
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise SlackError("invalid_metadata_format")
    if metadata and not (
        isinstance(metadata.get("event_type"), str)
        and metadata["event_type"]
        and isinstance(metadata.get("event_payload"), dict)
    ):
        raise SlackError("invalid_metadata_schema")
    return metadata


def check_blocks(blocks: object) -> None:
    """Raise SlackError for blocks that Slack would not show."""
    unsupported = () if current_world().config.slack_data_blocks else data_blocks.NEW_TYPES
    problems = block_kit.validate(blocks, unsupported)
    if problems or (problems := data_blocks.count_problems(cast("list[dict[str, Any]]", blocks))):
        raise SlackError("invalid_blocks", *problems)
    if block_kit.count_characters(blocks) > block_kit.MAX_CHARACTERS:
        raise SlackError(block_kit.TOO_LONG)


def identified_blocks(message: Message, *, with_attachments: bool = False) -> list[dict[str, Any]]:
    """Return the blocks with the ids that Slack generates for blocks and elements that have none."""
    blocks: list[dict[str, Any]] = list(message.blocks)
    for attachment in message.attachments if with_attachments else []:
        blocks += cast("list[dict[str, Any]]", attachment.get("blocks", []))
    version = (message.ts, len(message.versions))
    return [_identified(block, _generated_id(*version, number)) for number, block in enumerate(blocks)]


def _identified(block: dict[str, Any], generated: str) -> dict[str, Any]:
    block = {"block_id": generated} | block
    elements = block.get("elements")
    if block.get("type") == "actions" and isinstance(elements, list):
        numbered = enumerate(elements)
        block["elements"] = [{"action_id": f"{generated}{number}"} | element for number, element in numbered]
    accessory = block.get("accessory")
    if isinstance(accessory, dict) and accessory.get("type") != "image":
        block["accessory"] = {"action_id": f"{generated}a"} | accessory
    return block


def _generated_id(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:5]


def describe_message(world: World, message: Message, *, with_metadata: bool = True) -> Arguments:
    """Return a message as the API shows it."""
    content: Arguments = {"type": "message", "user": message.user, "team": TEAM, "text": message.text, "ts": message.ts}
    if message.user == BOT_USER:
        content |= {"bot_id": BOT, "bot_profile": {"id": BOT, "name": BOT_NAME, "team_id": TEAM}}
    # Slack does not mark an edited message that has blocks.
    marked = message.edited and not message.blocks
    reactions = [{"name": name, "users": users, "count": len(users)} for name, users in message.reactions.items()]
    optional = {
        "blocks": identified_blocks(message),
        "attachments": message.attachments,
        "thread_ts": message.thread_ts,
        "subtype": "thread_broadcast" if message.broadcast else "",
        "files": [{"id": luid} for luid in message.files],
        "edited": {"user": message.user, "ts": f"{message.versions[-1][0].timestamp():.6f}"} if marked else {},
        "reactions": reactions,
        "metadata": message.metadata if with_metadata else {},
    }
    return content | {name: value for name, value in optional.items() if value} | _thread_summary(world, message)


def _thread_summary(world: World, message: Message) -> Arguments:
    if message.is_reply or not (replies := world.slack.replies(message)):
        return {}
    users = sorted({reply.user for reply in replies})
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users_count": len(users),
        "reply_users": users,
        "latest_reply": replies[-1].ts,
        "subscribed": False,
    }
