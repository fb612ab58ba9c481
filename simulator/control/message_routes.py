"""Routes about messages: what services received, and what people do there."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response, request

from simulator.control.blueprint import Content, InvalidRequest, Result, control, read_body
from simulator.control.reports import message_report, sms_report, taken_report, versions_report
from simulator.receivers import pagerduty_webhook
from simulator.slack.files import mimetype
from simulator.slack.interactions import Target, find_member, press
from simulator.slack.workspace import Channel, SlackError
from simulator.slack.workspace import Content as SlackContent
from simulator.twilio.replies import reply
from simulator.world.current import current_world
from simulator.world.world import World


@control.get("/messages")
def messages() -> Result:
    """Return the messages that Slack and Twilio received."""
    world = current_world()
    with world.lock:
        files = [
            {"id": file.id, "name": file.name, "title": file.title, "size": file.size}
            for file in world.slack.files.values()
        ]
        sent = [
            message_report(world, message) | {"versions": versions_report(message)} for message in world.slack.messages
        ]
        return {
            "slack": sent,
            "sms": [sms_report(world, sms) for sms in world.twilio.messages],
            "files": files,
            "others": [taken_report(message) for message in world.taking.messages],
            "alerts": [asdict(alert) for alert in world.taking.alerts],
        }


@control.post("/slack/messages")
def write_message() -> Result:
    """Post a message of a person, which no app can update."""
    body, world = read_body(), current_world()
    with world.lock:
        member = find_member(world, str(body.get("user") or ""))
        channel = _slack_channel(world, body)
        message = world.slack.new_message(channel.id, SlackContent(str(body.get("text") or "")))
        message.user, message.thread_ts = member.id, str(body.get("thread_ts") or "")
        try:
            world.slack.post(channel, message)
        except SlackError as error:
            raise InvalidRequest(error.name) from error
        world.changed()
        return message_report(world, message)


@control.post("/slack/press")
def press_button() -> Result:
    """Press a button of a message, and return the response of the app."""
    body, world = read_body(), current_world()
    with world.lock:
        member = find_member(world, str(body.get("user") or ""))
        channel = _slack_channel(world, body)
        message = world.slack.message(channel.id, str(body.get("ts") or ""))
    if message is None:
        raise InvalidRequest(f"Unknown message {body.get('ts')!r} in #{channel.name}")
    pressed = press(
        world,
        message,
        member,
        Target(str(body.get("button") or ""), str(body.get("block_id") or "")),
        base_url=request.host_url,
        show_error=body.get("show_error", True) is not False,
    )
    return asdict(pressed)


@control.post("/slack/sockets")
def end_sockets() -> Result:
    """End the connections of Socket Mode."""
    body, sockets = read_body(), current_world().slack.sockets
    count = sockets.count
    if body.get("cut"):
        sockets.cut()
    else:
        sockets.disconnect()
    return {"connections": count}


@control.post("/sms/replies")
def reply_by_sms() -> Result:
    """Send a text message from a person's phone, and return the response of the server."""
    body = read_body()
    number = str(body.get("from") or "")
    if not number:
        raise InvalidRequest("from is missing: the number of the person's phone")
    opt_out = str(body.get("opt_out") or "")
    return asdict(reply(current_world(), number, str(body.get("body") or ""), opt_out=opt_out))


@control.post("/pagerduty")
def act_on_alert() -> Result:
    """Let a person acknowledge or resolve an alert, and return the response of the server."""
    body = read_body()
    wanted, person = str(body.get("key") or ""), str(body.get("person") or "Ann Okafor")
    return asdict(pagerduty_webhook.act(current_world(), wanted, str(body.get("act") or "acknowledge"), person))


def _slack_channel(world: World, body: Content) -> Channel:
    try:
        return world.slack.find(str(body.get("channel") or ""))
    except SlackError as error:
        raise InvalidRequest(f"Unknown channel {body.get('channel')!r}") from error


@control.get("/files/<luid>")
def file(luid: str) -> Response:
    """Return the bytes of a file."""
    known = current_world().slack.files.get(luid)
    if known is None or known.data is None:
        return Response("no such file\n", 404, mimetype="text/plain")
    # An uploaded file must not run as a page of this origin.
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
    return Response(known.data, mimetype=mimetype(known), headers=headers)
