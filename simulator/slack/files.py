"""Upload files in three steps: request an address, send the bytes, share the file.

https://docs.slack.dev/reference/methods/files.getUploadURLExternal
"""

from __future__ import annotations

from flask import Response, request

from simulator.slack.api import Arguments, json_argument, method, slack
from simulator.slack.messages import check_blocks, find_message
from simulator.slack.workspace import Content, File, SlackError
from simulator.world.current import current_world
from simulator.world.world import World

MAX_BYTES = 1 << 30


@method("files.getUploadURLExternal", scope="files:write", tier=4)
def get_upload_url(world: World, arguments: Arguments) -> Arguments:
    """Return an address for the bytes of a file, and the id that the file will have."""
    name, length, alt = (str(arguments.get(key) or "") for key in ("filename", "length", "alt_txt"))
    if not name:
        raise SlackError("invalid_arguments", "missing required field: filename")
    if not length.isdigit() or int(length) < 1:
        raise SlackError("invalid_arguments", "must be a positive integer: length")
    if len(alt) > 1000:
        raise SlackError("alt_txt_too_large")
    if int(length) > MAX_BYTES:
        raise SlackError("file_upload_size_restricted")
    file = world.slack.expect_file(name, int(length), alt)
    return {"upload_url": f"{request.host_url}slack/upload/{file.ticket}", "file_id": file.id}


@slack.post("/upload/<ticket>")
def upload(ticket: str) -> Response:
    """Receive the bytes, raw or as the first part of a form. The address itself is the permission."""
    world = current_world()
    if request.mimetype == "multipart/form-data":
        parts = list(request.files.values())
        data = parts[0].read() if parts else b""
    else:
        data = request.get_data(cache=False)
    with world.lock:
        if not world.slack.receive_file(ticket, data):
            return Response("unexpected file", 400, mimetype="text/plain")
    return Response(f"OK - {len(data)}", mimetype="text/plain")


@method("files.completeUploadExternal", scope="files:write", tier=4)
def complete_upload(world: World, arguments: Arguments) -> Arguments:
    """Share files that were uploaded; without a channel they stay unshared."""
    requested = json_argument(arguments, "files", "invalid_arguments")
    if not isinstance(requested, list) or not requested:
        raise SlackError("invalid_arguments", "missing required field: files")
    files = []
    for entry in requested:
        given = entry if isinstance(entry, dict) else {}
        file = world.slack.files.get(str(given.get("id")))
        if file is None or file.data is None or file.shared:
            raise SlackError("file_not_found")
        file.title = str(given.get("title") or file.name)
        files.append(file)
    channels = str(arguments.get("channel_id") or arguments.get("channels") or "")
    for channel in filter(None, channels.split(",")):
        _share(world, channel, files, arguments)
    return {"files": [describe_file(world, file) for file in files]}


def _share(world: World, channel_id: str, files: list[File], arguments: Arguments) -> None:
    # Here Slack accepts an id only, not a name.
    channel = world.slack.channels.get(channel_id)
    if channel is None or (channel.private and not channel.member):
        raise SlackError("channel_not_found")
    if not channel.member:
        raise SlackError("not_in_channel")
    blocks = json_argument(arguments, "blocks", "invalid_blocks_format") or []
    check_blocks(blocks)
    message = world.slack.new_message(channel.id, Content(str(arguments.get("initial_comment") or ""), blocks))
    if thread := str(arguments.get("thread_ts") or ""):
        message.thread_ts = find_message(world, channel.id, thread).ts
    message.files = [file.id for file in files]
    world.slack.post(channel, message)
    for file in files:
        file.shared = True


@method("files.info", scope="files:read", tier=4)
def info(world: World, arguments: Arguments) -> Arguments:
    """Return a file."""
    file = world.slack.files.get(str(arguments.get("file") or ""))
    if file is None:
        raise SlackError("file_not_found")
    return {"file": describe_file(world, file)}


def describe_file(world: World, file: File) -> Arguments:
    """Return a file as the API shows it."""
    shares = [message for message in world.slack.messages if file.id in message.files]
    public = {
        channel: [{"ts": message.ts} for message in shares if message.channel == channel]
        for channel in sorted({message.channel for message in shares})
    }
    return {
        "id": file.id,
        "name": file.name,
        "title": file.title or file.name,
        "size": file.size,
        "mimetype": mimetype(file),
        "alt_txt": file.alt,
        "created": int(file.created.timestamp()),
        "permalink": f"https://acme.slack.com/files/{file.id}",
        "url_private": f"{request.host_url}simulator/files/{file.id}",
        "shares": {"public": public} if public else {},
    }


def mimetype(file: File) -> str:
    """Return the type of a file by its first bytes."""
    data = file.data or b""
    if data.startswith(b"\x89PNG\r\n"):
        return "image/png"
    return "application/pdf" if data.startswith(b"%PDF") else "application/octet-stream"
