"""Render a message as the four variables of a WhatsApp template. Pure.

Outside of a conversation that the recipient has begun, WhatsApp shows only templates that it has approved:
https://www.twilio.com/docs/content/using-variables-with-content-api
"""

from __future__ import annotations

import json

from notifiers.message import Message, facts_of, link_of, title_of
from notifiers.text import one_line, shorten

PREFIX = "whatsapp:"
# Characters of a variable. It may have neither a new line nor be empty.
VARIABLE = 255
EMPTY = "-"


def variables(message: Message) -> str:
    """Return the variables as JSON: 1 what happened, 2 the facts, 3 the text, 4 the link."""
    link = link_of(message)
    facts = ", ".join(f"{name}: {value}" for name, value in facts_of(message))
    # A link that is cut leads elsewhere.
    url = link.url if link and len(link.url) <= VARIABLE else ""
    parts = (title_of(message), facts, one_line(message.text), url)
    return json.dumps({str(number): shorten(part, VARIABLE) or EMPTY for number, part in enumerate(parts, 1)})
