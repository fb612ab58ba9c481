"""Users, conversations, and the token itself.

https://docs.slack.dev/reference/methods/conversations.list
"""

from __future__ import annotations

from simulator.slack.api import Arguments, bool_argument, channel_by_id, int_argument, method
from simulator.slack.workspace import BOT, BOT_USER, TEAM, Channel, Member, SlackError
from simulator.world.world import World

# The scope that lists conversations of a kind.
KIND_SCOPES = {
    "public_channel": "channels:read",
    "private_channel": "groups:read",
    "im": "im:read",
    "mpim": "mpim:read",
}
# Channels on a page.
MAX_LIMIT = 999
# Id, handle, name.
USERGROUPS = (("S000000001", "bi-team", "BI team"), ("S000000002", "data-stewards", "Data stewards"))


@method("auth.test")
def auth_test(world: World, arguments: Arguments) -> Arguments:
    """Return the owner of the token."""
    del world, arguments
    owner = {"team": "Acme", "user": "tableau_webhooks", "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT}
    return {"url": "https://acme.slack.com/", "is_enterprise_install": False} | owner


@method("conversations.list", tier=2)
def conversations(world: World, arguments: Arguments) -> Arguments:
    """List the channels that the token can see, by page."""
    kinds = set(str(arguments.get("types") or "public_channel").split(","))
    if unknown := kinds - KIND_SCOPES.keys():
        raise SlackError("invalid_types", f"unknown type: {', '.join(sorted(unknown))}")
    for kind, scope in KIND_SCOPES.items():
        if kind in kinds:
            world.slack.require_scope(scope)
    hide_archived = bool_argument(arguments, "exclude_archived")
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


@method("conversations.info", tier=3)
def conversation(world: World, arguments: Arguments) -> Arguments:
    """Return a channel by its id."""
    return {"channel": _channel(channel_by_id(world, arguments, "read"))}


@method("conversations.open", scope="im:write", tier=3)
def open_conversation(world: World, arguments: Arguments) -> Arguments:
    """Open a direct conversation with a user."""
    users = str(arguments.get("users") or "").split(",")
    if len(users) != 1:
        raise SlackError("not_enough_users")
    channel = world.slack.direct(users[0])
    return {"channel": {"id": channel.id} if not arguments.get("return_im") else _channel(channel)}


@method("conversations.join", scope="channels:join", tier=3)
def join(world: World, arguments: Arguments) -> Arguments:
    """Join a public channel."""
    channel = world.slack.channels.get(str(arguments.get("channel") or ""))
    if channel is None or channel.private:
        raise SlackError("channel_not_found")
    if channel.archived:
        raise SlackError("is_archived")
    channel.member = True
    return {"channel": _channel(channel)}


@method("users.lookupByEmail", scope="users:read.email", tier=3)
def by_email(world: World, arguments: Arguments) -> Arguments:
    """Return the user with an e-mail address."""
    wanted = str(arguments.get("email") or "").lower()
    for member in world.slack.members:
        if member.email.lower() == wanted:
            return {"user": _member(member)}
    raise SlackError("users_not_found")


@method("users.info", scope="users:read", tier=4)
def user(world: World, arguments: Arguments) -> Arguments:
    """Return the user with an id."""
    for member in world.slack.members:
        if member.id == arguments.get("user"):
            return {"user": _member(member)}
    raise SlackError("user_not_found")


@method("users.list", scope="users:read", tier=2)
def users(world: World, arguments: Arguments) -> Arguments:
    """List all users."""
    del arguments
    return {"members": [_member(member) for member in world.slack.members], "response_metadata": {"next_cursor": ""}}


@method("usergroups.list", scope="usergroups:read", tier=2)
def usergroups(world: World, arguments: Arguments) -> Arguments:
    """List the groups of users; every member is in each of them."""
    members = [member.id for member in world.slack.members]
    groups: list[Arguments] = [
        {"id": luid, "team_id": TEAM, "is_usergroup": True, "handle": handle, "name": name, "date_delete": 0}
        for luid, handle, name in USERGROUPS
    ]
    if bool_argument(arguments, "include_users"):
        groups = [group | {"users": members} for group in groups]
    if bool_argument(arguments, "include_count"):
        groups = [group | {"user_count": len(members)} for group in groups]
    return {"usergroups": groups}


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
