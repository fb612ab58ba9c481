"""Workflows of Power Automate that post Adaptive Cards to Teams; they respond before they post.

https://learn.microsoft.com/azure/logic-apps/logic-apps-http-endpoint
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hmac import compare_digest
from typing import Any

from flask import Blueprint, Response, request

from simulator.receivers.state import Taken
from simulator.world.current import current_world

blueprint = Blueprint("teams", __name__, url_prefix="/teams")
# Bytes of a message in Teams.
MAX_BYTES = 28 * 1024
ELEMENTS = {"TextBlock", "RichTextBlock", "FactSet", "Table", "Container", "ColumnSet", "Image", "ActionSet"}


class Refused(Exception):
    """The workflow refuses the request with this status and code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@blueprint.errorhandler(Refused)
def refuse(error: Refused) -> Response:
    """Return the response of Power Automate for an error."""
    content = {"error": {"code": error.code, "message": str(error)}}
    return Response(json.dumps(content), error.status, mimetype="application/json")


@blueprint.post("/workflows/<channel>/triggers/manual/paths/invoke")
def take(channel: str) -> Response:
    """Take a card and respond with 202."""
    world = current_world()
    if not compare_digest(request.args.get("sig", "").encode(), world.config.teams_signature.encode()):
        raise Refused(
            401, "DirectApiAuthorizationRequired", "The request must be authenticated by Shared Access scheme."
        )
    body = request.get_data()
    if len(body) > MAX_BYTES:
        raise Refused(413, "RequestEntityTooLarge", "The message is larger than 28 KB.")
    try:
        card = json.loads(body)["attachments"][0]["content"]
        texts = list(card_texts(card))
    except (ValueError, LookupError, TypeError) as error:
        raise Refused(400, "TriggerInputSchemaMismatch", f"Not a message with an Adaptive Card: {error}") from error
    with world.lock:
        title, *rest = texts
        world.taking.messages.append(Taken("teams", channel, title, "\n".join(rest), world.now(), card))
        world.changed()
    return Response(status=202)


def card_texts(card: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a card as people see them. Raises ValueError for what Teams would refuse."""
    if (
        card.get("type") != "AdaptiveCard"
        or card.get("version") not in {"1.2", "1.3", "1.4", "1.5"}
        or not card["body"]
    ):
        raise ValueError("Property 'type' must be 'AdaptiveCard', with a version and a body")
    for element in card["body"]:
        yield _text(element)
    for action in card.get("actions", []):
        if action["type"] != "Action.OpenUrl" or not action["url"].startswith(("https://", "http://")):
            raise ValueError(f"A workflow cannot carry out {action['type']}")
        yield f"[{action['title']}] {action['url']}"


def _text(element: dict[str, Any]) -> str:
    if element["type"] not in ELEMENTS:
        raise ValueError(f"Unknown element {element['type']}")
    if element["type"] == "RichTextBlock":
        return "".join(_run(run) for run in element["inlines"])
    if element["type"] == "Table":
        rows = element["rows"]
        if any(len(row["cells"]) != len(element["columns"]) for row in rows):
            raise ValueError("A row has another number of cells than there are columns")
        return "\n".join(" | ".join(" ".join(map(_text, cell["items"])) for cell in row["cells"]) for row in rows)
    return str(element.get("text", ""))


def _run(run: dict[str, Any]) -> str:
    if run["type"] != "TextRun" or not isinstance(run["text"], str):
        raise ValueError("An inline element is not a TextRun")
    return str(run["text"])
