"""The buttons of a message about an incident: which it has, and what they are about. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifiers import Button
from webhooks.clock import from_timestamp
from webhooks.incidents import Act, Incident

ACKNOWLEDGE, SNOOZE, SNOOZE_UNTIL = "incident_acknowledge", "incident_snooze", "incident_snooze_until"
REFRESH, WHY = "incident_refresh", "incident_why"
ACTIONS = frozenset({ACKNOWLEDGE, SNOOZE, SNOOZE_UNTIL, REFRESH, WHY})
SNOOZE_TIME = timedelta(hours=1)
# The kinds of content that can be refreshed.
REFRESHABLE = frozenset({"workbook", "datasource", "flow"})
VALUE = re.compile(r"([0-9]{1,18}) ([0-9a-f]{1,64})(?: ([0-9]{1,11}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ButtonTarget:
    """The incident that a button is about: its number and its id, and the end of the snooze that it offers."""

    number: int
    incident: str
    until: datetime | None = None

    def __str__(self) -> str:
        """Return the value of the button."""
        return f"{self.number} {self.incident}" + (f" {int(self.until.timestamp())}" if self.until else "")

    @classmethod
    def parse(cls, value: str) -> ButtonTarget | None:
        """Return the target of a button with this value; None if it is none of ours."""
        found = VALUE.fullmatch(value)
        if found is None:
            return None
        return cls(int(found[1]), found[2], from_timestamp(int(found[3])) if found[3] else None)


def incident_buttons(
    incident: Incident, number: int, now: datetime, *, next_run_at: datetime | None = None, may_refresh: bool = False
) -> tuple[Button, ...]:
    """Return the buttons that make sense in the incident's state. `may_refresh`: the rules name operators."""
    value = str(ButtonTarget(number, incident.id))
    buttons = []
    if incident.state in {"open", "snoozed"}:
        buttons.append(Button("Acknowledge", ACKNOWLEDGE, value, "primary" if incident.state == "open" else ""))
    if incident.state == "open":
        buttons.append(Button("Snooze 1 h", SNOOZE, value))
        # Tableau may have been asked before the last run.
        if next_run_at is not None and next_run_at > now:
            until = str(ButtonTarget(number, incident.id, next_run_at))
            buttons.append(Button("Snooze until the next run", SNOOZE_UNTIL, until))
    if incident.is_open and may_refresh and incident.resource_kind in REFRESHABLE:
        buttons.append(Button("Refresh again", REFRESH, value))
    return (*buttons, Button("Why?", WHY, value))


def act_of_button(action: str, target: ButtonTarget, by: str, now: datetime) -> Act | None:
    """Return the act of a press that is carried out at once; None if it has none, or if its time is over."""
    if action == ACKNOWLEDGE:
        return Act("", "acknowledge", target.incident, now, by)
    until = target.until if action == SNOOZE_UNTIL else now + SNOOZE_TIME
    if action not in {SNOOZE, SNOOZE_UNTIL} or until is None or until <= now:
        return None
    return Act("", "snooze", target.incident, now, by, until)
