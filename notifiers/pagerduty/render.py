"""Render a message as an event of PagerDuty's Events API v2. Pure.

https://developer.pagerduty.com/docs/send-alert-event
"""

from __future__ import annotations

import json

from notifiers.message import Message, actions_of, facts_of, link_of, mentions_of, table_lines, title_of
from notifiers.text import clean, one_line, shorten

# Characters of a summary; bytes of an event, of which a part is left for the frame.
SUMMARY, EVENT, FRAME = 1024, 512 * 1024, 16 * 1024
# Our own limits, in characters, for the details, which people read on a phone.
TEXT, NAME, VALUE, FACTS = 8000, 200, 2000, 60
SEVERITIES = {"info": "info", "good": "info", "warning": "warning", "bad": "critical"}
CLIENT = "Tableau Webhooks"
SOURCE = "tableau"


def render(message: Message, action: str, *, routing_key: str, dedup_key: str) -> bytes:
    """Return the body of the request. An event that acknowledges or resolves needs the key alone."""
    event: dict[str, object] = {"routing_key": routing_key, "event_action": action, "client": CLIENT}
    if dedup_key:
        event["dedup_key"] = dedup_key
    link = link_of(message)
    if link:
        event["client_url"] = link.url
    event["links"] = [{"href": one.url, "text": one.label} for one in [*actions_of(message), *([link] if link else [])]]
    details = {shorten(name, NAME): shorten(value, VALUE) for name, value in facts_of(message)[:FACTS]}
    more = {"Text": clean(message.text), "Mentions": mentions_of(message), "Table": "\n".join(table_lines(message))}
    details |= {name: shorten(text, TEXT) for name, text in more.items() if text}
    event["payload"] = {
        "summary": shorten(title_of(message), SUMMARY),
        "source": one_line(message.footer)[:NAME] or SOURCE,
        "severity": SEVERITIES[message.severity],
        "custom_details": details,
    }
    body = json.dumps(event, ensure_ascii=False).encode()
    if len(body) > EVENT - FRAME:
        event["payload"] = {**event["payload"], "custom_details": {}}  # type: ignore[dict-item]
        body = json.dumps(event, ensure_ascii=False).encode()
    return body
