"""What happened, as JSON for people and tests: messages, deliveries, calls."""

from typing import Any

from simulator.slack.files import mimetype
from simulator.slack.workspace import Message
from simulator.twilio.account import Sms
from simulator.world.calls import Call
from simulator.world.delivery import Delivery
from simulator.world.world import World

Report = dict[str, Any]


def message_report(world: World, message: Message) -> Report:
    """A Slack message with its channel's name and its files."""
    channel = world.slack.channels[message.channel]
    files = [world.slack.files[luid] for luid in message.files]
    return {
        "ts": message.ts,
        "channel": channel.id,
        "channel_name": f"@{channel.name}" if channel.user else f"#{channel.name}",
        "text": message.text,
        "blocks": message.blocks,
        "attachments": message.attachments,
        "thread_ts": message.thread_ts or None,
        "edited": message.edited,
        "at": message.at.isoformat(),
        "files": [
            {
                "id": f.id,
                "name": f.name,
                "title": f.title,
                "alt": f.alt,
                "size": f.size,
                "mimetype": mimetype(f),
                "url": f"/simulator/files/{f.id}",
            }
            for f in files
        ],
    }


def sms_report(world: World, sms: Sms) -> Report:
    """A text message."""
    at, status = sms.at.isoformat(), sms.status(world.now(), world.config.sms_seconds)
    return {
        "sid": sms.sid,
        "to": sms.to,
        "from": sms.sender,
        "body": sms.body,
        "segments": sms.segments,
        "status": status,
        "at": at,
    }


def delivery_report(delivery: Delivery) -> Report:
    """A webhook on its way, with every attempt."""
    attempts = [
        {
            "at": a.at.isoformat(),
            "status": a.status,
            "error": a.error,
            "milliseconds": a.milliseconds,
            "answer": a.response,
        }
        for a in list(delivery.attempts)
    ]
    return {
        "id": delivery.id,
        "webhook": delivery.webhook,
        "name": delivery.name,
        "url": delivery.url,
        "event_type": delivery.event_type,
        "resource_name": delivery.resource_name,
        "state": delivery.state,
        "duplicate": delivery.duplicate,
        "created_at": delivery.created_at.isoformat(),
        "body": delivery.body.decode(),
        "attempts": attempts,
    }


def call_report(call: Call) -> Report:
    """One call of a vendor's API."""
    return {
        "at": call.at.isoformat(),
        "target": call.target,
        "method": call.method,
        "path": call.path,
        "status": call.status,
        "milliseconds": call.milliseconds,
        "faults": list(call.faults),
    }
