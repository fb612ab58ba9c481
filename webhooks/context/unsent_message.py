"""A message as JSON, so that an attempt that only has to send it again asks Tableau for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from notifiers import Link, Message, Timestamp

FIELDS = ("title", "text", "severity", "footer", "status")
# Parts that each attempt makes again, because they may have changed.
MADE_AGAIN = ("table", "buttons", "menu", "mentions", "actions", "incident", "picture")


def message_to_json(message: Message) -> dict[str, Any] | None:
    """Return the message as a JSON object; None if it has parts that are made again for each attempt."""
    if any(getattr(message, part) for part in MADE_AGAIN):
        return None
    facts = [[name, value if isinstance(value, str) else _time_to_json(value)] for name, value in message.facts]
    link = asdict(message.link) if message.link else None
    return {field: getattr(message, field) for field in FIELDS} | {"facts": facts, "link": link}


def message_from_json(value: Mapping[str, Any]) -> Message:
    """Return the message that `message_to_json` was called on."""
    facts = ((name, fact if isinstance(fact, str) else _time_from_json(fact)) for name, fact in value["facts"])
    link = Link(**value["link"]) if value["link"] else None
    return Message(**{field: value[field] for field in FIELDS}, facts=tuple(facts), link=link)


def _time_to_json(timestamp: Timestamp) -> dict[str, str]:
    zone = timestamp.zone
    return {"at": timestamp.at.isoformat(), "zone": zone.key if isinstance(zone, ZoneInfo) else "UTC"}


def _time_from_json(value: Mapping[str, str]) -> Timestamp:
    return Timestamp(datetime.fromisoformat(value["at"]), ZoneInfo(value["zone"]))
