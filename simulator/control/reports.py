"""Messages, deliveries and calls as JSON, for people and tests."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from simulator.receivers.state import Taken
from simulator.slack.files import mimetype
from simulator.slack.workspace import BOT_NAME, Message
from simulator.twilio.account import Sms
from simulator.world.calls import Call
from simulator.world.delivery import Delivery
from simulator.world.world import World

Report = dict[str, Any]


def message_report(world: World, message: Message) -> Report:
    """Return a Slack message with the name of its channel and its files."""
    channel = world.slack.channels[message.channel]
    people = {member.id: member.real_name for member in world.slack.members}
    files = [world.slack.files[luid] for luid in message.files]
    return {
        "ts": message.ts,
        "channel": channel.id,
        "channel_name": f"@{channel.name}" if channel.user else f"#{channel.name}",
        "user": people.get(message.user, BOT_NAME),
        "text": message.text,
        "blocks": message.blocks,
        "attachments": message.attachments,
        "metadata": message.metadata,
        "thread_ts": message.thread_ts or None,
        "broadcast": message.broadcast,
        "ephemeral_for": people.get(message.ephemeral_for),
        "edited": message.edited,
        "reactions": {name: len(users) for name, users in message.reactions.items()},
        "press_error": message.press_error,
        "at": message.at.isoformat(),
        "files": [
            {
                "id": file.id,
                "name": file.name,
                "title": file.title,
                "alt": file.alt,
                "size": file.size,
                "mimetype": mimetype(file),
                "url": f"/simulator/files/{file.id}",
            }
            for file in files
        ],
    }


def versions_report(message: Message) -> list[Report]:
    """Return every version of a Slack message with its time, the current one last."""
    return [
        {"at": at.isoformat(), "text": content.text, "blocks": content.blocks, "metadata": content.metadata}
        for at, content in message.versions
    ]


def sms_report(world: World, sms: Sms) -> Report:
    """Return a text message."""
    return {
        "sid": sms.sid,
        "to": sms.to,
        "from": sms.sender,
        "body": sms.body,
        "segments": sms.segments,
        "status": sms.status(world.now(), world.config.sms_seconds),
        "at": sms.at.isoformat(),
    }


def taken_report(message: Taken) -> Report:
    """Return a message that one of the other services took."""
    return {
        "kind": message.kind,
        "place": message.place,
        "title": message.title,
        "text": message.text,
        "at": message.at.isoformat(),
        "data": message.data,
    }


def delivery_report(delivery: Delivery) -> Report:
    """Return a webhook on its way, with every attempt."""
    attempts = [
        {
            "at": attempt.at.isoformat(),
            "status": attempt.status,
            "error": attempt.error,
            "milliseconds": attempt.milliseconds,
            "response": attempt.response,
        }
        for attempt in list(delivery.attempts)
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
    """Return one call of a vendor's API."""
    report = asdict(call) | {"at": call.at.isoformat(), "faults": list(call.faults)}
    del report["rule"]
    return report
