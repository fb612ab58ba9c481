"""Users, conversations, and the token itself.

https://docs.slack.dev/reference/methods/conversations.list
"""

from __future__ import annotations

from simulator.slack.api import Arguments, int_argument, method
from simulator.slack.workspace import BOT, BOT_USER, READ_SCOPES, TEAM, Channel, Member, SlackError
from simulator.world.world import World

# Channels on a page.
MAX_LIMIT = 999


@method("auth.test")
def auth_test(world: World, arguments: Arguments) -> Arguments:
    """Return the owner of the token."""
    del world, arguments
    owner = {"team": "Acme", "user": "tableau_webhooks", "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT}
    return {"url": "https://acme.slack.com/", "is_enterprise_install": False} | owner


@method("conversations.list")
def conversations(world: World, arguments: Arguments) -> Arguments:
    """List the channels that the token can see, by page."""
    kinds = set(str(arguments.get("types") or "public_channel").split(","))
    if not kinds <= READ_SCOPES.keys():
        raise SlackError("invalid_types")
    for kind in sorted(kinds):
        world.slack.require_scope(READ_SCOPES[kind])
    hide_archived = str(arguments.get("exclude_archived") or "").lower() in {"1", "true"}
    visible = [
        channel
        for channel in world.slack.channels.values()
        if channel.kind in kinds
        and not (hide_archived and channel.archived)
        and (channel.member or not channel.private)
    ]
    start, limit = int_argument(arguments, "cursor", 0), int_argument(arguments, "limit", 100)
    if limit > MAX_LIMIT:
        raise SlackError("invalid_limit")
    cursor = str(start + limit) if len(visible) > start + limit else ""
    channels = [_channel(channel) for channel in visible[start : start + limit]]
    return {"channels": channels, "response_metadata": {"next_cursor": cursor}}


@method("conversations.info")
def conversation(world: World, arguments: Arguments) -> Arguments:
    """Return a channel by its id."""
    channel = world.slack.channels.get(str(arguments.get("channel") or ""))
    if channel is None or (channel.private and not channel.member):
        raise SlackError("channel_not_found")
    world.slack.require_scope(READ_SCOPES[channel.kind])
    return {"channel": _channel(channel)}


@method("conversations.open", "im:write")
def open_conversation(world: World, arguments: Arguments) -> Arguments:
    """Open a direct conversation with a user."""
    users = str(arguments.get("users") or "").split(",")
    if len(users) != 1:
        raise SlackError("not_enough_users")
    channel = world.slack.direct(users[0])
    return {"channel": {"id": channel.id} if not arguments.get("return_im") else _channel(channel)}


@method("conversations.join")
def join(world: World, arguments: Arguments) -> Arguments:
    """Join a public channel."""
    channel = world.slack.channels.get(str(arguments.get("channel") or ""))
    if channel is None or channel.private:
        raise SlackError("channel_not_found")
    if channel.archived:
        raise SlackError("is_archived")
    channel.member = True
    return {"channel": _channel(channel)}


@method("users.lookupByEmail", "users:read.email")
def by_email(world: World, arguments: Arguments) -> Arguments:
    """Return the user with an e-mail address."""
    wanted = str(arguments.get("email") or "").lower()
    for member in world.slack.members:
        if member.email.lower() == wanted:
            return {"user": _member(member)}
    raise SlackError("users_not_found")


@method("users.info", "users:read")
def user(world: World, arguments: Arguments) -> Arguments:
    """Return the user with an id."""
    for member in world.slack.members:
        if member.id == arguments.get("user"):
            return {"user": _member(member)}
    raise SlackError("user_not_found")


@method("users.list", "users:read")
def users(world: World, arguments: Arguments) -> Arguments:
    """List all users."""
    del arguments
    return {"members": [_member(member) for member in world.slack.members], "response_metadata": {"next_cursor": ""}}


def _channel(channel: Channel) -> Arguments:
    content: Arguments = {
        "id": channel.id,
        "created": 1700000000,
        "is_archived": channel.archived,
        "is_channel": not channel.user,
        "is_im": bool(channel.user),
        "is_private": channel.private,
        "is_member": channel.member,
        "is_general": channel.name == "general",
    }
    if channel.user:
        return content | {"user": channel.user}
    return content | {"name": channel.name, "name_normalized": channel.name}


def _member(member: Member) -> Arguments:
    profile = {"email": member.email, "real_name": member.real_name, "display_name": member.name}
    return {
        "id": member.id,
        "team_id": TEAM,
        "name": member.name,
        "real_name": member.real_name,
        "deleted": False,
        "profile": profile,
    }
