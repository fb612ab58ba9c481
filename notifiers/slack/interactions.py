"""Presses of buttons, as Slack reports them: verify the signature of a request and read its payload. Pure.

https://docs.slack.dev/authentication/verifying-requests-from-slack
https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from notifiers.slack.render import MENU
from notifiers.text import one_line

# Ids of people, channels and workspaces; time stamps of messages and presses.
ID = re.compile(r"[A-Z0-9]{1,64}")
TIMESTAMP = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")
# Seconds; a longer number could not be compared with a time.
SIGNED_AT = re.compile(r"[0-9]{1,12}")
# Our own action ids and values are shorter.
LONGEST_NAME = 255
# Slack sends one field.
MAX_FIELDS = 10


class InvalidInteraction(ValueError):
    """The request is signed, but it is not an interaction as Slack documents them."""


@dataclass(frozen=True)
class Press:
    """A button of a message that a person pressed, or the entry of its menu that they chose.

    `key` identifies the press, also if Slack reports it again. `is_member` says whether the person belongs to the
    workspace of the app; people of other organizations can press buttons in shared channels. `thread` is the message
    under which the pressed one is a reply, else empty.
    """

    key: str
    action: str
    value: str
    user: str
    user_name: str
    team: str
    is_member: bool
    channel: str
    message: str
    thread: str = ""


def is_signed(secret: str, body: bytes, timestamp: str | None, signature: str | None, now: float) -> bool:
    """Return whether Slack signed these bytes within five minutes of `now` (seconds since 1970)."""
    from slack_sdk.signature import Clock, SignatureVerifier  # noqa: PLC0415 - slack_sdk is slow to import

    class FixedClock(Clock):
        def now(self) -> float:
            return now

    # The verifier compares and converts texts, and raises an error for those that Slack cannot have sent.
    if not timestamp or not SIGNED_AT.fullmatch(timestamp) or not signature or not signature.isascii():
        return False
    try:
        return SignatureVerifier(secret, FixedClock()).is_valid(body, timestamp, signature)
    except ValueError:
        return False


def parse_press(body: bytes) -> Press | None:
    """Return the press of a button, or the choice in a menu, in the body of a request; None for any other interaction.

    Raises InvalidInteraction.
    """
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        (text,) = fields.get("payload", [])
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInteraction("The body has no field `payload` with one JSON object.") from error
    if not isinstance(payload, dict):
        raise InvalidInteraction("The payload is not a JSON object.")
    return press_of(payload)


def _choice(action: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the choice in a menu as the press of a button; an empty mapping for none."""
    option = _mapping(action.get("selected_option"))
    if not isinstance(option.get("value"), str):
        return {}
    name, _, value = option["value"].partition(" ")
    return {**action, **option, "type": "button", "action_id": name, "value": value}


def press_of(payload: Mapping[str, Any]) -> Press | None:
    """Return the press of a button, or the choice in a menu, of a payload; None for any other interaction.

    Raises InvalidInteraction.
    """
    actions = payload.get("actions")
    action = _mapping(actions[0]) if isinstance(actions, list) and actions else {}
    if action.get("type") == "overflow" and action.get("action_id") == MENU:
        action = _choice(action)
    # A button that only opens an address is reported, too.
    if payload.get("type") != "block_actions" or action.get("type") != "button" or "url" in action:
        return None
    container, user, team = (_mapping(payload.get(name)) for name in ("container", "user", "team"))
    texts = [action.get(name, "") for name in ("action_id", "block_id", "value")]
    ids: list[Any] = [user.get("id"), team.get("id") or user.get("team_id"), container.get("channel_id")]
    times: list[Any] = [container.get("message_ts"), action.get("action_ts"), container.get("thread_ts") or "0.0"]
    if not (
        all(isinstance(text, str) and len(text) <= LONGEST_NAME for text in texts)
        and all(isinstance(one, str) and ID.fullmatch(one) for one in ids)
        and all(isinstance(time, str) and TIMESTAMP.fullmatch(time) for time in times)
    ):
        raise InvalidInteraction("The payload does not name the person, the message and the button.")
    own_team = user.get("team_id") in (None, ids[1])
    # In an organization with several workspaces, a person's team may be another one of them.
    same_organization = bool(payload.get("is_enterprise_install")) or payload.get("enterprise") is not None
    return Press(
        key=hashlib.sha256(json.dumps([*ids, *times, *texts]).encode()).hexdigest()[:32],
        action=texts[0],
        value=texts[2],
        user=ids[0],
        user_name=one_line(str(user.get("name") or user.get("username") or ids[0]))[:100],
        team=ids[1],
        is_member=own_team or same_organization,
        channel=ids[2],
        message=times[0],
        thread=str(container.get("thread_ts") or ""),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
