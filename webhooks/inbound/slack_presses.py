"""Store the presses of buttons in Slack, whichever way Slack reports them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from notifiers.slack.interactions import Press
from webhooks.clock import utc_now
from webhooks.incidents import Act
from webhooks.messages.group_buttons import GROUP_ACTIONS, GroupTarget, act_of_group_button
from webhooks.messages.incident_buttons import ACTIONS, ButtonTarget, act_of_button

log = logging.getLogger(__name__)

Target = ButtonTarget | GroupTarget
# Stores a press: its key, what it is about, what the job needs to know, and the act. Returns None if it was stored
# before, else why there was no act, or an empty text.
Record = Callable[[str, Target, Mapping[str, Any], Act | None], str | None]


class Presses(Protocol):
    """The stored presses; see webhooks/inbox/inbound/presses.py."""

    def record(
        self, key: str, incident_id: int, incident_key: str, params: Mapping[str, Any], act: Act | None = None
    ) -> str | None:
        """Store a press about one incident."""

    def record_group(self, key: str, group_id: int, params: Mapping[str, Any], act: Act | None = None) -> str | None:
        """Store a press about all incidents of a message."""


def recorder(presses: Callable[[], Presses]) -> Record:
    """Return the function that stores presses; the inbox is opened by the first one."""

    def record(key: str, target: Target, params: Mapping[str, Any], act: Act | None) -> str | None:
        if isinstance(target, GroupTarget):
            return presses().record_group(key, target.number, params, act)
        return presses().record(key, target.number, target.incident, params, act)

    return record


def store_press(record: Record, press: Press | None) -> None:
    """Store the press with its act; one that is not about an incident has no effect. Raises StoreUnavailable."""
    target = target_of(press) if press else None
    if press is None or target is None:
        log.info("Interaction without effect received")
        return
    by, now = f"{press.user_name} ({press.user})", utc_now()
    act = None
    if press.is_member and isinstance(target, ButtonTarget):
        act = act_of_button(press.action, target, by, now)
    elif press.is_member:
        act = act_of_group_button(press.action, by, now)
    params = {
        "action": press.action,
        "user": press.user,
        "user_name": press.user_name,
        "is_member": press.is_member,
        "channel": press.channel,
        "message": press.message,
    }
    problem = record(press.key, target, params, act)
    outcome = "repeated request" if problem is None else problem or ("act stored" if act else "job stored")
    subject = "group" if isinstance(target, GroupTarget) else "incident"
    log.info("Button pressed: action=%s %s=%d user=%s: %s", press.action, subject, target.number, press.user, outcome)


def target_of(press: Press) -> Target | None:
    """Return the incident or group that the press is about; None if the button is none of ours."""
    if press.action in GROUP_ACTIONS:
        return GroupTarget.parse(press.value)
    return ButtonTarget.parse(press.value) if press.action in ACTIONS else None
