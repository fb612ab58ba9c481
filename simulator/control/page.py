"""The page for people: what happened, what was said, and buttons that make more happen."""

from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, render_template, request

from simulator.control import http_api as control
from simulator.control.reports import call_report, delivery_report, message_report, sms_report
from simulator.world.current import current_world
from simulator.world.world import World

page = Blueprint("page", __name__)
MESSAGES, SMS, DELIVERIES, CALLS = 150, 50, 60, 40  # so many of each are shown
# Everything on the page comes from here; what messages say may not reach out.
POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@page.get("/")
def index() -> Response:
    """The page, empty; its script fills it."""
    manual = (control.__doc__ or "").partition("\n\n")[2]
    html = render_template("index.html", site=current_world().home, manual=manual)
    return Response(html, headers={"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"})


@page.get("/simulator/feed")
def feed() -> Response | dict[str, Any]:
    """What the page shows; nothing, if that is what the caller has already seen (`since`)."""
    world = current_world()
    with world.lock:
        stamp = _stamp(world)
        if request.args.get("since") == stamp:
            return Response(status=204)
        return {"stamp": stamp} | _content(world)


def _stamp(world: World) -> str:
    now, pace = world.now(), world.config.sms_seconds
    arriving = sum(sms.status(now, pace) != "delivered" for sms in world.twilio.messages[-SMS:])
    tries = sum(len(delivery.attempts) for delivery in list(world.sender.log)[-DELIVERIES:])
    return f"{world.generation}.{world.version}.{world.calls.total}.{arriving}.{tries}"


def _content(world: World) -> dict[str, Any]:
    home, counts = world.home, [message.channel for message in world.slack.messages]
    channels = [
        {
            "id": channel.id,
            "name": f"@{channel.name}" if channel.user else f"#{channel.name}",
            "count": counts.count(channel.id),
        }
        for channel in world.slack.channels.values()
        if not channel.archived and (channel.member or channel.id in counts)
    ]
    first = max(0, world.calls.total - CALLS)
    calls = [call_report(call) | {"number": first + index} for index, call in enumerate(list(world.calls.log)[-CALLS:])]
    return {
        "site": home.name,
        "webhooks": len(home.webhooks),
        "sign_ins": world.sessions.sign_ins.total(),
        "total": world.calls.total,
        "sent": world.sender.count,
        "channels": channels,
        "messages": [message_report(world, message) for message in world.slack.messages[-MESSAGES:]],
        "sms": [sms_report(world, sms) for sms in world.twilio.messages[: -SMS - 1 : -1]],
        "deliveries": [
            _masked(delivery_report(delivery)) for delivery in list(world.sender.log)[: -DELIVERIES - 1 : -1]
        ],
        "calls": calls[::-1],
        "faults": [asdict(fault) for fault in world.faults.on()],
        "workbooks": _names(home.workbooks),
        "datasources": _names(home.datasources),
    }


def _names(things: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted(((luid, thing.name) for luid, thing in things.items()), key=lambda pair: pair[1].lower())


def _masked(report: dict[str, Any]) -> dict[str, Any]:
    """A delivery without the secret in its address: the last part of a longer path, and the query."""
    url = urlsplit(report.pop("url"))
    parts = url.path.split("/")
    if len(parts) > 2 and parts[-1]:
        parts[-1] = "•••"
    return report | {"address": f"{url.netloc}{'/'.join(parts)}{'?•••' if url.query else ''}"}
