"""The simulator's page: buttons that cause events, and the messages, deliveries and calls that follow."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, render_template, request

from simulator.control import http_api
from simulator.control.reports import call_report, delivery_report, message_report, sms_report, taken_report
from simulator.slack.workspace import Message
from simulator.world.current import current_world
from simulator.world.world import World

page = Blueprint("page", __name__)
MAX_MESSAGES, MAX_SMS, MAX_DELIVERIES, MAX_CALLS = 150, 50, 60, 40
# The page loads everything from the simulator; the contents of messages cannot make it load anything else.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@page.get("/")
def index() -> Response:
    """Return the page without data; its script fetches them."""
    manual = (http_api.__doc__ or "").partition("\n\n")[2]
    html = render_template("index.html", site=current_world().home, manual=manual)
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(html, headers=headers)


@page.get("/simulator/feed")
def feed() -> Response | dict[str, Any]:
    """Return the data of the page, or 204 if the caller has them already (`since`)."""
    world = current_world()
    with world.lock:
        now, pace = world.now(), world.config.sms_seconds
        arriving = sum(sms.status(now, pace) != sms.final_status for sms in world.twilio.messages[-MAX_SMS:])
        attempts = sum(len(delivery.attempts) for delivery in list(world.sender.log)[-MAX_DELIVERIES:])
        stamp = f"{world.generation}.{world.version}.{world.calls.total}.{arriving}.{attempts}"
        if request.args.get("since") == stamp:
            return Response(status=204)
        return {"stamp": stamp} | _data(world)


def _data(world: World) -> dict[str, Any]:
    home, channels_used = world.home, [message.channel for message in world.slack.messages]
    channels = [
        {
            "id": channel.id,
            "name": f"@{channel.name}" if channel.user else f"#{channel.name}",
            "count": channels_used.count(channel.id),
        }
        for channel in world.slack.channels.values()
        if not channel.archived and (channel.member or channel.id in channels_used)
    ]
    first = max(0, world.calls.total - MAX_CALLS)
    newest_calls = list(world.calls.log)[-MAX_CALLS:]
    calls = [call_report(call) | {"number": first + index} for index, call in enumerate(newest_calls)]
    deliveries = list(world.sender.log)[: -MAX_DELIVERIES - 1 : -1]
    return {
        "site": home.name,
        "webhooks": len(home.webhooks),
        "sign_ins": world.sessions.sign_ins.total(),
        "total": world.calls.total,
        "sent": world.sender.count,
        "channels": channels,
        "messages": [message_report(world, message) for message in _shown_messages(world)],
        "members": [(member.id, member.real_name) for member in world.slack.members],
        "sms": [sms_report(world, sms) for sms in world.twilio.messages[: -MAX_SMS - 1 : -1]],
        "others": [
            {"key": number} | taken_report(message) | {"data": None}
            for number, message in reversed(list(enumerate(world.taking.messages))[-MAX_SMS:])
        ],
        "deliveries": [redacted(delivery_report(delivery)) for delivery in deliveries],
        "calls": calls[::-1],
        "faults": [asdict(fault) for fault in world.faults.on()],
        "workbooks": _names(home.workbooks),
        "datasources": _names(home.datasources),
    }


def _shown_messages(world: World) -> list[Message]:
    """Return the newest messages of the channels with their whole threads."""
    top = [message for message in world.slack.messages if not message.is_reply][-MAX_MESSAGES:]
    shown = {(message.channel, message.ts) for message in top}
    return [one for one in world.slack.messages if (one.channel, one.thread_ts or one.ts) in shown]


def _names(things: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted(((luid, thing.name) for luid, thing in things.items()), key=lambda pair: pair[1].lower())


def redacted(report: dict[str, Any]) -> dict[str, Any]:
    """Return a delivery without the secret in its URL: the last part of a longer path, and the query."""
    url = urlsplit(report.pop("url"))
    parts = url.path.split("/")
    if len(parts) > 2 and parts[-1]:
        parts[-1] = "•••"
    return report | {"address": f"{url.netloc}{'/'.join(parts)}{'?•••' if url.query else ''}"}
