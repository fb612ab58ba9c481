"""Render a message as JSON for programs. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from notifiers.message import Message, actions_of, link_of, mentions_of
from notifiers.text import clean, one_line
from notifiers.values import Cell, Link, Timestamp, usable_link

# Rows of a table in a request; `total` counts all.
ROWS = 1000


def render(message: Message, now: datetime) -> bytes:
    """Return the body: `type`, `timestamp` and `data`, as Standard Webhooks proposes."""
    incident, table = message.incident, message.table
    data: dict[str, Any] = {
        "title": one_line(message.title),
        "status": one_line(message.status),
        "severity": message.severity,
        "text": clean(message.text),
        "facts": [{"name": one_line(name), "value": _cell(value)} for name, value in message.facts],
        "link": _link(link_of(message)),
        "actions": [_link(link) for link in actions_of(message)],
        "mentions": mentions_of(message),
        "footer": one_line(message.footer),
        "incident": {"key": incident.key, "state": incident.state, "title": one_line(incident.title)}
        if incident
        else None,
        "table": None,
    }
    if table:
        rows = [[_cell(cell) for cell in row] for row in table.rows[:ROWS]]
        columns = list(map(one_line, table.columns))
        data["table"] = {"columns": columns, "rows": rows, "total": max(table.total, len(table.rows))}
    kind = f"incident.{incident.state}" if incident else "message"
    return json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data}, ensure_ascii=False).encode()


def _cell(cell: Cell) -> Any:
    if isinstance(cell, Timestamp):
        return cell.at.isoformat()
    return _link(cell) if isinstance(cell, Link) else one_line(cell)


def _link(link: Link | None) -> dict[str, str] | None:
    found = usable_link(link)
    return {"url": found.url, "label": found.label} if found else None
