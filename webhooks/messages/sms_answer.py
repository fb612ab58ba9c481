"""Answer a reply by text message with the incidents that were acknowledged, or that can be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from notifiers import Message
from webhooks.text import count, cut

# Where a message about an incident offers to reply.
HINT = "Reply 1 to acknowledge."
WORDS = {
    "none": "Nothing is open that this number was notified of.",
    "unknown": "No open incident of this number that you were notified of. Reply 1 for a list.",
    "text": f"Not understood. {HINT}",
}
# Characters of a name, and incidents in an answer: it costs as many text messages as it takes.
MAX_NAME, MAX_LISTED = 40, 6


def sms_answer(problem: str, incidents: Sequence[Mapping[str, Any]]) -> Message:
    """Return the answer. `incidents` have `number`, `name` and `by`, the person who acknowledged it."""
    names = [cut(str(one["name"]), MAX_NAME) for one in incidents]
    if problem in WORDS:
        return Message(WORDS[problem])
    if problem == "repeated":
        by = str(incidents[0]["by"])
        return Message(f"Acknowledged already: {names[0]}", text=f"by {cut(by, MAX_NAME)}" if by else "")
    listed = [f"{one['number']} {name}" for one, name in zip(incidents, names, strict=True)][:MAX_LISTED]
    more = [f"and {len(names) - MAX_LISTED} more"] if len(names) > MAX_LISTED else []
    if problem == "several":
        example = f"Reply 1 {incidents[0]['number']}, for example, or 1 all."
        return Message(f"{len(names)} are open. {example}", text="\n".join([*listed, *more]))
    if len(names) == 1:
        return Message(f"Acknowledged: {names[0]}")
    return Message(f"Acknowledged: {count(len(names), 'incident')}", text="\n".join([*names[:MAX_LISTED], *more]))
