"""The buttons and the menu of a message that several incidents share: acts on all of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from notifiers import Button
from webhooks.incidents import Act, Incident
from webhooks.messages.incident_buttons import SNOOZE_TIME, Actions

ACKNOWLEDGE_ALL, SNOOZE_ALL, WHY_GROUP = "group_acknowledge", "group_snooze", "group_why"
GROUP_ACTIONS = frozenset({ACKNOWLEDGE_ALL, SNOOZE_ALL, WHY_GROUP})
VALUE = re.compile(r"group ([0-9]{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class GroupTarget:
    """The group that a button is about."""

    number: int

    def __str__(self) -> str:
        """Return the value of the button."""
        return f"group {self.number}"

    @classmethod
    def parse(cls, value: str) -> GroupTarget | None:
        """Return the target of a button with this value; None if it is none of ours."""
        found = VALUE.fullmatch(value)
        return cls(int(found[1])) if found else None


def group_actions(members: Collection[Incident], number: int) -> Actions:
    """Return the actions that make sense in the states of the incidents."""
    value, states = str(GroupTarget(number)), {one.state for one in members}
    style: Literal["", "primary"] = "primary" if "open" in states else ""
    acknowledge = Button("Acknowledge all", ACKNOWLEDGE_ALL, value, style)
    snooze, why = Button("Snooze all 1 h", SNOOZE_ALL, value), Button("Why?", WHY_GROUP, value)
    return Actions(
        (acknowledge,) if states & {"open", "snoozed"} else (), (snooze, why) if "open" in states else (why,)
    )


def act_of_group_button(action: str, by: str, now: datetime) -> Act | None:
    """Return the act of a press, to be stored for each incident that it changes; None if it has none."""
    if action == ACKNOWLEDGE_ALL:
        return Act("", "acknowledge", "", now, by)
    return Act("", "snooze", "", now, by, now + SNOOZE_TIME) if action == SNOOZE_ALL else None
