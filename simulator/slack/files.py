"""Uploading a file in three steps: announce it, send the bytes, share it.

https://docs.slack.dev/reference/methods/files.getUploadURLExternal
"""

from flask import Response, current_app, request

from simulator.slack.api import Arguments, method, parsed, slack
from simulator.slack.messages import allowed, find
from simulator.slack.workspace import File, SlackError
from simulator.world.world import World

MOST_BYTES = 1 << 30


@method("files.getUploadURLExternal")
def announce(world: World, arguments: Arguments) -> Arguments:
    """Where to send the bytes of a file, and the id it will have."""
    name, length, alt = (
        str(arguments.get("filename") or ""),
        str(arguments.get("length") or ""),
        str(arguments.get("alt_txt") or ""),
    )
    if not name or not length.isdigit() or int(length) < 1:
        raise SlackError(
            "invalid_arguments",
            "missing required field: filename" if not name else "must be a positive integer: length",
        )
    if len(alt) > 1000:
        raise SlackError("alt_txt_too_large")
    if int(length) > MOST_BYTES:
        raise SlackError("file_upload_size_restricted")
    made = world.slack.expect(name, int(length), alt)
    return {"upload_url": f"{request.host_url}slack/upload/{made.ticket}", "file_id": made.id}


@slack.post("/upload/<ticket>")
def upload(ticket: str) -> Response:
    """Take in the bytes, raw or as the first part of a form. The address itself is the permission."""
    world: World = current_app.extensions["simulator"]
    if request.mimetype == "multipart/form-data":
        parts = list(request.files.values())
        data = parts[0].read() if parts else b""
    else:
        data = request.get_data(cache=False)
    with world.lock:
        if not world.slack.arrived(ticket, data):
            return Response("unexpected file", 400, mimetype="text/plain")
    return Response(f"OK - {len(data)}", mimetype="text/plain")


@method("files.completeUploadExternal")
def complete(world: World, arguments: Arguments) -> Arguments:
    """Share files that have arrived; without a channel they stay unshared."""
    wished = parsed(arguments, "files", "invalid_arguments")
    if not isinstance(wished, list) or not wished:
        raise SlackError("invalid_arguments", "missing required field: files")
    files = [_arrived(world, wish) for wish in wished]
    channels = [part for part in str(arguments.get("channel_id") or arguments.get("channels") or "").split(",") if part]
    for channel in channels:
        _share(world, channel, files, arguments)
    return {"files": [described(world, file) for file in files]}


def _arrived(world: World, wish: object) -> File:
    known = world.slack.files.get(str(wish.get("id"))) if isinstance(wish, dict) else None
    if known is None or known.data is None or known.shared:
        raise SlackError("file_not_found")
    known.title = str(wish.get("title") or known.name) if isinstance(wish, dict) else known.name
    return known


def _share(world: World, where: str, files: list[File], arguments: Arguments) -> None:
    channel = world.slack.channels.get(where)  # an id, never a name
    if channel is None or (channel.private and not channel.member):
        raise SlackError("channel_not_found")
    if not channel.member:
        raise SlackError("not_in_channel")
    message = world.slack.new(channel.id, str(arguments.get("initial_comment") or ""))
    message.blocks = parsed(arguments, "blocks", "invalid_blocks_format") or []
    allowed(message.blocks)
    if thread := str(arguments.get("thread_ts") or ""):
        message.thread_ts = find(world, channel.id, thread).ts
    message.files = [file.id for file in files]
    world.slack.post(channel, message)
    for file in files:
        file.shared = True


@method("files.info")
def info(world: World, arguments: Arguments) -> Arguments:
    """What is known of a file."""
    known = world.slack.files.get(str(arguments.get("file") or ""))
    if known is None:
        raise SlackError("file_not_found")
    return {"file": described(world, known)}


def described(world: World, file: File) -> Arguments:
    """A file as the API shows it."""
    shares = [m for m in world.slack.messages if file.id in m.files]
    public = {
        channel: [{"ts": m.ts} for m in shares if m.channel == channel]
        for channel in sorted({m.channel for m in shares})
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
    """What kind of file the bytes are, as far as it matters here."""
    data = file.data or b""
    if data.startswith(b"\x89PNG\r\n"):
        return "image/png"
    return "application/pdf" if data.startswith(b"%PDF") else "application/octet-stream"
